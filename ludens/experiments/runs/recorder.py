"""Ask policies within a run: a decision is kept before it is used, and a kept one is not asked for again."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from ludens.agents.journal import Paid, recording
from ludens.agents.llm.cache import CachePlace
from ludens.agents.policy import BeliefReport, Call, Decision, Policy
from ludens.envs import Turn
from ludens.errors import UsageError
from ludens.experiments.runs.budget import Account, Budget
from ludens.experiments.runs.caching import cache_folder, places_in
from ludens.experiments.runs.commits import Commits
from ludens.experiments.runs.database import StoreError
from ludens.experiments.runs.executors.base import Common, Line
from ludens.experiments.runs.records import DecisionRecord, EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.seeds import decision_rng, episode_seeds
from ludens.experiments.runs.stop import Stop
from ludens.experiments.runs.store import Store


@dataclass(frozen=True)
class Progress:
    """How far a run is, its earlier lives included.

    Attributes:
        done: episodes that have ended, of `total`.
        decisions, calls: how many were made.
        cost: what the calls cost, in US dollars.
        to_come: what the calls to come may cost; 0 where they were not estimated.
    """

    done: int
    total: int
    decisions: int
    calls: int
    cost: float
    to_come: float = 0.0


OnProgress = Callable[[Progress], None]


class Watch(Common):
    """What the episodes of a run share: whether to go on, and how far the run is."""

    def __init__(
        self,
        store: Store,
        total: int,
        done: int,
        progress: OnProgress | None,
        *,
        stop: Stop | None = None,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(stop)
        self.account = Account(store.path, budget, store.spending(), store.seconds)
        self._progress = progress
        self._total, self._done = total, done
        self._decisions, self._calls, self._cost = store.totals()
        self._lock = threading.Lock()
        self._report()

    def check(self) -> None:
        """Raise StoppedError if an episode has failed, or the run is to stop.

        Raises:
            BudgetSpentError: the time of the run's budget is over.
        """
        super().check()
        self.account.check()

    def check_answering(self) -> None:
        """Raise what ends a decision under way if it is to ask nothing more."""
        super().check_answering()
        self.account.check()

    @property
    def complete(self) -> bool:
        """Whether every episode has ended."""
        return self._done == self._total

    def called(self, call: Call) -> None:
        """Count a call that was kept; from any thread."""
        with self._lock:
            self._calls += 1
            self._cost += call.cost

    def decided(self, calls: Sequence[Call] = ()) -> None:
        """Count a decision that was kept, with those of its calls that were kept with it."""
        for call in calls:
            self.called(call)
        self._decisions += 1
        self._report()

    def ended(self) -> None:
        """Count an episode that has ended."""
        self._done += 1
        self._report()

    def _report(self) -> None:
        if self._progress:
            self._progress(Progress(self._done, self._total, self._decisions, self._calls, self._cost))


@dataclass(frozen=True)
class EpisodeTask:
    """An episode that is to be played, with what is kept of it.

    Attributes:
        spec: which episode.
        decisions: those that were made.
        calls: those of decisions that were not reached, by step.
        adapted: how requests to servers were changed to suit them, by the server's name.
        budgeted: whether the run's budget must allow every request.
        cache: of the first of its decisions, where the run shares a cache with others.
    """

    spec: EpisodeSpec
    decisions: Sequence[DecisionRecord] = ()
    calls: Mapping[int, Sequence[Call]] = field(default_factory=dict)
    adapted: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    budgeted: bool = False
    cache: CachePlace | None = None


@dataclass(frozen=True)
class Took:
    """What a reply took, as `ludens.agents.journal.Paid`."""

    prompt_tokens: int
    completion_tokens: int
    cost: float


Request = tuple[int, int, int]
"""Episode, step, and number of a request of a decision."""


class Keeper:
    """The writing process's side of a run's recorders: it keeps what they tell, durably."""

    def __init__(self, store: Store, watch: Watch) -> None:
        self._store, self._watch = store, watch
        self._commits = Commits(store, watch.fail)
        self._adapted: dict[str, Any] = dict(store.manifest.get("adapted", {}))
        self._begun: set[int] = set()
        self._requests: dict[Request, str] = {}
        self._cache = None if (folder := cache_folder()) is None else places_in(folder, store)

    def task(self, spec: EpisodeSpec) -> EpisodeTask:
        """Return an episode with what is kept of it by now; once more if the process that played it died."""
        budgeted, adapted = self._watch.account.limited, dict(self._adapted)
        cache = None if self._cache is None else self._cache(spec)
        if self._store.fresh and spec.index not in self._begun:
            self._begun.add(spec.index)
            return EpisodeTask(spec, adapted=adapted, budgeted=budgeted, cache=cache)
        self._commits.write()
        for request in [each for each in self._requests if each[0] == spec.index]:
            self._watch.account.end(self._requests.pop(request), ())
        return EpisodeTask(spec, *self._store.kept(spec.index), adapted, budgeted, cache)

    def __call__(self, message: tuple[Any, ...]) -> None:
        """Take what a `Recorder` tells, from any thread: it is kept when `settled` returns.

        Raises:
            BudgetSpentError: the budget allows no further request.
        """
        match message:
            case "asks", request, model:
                self._watch.account.begin(model)
                self._requests[request] = model
            case "took", request, paid:
                self._watch.account.end(self._requests.pop(request), paid)
            case "call", episode, step, number, call:
                keep = partial(self._store.add_call, episode, step, number, call)
                self._commits.add(keep, partial(self._watch.called, call))
            case "decision", record, calls:
                for call in calls:
                    self._watch.account.book(call)
                self._commits.add(
                    partial(self._store.add_decision, record, calls), partial(self._watch.decided, calls)
                )
            case "adapted", server, facts:
                self._adapted[server] = facts
                self._store.adapt(server, facts)

    async def settled(self) -> None:
        """Wait until all that was told is kept.

        Raises:
            StoreError: it cannot be written.
        """
        await self._commits.settled()

    async def end(self, record: EpisodeRecord) -> None:
        """Keep how an episode ended.

        Raises:
            StoreError: it cannot be written.
        """
        self._commits.add(partial(self._store.end_episode, record), self._watch.ended)
        await self._commits.settled()

    def close(self) -> None:
        """Keep what nobody waits for any longer."""
        self._commits.write()


class Recorder:
    """The way to ask a policy within a run, for one episode.

    What was decided in an earlier life of the run is returned; the rest is asked, and kept durably before it
    is returned.

    Attributes:
        seeds: of the episode.

    Args:
        task: the episode.
        seed: the root of the run's tree of seeds.
        line: where `Keeper` hears what is to be kept.
        version: the version of ludens that began the run, for messages.
    """

    def __init__(self, task: EpisodeTask, seed: int, line: Line, version: str = "unknown") -> None:
        self._task, self._line, self._version = task, line, version
        self._spec = task.spec
        self.seeds = episode_seeds(seed, task.spec.index)
        self._stored = {record.step: record for record in task.decisions}
        self._step = 0

    async def decide(self, policy: Policy, turn: Turn, rng: np.random.Generator | None = None) -> Decision:
        """Return the policy's decision at this turn.

        `rng` is what it draws from; without one the recorder takes the episode's stream for this seat and
        step. Decisions that shared a generator would find it elsewhere after a resume than without, so each
        needs a fresh one.
        """
        decision = await self._ask("choice", policy, turn, rng, policy.adecide)
        assert isinstance(decision, Decision)
        return decision

    async def believe(self, policy: Any, turn: Turn, rng: np.random.Generator | None = None) -> BeliefReport:
        """Return what a policy with ``abelief`` believes others choose at this turn; `rng` as in `decide`."""
        report: BeliefReport = await self._ask("belief", policy, turn, rng, policy.abelief)
        return report

    async def _ask(
        self,
        question: Literal["choice", "belief"],
        policy: Policy,
        turn: Turn,
        rng: np.random.Generator | None,
        ask: Callable[[Turn, np.random.Generator], Awaitable[Any]],
    ) -> Any:
        step, self._step = self._step, self._step + 1
        if step in self._stored:
            return matching(self._stored.pop(step), question, turn, self._version).decision
        self._line.common.check()
        journal = _Journal(self._task, step, self._line)
        with recording(journal), self._line.common.stop.asking():
            answer = await ask(turn, rng or decision_rng(self.seeds, turn.agent, step))
        _check(answer, question, policy, turn)
        record = DecisionRecord(
            episode=self._spec.index,
            labels=self._spec.labels,
            step=step,
            question=question,
            agent=turn.agent,
            policy=policy.name,
            environment=turn.environment,
            protocol=turn.game.protocol,
            role=turn.role,
            node=turn.node,
            round=turn.round,
            options=tuple(option.name for option in turn.options),
            decision=answer,
        )
        # A policy may bring calls that it made past the journal.
        unkept = () if journal.used else answer.calls
        self._line.tell(("decision", record, unkept))
        await self._line.settled()
        return answer


def _check(answer: object, question: Literal["choice", "belief"], policy: Policy, turn: Turn) -> None:
    """Refuse an answer that does not belong to its turn, before it is stored.

    Raises:
        UsageError: it is of another type, its action is not legal, or its probabilities are not one per
            option.
    """
    where = f"The policy {policy.name!r} returned {{}} at {turn.node!r}"
    kind = Decision if question == "choice" else BeliefReport
    if not isinstance(answer, kind):
        raise UsageError(f"{where.format(repr(answer))}; return a ludens.agents.{kind.__name__}.")
    shares = answer.probabilities
    if shares is not None and len(shares) != len(turn.options):
        raise UsageError(
            f"{where.format(f'{len(shares)} probabilities')}; return one for each of its {len(turn.options)} "
            "options."
        )
    if isinstance(answer, BeliefReport) or answer.action is None:
        return
    legal = [option.action for option in turn.options]
    if legal and not (isinstance(answer.action, int) and answer.action in legal):
        raise UsageError(f"{where.format(f'the action {answer.action!r}')}; legal are {legal}.")
    low, high = turn.interval if turn.interval is not None and not legal else (-math.inf, math.inf)
    chosen = (answer.action, *answer.further)
    if len(chosen) != turn.numbers:
        raise UsageError(f"{where.format(f'{len(chosen)} number(s)')}; return {turn.numbers}, see Decision.")
    if not all(low <= number <= high for number in chosen):
        raise UsageError(
            f"{where.format(f'the action {answer.move!r}')}; it must be a number from {low:g} to {high:g}."
        )


class _Journal:
    """The calls of one decision: those of an earlier life first, then new ones, each kept as it ends."""

    def __init__(self, task: EpisodeTask, step: int, line: Line) -> None:
        self._task, self._step, self._line = task, step, line
        self._earlier = task.calls.get(step, ())
        self._replayed = self._new = 0
        self._requests = itertools.count()
        self.reread = None

    @property
    def servers(self) -> dict[str, Any]:
        return self._line.common.servers

    @property
    def used(self) -> bool:
        return bool(self._earlier or self._new)

    @property
    def cache(self) -> CachePlace | None:
        kept = self._task.cache
        return None if kept is None else replace(kept, place={**kept.place, "step": self._step})

    def replay(self) -> Call | None:
        if self._replayed == len(self._earlier):
            self.check()  # a decision may take several calls: those that were answered are kept
            return None
        self._replayed += 1
        return self._earlier[self._replayed - 1]

    def record(self, call: Call) -> None:
        number = len(self._earlier) + self._new
        self._line.tell(("call", self._task.spec.index, self._step, number, call))
        self._new += 1

    @asynccontextmanager
    async def asking(self, model: str) -> AsyncIterator[Callable[[Paid], None]]:
        request = (self._task.spec.index, self._step, next(self._requests))
        if self._new:  # what was answered is kept before the same decision asks again
            await self._line.settled()
        asks = ("asks", request, model)
        if self._task.budgeted:
            await self._line.ask(asks)
        else:
            self._line.tell(asks)
        took: list[Took] = []
        try:
            yield lambda paid: took.append(Took(paid.prompt_tokens, paid.completion_tokens, paid.cost))
        finally:
            self._line.tell(("took", request, took))

    def check(self) -> None:
        self._line.common.check_answering()

    def remember(self, server: str, facts: Mapping[str, Any]) -> None:
        self._line.tell(("adapted", server, dict(facts)))

    def remembered(self, server: str) -> Mapping[str, Any]:
        return self._task.adapted.get(server, {})


def matching(record: DecisionRecord, question: str, turn: Turn, version: str) -> DecisionRecord:
    """Return the stored decision if it answers this very question; `version` is that of the ludens that began
    the run, for the message.

    Raises:
        StoreError: it answers another one.
    """
    options = tuple(option.name for option in turn.options)
    asked = (question, turn.environment, turn.agent, turn.role, turn.node, turn.round, options)
    place = (record.environment, record.agent, record.role, record.node, record.round, record.options)
    if asked == (record.question, *place):
        return record
    raise StoreError(
        f"Decision {record.step} of episode {record.episode} was made at {record.node!r} and the environment "
        f"now asks at {turn.node!r}: resume with the version of ludens that started the run ({version}), or "
        "start anew."
    )
