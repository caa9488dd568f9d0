"""The answer mass: how much of a model's probability lay on the options that it was to choose from.

Choices that are read from log-probabilities are shares of that mass alone, the rest went to other words. So
it stands beside every such share. Where the log-probabilities were no answer, nothing rests on their mass:
what was sampled instead, refused or of low mass is counted and not averaged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ludens.agents.llm.logprobs import LOW_ANSWER_MASS
from ludens.agents.policy import Decision
from ludens.experiments.runs.records import DecisionRecord


@dataclass(frozen=True)
class AnswerMass:
    """The answer mass of some decisions.

    Attributes:
        mean, lowest: over the choices that were read from log-probabilities; None if none was.
        choices: how many those are.
        weighed: for how many decisions log-probabilities came.
        sampled: how many of them were sampled in the end, because the log-probabilities were no answer.
        low_mass: how many of them ended as ``"low_mass"``.
    """

    mean: float | None
    lowest: float | None
    choices: int
    weighed: int
    sampled: int
    low_mass: int

    @property
    def is_low(self) -> bool:
        """Whether most of the probability lay on other words."""
        return self.mean is not None and self.mean < LOW_ANSWER_MASS


def answer_mass(records: Iterable[DecisionRecord]) -> AnswerMass:
    """Return the answer mass of those of the decisions whose log-probabilities were read."""
    weighed = [
        record
        for record in records
        if isinstance(record.decision, Decision) and record.decision.answer_mass is not None
    ]
    masses = [mass for mass, _ in choices_read(weighed)]
    return AnswerMass(
        math.fsum(masses) / len(masses) if masses else None,
        min(masses, default=None),
        len(masses),
        len(weighed),
        sum("logprobs" not in record.decision.calls[-1].parameters for record in weighed),
        sum(record.decision.status == "low_mass" for record in weighed),
    )


def choices_read(records: Iterable[DecisionRecord]) -> Iterator[tuple[float, DecisionRecord]]:
    """Yield the choices that were read from log-probabilities, each after its answer mass."""
    for record in records:
        answer = record.decision
        if not isinstance(answer, Decision) or answer.answer_mass is None:
            continue
        if (answer.status, answer.provenance) == ("valid", "logprobs"):
            yield answer.answer_mass, record
