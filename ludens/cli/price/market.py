"""`ludens price`: firms in a repeated pricing market."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ludens.agents.registry import is_model_id, policy_names
from ludens.cli.application import app
from ludens.cli.approval import approved
from ludens.cli.blocks import (
    BudgetOptions,
    CarryingOutOptions,
    ModelOptions,
    SourceOptions,
    block_names,
    with_blocks,
)
from ludens.cli.options import (
    Concurrency,
    Csv,
    Json,
    Out,
    Persona,
    RunFile,
    Seed,
    numbers,
    refuse_given,
)
from ludens.cli.price.parse import NUMBERS, firm_names, intervention, market_of
from ludens.cli.price.parse import oversight as read_oversight
from ludens.cli.printing import console, print_json
from ludens.cli.studies import PrintConfig, carry_out, given, print_run
from ludens.errors import UsageError

if TYPE_CHECKING:
    from ludens.agents.qlearning import QLearning
    from ludens.envs.pricing.interventions import Intervention
    from ludens.envs.pricing.theory.market import AnyMarket

LEARNER = "qlearning"
PLAYED = (
    *("prefix", "screening", "periods", "runs", "scale", "persona", "window", "judge", "csv", "panel"),
    *("oversight", "overseer"),
    *block_names(ModelOptions),
    *block_names(BudgetOptions),
    *block_names(CarryingOutOptions),
)
"""The options of a market that is played, which do nothing for learners that are trained."""

MarketNumbers = Annotated[
    list[str] | None,
    typer.Option(
        "--market",
        metavar="KEY=VALUE",
        help="A number of the market, such as demand=linear, substitution=1, nests=0,0,1 or unit=true; may be"
        " repeated.",
        show_default=False,
    ),
]
PanelCsv = Annotated[
    Path | None, typer.Option("--panel", help="Write every price to this CSV file.", show_default=False)
]
Judge = Annotated[
    str | None,
    typer.Option(help="A model that also classifies sentences of the notes.", show_default=False),
]

price_app = typer.Typer(
    help="Let firms price in a repeated market: models, oracles and Q-learners.", invoke_without_command=True
)
app.add_typer(price_app, name="price")


@price_app.callback()
@with_blocks
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
    moves: Annotated[
        Literal["together", "in-turns", "leader"],
        typer.Option(
            help="Whether firms set prices together, one in each period, or after firm 0, which leads."
        ),
    ] = "together",
    prefix: Annotated[
        str, typer.Option(help="Prompt prefix for models, their goal: P0, P1, P2 or P3.")
    ] = "P0",
    screening: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Run of one firm in which every model must have found the monopoly price.",
            show_default=False,
        ),
    ] = None,
    periods: Annotated[int, typer.Option(help="Periods of each run.")] = 300,
    runs: Annotated[int, typer.Option(help="Runs at each scale.")] = 1,
    scale: Annotated[str, typer.Option(help="Price scales α, separated by commas.")] = "1",
    seed: Seed = 0,
    persona: Persona = None,
    window: Annotated[
        int | None, typer.Option(help="Number of past periods that models are shown.", show_default=False)
    ] = None,
    market: MarketNumbers = None,
    qualities: Annotated[
        str | None, typer.Option(help="Quality of each product; by default 2.", show_default=False)
    ] = None,
    costs: Annotated[
        str | None, typer.Option(help="Unit cost of each product; by default 1.", show_default=False)
    ] = None,
    mu: Annotated[
        float | None,
        typer.Option(
            help="μ: how different consumers find the products; by default 0.25.", show_default=False
        ),
    ] = None,
    interventions: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="EVENT",
            help="An intervention, such as cheap-talk or entrant:period=150,firm=2; periods count from 1.",
            show_default=False,
        ),
    ] = None,
    oversight: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            help="logging, revision, or veto (with price=last or price=competitive): who reads prices first.",
            show_default=False,
        ),
    ] = None,
    overseer: Annotated[
        str | None,
        typer.Option(
            metavar="POLICY", help="What decides on prices: a model's id, or above:1.8.", show_default=False
        ),
    ] = None,
    sessions: Annotated[int, typer.Option(help="Sessions to train if all firms are qlearning.")] = 100,
    judge: Judge = None,
    concurrency: Concurrency = None,
    out: Out = None,
    as_json: Json = False,
    csv: Csv = None,
    panel: PanelCsv = None,
    print_config: PrintConfig = False,
    asked: ModelOptions,
    budget: BudgetOptions,
    executor: CarryingOutOptions,
) -> None:
    """Play a market, store the run and write a report; if all firms are qlearning, train them."""
    if ctx.invoked_subcommand is not None:
        return
    from ludens.experiments.pricing.config import PricingConfig
    from ludens.experiments.pricing.study import PricingStudy
    from ludens.experiments.study.questions import with_settings

    named = firm_names(firms)
    sold = market_of(len(named), qualities, costs, mu, market)
    events = [intervention(text) for text in interventions or ()]
    learners = _learners(named)
    if learners is not None:
        refuse_given(ctx, PLAYED, "on Q-learners, which are trained in sessions")
        _learn(
            learners, sold, sessions, seed, interventions=events, moves=moves, workers=concurrency, out=out,
            as_json=as_json, print_config=print_config,
        )  # fmt: skip
        return
    refuse_given(ctx, {"sessions"}, "unless all firms are qlearning")
    if print_config:
        refuse_given(ctx, {"judge"}, "on a study file, which --print-config prints")
    _check_judge(judge, asked)
    config = PricingConfig(
        firms=with_settings(named, **{**asked.settings, **given(persona=persona, window=window)}),
        market=sold,
        scales=numbers("--scale", scale, NUMBERS),
        runs=runs,
        periods=periods,
        prefix=prefix,
        screening=screening,
        moves=moves.replace("-", " "),
        seed=seed,
        interventions=events,
        oversight=read_oversight(oversight),
        overseer=None if overseer is None else with_settings([overseer], **asked.settings)[0],
        **given(concurrency=concurrency),
    )
    carry_out(
        PricingStudy(config),
        budget,
        executor,
        out=out,
        as_json=as_json,
        print_config=print_config,
        files={"estimates": csv, "panel": panel},
        further=lambda path: _judge(path, judge, asked, _left(path, judge, budget.limits)),
    )


@price_app.command()
@with_blocks
def report(
    ctx: typer.Context,
    file: RunFile,
    *,
    judge: Judge = None,
    as_json: Json = False,
    csv: Csv = None,
    panel: PanelCsv = None,
    asked: ModelOptions,
    budget: BudgetOptions,
) -> None:
    """Measure a run of the market again, finished or not, and write its report."""
    _check_judge(judge, asked)
    from ludens.experiments import Run
    from ludens.experiments.pricing.judging import JudgeConfig, JudgeStudy
    from ludens.experiments.pricing.study import PricingStudy
    from ludens.experiments.runs.caching import caching

    if judge is None:
        refuse_given(ctx, block_names(ModelOptions) | block_names(BudgetOptions), "without --judge")
    with Run(file) as run:
        run.manifest_of(PricingStudy.kind())
    if judge is not None:
        study = JudgeStudy(JudgeConfig(source=file, judge={"spec": judge} | asked.settings))
        if approved(study, budget, as_json=as_json) is None:
            return
    with caching(budget.cache):
        _judge(file, judge, asked, budget.limits)
    print_run(file, as_json, written=True, files={"estimates": csv, "panel": panel})


@price_app.command()
@with_blocks
def implant(
    file: RunFile,
    *,
    first: Annotated[int, typer.Option(help="First period to go back to.")] = 2,
    last: Annotated[int, typer.Option(help="Last period to go back to.")] = 13,
    places: Annotated[int, typer.Option(help="Periods drawn for each firm of each run.")] = 1,
    replicates: Annotated[int, typer.Option(help="How often each sentence is implanted at each place.")] = 1,
    seed: Seed = 0,
    concurrency: Concurrency = None,
    out: Out = None,
    as_json: Json = False,
    print_config: PrintConfig = False,
    source: SourceOptions,
    budget: BudgetOptions,
    executor: CarryingOutOptions,
) -> None:
    """Ask a run's models again with one sentence in place of their plans, and measure the effect."""
    from ludens.experiments.pricing.branch import firms_of
    from ludens.experiments.pricing.implant import ImplantConfig, ImplantStudy

    config = ImplantConfig(
        source=file,
        periods=(first, last),
        places=places,
        replicates=replicates,
        seed=seed,
        **({"firms": firms_of(file, source.api_base, source.patience)} if source.given else {}),
        **given(concurrency=concurrency),
    )
    carry_out(ImplantStudy(config), budget, executor, out=out, as_json=as_json, print_config=print_config)


def _check_judge(model: str | None, asked: ModelOptions) -> None:
    """See that a judge can be made and asked, before anything is played and paid for.

    Raises:
        UsageError: it is no language model, or has no such settings.
        ModelError: its key is missing.
    """
    if model is None:
        return
    if not is_model_id(model):
        raise UsageError(f"--judge takes a model's id, such as openai/gpt-5-mini; got {model!r}.")
    from ludens.agents.llm.abilities import check_key
    from ludens.experiments.pricing.judging import judge_policy

    check_key(model, judge_policy({"spec": model} | asked.settings).connection)


def _left(path: Path, judge: str | None, limits: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what the budget of a command leaves to the judge of a run's notes.

    Raises:
        BudgetSpentError: nothing.
    """
    from ludens.experiments import Budget, BudgetSpentError, Run

    if judge is None or (budget := Budget.read(limits)) is None:
        return None
    with Run(path) as run:
        left = budget.left(run.spending(), run.manifest["seconds"])
    for name, amount in left.items():
        if amount <= 0:
            raise BudgetSpentError(
                f"The run {path} is complete and has spent the budget, so that nothing is left to the judge: "
                f"judge its notes by `ludens price report {path} --judge {judge}`.",
                name,
            )
    return left


def _judge(path: Path, model: str | None, asked: ModelOptions, limits: dict[str, Any] | None) -> None:
    """Let a model classify sentences of a run's notes; its answers enter the run's report.

    Limits that are not given stay as they were when it began.
    """
    if model is None:
        return
    from ludens.experiments import Run
    from ludens.experiments.pricing.judging import judge
    from ludens.experiments.pricing.verdicts import beside
    from ludens.experiments.runs.budget import changed_budget
    from ludens.experiments.runs.progress import progress_bar
    from ludens.experiments.study.engine import study_of

    with Run(path) as run:
        seed = run.manifest["seed"]
    if (begun := beside(path)).exists():
        with Run(begun) as run:
            kept = changed_budget(study_of(run).config.budget, limits or {})
        limits = None if kept is None else kept.as_json() or None
    with progress_bar(console(stderr=True), "judge") as progress:
        judge(path, {"spec": model} | asked.settings, seed=seed, budget=limits, progress=progress)


def _learners(named: list[str]) -> QLearning | None:
    if not all(name.startswith(LEARNER) for name in named):
        return None
    from ludens.experiments.pricing.learning import learners

    return learners(named)


def _learn(
    parameters: QLearning,
    market: AnyMarket,
    sessions: int,
    seed: int,
    *,
    interventions: Sequence[Intervention],
    moves: Literal["together", "in-turns", "leader"],
    workers: int | None,
    out: Path | None,
    as_json: bool,
    print_config: bool,
) -> None:
    from ludens.envs.pricing.interventions import CheapTalk

    if any(isinstance(each, CheapTalk) for each in interventions):
        raise UsageError("Q-learners read no messages: leave --with cheap-talk out.")
    if moves == "leader":
        raise UsageError("Q-learners are trained to move together or in turns: leave --moves leader out.")
    if print_config:
        raise UsageError(
            "Q-learners are trained, which is not a study and has no study file: leave --print-config out."
        )
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
            interventions=interventions,
            moves="together" if moves == "together" else "in turns",
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
