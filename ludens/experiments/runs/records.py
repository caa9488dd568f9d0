"""What a run keeps: episodes, the decisions in them, and the calls behind each decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ludens.agents.policy import STATUSES, BeliefReport, Decision

EpisodeStatus = Literal["planned", "running", "done", "dropped", "forfeited", "aborted"]
FINISHED: frozenset[EpisodeStatus] = frozenset({"done", "dropped", "forfeited"})
"""An episode of these statuses is over; `resume` goes on with the others."""

RunStatus = Literal["running", "done", "interrupted", "failed", "aborted"]
"""Of a whole run; a run that was killed still says ``"running"``."""


NO_FRAMING = "-"
"""The framing in the labels of a policy that is not asked in words."""


def count_statuses(ended: Iterable[str] | Mapping[str, int]) -> dict[str, int]:
    """Return how many decisions ended as ``"valid"``, ``"invalid"`` and ``"refused"``, and as ``"low_mass"``
    where any did, from their statuses or from counts of them.
    """
    counts: Counter[str] = Counter(ended)
    return {status: counts[status] for status in STATUSES if status != "low_mass" or counts[status]}


@dataclass(frozen=True, slots=True)
class EpisodeSpec:
    """An episode to be played: its number in the run (which also picks its seed) and what tells it apart.

    `labels` holds JSON values; every table groups by them (for example ``policy``, ``protocol``,
    ``framing``).
    """

    index: int
    labels: Mapping[str, Any]


@dataclass(frozen=True)
class EpisodeRecord:
    """An episode as it stands in the store.

    Attributes:
        payoffs: points per seat, summed over rounds; None for a seat whose payoff is undefined (a dropped
            episode, the others of a forfeiting seat).
        detail: why an episode was dropped, forfeited or aborted.
    """

    index: int
    labels: Mapping[str, Any]
    status: EpisodeStatus
    payoffs: Mapping[str, float | None] = field(default_factory=dict)
    detail: str = ""


@dataclass(frozen=True)
class DecisionRecord:
    """A decision with its place: which episode, which turn.

    Attributes:
        episode: the episode's number; `labels` are that episode's.
        step: the number of the decision within its episode, from 0.
        question: ``"choice"``, or ``"belief"`` where the policy was asked what others do.
        options: names of the legal options, in the game's order; `decision.probabilities` follow it.
        decision: a `Decision` to the question ``"choice"``, a `BeliefReport` to ``"belief"``.
    """

    episode: int
    labels: Mapping[str, Any]
    step: int
    question: Literal["choice", "belief"]
    agent: str
    policy: str
    environment: str
    protocol: str | None
    role: str
    node: str
    round: int
    options: tuple[str, ...]
    decision: Decision | BeliefReport

    @property
    def choice(self) -> str | None:
        """The name of the option taken, or the number chosen where there were no options.

        None if there was no valid decision, or a belief was asked for.
        """
        if isinstance(self.decision, BeliefReport) or self.decision.action is None:
            return None
        action = self.decision.action
        if isinstance(action, float):
            return ", ".join(f"{number:.6g}" for number in (action, *self.decision.further))
        return self.options[action]
