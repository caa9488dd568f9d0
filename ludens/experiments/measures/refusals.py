"""Why a model did not answer: the provider's filter, the provider's word for it, or the model's own words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ludens.agents.llm.reading.text import plain
from ludens.experiments.runs.records import DecisionRecord

MANY_REFUSALS = 0.25
"""The share of refused questions above which a model is warned of. The value is ours: with a quarter of the
questions missing, shares and preferences are of those that the model was willing to answer.
"""

IN_WORDS = "in words"
WORDS = 7
"""Words that are kept of the sentence in which a model refuses; refusals that share them are counted as one.
"""


@dataclass(frozen=True)
class Refusals:
    """Refusals with one reason.

    Attributes:
        reason: ``"in words"``, or what the provider says.
        words: the beginning of the model's reply, if the reason is ``"in words"``; empty otherwise.
        count: of decisions.
    """

    reason: str
    words: str
    count: int

    @property
    def told(self) -> str:
        """The reason, with the words in quotes."""
        return f"{self.reason}, “{self.words}”" if self.words else self.reason


def refusals(records: Iterable[DecisionRecord]) -> tuple[Refusals, ...]:
    """Return the refusals among these decisions by their reason, the most frequent first."""
    counts = Counter(_reason(record) for record in records if record.decision.status == "refused")
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return tuple(Refusals(reason, words, count) for (reason, words), count in ordered)


def _reason(record: DecisionRecord) -> tuple[str, str]:
    calls = record.decision.calls
    if not calls:
        return "no reason given", ""
    if calls[-1].detail.startswith("The provider"):
        said = calls[-1].detail.partition(":")[0].rstrip(".")
        return said[0].lower() + said[1:], ""
    return IN_WORDS, _beginning(calls[-1].reply or "")


def _beginning(reply: str) -> str:
    words = plain(reply).split()
    shown = " ".join(words[:WORDS])
    # A reply that was cut and a whole one may be the same sentence.
    shown = re.split(r"(?<=[.!?])\s", shown)[0].rstrip(".!? ")
    return f"{shown} …" if len(words) > WORDS else shown
