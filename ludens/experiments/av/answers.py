"""A run's decisions as answers to vignettes: shares in [0, 1], averaged over orders if all are readable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ludens.agents.policy import Decision
from ludens.envs.av.dilemma.vignette import MOST, Vignette
from ludens.experiments.runs.records import DecisionRecord


@dataclass(frozen=True)
class Answer:
    """One vignette in one wording, as one policy answered it.

    Attributes:
        policy: its label.
        study: that the vignette belongs to.
        question: its place in the design.
        framing: of the wording.
        by_order: the mean over replicates for each order: P(swerve) of an act, else points / 100.
        exact: whether acts are probabilities and not draws.
        n: the number of single answers.
    """

    policy: str
    study: str
    question: int
    vignette: Vignette
    framing: str
    by_order: tuple[float, ...]
    exact: bool
    n: int

    @property
    def value(self) -> float:
        """The mean over orders."""
        return float(np.mean(self.by_order))


@dataclass(frozen=True)
class Asked:
    """The questions of one policy, and their answers.

    Attributes:
        answers: those that were read in every order.
        asked: pairs of a question and a framing that were put to it.
        status: of every single reply with its question's scale (``"act"``, ``"rating"``, ``"allocation"``).
    """

    policy: str
    answers: tuple[Answer, ...]
    asked: int
    status: tuple[tuple[str, str], ...]

    @property
    def incomplete(self) -> int:
        """Pairs of a question and a framing that were not read in every order."""
        return self.asked - len(self.answers)


Numbered: TypeAlias = tuple[str, int]
"""A study, and the number of a vignette in it, from 0: what labels hold, so that further studies can join a
run.
"""


def places_of(design: Sequence[tuple[str, Vignette]]) -> dict[Numbered, int]:
    """Return the place in the design of every vignette, by its study and its number in that study."""
    seen: Counter[str] = Counter()
    found = {}
    for place, (study, _) in enumerate(design):
        found[study, seen[study]] = place
        seen[study] += 1
    return found


def number_of(labels: Mapping[str, Any]) -> Numbered:
    """Return the study and the number in it of the vignette that the labels describe."""
    return str(labels["protocol"]), int(labels["question"])


def answers(
    decisions: Iterable[DecisionRecord],
    labels: Iterable[Mapping[str, Any]],
    design: Sequence[tuple[str, Vignette]],
) -> dict[str, Asked]:
    """Return the answers of every policy, by label, in the run's order.

    Args:
        decisions: of the run.
        labels: of all its episodes, so that what is still to be asked does not pass for read.
        design: the vignettes with their studies.
    """
    found: dict[tuple[str, int, str], dict[int, list[DecisionRecord]]] = {}
    places = places_of(design)
    for entry in labels:
        key = (str(entry["policy"]), places[number_of(entry)], str(entry["framing"]))
        found.setdefault(key, {}).setdefault(int(entry["order"]), [])
    status: dict[str, list[tuple[str, str]]] = {policy: [] for policy, _, _ in found}
    for record in decisions:
        policy, question = str(record.labels["policy"]), places[number_of(record.labels)]
        found[policy, question, str(record.labels["framing"])][int(record.labels["order"])].append(record)
        status[policy].append((design[question][1].scale or "act", record.decision.status))
    complete: dict[str, list[Answer]] = {policy: [] for policy in status}
    counts: dict[str, int] = dict.fromkeys(status, 0)
    for (policy, question, framing), orders in found.items():
        counts[policy] += 1
        study, vignette = design[question]
        read = [[_value(record, vignette) for record in orders[order]] for order in sorted(orders)]
        usable = [[value for value in values if value is not None] for values in read]
        if not all(usable):
            continue
        records = [record for each in orders.values() for record in each]
        complete[policy].append(
            Answer(
                policy, study, question, vignette, framing,
                by_order=tuple(float(np.mean(values)) for values in usable),
                exact=all(record.decision.probabilities is not None for record in records),
                n=sum(map(len, usable)),
            )
        )  # fmt: skip
    return {
        policy: Asked(policy, tuple(complete[policy]), counts[policy], tuple(status[policy]))
        for policy in status
    }


def _value(record: DecisionRecord, vignette: Vignette) -> float | None:
    decision = record.decision
    if not isinstance(decision, Decision) or decision.action is None:
        return None
    if vignette.question != "act":
        return float(decision.action) / MOST
    if decision.probabilities is not None:
        return float(decision.probabilities[1])
    return float(decision.action)
