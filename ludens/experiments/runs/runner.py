"""Play the episodes of a run, some at once, and go on where a run broke off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

import numpy as np

from ludens.agents.policy import Decision
from ludens.envs import Turn
from ludens.errors import LudensError, UsageError
from ludens.experiments.runs.budget import Budget, BudgetSpentError
from ludens.experiments.runs.database import StoreError
from ludens.experiments.runs.executors.asynchronous import Asyncio
from ludens.experiments.runs.executors.base import MOST, Carry, Executor, Line
from ludens.experiments.runs.lanes import LaneOf, Lanes
from ludens.experiments.runs.recorder import EpisodeTask, Keeper, OnProgress, Recorder, Watch
from ludens.experiments.runs.records import FINISHED, EpisodeRecord, EpisodeSpec, RunStatus
from ludens.experiments.runs.stop import Stop, StoppedError
from ludens.experiments.runs.store import Store

PlayOne = Callable[[EpisodeSpec, Recorder, np.random.SeedSequence], Awaitable[EpisodeRecord]]
"""Plays one episode: asks through the recorder only, and draws all chance from the episode's seeds."""


class Episodes:
    """The work of playing episodes, here or in another process.

    Args:
        player: returns what plays one episode; called once in each process.
        seed: the root of the run's tree of seeds.
        version: the version of ludens that began the run.
        play_one: what `player` returned in this process, if it was called.
    """

    def __init__(
        self, player: Callable[[], PlayOne], seed: int, version: str, play_one: PlayOne | None = None
    ) -> None:
        self._player, self._seed, self._version = player, seed, version
        self._play_one = play_one

    async def __call__(self, task: EpisodeTask, line: Line) -> EpisodeRecord:
        """Play one episode, and return how it ended."""
        if self._play_one is None:
            self._play_one = self._player()
        recorder = Recorder(task, self._seed, line, self._version)
        return await self._play_one(task.spec, recorder, recorder.seeds)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_play_one": None}


class RunAbortedError(LudensError):
    """A policy whose invalid decisions abort the run made one; all that was decided is kept."""


async def run_episodes(
    store: Store,
    specs: Sequence[EpisodeSpec],
    player: Callable[[], PlayOne],
    *,
    play_one: PlayOne | None = None,
    executor: Executor | None = None,
    concurrency: int = 8,
    computing: bool = False,
    progress: OnProgress | None = None,
    abort_run: bool = True,
    first: Collection[int] = (),
    after_first: Callable[[], None] | None = None,
    stop: Stop | None = None,
    budget: Budget | None = None,
    lane_of: LaneOf | None = None,
) -> None:
    """Play those of the episodes that the store does not hold as ended, in their order, some at once. Lanes
    share what is played at once (`ludens.experiments.runs.lanes`).

    `computing` episodes keep a core busy: another process plays one at a time, and how many are played at
    once is the number of processes.

    `player` returns what plays one episode, `play_one` if it was called before. The `executor` says where
    episodes are played, by default in this process; all of them give the same run.

    The episodes numbered in `first` come before the others, and when the last of them has ended,
    `after_first` is called; a run that is resumed later does not call it again.

    An episode that ends as aborted aborts the run; without `abort_run` the others go on, and it stays as it
    is.

    If one fails, the decisions under way elsewhere are finished and kept, and the run stops there, to be
    resumed; a new run that failed before anything was decided (a missing key, say) leaves no file. If it is
    cancelled, calls under way are dropped; a requested `stop` starts nothing new and keeps their answers, and
    so does a spent `budget`.

    Raises:
        UsageError: the concurrency is not a whole number of at least 1.
        StoreError: the run cannot be written.
        RunAbortedError: an episode ended as aborted, and aborts the run.
        BudgetSpentError: the budget is spent; the run is in order.
        StoppedError: `stop` was requested; the run is in order.
        Exception: whatever an episode raised, after the run has been left in order.
    """
    check_concurrency(concurrency)
    over = FINISHED if abort_run else FINISHED | {"aborted"}
    ended = store.ended(over)
    todo = [spec for spec in specs if spec.index not in ended]
    todo.sort(key=lambda spec: spec.index not in first)
    trial = {spec.index for spec in todo if spec.index in first}
    watch = Watch(store, len(specs), len(specs) - len(todo), progress, stop=stop, budget=budget)
    store.set_status("running")
    lanes, keeper = Lanes(todo, lane_of, trial), Keeper(store, watch)
    manifest = store.manifest
    version = manifest["versions"].get("ludens", "unknown")
    episodes = Episodes(player, manifest["seed"], version, play_one)
    executor = executor or Asyncio()
    alone = computing and executor.separate
    places = min(MOST if alone else executor.places(concurrency), len(todo))

    async def work(carry: Carry) -> None:
        nonlocal trial
        while (spec := lanes.take()) is not None:
            try:
                watch.check()
                record = await carry(partial(keeper.task, spec), keeper)
                await keeper.end(record)
                if trial and not (trial := trial - {spec.index}) and after_first is not None:
                    after_first()
                if abort_run and record.status == "aborted":
                    why = record.detail.rstrip(".")
                    raise RunAbortedError(
                        f"{store.path} stopped at episode {spec.index}, as its policy asks: {why}."
                    )
            except StoppedError:
                return
            except Exception as error:
                watch.fail(error)
                return
            finally:
                lanes.ended(spec)

    try:
        async with AsyncExitStack() as stack:
            try:
                carry = await stack.enter_async_context(executor.opened(episodes, watch, places, alone=alone))
            except LudensError as error:
                watch.fail(error)
            else:
                # Whatever leaves it, SystemExit out of `progress` too, nothing plays on.
                async with asyncio.TaskGroup() as group:
                    for _ in range(places):
                        group.create_task(work(carry))
    except (asyncio.CancelledError, SystemExit, KeyboardInterrupt):
        keeper.close()
        store.set_status("interrupted")
        raise
    keeper.close()
    if watch.failure is None:
        store.set_status("interrupted" if watch.stop.requested and not watch.complete else "done")
        watch.stop.check()
        return
    if paused := isinstance(watch.failure, BudgetSpentError):
        watch.failure = watch.account.error(watch.failure.limit)  # with what was answered meanwhile
    if store.fresh and not paused and not any(store.totals()):
        store.discard()
        raise watch.failure
    status: RunStatus = "interrupted" if paused else "failed"
    status = "aborted" if isinstance(watch.failure, RunAbortedError) else status
    with suppress(StoreError):  # a full disk, where that is the failure
        store.set_status(status, str(watch.failure))
    if status == "failed" and "ludens resume" not in str(watch.failure):
        watch.failure.add_note(f"What was decided is kept: go on with `ludens resume {store.path}`.")
    raise watch.failure


def unplayed(
    spec: EpisodeSpec, turn: Turn, decision: Decision, payoffs: Mapping[str, float], policy: str
) -> EpisodeRecord:
    """Return how an episode ends in which a policy did not decide, by the policy's `on_invalid`.

    * ``"drop"``: the episode is ``dropped``, nobody's payoff is defined;
    * ``"forfeit"``: it is ``forfeited``: the seat keeps its `payoffs` of finished rounds and gets the lowest
      payoff of its current role in the round under way (later rounds are not played); the others' payoffs are
      undefined, and so is its own in an environment whose payoffs are no tree's;
    * ``"abort"``: it is ``aborted``, and the run with it.
    """
    why = decision.calls[-1].detail if decision.calls else ""
    where = f"at {turn.node!r} in round {turn.round + 1}"
    detail = f"{policy} as {turn.agent} gave no usable decision {where} ({decision.status})"
    detail += why and f": {why}"
    paid: dict[str, float | None] = dict.fromkeys(payoffs)
    if decision.on_invalid == "abort":
        return EpisodeRecord(spec.index, spec.labels, "aborted", paid, detail)
    if decision.on_invalid == "drop":
        return EpisodeRecord(spec.index, spec.labels, "dropped", paid, detail)
    lowest = _lowest_payoff(turn)
    if lowest is not None:
        paid[turn.agent] = payoffs[turn.agent] + lowest
    return EpisodeRecord(spec.index, spec.labels, "forfeited", paid, detail)


def check_concurrency(concurrency: int) -> None:
    """Raise UsageError unless it is a whole number of at least 1."""
    if not isinstance(concurrency, int) or isinstance(concurrency, bool) or concurrency < 1:
        raise UsageError(f"The concurrency is a whole number of at least 1; got {concurrency!r}.")


def _lowest_payoff(turn: Turn) -> float | None:
    payoffs = getattr(turn.game, "payoffs", None)
    if not isinstance(payoffs, np.ndarray) or turn.role not in turn.game.roles:
        return None
    return float(payoffs[:, turn.game.roles.index(turn.role)].min())
