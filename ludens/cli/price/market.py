"""`ludens price`: firms in a repeated pricing market."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ludens.agents.registry import policy_names
from ludens.cli.application import app
from ludens.cli.options import ApiBase, Concurrency, Csv, Json, Out, Persona, RunFile, Seed
from ludens.cli.play import policy_with
from ludens.cli.price.parse import firm_names, intervention, market_of, numbers
from ludens.cli.printing import console, print_implant, print_json, print_pricing
from ludens.errors import UsageError

if TYPE_CHECKING:
    from ludens.agents.qlearning import QLearning
    from ludens.envs.pricing import Market

LEARNER = "qlearning"

PanelCsv = Annotated[
    Path | None, typer.Option("--panel", help="Write every price to this CSV file.", show_default=False)
]
Judge = Annotated[
    str | None,
    typer.Option(help="A model that judges sentences of the notes too.", show_default=False),
]

price_app = typer.Typer(
    help="Let firms price in a repeated market: models, oracles and Q-learners.", invoke_without_command=True
)
app.add_typer(price_app, name="price")


@price_app.callback()
def price(
    ctx: typer.Context,
    *,
    firms: Annotated[
        str | None,
        typer.Option(
            metavar="FIRM,FIRM",
            help=f"{', '.join(policy_names('bertrand'))}, or a model's id.",
            show_default=False,
        ),
    ] = None,
    prefix: Annotated[str, typer.Option(help="What models are after: P0, P1, P2 or P3.")] = "P0",
    periods: Annotated[int, typer.Option(help="Of each run.")] = 300,
    runs: Annotated[int, typer.Option(help="How many at each scale.")] = 1,
    scale: Annotated[str, typer.Option(help="Price scales α, separated by commas.")] = "1",
    seed: Seed = 0,
    persona: Persona = None,
    window: Annotated[
        int | None, typer.Option(help="Past periods that models are shown.", show_default=False)
    ] = None,
    api_base: ApiBase = None,
    qualities: Annotated[
        str | None, typer.Option(help="Of each firm's product; by default 2.", show_default=False)
    ] = None,
    costs: Annotated[
        str | None, typer.Option(help="Of one unit, of each firm; by default 1.", show_default=False)
    ] = None,
    mu: Annotated[float, typer.Option(help="μ: how different the products are to consumers.")] = 0.25,
    interventions: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="EVENT",
            help="From outside, as cheap-talk or entrant:period=150,firm=2; may be repeated.",
            show_default=False,
        ),
    ] = None,
    sessions: Annotated[int, typer.Option(help="Where all firms are qlearning: how many to train.")] = 100,
    judge: Judge = None,
    concurrency: Concurrency = None,
    out: Out = None,
    as_json: Json = False,
    csv: Csv = None,
    panel: PanelCsv = None,
) -> None:
    """Play a market, keep the run and write a report; where all firms are qlearning, train them."""
    if ctx.invoked_subcommand is not None:
        return
    from ludens.experiments.pricing import play_pricing
    from ludens.experiments.pricing.terminal import live

    named = firm_names(firms)
    market = market_of(len(named), qualities, costs, mu)
    learners = _learners(named)
    if learners is not None:
        if interventions:
            raise UsageError("Q-learners are trained in a market without interventions: leave --with out.")
        _learn(learners, market, sessions, seed, workers=concurrency, out=out, as_json=as_json)
        return
    settings = {"persona": persona, "window": window, "api_base": api_base}
    with live(console(stderr=True), "price", periods=periods) as (progress, on_period):
        run = play_pricing(
            [policy_with(name, settings) for name in named],
            market=market,
            scales=numbers("--scale", scale),
            periods=periods,
            runs=runs,
            prefix=prefix,
            seed=seed,
            path=out,
            interventions=[intervention(text) for text in interventions or ()],
            concurrency=8 if concurrency is None else concurrency,
            progress=progress,
            on_period=on_period,
        )
    report_pricing(run.path, as_json, csv=csv, panel=panel, judge=judge, api_base=api_base)


@price_app.command()
def report(
    file: RunFile,
    *,
    judge: Judge = None,
    api_base: ApiBase = None,
    as_json: Json = False,
    csv: Csv = None,
    panel: PanelCsv = None,
) -> None:
    """Measure a run of the market again and write its report, of one that broke off too."""
    report_pricing(file, as_json, csv=csv, panel=panel, judge=judge, api_base=api_base)


def report_pricing(
    file: Path,
    as_json: bool,
    *,
    csv: Path | None = None,
    panel: Path | None = None,
    judge: str | None = None,
    api_base: str | None = None,
) -> None:
    """Measure a run, let a judge read its notes where one is named, write its report, and print it."""
    from ludens.experiments.pricing import load_result, write_report
    from ludens.experiments.pricing.result import with_judge, write_panel
    from ludens.experiments.runs.progress import progress_bar

    result = load_result(file)
    if judge is not None:
        with progress_bar(console(stderr=True), "judge") as progress:
            result = with_judge(result, judge, api_base=api_base, progress=progress)
    result = write_report(result)
    print_pricing(result, as_json, csv)
    if panel is not None:
        write_panel(result.panel, panel)


@price_app.command()
def implant(
    file: RunFile,
    *,
    first: Annotated[int, typer.Option(help="First period to go back to.")] = 2,
    last: Annotated[int, typer.Option(help="Last period to go back to.")] = 13,
    places: Annotated[int, typer.Option(help="Periods drawn for each firm of each run.")] = 1,
    replicates: Annotated[int, typer.Option(help="How often each sentence is put at each place.")] = 1,
    seed: Seed = 0,
    concurrency: Concurrency = 8,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Ask a run's models again with one sentence in place of their plans: what does it do to prices?"""
    from ludens.experiments.pricing import implant as make
    from ludens.experiments.runs.progress import progress_bar

    with progress_bar(console(stderr=True), "implant") as progress:
        run = make.implant(
            file,
            periods=(first, last),
            places=places,
            replicates=replicates,
            seed=seed,
            path=out,
            concurrency=8 if concurrency is None else concurrency,
            progress=progress,
        )
    print_implant(run, as_json)


def _learners(named: list[str]) -> QLearning | None:
    if not all(name.startswith(LEARNER) for name in named):
        return None
    from ludens.experiments.pricing.learning import learners

    return learners(named)


def _learn(
    parameters: QLearning,
    market: Market,
    sessions: int,
    seed: int,
    *,
    workers: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    from ludens.experiments.pricing.learning import to_json, train_sessions
    from ludens.experiments.pricing.learning_page import write_learning_report
    from ludens.experiments.pricing.learning_terminal import print_learning
    from ludens.experiments.runs.progress import progress_bar
    from ludens.experiments.runs.recorder import Progress

    with progress_bar(console(stderr=True), "train") as bar:

        def heard(done: int, total: int) -> None:
            if bar is not None:
                bar(Progress(done, total, 0, 0, 0.0))

        found = train_sessions(
            parameters,
            market=market,
            sessions=sessions,
            seed=seed,
            path=out,
            workers=workers,
            progress=heard,
        )
    result = write_learning_report(found)
    if as_json:
        print_json(to_json(result))
    else:
        print_learning(result, console())
