"""Ask policies within a run: a decision is kept before it is used, and a kept one is not asked for again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ludens.agents.journal import Paid, recording
from ludens.agents.policy import BeliefReport, Call, Decision, Policy
from ludens.envs import Turn
from ludens.errors import UsageError
from ludens.experiments.runs.budget import Account, Budget
from ludens.experiments.runs.database import StoreError
from ludens.experiments.runs.records import DecisionRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.seeds import decision_rng, episode_seeds
from ludens.experiments.runs.stop import Stop, StoppedError
from ludens.experiments.runs.store import Store


@dataclass(frozen=True)
class Progress:
    """How far a run is, its earlier lives included.

    Attributes:
        done: episodes that have ended, of `total`.
        decisions, calls: how many were made.
        cost: what the calls cost, in US dollars.
    """

    done: int
    total: int
    decisions: int
    calls: int
    cost: float


OnProgress = Callable[[Progress], None]


class Watch:
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
        self.seed = store.seed
        self.account = Account(store.path, budget, store.spending(), store.seconds)
        self.stop = stop or Stop()
        self.failure: Exception | None = None
        self.servers: dict[str, Any] = {}
        self._progress = progress
        self._total, self._done = total, done
        self._decisions, self._calls, self._cost = store.totals()
        self._report()

    def check(self) -> None:
        """Raise StoppedError if an episode has failed, or the run is to stop.

        Raises:
            BudgetSpentError: the time of the run's budget is over.
        """
        self.stop.check()
        if self.failure is not None:
            raise StoppedError
        self.account.check()

    @property
    def complete(self) -> bool:
        """Whether every episode has ended."""
        return self._done == self._total

    def fail(self, error: Exception) -> None:
        """Stop the run; the first failure counts."""
        if self.failure is None:
            self.failure = error

    def decided(self, calls: Sequence[Call], *, booked: bool) -> None:
        """Count a decision that was kept, with its new calls, which the account may have booked already."""
        if not booked:
            for call in calls:
                self.account.book(call)
        self._decisions += 1
        self._calls += len(calls)
        self._cost += sum(call.cost for call in calls)
        self._report()

    def ended(self) -> None:
        """Count an episode that has ended."""
        self._done += 1
        self._report()

    def _report(self) -> None:
        if self._progress:
            self._progress(Progress(self._done, self._total, self._decisions, self._calls, self._cost))


class Recorder:
    """The way to ask a policy within a run, for one episode.

    What was decided in an earlier life of the run is returned; the rest is asked, and kept durably before it
    is returned.
    """

    def __init__(self, store: Store, spec: EpisodeSpec, watch: Watch) -> None:
        self._store = store
        self._spec = spec
        self._watch = watch
        self._seeds = episode_seeds(watch.seed, spec.index)
        earlier = () if store.fresh else store.decisions(spec.index)
        self._stored = {record.step: record for record in earlier}
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
            return matching(self._stored.pop(step), question, turn, self._store).decision
        self._watch.check()
        journal = _Journal(self._store, self._spec.index, step, self._watch)
        with recording(journal), self._watch.stop.asking():
            answer = await ask(turn, rng or decision_rng(self._seeds, turn.agent, step))
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
        self._store.add_decision(record, unkept)
        self._watch.decided(unkept or journal.new, booked=not unkept)
        await asyncio.sleep(0)  # policies that never wait still let the others and Ctrl-C have their turn
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

    def __init__(self, store: Store, episode: int, step: int, watch: Watch) -> None:
        self._store, self._episode, self._step = store, episode, step
        self._stop, self._account = watch.stop, watch.account
        self.servers = watch.servers
        self._earlier: list[Call] = [] if store.fresh else store.calls(episode, step)
        self._replayed = 0
        self.new: list[Call] = []
        self.reread = None

    @property
    def used(self) -> bool:
        return bool(self._earlier or self.new)

    def replay(self) -> Call | None:
        if self._replayed == len(self._earlier):
            self.check()  # a decision may take several calls: those that were answered are kept
            return None
        self._replayed += 1
        return self._earlier[self._replayed - 1]

    def record(self, call: Call) -> None:
        self._store.add_call(self._episode, self._step, len(self._earlier) + len(self.new), call)
        self.new.append(call)

    def asking(self, model: str) -> AbstractContextManager[Callable[[Paid], None]]:
        return self._account.asking(model)

    def check(self) -> None:
        self._stop.check()
        self._account.check()

    def remember(self, server: str, facts: Mapping[str, Any]) -> None:
        self._store.adapt(server, facts)

    def remembered(self, server: str) -> Mapping[str, Any]:
        known: Mapping[str, Any] = self._store.manifest.get("adapted", {}).get(server, {})
        return known


def matching(record: DecisionRecord, question: str, turn: Turn, store: Store | Run) -> DecisionRecord:
    """Return the stored decision if it answers this very question.

    Raises:
        StoreError: it answers another one.
    """
    options = tuple(option.name for option in turn.options)
    asked = (question, turn.environment, turn.agent, turn.role, turn.node, turn.round, options)
    place = (record.environment, record.agent, record.role, record.node, record.round, record.options)
    if asked == (record.question, *place):
        return record
    raise StoreError(
        f"Decision {record.step} of episode {record.episode} in {store.path} was made at {record.node!r} and "
        f"the environment now asks at {turn.node!r}: resume with the version of ludens that started the run "
        f"({store.manifest['versions'].get('ludens', 'unknown')}), or start anew."
    )
