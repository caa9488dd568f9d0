"""Let firms play repeated pricing markets, into a run on disk.

Every period all firms decide at once, on what they saw of the periods before and on their own notes; each
decision is kept before the next period is asked for. A run that was killed goes on in the middle of the
period where it was, and what was answered is not asked again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ludens.agents.policy import Decision, Policy
from ludens.envs.pricing import Intervention, Market
from ludens.experiments.pricing.session import MarketSession
from ludens.experiments.pricing.setup import KIND, Firm, PricingSetup, check_kind, pricing_setup, stored_setup
from ludens.experiments.runs.blocking import run_blocking
from ludens.experiments.runs.recorder import OnProgress, Recorder, StoppedError
from ludens.experiments.runs.records import EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import run_episodes, unplayed
from ludens.experiments.runs.seeds import check_seed, environment_seed
from ludens.experiments.runs.store import Store, create_run

T = TypeVar("T")


@dataclass(frozen=True)
class PeriodNews:
    """A period that was just played.

    Attributes:
        episode: its number; `labels` are its labels.
        period: from 0, of `periods`.
        prices: by seat, in money.
        profits: likewise.
    """

    episode: int
    labels: Mapping[str, Any]
    period: int
    periods: int
    prices: Mapping[str, float]
    profits: Mapping[str, float]


OnPeriod = Callable[[PeriodNews], None]


def play_pricing(
    firms: Sequence[Firm],
    *,
    market: Market | None = None,
    scales: Sequence[float] = (1.0,),
    periods: int = 300,
    runs: int = 1,
    prefix: str = "P0",
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
    discount: float = 0.95,
    ceiling: tuple[float, float] | None = (1.5, 2.5),
    interventions: Sequence[Intervention | Mapping[str, Any]] = (),
    concurrency: int = 8,
    price_grid: int | Sequence[float] | Sequence[Sequence[float]] | None = None,
    progress: OnProgress | None = None,
    on_period: OnPeriod | None = None,
) -> Run:
    """Play runs of a pricing market and keep them.

    An episode is one run of the market at one price scale. A firm whose reply stays unreadable ends its
    episode as ``aborted``; it stays in the tables as such, and the others go on.

    Args:
        firms: one per firm of the market, or one for all: policies or their names
            (`ludens.agents.make_policy`), as in ``["openai/gpt-5-mini", "nash"]``.
        market: None for the symmetric baseline of as many firms as are named, with 100 customers.
        scales: the price scales α.
        periods: of each episode.
        runs: how often each scale is played.
        prefix: the treatment P0 to P3 of language models that name none of their own.
        seed: the root of the run's tree of seeds; the same seed gives the same run at every concurrency.
        path: the run's file; None for a new name under ``runs/``.
        discount: δ, told to policies that compute with it.
        ceiling: the interval of k for the stated ceiling, see `ludens.experiments.pricing.setup`; None
            states none.
        interventions: of the environment, see `ludens.envs.pricing.interventions`; a regulator's money is
            that of scale 1.
        concurrency: how many episodes are played at once; the firms of one period are always asked together.
        price_grid: the prices that firms choose from, so that an action is the number of one of them, as
            for a
            learner that was trained so: how many points the usual grid has, or the prices themselves in money
            at scale 1, (m,) or one row for each firm. None lets firms set any price.
        progress: called after each decision and each episode.
        on_period: called after each period, those played back from an earlier life of the run among them.

    Raises:
        UsageError: an argument is wrong; nothing was written.
        StoreError: the run cannot be written.
        LudensError: a model cannot be reached; what was played is kept.
        RunInterrupted: Ctrl-C; what was played is kept.
    """
    setup = pricing_setup(
        firms, market=market, scales=scales, periods=periods, runs=runs, prefix=prefix, seed=check_seed(seed),
        discount=discount, ceiling=ceiling, interventions=interventions, concurrency=concurrency,
        price_grid=price_grid,
    )  # fmt: skip
    MarketSession(setup, setup.specs[0])  # what the environment does not take shows before a file is made
    store = create_run(path, KIND, setup.config, setup.specs, setup.seed)
    run_blocking(store, _Job(store, setup, on_period).run(progress))
    return Run(store.path)


def resume_pricing(
    path: str | os.PathLike[str],
    *,
    firms: Sequence[Firm] | None = None,
    concurrency: int | None = None,
    progress: OnProgress | None = None,
    on_period: OnPeriod | None = None,
) -> Run:
    """Go on with a pricing run that broke off, wherever it did; one that is done is returned as it is.

    Args:
        path: the run's file.
        firms: as they were given to `play_pricing`, where one was a Python object that the file cannot
            describe.
        concurrency: None for that of the start.
        progress: as in `play_pricing`.
        on_period: likewise.

    Raises:
        NoRunError: the file is no pricing run.
        StoreError: another process has it.
        UsageError: `firms` are needed and not given.
    """
    with Run(path) as run:
        manifest = check_kind(run)
    if manifest["status"] == "done":
        return Run(path)
    setup = stored_setup(manifest, path, firms, concurrency)
    store = Store(path)
    run_blocking(store, _Job(store, setup, on_period).run(progress))
    return Run(path)


async def together(asked: Iterable[Awaitable[T]]) -> list[T]:
    """The results of all, awaited at once. If one fails, the others are finished first, so that what they
    answer is kept; then the first failure is raised.
    """
    results = await asyncio.gather(*asked, return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    # That another episode failed is no news where something failed here.
    for failure in sorted(failures, key=lambda each: isinstance(each, StoppedError)):
        raise failure
    return [result for result in results if not isinstance(result, BaseException)]


class _Job:
    """A run about to be played: its store, its setup, and how one episode is played."""

    def __init__(self, store: Store, setup: PricingSetup, on_period: OnPeriod | None) -> None:
        self.store = store
        self.setup = setup
        self.on_period = on_period
        self.policies: dict[str, Policy] = dict(zip(setup.seats, setup.firms, strict=True))

    async def run(self, progress: OnProgress | None) -> None:
        await run_episodes(
            self.store,
            self.setup.specs,
            self.play_one,
            concurrency=self.setup.concurrency,
            progress=progress,
            abort_run=False,
        )

    async def play_one(
        self, spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence
    ) -> EpisodeRecord:
        table = MarketSession(self.setup, spec)
        table.reset(environment_seed(seeds))
        payoffs = dict.fromkeys(self.setup.seats, 0.0)
        while turns := table.turns():
            asked = [recorder.decide(self.policies[seat], turn) for seat, turn in turns.items()]
            decisions = dict(zip(turns, await together(asked), strict=True))
            for seat, decision in decisions.items():
                if decision.action is None:
                    return unplayed(spec, turns[seat], decision, payoffs, self.policies[seat].name)
            for seat, came in self._played(table, decisions, spec).items():
                payoffs[seat] += came["profit"]
        return EpisodeRecord(spec.index, spec.labels, "done", payoffs)

    def _played(
        self, table: MarketSession, decisions: Mapping[str, Decision], spec: EpisodeSpec
    ) -> dict[str, dict[str, float]]:
        period, came = table.period, table.step(decisions)
        if self.on_period is not None:
            prices, profits = (
                {seat: each[name] for seat, each in came.items()} for name in ("price", "profit")
            )
            self.on_period(PeriodNews(spec.index, spec.labels, period, self.setup.periods, prices, profits))
        return came
