"""`ludens av adopt`: populations that choose the programs of their cars."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ludens.agents.registry import policy_names
from ludens.cli.av.ask import av_app
from ludens.cli.blocks import BudgetOptions, CarryingOutOptions, ModelOptions, block_names, with_blocks
from ludens.cli.options import Concurrency, Json, Persona, Seed, is_run, refuse_given
from ludens.cli.printing import console, print_json
from ludens.cli.studies import PrintConfig, carry_out, given, print_run
from ludens.errors import UsageError


@av_app.command()
@with_blocks
def adopt(
    ctx: typer.Context,
    agents: Annotated[
        list[str],
        typer.Argument(
            metavar="AGENT...",
            help=f"Groups of people: {', '.join(policy_names('av_adoption'))}, mixed, mixed:2,5, or a "
            "model's id; or the .db file of a run.",
            show_default=False,
        ),
    ],
    *,
    people: Annotated[int, typer.Option(help="n, the number of people, from 2 to 10000.")] = 10,
    sizes: Annotated[
        str | None,
        typer.Option(help="Size of each group, as in 30,70; by default equal.", show_default=False),
    ] = None,
    pedestrians: Annotated[
        int | None, typer.Option(help="k, pedestrians per accident; by default 4.", show_default=False)
    ] = None,
    accident: Annotated[
        float, typer.Option(help="c: probability that a person is a passenger in an accident in a round.")
    ] = 0.05,
    symmetry: Annotated[
        float, typer.Option(help="s: probability that a pedestrian is one of the people.")
    ] = 1.0,
    prices: Annotated[
        str, typer.Option(help="Prices of a utilitarian and of a self-protective car, per round.")
    ] = "0,0",
    rides: Annotated[str, typer.Option(help="Utilities of riding in the one and in the other.")] = "0,0",
    economies: Annotated[
        float, typer.Option(help="g: how much cheaper a utilitarian car is if all others have one.")
    ] = 0.0,
    mandate: Annotated[bool, typer.Option("--mandate", help="Only utilitarian cars may be chosen.")] = False,
    fine: Annotated[float, typer.Option(help="Fine for a self-protective car, per round.")] = 0.0,
    subsidy: Annotated[float, typer.Option(help="Subsidy for a utilitarian car, per round.")] = 0.0,
    law_from: Annotated[int, typer.Option("--from", help="First round of the law, from 1.")] = 1,
    law_until: Annotated[
        int | None, typer.Option("--until", help="Last round of the law.", show_default=False)
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(help="By default 100, with models 10.", show_default=False)
    ] = None,
    revision: Annotated[float, typer.Option(help="Probability that a person may choose in a round.")] = 1.0,
    noise: Annotated[
        float | None, typer.Option(help="λ of all choices; by default 0.", show_default=False)
    ] = None,
    start: Annotated[float, typer.Option(help="Share of utilitarian cars at the beginning.")] = 0.0,
    populations: Annotated[
        int, typer.Option(help="Number of populations, each with its own random draws.")
    ] = 1,
    realised: Annotated[
        bool, typer.Option("--realised", help="Draw accidents instead of using expected payoffs.")
    ] = False,
    seed: Seed = 0,
    persona: Persona = None,
    concurrency: Concurrency = None,
    asked: ModelOptions,
    budget: BudgetOptions,
    executor: CarryingOutOptions,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The result's file, .json, or .db with models; by default a new one under runs/.",
            show_default=False,
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            help="The picture, .png and .svg; by default beside the result's file.", show_default=False
        ),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write every round's shares to this file.", show_default=False)
    ] = None,
    as_json: Json = False,
    print_config: PrintConfig = False,
) -> None:
    """Let a population choose between utilitarian and self-protective cars, and draw the shares."""
    from ludens.envs.av.adoption.game import AdoptionGame
    from ludens.experiments.av.adopting import adopt as simulate
    from ludens.experiments.av.adopting import seated
    from ludens.experiments.av.adoption_figures import save_figure
    from ludens.experiments.av.adoption_result import check_target, to_json, write_csv
    from ludens.experiments.av.adoption_terminal import print_adoption, rounds_bar

    stored = [agent for agent in agents if is_run(agent)]
    if stored:
        if len(agents) > 1:
            raise UsageError(f"{stored[0]} is a run, which is read alone: leave the other names out.")
        played = {each.name for each in ctx.command.params} - {"agents", "figure", "csv", "as_json"}
        refuse_given(ctx, played, "on a stored run")
        _draw(Path(stored[0]), figure)  # refuses a run of another kind
        print_run(Path(stored[0]), as_json, written=False, files={"paths": csv})
        return
    price, ride = _pair("--prices", prices), _pair("--rides", rides)
    law: dict[str, Any] | None = None
    if not (mandate or fine or subsidy):
        refuse_given(ctx, {"law_from", "law_until"}, "without --mandate, --fine or --subsidy")
    else:
        if law_from < 1:
            raise UsageError(f"--from counts rounds from 1; got {law_from}.")
        law = {"mandate": mandate, "fine": fine, "subsidy": subsidy, "period": law_from - 1}
        law["until"] = law_until
    game = AdoptionGame(
        people=people,
        pedestrians=pedestrians,
        accident=accident,
        symmetry=symmetry,
        price_utilitarian=price[0],
        price_protective=price[1],
        ride_utilitarian=ride[0],
        ride_protective=ride[1],
        economies=economies,
        regulation=law,
    )
    shares = None if sizes is None else _whole("--sizes", sizes)
    simulation: dict[str, Any] = {"revision": revision, "noise": noise, "start": start}
    common: dict[str, Any] = {"populations": populations, "realised": realised, "seed": seed}
    study = seated(
        agents,
        game,
        shares,
        settings={**asked.settings, **given(persona=persona)},
        **simulation,
        **common,
        **given(rounds=rounds, concurrency=concurrency),
    )
    if study is not None:
        target = None if out is None else check_target(out, ".db")
        run = carry_out(
            study,
            budget,
            executor,
            out=target,
            as_json=as_json,
            print_config=print_config,
            files={"paths": csv},
        )
        if run is not None:
            _draw(run, figure)
        return
    if print_config:
        raise UsageError(
            "These populations are simulated, which no study file describes: leave --print-config out."
        )
    refuse_given(
        ctx, block_names(BudgetOptions) | block_names(CarryingOutOptions), "on populations that are simulated"
    )
    with rounds_bar(console(stderr=True)) as on_round:
        result = simulate(
            agents, game=game, sizes=shares, path=out, on_round=on_round, **simulation, **common,
            **given(rounds=rounds),
        )  # fmt: skip
    assert result.path is not None  # what was just made is kept
    drawn = save_figure(result, figure or result.path.with_suffix(".png"))
    if csv is not None:
        write_csv(result, csv)
    if as_json:
        print_json(to_json(result) | {"figure": [str(file) for file in drawn]})
        return
    print_adoption(result, console())
    for name, file in (("kept", result.path), ("picture", drawn[0])):
        console().print(f"{name:<32}{file}", markup=False, soft_wrap=True)


def _draw(run: Path, figure: Path | None) -> None:
    """Draw a run, by default beside its file."""
    from ludens.experiments.av.adoption_figures import save_figure
    from ludens.experiments.av.adoption_study import AdoptionStudy
    from ludens.experiments.runs.files import beside
    from ludens.experiments.study.engine import load_result

    drawn = save_figure(load_result(AdoptionStudy, run), figure or beside(run, ".png"))
    console(stderr=True).print(f"Drew {' and '.join(map(str, drawn))}.", highlight=False, soft_wrap=True)


def _pair(option: str, text: str) -> tuple[float, float]:
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"{option} takes two numbers, for the utilitarian and for the self-protective car, as in"
            f" 0.02,0.01; got {text!r}."
        ) from None
    return first, second


def _whole(option: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"{option} takes whole numbers separated by commas; got {text!r}.") from None
