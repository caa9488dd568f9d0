"""`ludens tournament`: policies and models that play games against each other."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ludens.cli.application import app
from ludens.cli.blocks import BudgetOptions, CarryingOutOptions, ModelOptions, with_blocks
from ludens.cli.options import Concurrency, Csv, Json, Out, Seed, assignments
from ludens.cli.studies import PrintConfig, carry_out, given
from ludens.errors import UsageError


@app.command()
@with_blocks
def tournament(
    policies: Annotated[
        list[str], typer.Argument(metavar="POLICY...", help="Policies and models, at least two.")
    ],
    *,
    game: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID:KEY=VALUE,…",
            help="An environment with its options, as in stag_hunt-v0:protocol=SH1,rounds=5; may be "
            "repeated. "
            "By default the prisoner's dilemma of ten rounds.",
            show_default=False,
        ),
    ] = None,
    matches: Annotated[int, typer.Option(help="Matches of those who meet in each seating.")] = 5,
    group: Annotated[
        int, typer.Option(help="How many different policies meet in a match; seats are theirs in turn.")
    ] = 2,
    swiss: Annotated[
        int | None,
        typer.Option(
            help="Rounds of a Swiss system, in place of everybody with everybody.", show_default=False
        ),
    ] = None,
    seed: Seed = 0,
    concurrency: Concurrency = None,
    asked: ModelOptions,
    budget: BudgetOptions,
    executor: CarryingOutOptions,
    out: Out = None,
    as_json: Json = False,
    csv: Csv = None,
    print_config: PrintConfig = False,
) -> None:
    """Let policies play games against each other, and rate them."""
    from ludens.experiments.populations.tournament import TournamentStudy
    from ludens.experiments.populations.tournament_config import TournamentConfig
    from ludens.experiments.study.questions import with_settings

    if swiss is not None and swiss < 1:
        raise UsageError(f"--swiss is a number of rounds of at least 1; got {swiss}.")
    config = TournamentConfig(
        policies=with_settings(policies, **asked.settings),
        matches=matches,
        group=group,
        seed=seed,
        **given(
            games=None if not game else [_game(text) for text in game],
            swiss=swiss,
            concurrency=concurrency,
        ),
    )
    carry_out(
        TournamentStudy(config), budget, executor, out=out, as_json=as_json, print_config=print_config,
        files={"cross_play": csv},
    )  # fmt: skip


def _game(text: str) -> dict[str, Any]:
    name, _, options = text.partition(":")
    return {**(assignments([options], "--game") if options else {}), "id": name}
