"""`ludens evolve`: which preferences and which policies survive in a population."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import typer

from ludens.cli.application import app
from ludens.cli.blocks import CarryingOutOptions, with_blocks
from ludens.cli.options import Concurrency, Csv, Json, Out, Seed, assignments, is_run, numbers
from ludens.cli.studies import PrintConfig, carry_out, given
from ludens.errors import UsageError

evolve_app = typer.Typer(no_args_is_help=True, help="Let preferences and policies evolve in a population.")
app.add_typer(evolve_app, name="evolve")

Assortativity = Annotated[
    float, typer.Option("--assortativity", help="σ: the probability to meet one's own type.")
]
Generations = Annotated[int | None, typer.Option(help="How long.", show_default=False)]
Population = Annotated[
    int | None, typer.Option(help="Members of a simulated population.", show_default=False)
]
Selection = Annotated[
    float | None,
    typer.Option(help="Intensity of selection, per range of payoffs.", show_default=False),
]
Replicates = Annotated[int | None, typer.Option(help="Simulations of each kind.", show_default=False)]


@evolve_app.command("kappa")
@with_blocks
def evolve_kappa(
    game: Annotated[
        str,
        typer.Argument(
            metavar="GAME",
            help="Payoffs of a 2×2 game row by row, as in 5,2,7,3 (after -- where the first is "
            "negative), the name of one of the "
            "library, such as PD2, HD1, PG1 or CO1, or a game with its arguments, as in "
            "linear_public_good:players=4,marginal_return=0.4, quadratic_public_good:benefit=3,cost=1 or "
            "cournot:intercept=10,cost=1.",
        ),
    ],
    *,
    kappas: Annotated[
        str | None,
        typer.Option(
            help="Weights of residents and mutants, as in 0,0.25,0.5; by default 0, 0.1, … 1.",
            show_default=False,
        ),
    ] = None,
    assortativity: Assortativity = 0.0,
    population: Population = None,
    mutants: Annotated[
        float | None, typer.Option(help="Share of mutants at the start.", show_default=False)
    ] = None,
    generations: Generations = None,
    selection: Selection = None,
    process: Annotated[
        Literal["wright_fisher", "moran", "pairwise"], typer.Option(help="How members are replaced.")
    ] = "wright_fisher",
    replicates: Replicates = None,
    seed: Seed = 0,
    concurrency: Concurrency = None,
    executor: CarryingOutOptions,
    out: Out = None,
    as_json: Json = False,
    csv: Csv = None,
    print_config: PrintConfig = False,
) -> None:
    """Show which Kantian weights κ withstand mutants of every other weight, in theory and in simulation.

    After Alger & Weibull (2013): with assortativity σ, κ = σ does.
    """
    from ludens.experiments.populations.invasion import InvasionStudy
    from ludens.experiments.populations.invasion_config import InvasionConfig

    config = InvasionConfig(
        game=_game(game),
        assortativity=assortativity,
        process=process,
        seed=seed,
        **given(
            kappas=None if kappas is None else numbers("--kappas", kappas),
            population=population,
            mutants=mutants,
            generations=generations,
            selection=selection,
            replicates=replicates,
            concurrency=concurrency,
        ),
    )
    carry_out(
        InvasionStudy(config), executor=executor, out=out, as_json=as_json, print_config=print_config,
        files={"invasions": csv},
    )  # fmt: skip


@evolve_app.command("types")
@with_blocks
def evolve_types(
    payoffs: Annotated[
        str,
        typer.Argument(
            metavar="PAYOFFS",
            help="What row types earn against column types: rows of numbers with ; between them, as in "
            "0,-1,1;1,0,-1;-1,1,0, or the .db file of a tournament, whose sampling errors are carried "
            "through.",
        ),
    ],
    *,
    names: Annotated[
        str | None, typer.Option("--types", help="Names of the types, with commas.", show_default=False)
    ] = None,
    dynamics: Annotated[
        list[str] | None,
        typer.Option(
            help="replicator, logit, moran, pairwise or wright_fisher; may be repeated.", show_default=False
        ),
    ] = None,
    assortativity: Assortativity = 0.0,
    start: Annotated[
        str | None,
        typer.Option(help="Shares at the start, with commas; by default equal.", show_default=False),
    ] = None,
    population: Population = None,
    generations: Generations = None,
    selection: Selection = None,
    mutation: Annotated[float, typer.Option(help="Probability that a new member is of a random type.")] = 0.0,
    noise: Annotated[
        float | None, typer.Option(help="λ of logit dynamics, in points.", show_default=False)
    ] = None,
    replicates: Replicates = None,
    seed: Seed = 0,
    concurrency: Concurrency = None,
    executor: CarryingOutOptions,
    out: Out = None,
    as_json: Json = False,
    csv: Csv = None,
    print_config: PrintConfig = False,
) -> None:
    """Show how the shares of types evolve by what each earns against each."""
    from ludens.experiments.populations.evolve import EvolveStudy
    from ludens.experiments.populations.evolve_config import EvolveConfig

    if is_run(payoffs):
        from ludens.experiments.populations.measured import measured_payoffs

        if names is not None:
            raise UsageError("The types of a tournament are its policies: leave --types out.")
        source = measured_payoffs(payoffs)
    else:
        source = {
            "payoffs": [numbers("PAYOFFS", row) for row in payoffs.split(";")],
            "types": [] if names is None else [name.strip() for name in names.split(",")],
        }
    config = EvolveConfig(
        **source,
        assortativity=assortativity,
        mutation=mutation,
        seed=seed,
        **given(
            dynamics=dynamics or None,
            start=None if start is None else numbers("--start", start),
            population=population,
            generations=generations,
            selection=selection,
            noise=noise,
            replicates=replicates,
            concurrency=concurrency,
        ),
    )
    carry_out(
        EvolveStudy(config), executor=executor, out=out, as_json=as_json, print_config=print_config,
        files={"shares": csv},
    )  # fmt: skip


def _game(text: str) -> dict[str, Any]:
    """Return the game of a text.

    Raises:
        UsageError: its payoffs are not those of a 2×2 game, or an argument is not key=value.
    """
    from ludens.envs import StrategicGame, find_game
    from ludens.envs.games import protocols

    if re.match(r"[\s\d.+-]", text):
        values = numbers("GAME", text)
        if len(values) != 4:
            raise UsageError(f"A 2×2 game has four payoffs, row by row, as in 5,2,7,3; got {text!r}.")
        return {"name": "two_actions", "payoffs": [values[:2], values[2:]]}
    name, _, arguments = text.partition(":")
    if name in protocols():
        game = find_game(name)
        if isinstance(game, StrategicGame) and game.symmetric and len(game.seats) == 2 and game.profiles == 4:
            return {"name": "two_actions", "payoffs": game.payoffs[..., 0].tolist()}
        return {"name": "published", "protocol": name}
    return {"name": name, **(assignments([arguments], "GAME") if arguments else {})}
