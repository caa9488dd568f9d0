"""The answer mass: how much of a model's probability lay on the options that it was to choose from.

Choices that are read from log-probabilities are shares of that mass alone, the rest went to other words. So
it stands beside every such share. A model whose log-probabilities were no answer was sampled instead; this is
counted too.
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
        mean, lowest: over the decisions; None where no log-probabilities were read.
        decisions: for how many log-probabilities were read.
        sampled: how many of them were sampled in the end, because the log-probabilities were no answer.
        low_mass: how many of them ended as ``"low_mass"``.
    """

    mean: float | None
    lowest: float | None
    decisions: int
    sampled: int
    low_mass: int

    @property
    def is_low(self) -> bool:
        """Whether most of the probability lay on other words."""
        return self.mean is not None and self.mean < LOW_ANSWER_MASS


def answer_mass(records: Iterable[DecisionRecord]) -> AnswerMass:
    """Return the answer mass of those of the decisions whose log-probabilities were read."""
    read = list(weighed(records))
    masses = [mass for mass, _ in read]
    return AnswerMass(
        math.fsum(masses) / len(masses) if masses else None,
        min(masses, default=None),
        len(masses),
        sum("logprobs" not in record.decision.calls[-1].parameters for _, record in read),
        sum(record.decision.status == "low_mass" for _, record in read),
    )


def weighed(records: Iterable[DecisionRecord]) -> Iterator[tuple[float, DecisionRecord]]:
    """Yield the decisions whose log-probabilities were read, each after its answer mass."""
    for record in records:
        if isinstance(record.decision, Decision) and (mass := record.decision.answer_mass) is not None:
            yield mass, record
