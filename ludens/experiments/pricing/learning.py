"""Q-learners against each other: train many sessions, and measure the prices that they learn.

After Calvano, Calzolari, Denicolò & Pastorello (2020). No single market is played here: each
session learns until its strategies no longer change, and the limit cycle of greedy play is measured.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ludens.agents.qlearning.parameters import RATES
from ludens.agents.registry import make_policy
from ludens.display.notebook import Shown
from ludens.envs.pricing import Market
from ludens.envs.pricing.interventions import Intervention
from ludens.envs.pricing.registration import BERTRAND
from ludens.envs.pricing.theory.benchmarks import firm_gains
from ludens.envs.pricing.theory.market import AnyMarket
from ludens.errors import UsageError
from ludens.experiments.measures.intervals import Estimate, cluster_mean, missing, wilson
from ludens.experiments.pricing.config import intervention_values
from ludens.experiments.pricing.measures import (
    FirmMeasures,
    GroupMeasures,
    RunMeasures,
    by_firm,
    group,
    measure,
)
from ludens.experiments.pricing.panels import Panel, panel_of
from ludens.experiments.report.names import finite
from ludens.experiments.runs.manifest import RUNS, new_run_path
from ludens.experiments.runs.progress import notebook_bar
from ludens.experiments.runs.recorder import Progress
from ludens.experiments.runs.seeds import check_seed

if TYPE_CHECKING:
    from ludens.agents.qlearning import QLearning, Sessions
    from ludens.agents.qlearning.equilibrium import EquilibriumTest
    from ludens.agents.qlearning.impulse import ImpulseResponse
    from ludens.agents.qlearning.tables import Moves

NAME = "qlearning"
SHOWN = 30
"""Periods of each limit cycle that a panel holds."""

Flags = NDArray[np.bool_]
OnSessions = Callable[[int, int], None]


@dataclass(frozen=True)
class CycleGroup:
    """Sessions with limit cycles of the same kind, with 95 % intervals over sessions.

    Attributes:
        name: ``"1, same price"``, ``"1, different prices"``, ``"1"``, ``"2"``, ``"3 and more"``, ``"all"``.
        sessions: how many; `share` of all.
        gain: mean profit gain Δ of the sessions; `spread` is its standard deviation.
        one_shot: the share in which no firm gains by deviating once from the cycle and then following
            its own strategy again: the paper's equilibrium test.
        best_reply: the share in which no firm gains by any other strategy: Nash equilibria on the path.
    """

    name: str
    sessions: int
    share: Estimate
    gain: Estimate
    spread: float | None
    one_shot: Estimate
    best_reply: Estimate


@dataclass(frozen=True, eq=False, repr=False)
class LearningResult(Shown):
    """The measures of trained sessions.

    Attributes:
        path: the file that holds the training.
        report_path: the HTML report; None until one is written.
        sessions: the trained sessions.
        panel, measures: the limit cycles, as runs of a market; gains are those of the whole cycle.
        groups: by kind of cycle.
        whole, firms: the measures of all sessions, and of each firm over them.
        test: both equilibrium tests, and the Q-losses.
        response: to one forced period of the static best reply.
        unconverged: the number of sessions that reached the limit of periods.
    """

    shown_by: ClassVar[str] = "ludens.experiments.pricing.learning_page:view"

    path: Path
    report_path: Path | None
    sessions: Sessions
    panel: Panel
    measures: tuple[RunMeasures, ...]
    groups: tuple[CycleGroup, ...]
    whole: GroupMeasures
    firms: tuple[FirmMeasures, ...]
    test: EquilibriumTest
    response: ImpulseResponse
    unconverged: int

    def __repr__(self) -> str:
        return f"LearningResult({str(self.path)!r}: {len(self.sessions)} sessions)"


def learners(firms: Sequence[str]) -> QLearning | None:
    """Return the parameters of the learners if all firms are trained Q-learners, otherwise None.

    Firms may differ in their learning rates, exploration and discount factors.

    Raises:
        UsageError: they are learners of different kinds, which are not trained together.
    """
    if not all(name.partition(":")[0] == NAME for name in firms):
        return None
    made: list[Any] = [make_policy(name, BERTRAND.environment) for name in firms]
    if any(each.mode != "trained" for each in made):
        return None
    parameters: QLearning = made[0].parameters
    rates = {name: [getattr(each.parameters, name) for each in made] for name in RATES}
    same: dict[str, Any] = {name: getattr(parameters, name) for name in RATES}
    if any(replace(each.parameters, **same) != parameters for each in made):
        raise UsageError(
            f"Q-learners that are trained together differ in {', '.join(RATES[:-1])} and {RATES[-1]} alone: "
            "give them the same other parameters."
        )
    differing: dict[str, Any] = {
        name: tuple(values) for name, values in rates.items() if len(set(values)) > 1
    }
    return replace(parameters, **differing)


def train_sessions(
    parameters: QLearning | None = None,
    *,
    market: AnyMarket | None = None,
    interventions: Sequence[Intervention | Mapping[str, Any]] = (),
    moves: Moves = "together",
    sessions: int = 100,
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: OnSessions | None = None,
) -> LearningResult:
    """Train Q-learners against each other, and measure what they learnt.

    Args:
        parameters: of the learners; the published ones by default.
        market: the published baseline by default.
        interventions: of the market; a session converges after the last of them at the earliest.
        moves: ``"together"`` or ``"in turns"``.
        sessions: how many.
        seed: session r depends on the seed and on r alone.
        path: the file of the training, which is continued if the file already holds the same one; None
            for a new name under ``runs/``.
        workers: threads; all cores by default.
        progress: called with sessions done and sessions in all; None for a bar in notebooks.

    Raises:
        UsageError: an argument is wrong, or the file holds another training.
        TableTooLargeError: the tables do not fit in memory.
    """
    from ludens.agents.qlearning import QLearning, train
    from ludens.agents.qlearning.tables import learning_tables

    market, parameters = market or Market.symmetric(), parameters or QLearning()
    # What cannot be trained is refused before a folder is made.
    learning_tables(market, parameters, interventions=interventions, moves=moves)
    target = new_run_path(NAME).with_suffix(".npz") if path is None else Path(path)
    if path is None:
        RUNS.mkdir(exist_ok=True)
    with notebook_bar("Q-learning") as bar:
        report = progress or (bar and (lambda done, total: bar(Progress(done, total, 0, 0, 0.0))))
        trained = train(
            market,
            parameters,
            sessions,
            check_seed(seed),
            interventions=interventions,
            moves=moves,
            workers=workers,
            checkpoint=target,
            progress=report,
        )
    return measure_sessions(trained, target)


def measure_sessions(trained: Sessions, path: str | os.PathLike[str]) -> LearningResult:
    """Measure trained sessions."""
    from ludens.agents.qlearning.equilibrium import equilibrium_test
    from ludens.agents.qlearning.impulse import impulse_response

    panel = session_panel(trained)
    test = equilibrium_test(trained)
    measures = _measures(trained, panel)
    draws = np.random.default_rng(trained.seed)
    return LearningResult(
        path=Path(path),
        report_path=None,
        sessions=trained,
        panel=panel,
        measures=measures,
        groups=_groups(trained, test),
        whole=group("all sessions", measures, draws),
        firms=by_firm(measures, draws),
        test=test,
        response=impulse_response(trained),
        unconverged=int((~trained.converged).sum()),
    )


def session_panel(trained: Sessions, periods: int = SHOWN) -> Panel:
    """Return greedy play along each session's limit cycle as a panel with one run per session, in the market
    as it is after all interventions.
    """
    paths = [trained.path_prices(session) for session in range(len(trained))]
    prices = np.stack([path[np.arange(periods) % len(path)] for path in paths])
    market, schedule = trained.tables.market, trained.tables.schedule.settled()
    names = (NAME,) * market.firms
    return panel_of(prices, market, scale=market.price_scale, firms=names, schedule=schedule)


def to_json(result: LearningResult) -> dict[str, Any]:
    """Return everything measured as JSON values."""
    from ludens.experiments.runs.files import plain

    means = result.response.means()
    return {
        "training": str(result.path),
        "report": None if result.report_path is None else str(result.report_path),
        "sessions": len(result.sessions),
        "seed": result.sessions.seed,
        "market": result.sessions.tables.market.parameters,
        "interventions": [intervention_values(each) for each in result.sessions.tables.interventions],
        "moves": result.sessions.tables.moves,
        "parameters": result.sessions.tables.parameters.key(),
        "unconverged": result.unconverged,
        "median_periods": float(np.median(result.sessions.periods)),
        "groups": [plain(asdict(group)) for group in result.groups],
        "all": plain(asdict(result.whole)),
        "firms": [plain(asdict(firm)) for firm in result.firms],
        "q_loss_path": float(result.test.loss_path.mean()),
        "q_loss_all": float(result.test.loss_all.mean()),
        "response": {
            name: plain(value if isinstance(value, float) else np.asarray(value).tolist())
            for name, value in means.items()
        },
    }


def _measures(trained: Sessions, panel: Panel) -> tuple[RunMeasures, ...]:
    """Return the panel's measures, with means over the whole cycle instead of the last periods.

    Profits are before fines, and all is that of the last regime. With a stochastic outside good of the
    learners' own, profits and their benchmarks are averages over its values, and welfare is that at the
    market's own value.
    """
    tables, regime = trained.tables, trained.tables.schedule.regimes[-1]
    scale, benchmarks = tables.market.price_scale, tables.benchmarks()
    there = np.isin(np.arange(tables.firms), regime.firms)
    found = []
    for number, each in enumerate(measure(panel)):
        path = trained.path_prices(number)
        prices, fines = (
            np.where(there, of, np.nan) for of in (path.mean(axis=0) / scale, trained.fines[number])
        )
        profits = trained.profits[number] + fines
        reached = trained.path_welfare(number)
        found.append(
            replace(
                each,
                prices=tuple(prices.tolist()),
                profits=tuple((profits / scale).tolist()),
                gains=tuple(firm_gains(profits, *benchmarks).tolist()),
                fines=tuple((fines / scale).tolist()),
                price=float(np.nanmean(prices)),
                profit=float(np.nansum(profits) / scale),
                fine=float(np.nansum(fines) / scale),
                gain=float(trained.gains[number]),
                consumer_surplus=finite(reached.consumer.mean() / scale),
                total_surplus=finite(reached.total.mean() / scale),
                deadweight_loss=finite(reached.deadweight.mean() / scale),
                window=int(trained.cycle_lengths[number]),
            )
        )
    return tuple(found)


def _groups(trained: Sessions, test: EquilibriumTest) -> tuple[CycleGroup, ...]:
    lengths = trained.cycle_lengths
    kinds: dict[str, Flags] = {
        "1, same price": (lengths == 1) & trained.symmetric,
        "1, different prices": (lengths == 1) & ~trained.symmetric,
        "1": lengths == 1,
        "2": lengths == 2,
        "3 and more": lengths > 2,
        "all": lengths > 0,
    }
    rng = np.random.default_rng(trained.seed)
    return tuple(_group(name, chosen, trained, test, rng) for name, chosen in kinds.items())


def _group(
    name: str, chosen: Flags, trained: Sessions, test: EquilibriumTest, rng: np.random.Generator
) -> CycleGroup:
    count, gains = int(chosen.sum()), trained.gains[chosen]
    return CycleGroup(
        name=name,
        sessions=count,
        share=wilson(count, len(trained)),
        gain=cluster_mean(gains, range(count), rng) if count else missing("no such session"),
        spread=float(gains.std(ddof=1)) if count > 1 else None,
        one_shot=wilson(int(test.one_shot_nash[chosen].sum()), count),
        best_reply=wilson(int(test.nash[chosen].sum()), count),
    )
