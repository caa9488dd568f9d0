"""`ludens design`: which games tell preferences apart, and how often to ask them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ludens.cli.application import app
from ludens.cli.options import Json, names, numbers
from ludens.cli.printing import console, print_json


@app.command()
def design(
    *,
    games: Annotated[int, typer.Option(help="Number of games.")] = 18,
    parameter: Annotated[
        str | None,
        typer.Option(
            help="alpha, beta, kappa or noise: the one to tell best; by default all (D-optimal).",
            show_default=False,
        ),
    ] = None,
    families: Annotated[
        str | None,
        typer.Option(
            help="Families of games of two, as in `ludens envs`, separated by commas; by default those of "
            "benchmarks.",
            show_default=False,
        ),
    ] = None,
    payoffs: Annotated[
        str, typer.Option(help="Payoffs that games may have, in points.")
    ] = "10,20,30,40,50,60,70,80,90",
    noises: Annotated[str, typer.Option(help="Noises λ to do well at, in points.")] = "4,8,15",
    kappas: Annotated[str, typer.Option(help="Weights κ to do well at.")] = "0,0.25,0.5",
    alphas: Annotated[str, typer.Option(help="α to do well at.")] = "0,0.3",
    betas: Annotated[str, typer.Option(help="β to do well at.")] = "0,0.3",
    width: Annotated[
        float | None,
        typer.Option(
            help="Also say how often to ask for 95 % intervals of this length (of κ, or --parameter).",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the games to this file, for `ludens bench --suite`.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find the games whose answers tell preferences best, on average over preferences and noises."""
    from itertools import product

    from ludens.experiments.estimates.designs import as_json as design_as_json
    from ludens.experiments.estimates.designs import print_design
    from ludens.experiments.runs.files import write_table
    from ludens.preferences.estimation.design import find_design

    weights = [
        numbers(option, text)
        for option, text in (("--alphas", alphas), ("--betas", betas), ("--kappas", kappas))
    ]
    found = find_design(
        games,
        parameter=parameter,
        families=() if families is None else names(families),
        levels=numbers("--payoffs", payoffs),
        preferences=[(alpha, beta, kappa) for alpha, beta, kappa in product(*weights)],
        noises=numbers("--noises", noises),
    )
    if width is not None:
        found.replicates(parameter or "kappa", width)  # refuses a wrong width before anything is printed
    if out is not None:
        write_table(json.dumps(design_as_json(found, width), indent=2) + "\n", out, "name another file.")
    if as_json:
        print_json(design_as_json(found, width))
    else:
        print_design(found, console(), width, out)
