"""Read every stored reply of a run again, with today's readers and without a network.

Each decision that a language model made is made again at the turn at which it was made, from the replies
that its calls got. The episode then goes on with the decision that the run holds, so that every reply is read
as an answer to the question that was really asked. The run stays as it is: what would differ today is
returned.

What the readers see of a reply is its text, and whether it was cut, held thoughts, or was marked as a
refusal. Log-probabilities count as they were read when they came, since runs keep the probabilities of the
options and not the tokens; whether they make an answer is decided anew.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from ludens.agents.journal import Paid, recording
from ludens.agents.llm.faults import ModelError
from ludens.agents.llm.loop import run as run_async
from ludens.agents.llm.model_policy import ModelPolicy
from ludens.agents.llm.query import RewordedError
from ludens.agents.policy import Call, Decision, Policy
from ludens.display.table import Table
from ludens.envs import Turn
from ludens.errors import LudensError
from ludens.experiments.runs.recorder import Recorder, matching
from ludens.experiments.runs.records import DecisionRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.seeds import decision_rng, episode_seeds
from ludens.experiments.runs.stop import StoppedError
from ludens.experiments.study.engine import study_of

UNREACHED = "not needed"
"""Of a call: an earlier reply of the same decision can be read today."""
ASKS = "asks again"
"""Of a decision: today another reply would be asked for, and the run holds none."""
STOPS = "stops"
"""Of a decision: today it would stop the run, with an error of its model."""
REWORDED = "asked otherwise"
"""Of a decision: today's question has another wording, so that its replies are not read again."""
NOT_OURS = "not read"
"""Of a decision whose policy reads replies of its own."""


@dataclass(frozen=True)
class Change:
    """A decision that would be another one today.

    Attributes:
        episode, step, policy, node: its place.
        then, now: the choice with its status, as it was and as it would be; or what keeps it from being made.
        what: the first that differs: ``"status"``, ``"choice"``, ``"probabilities"``, ``"reasoning"`` or
            ``"notes"``.
        why: what the reader says today of the last reply, where it cannot be used.
    """

    episode: int
    step: int
    policy: str
    node: str
    then: str
    now: str
    what: str
    why: str = ""


@dataclass(frozen=True)
class Replay:
    """What reading a run again has shown.

    Attributes:
        calls: how many calls had an outcome then and have one now (`UNREACHED` among them), by both.
        decisions: how many decisions had a status then and have one now (`ASKS`, `STOPS`, `REWORDED` and
            `NOT_OURS` among them), by both; those that were made without a model are left out.
        changes: every decision that differs, in the order of the run.
    """

    run: str
    calls: Mapping[tuple[str, str], int]
    decisions: Mapping[tuple[str, str], int]
    changes: tuple[Change, ...]

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "run": self.run,
            "calls": [{"then": then, "now": now, "n": n} for (then, now), n in self.calls.items()],
            "decisions": [{"then": then, "now": now, "n": n} for (then, now), n in self.decisions.items()],
            "changes": [asdict(change) for change in self.changes],
        }

    def tables(self) -> list[Table]:
        """Return how calls and decisions were read then and now."""
        return [
            _table(
                "Calls by outcome",
                "What a call came to when it was made, and what it comes to today.",
                self.calls,
            ),
            _table("Decisions by status", "The same of decisions.", self.decisions),
        ]


def replay(path: str | os.PathLike[str], **changes: Any) -> Replay:
    """Read every stored reply of a run again with the readers of this version; nothing is asked, and the run
    stays as it is.

    Args:
        path: the run's file, or a compressed copy of one.
        changes: as in `ludens.experiments.resume`, for policies that the file cannot describe.

    Raises:
        NoRunError: the file is not a run.
        UsageError: a policy was a Python object and is not given.
        StoreError: the environment asks other questions now than it did then.
    """
    return run_async(areplay(path, **changes))


async def areplay(path: str | os.PathLike[str], **changes: Any) -> Replay:
    """Read a run again within a running event loop; see `replay`."""
    with Run(path) as run:
        study = study_of(run, **changes)
        play_one, manifest = study.player(), run.manifest
        version, found = manifest["versions"].get("ludens", "unknown"), _Found()
        for record in run.episodes():
            kept = run.decisions(record.index)
            if not kept:
                continue
            spec = EpisodeSpec(record.index, record.labels)
            seeds = episode_seeds(manifest["seed"], record.index)
            reader = _Reader(version, seeds, kept, found, manifest.get("adapted", {}))
            try:
                await play_one(spec, reader, seeds)
            except StoppedError:
                continue
    return Replay(str(run.path), dict(found.calls), dict(found.decisions), tuple(found.changes))


class _NoReplyLeftError(LudensError):
    """Another reply would be asked for."""


class _Found:
    """What is counted while a run is read again."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.decisions: Counter[tuple[str, str]] = Counter()
        self.changes: list[Change] = []


class _Kept:
    """The calls of one decision, for the policy to read again."""

    def __init__(self, calls: tuple[Call, ...], servers: dict[str, Any], adapted: Mapping[str, Any]) -> None:
        self._left = list(calls)
        self._adapted = adapted
        self.servers = servers
        self.cache = None
        self.read: list[Call] = []

    def reread(self, call: Call) -> None:
        self.read.append(call)

    def replay(self) -> Call | None:
        if not self._left:
            raise _NoReplyLeftError("The run holds no further reply to this question.")
        return self._left.pop(0)

    def record(self, call: Call) -> None:
        raise AssertionError("no call is made while replies are read again")

    def asking(self, model: str) -> AbstractAsyncContextManager[Callable[[Paid], None]]:
        raise AssertionError("no call is made while replies are read again")

    def check(self) -> None:
        """Go on."""

    def remember(self, server: str, facts: Mapping[str, Any]) -> None:
        """Change nothing."""

    def remembered(self, server: str) -> Mapping[str, Any]:
        known: Mapping[str, Any] = self._adapted.get(server, {})
        return known


class _Reader(Recorder):
    """In the place of a recorder: returns what was decided, and reads the replies again on the way."""

    def __init__(
        self,
        version: str,
        seeds: np.random.SeedSequence,
        kept: Sequence[DecisionRecord],
        found: _Found,
        adapted: Mapping[str, Any],
    ) -> None:
        self._version = version
        self._seeds = seeds
        self._stored = {record.step: record for record in kept}
        self._step = 0
        self._found = found
        self._adapted = adapted
        self._servers: dict[str, Any] = {}

    async def _ask(
        self,
        question: Literal["choice", "belief"],
        policy: Policy,
        turn: Turn,
        rng: np.random.Generator | None,
        ask: Callable[[Turn, np.random.Generator], Awaitable[Any]],
    ) -> Any:
        step, self._step = self._step, self._step + 1
        if step not in self._stored:
            raise StoppedError  # the run broke off here
        record = matching(self._stored[step], question, turn, self._version)
        if record.decision.calls:
            rng = rng or decision_rng(self._seeds, turn.agent, step)
            await self._read(record, policy, lambda: ask(turn, rng))
        return record.decision

    async def _read(self, record: DecisionRecord, policy: Policy, ask: Callable[[], Awaitable[Any]]) -> None:
        then, found = record.decision, self._found
        if not isinstance(policy, ModelPolicy):
            found.decisions[then.status, NOT_OURS] += 1
            return
        journal = _Kept(then.calls, self._servers, self._adapted)
        now, stopped = None, ""
        try:
            with recording(journal):
                now = await ask()
            status = now.status
        except _NoReplyLeftError:
            status = ASKS
        except RewordedError:
            found.decisions[then.status, REWORDED] += 1
            return
        except ModelError as error:
            status, stopped = STOPS, str(error)
        found.decisions[then.status, status] += 1
        outcomes = [call.outcome for call in journal.read]
        for place, call in enumerate(then.calls):
            found.calls[call.outcome, outcomes[place] if place < len(outcomes) else UNREACHED] += 1
        if (what := "status" if now is None else _difference(then, now)) is not None:
            why = stopped or (journal.read[-1].detail if journal.read and status != "valid" else "")
            said = status if now is None else _said(record, now)
            place_of = (record.episode, record.step, record.policy, record.node)
            found.changes.append(Change(*place_of, _said(record, then), said, what, why))


def _difference(then: Any, now: Any) -> str | None:
    """Return the first attribute in which two decisions differ; None if they are the same."""
    if then.status != now.status:
        return "status"
    if isinstance(then, Decision) and then.action != now.action:
        return "choice"
    first, second = then.probabilities, now.probabilities
    if (first is None) != (second is None) or not all(
        math.isclose(a, b, abs_tol=1e-12) for a, b in zip(first or (), second or (), strict=True)
    ):
        return "probabilities"
    if isinstance(then, Decision):
        return next(
            (name for name in ("reasoning", "notes") if getattr(then, name) != getattr(now, name)), None
        )
    return None


def _said(record: DecisionRecord, decision: Any) -> str:
    """Return a decision in a few words."""
    if decision.status != "valid":
        return str(decision.status)
    if not isinstance(decision, Decision):
        return ", ".join(f"{share:.3g}" for share in decision.probabilities or ())
    if isinstance(decision.action, int) and record.options:
        return record.options[decision.action]
    return f"{decision.action:.6g}"


def _table(title: str, caption: str, counted: Mapping[tuple[str, str], int]) -> Table:
    now = list(dict.fromkeys(now for _, now in sorted(counted)))
    then = list(dict.fromkeys(then for then, _ in sorted(counted)))
    return Table.of(
        title,
        caption,
        [("now", each) for each in now],
        [(each, [str(counted.get((each, other), 0)) for other in now]) for each in then],
        corner="then",
    )
