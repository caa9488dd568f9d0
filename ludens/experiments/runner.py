"""Play episodes concurrently, keep every decision before the next is asked for, and go on where a run broke off."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ludens.agents.journal import recording
from ludens.agents.policy import Call, Decision, Policy
from ludens.envs import Turn
from ludens.errors import LudensError, UsageError
from ludens.experiments.records import DecisionRecord, EpisodeRecord, EpisodeSpec
from ludens.experiments.seeds import decision_rng, episode_seeds
from ludens.experiments.store import Store, StoreError

if TYPE_CHECKING:
    from ludens.agents.policy import BeliefReport


class RunAbortedError(LudensError):
    """A policy whose invalid decisions abort the run made one. All that was decided is kept."""


class RunInterrupted(KeyboardInterrupt):  # noqa: N818  # an interrupt, as the one that it stands for, is no error
    """Ctrl-C during a run; the message says how to go on with it."""


@dataclass(frozen=True)
class Progress:
    """How far a run is: episodes ended of all, decisions and calls made, and US dollars spent, earlier lives included."""

    done: int
    total: int
    decisions: int
    calls: int
    cost: float


OnProgress = Callable[[Progress], None]
PlayOne = Callable[[EpisodeSpec, "Recorder", np.random.SeedSequence], Awaitable[EpisodeRecord]]


class Recorder:
    """The only way to ask a policy within a run: what was decided in an earlier life of the run is returned, the rest
    is asked and kept durably before it is returned."""

    def __init__(self, store: Store, spec: EpisodeSpec, watch: _Watch) -> None:
        self._store = store
        self._spec = spec
        self._watch = watch
        self._seeds = episode_seeds(watch.seed, spec.index)
        self._stored = {record.step: record for record in store.decisions(spec.index)}
        self.step = 0

    async def decide(self, policy: Policy, turn: Turn, rng: np.random.Generator | None = None) -> Decision:
        """The policy's decision at this turn.

        Args:
            rng: what it draws from; None for the recorder's own stream of this seat and step. One that is shared by
                several decisions would stand elsewhere after a resume than without: hand over a fresh one for each.
        """
        decision = await self._ask("choice", policy, turn, rng, policy.adecide)
        assert isinstance(decision, Decision)
        return decision

    async def believe(self, policy: Any, turn: Turn, rng: np.random.Generator | None = None) -> BeliefReport:
        """What the policy (one that has ``abelief``) thinks others choose at this turn; `rng` as in `decide`."""
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
        step, self.step = self.step, self.step + 1
        if step in self._stored:
            return _matching(self._stored.pop(step), question, turn, self._store).decision
        self._watch.check()
        journal = _Journal(self._store, self._spec.index, step)
        with recording(journal):
            answer = await ask(turn, rng or decision_rng(self._seeds, turn.agent, step))
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
        unkept = () if journal.used else answer.calls
        self._store.add_decision(record, unkept)
        self._watch.decided(unkept or journal.new)
        await asyncio.sleep(0)  # policies that never wait still let the others and Ctrl-C have their turn
        return answer


async def run_episodes(
    store: Store,
    specs: Sequence[EpisodeSpec],
    play_one: PlayOne,
    *,
    concurrency: int = 8,
    progress: OnProgress | None = None,
) -> None:
    """Play those of the episodes that the store does not hold as ended, in their order, some at once.

    If one fails, the decisions under way elsewhere are finished and kept, and the run stops there, to be resumed.

    Raises:
        UsageError: the concurrency is not a whole number of at least 1.
        RunAbortedError: an episode ended as aborted.
        Exception: whatever an episode raised, after the run has been left in order.
    """
    check_concurrency(concurrency)
    unfinished = {spec.index for spec in store.unfinished()}
    todo = [spec for spec in specs if spec.index in unfinished]
    watch = _Watch(store, len(specs), len(specs) - len(todo), progress)
    store.set_status("running")
    queue = iter(todo)

    async def work() -> None:
        for spec in queue:
            if watch.stopped:
                return
            try:
                recorder = Recorder(store, spec, watch)
                record = await play_one(spec, recorder, episode_seeds(watch.seed, spec.index))
                store.end_episode(record)
                watch.ended()
                if record.status == "aborted":
                    raise RunAbortedError(
                        f"The run stopped at episode {spec.index}, as its policy asks: {record.detail}"
                    )
            except _StoppedError:
                return
            except Exception as error:
                watch.fail(error)
                return

    try:
        await asyncio.gather(*(work() for _ in range(min(concurrency, len(todo)))))
    except asyncio.CancelledError:
        store.set_status("interrupted")
        raise
    if watch.failure is None:
        store.set_status("done")
        return
    with suppress(StoreError):  # a full disk is the failure itself more often than not
        status: Literal["aborted", "failed"] = (
            "aborted" if isinstance(watch.failure, RunAbortedError) else "failed"
        )
        store.set_status(status, str(watch.failure))
    raise watch.failure


def run_blocking(store: Store, job: Coroutine[Any, Any, None], *, keyboard: bool = False) -> None:
    """Run the coroutine to its end and close the store, also where an event loop runs already (a notebook).

    Args:
        keyboard: a person plays in this terminal, so Ctrl-C goes to the prompt and not to the event loop.

    Raises:
        RunInterrupted: Ctrl-C.
    """
    try:
        if _loop_runs():
            _run_in_thread(job)
        elif keyboard:
            _run_with_keyboard(job)
        else:
            asyncio.run(job)
    except KeyboardInterrupt as interrupt:
        raise RunInterrupted(f"Interrupted: go on with `ludens resume {store.path}`.") from interrupt
    finally:
        store.close()


def unplayed(
    spec: EpisodeSpec, turn: Turn, decision: Decision, payoffs: Mapping[str, float], policy: str
) -> EpisodeRecord:
    """How an episode ends in which a policy did not decide, by the policy's `on_invalid`:

    * ``"drop"``: the episode is ``dropped``, nobody's payoff is defined;
    * ``"forfeit"``: it is ``forfeited``: the seat keeps its `payoffs` of finished rounds and gets the lowest payoff of
      its current role in the round under way (later rounds are not played); the others' payoffs are undefined, and so
      is its own in an environment whose payoffs are no tree's;
    * ``"abort"``: it is ``aborted``, and the run with it.
    """
    why = f"{policy} as {turn.agent} gave no usable decision at {turn.node!r} in round {turn.round + 1} ({decision.status}"
    detail = (
        f"{why}: {decision.calls[-1].detail})" if decision.calls and decision.calls[-1].detail else f"{why})"
    )
    undefined: dict[str, float | None] = dict.fromkeys(payoffs)
    if decision.on_invalid == "abort":
        return EpisodeRecord(spec.index, spec.labels, "aborted", undefined, detail)
    if decision.on_invalid == "drop":
        return EpisodeRecord(spec.index, spec.labels, "dropped", undefined, detail)
    lowest = _lowest_payoff(turn)
    if lowest is not None:
        undefined[turn.agent] = payoffs[turn.agent] + lowest
    return EpisodeRecord(spec.index, spec.labels, "forfeited", undefined, detail)


def check_concurrency(concurrency: int) -> None:
    """Raise UsageError unless it is a whole number of at least 1."""
    if not isinstance(concurrency, int) or isinstance(concurrency, bool) or concurrency < 1:
        raise UsageError(f"The concurrency is a whole number of at least 1; got {concurrency!r}.")


class _StoppedError(Exception):
    """Another episode failed: ask nothing more."""


class _Watch:
    """What the episodes of a run share: whether to go on, and how far the run is."""

    def __init__(self, store: Store, total: int, done: int, progress: OnProgress | None) -> None:
        self.seed = store.seed
        self.failure: Exception | None = None
        self._progress = progress
        self._total, self._done = total, done
        self._decisions, self._calls, self._cost = store.totals()
        self._report()

    @property
    def stopped(self) -> bool:
        return self.failure is not None

    def check(self) -> None:
        if self.stopped:
            raise _StoppedError

    def fail(self, error: Exception) -> None:
        if self.failure is None:
            self.failure = error

    def decided(self, calls: Sequence[Call]) -> None:
        self._decisions += 1
        self._calls += len(calls)
        self._cost += sum(call.cost for call in calls)
        self._report()

    def ended(self) -> None:
        self._done += 1
        self._report()

    def _report(self) -> None:
        if self._progress:
            self._progress(Progress(self._done, self._total, self._decisions, self._calls, self._cost))


class _Journal:
    """The calls of one decision: those of an earlier life first, then new ones, each kept as it ends."""

    def __init__(self, store: Store, episode: int, step: int) -> None:
        self._store, self._episode, self._step = store, episode, step
        self._earlier = store.calls(episode, step)
        self._place = 0
        self._kept = len(self._earlier)
        self.new: list[Call] = []

    @property
    def used(self) -> bool:
        return self._kept > 0

    def replay(self) -> Call | None:
        if self._place == len(self._earlier):
            return None
        self._place += 1
        return self._earlier[self._place - 1]

    def record(self, call: Call) -> None:
        self._store.add_call(self._episode, self._step, self._kept, call)
        self._kept += 1
        self.new.append(call)


def _matching(record: DecisionRecord, question: str, turn: Turn, store: Store) -> DecisionRecord:
    """The stored decision, if it is an answer to this very question."""
    options = tuple(option.name for option in turn.options)
    asked = (question, turn.environment, turn.agent, turn.role, turn.node, turn.round, options)
    if asked == (
        record.question, record.environment, record.agent, record.role, record.node, record.round, record.options
    ):  # fmt: skip
        return record
    raise StoreError(
        f"Decision {record.step} of episode {record.episode} in {store.path} was made at {record.node!r} and the "
        f"environment now asks at {turn.node!r}: resume with the version of ludens that started the run "
        f"({store.manifest['versions'].get('ludens', 'unknown')}), or start anew."
    )


def _lowest_payoff(turn: Turn) -> float | None:
    payoffs = getattr(turn.game, "payoffs", None)
    if not isinstance(payoffs, np.ndarray) or turn.role not in turn.game.roles:
        return None
    return float(payoffs[:, turn.game.roles.index(turn.role)].min())


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run_in_thread(job: Coroutine[Any, Any, None]) -> None:
    outcome: list[BaseException] = []
    loop = asyncio.new_event_loop()
    task = loop.create_task(job)

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop):
                loop.run_until_complete(task)
        except BaseException as error:  # noqa: BLE001  # whatever it is, it belongs to the caller's thread
            outcome.append(error)

    thread = threading.Thread(target=run, name="ludens-run")
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    if outcome:
        raise outcome[0]


def _run_with_keyboard(job: Coroutine[Any, Any, None]) -> None:
    # With a handler that is not Python's own, asyncio leaves Ctrl-C alone, and it reaches the prompt.
    earlier = signal.signal(signal.SIGINT, lambda number, frame: signal.default_int_handler(number, frame))
    try:
        asyncio.run(job)
    finally:
        signal.signal(signal.SIGINT, earlier)
