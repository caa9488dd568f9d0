"""From decisions to shares: what a policy chooses at a question, with the order of the options averaged
out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ludens.agents.policy import Decision
from ludens.envs import Strategy, find_game
from ludens.experiments.runs.records import DecisionRecord

Question = Literal["choice", "belief"]

Plans = Mapping[tuple[str, str], Strategy]
"""Behaviour strategies by protocol and framing."""


@dataclass(frozen=True)
class Share:
    """What one policy chooses (or believes) at one question in one framing.

    Attributes:
        probabilities: over `options`, in the game's order: the mean over orders, each weighing the same, so
            that a liking for the first place favours no option; it moves all shares towards equal ones.
        by_order: the same per order asked, shape (orders, options).
        first: per order, the number of the option that stood first; None where no text was shown.
        answers: how many usable answers it rests on.
        exact: all answers told their whole distribution (log-probabilities, or a policy that knows its own).
    """

    policy: str
    family: str
    protocol: str
    node: str
    role: str
    framing: str
    options: tuple[str, ...]
    probabilities: NDArray[np.float64]
    by_order: NDArray[np.float64]
    first: tuple[int, ...] | None
    answers: int
    exact: bool

    @property
    def question(self) -> tuple[str, str]:
        """Protocol and node: what a bootstrap resamples."""
        return self.protocol, self.node


@dataclass(frozen=True)
class Shares:
    """The shares of one policy, and how many it lacks.

    Attributes:
        asked: questions × framings put to the policy.
        incomplete: those of them left out because in some order no answer could be used: half of a
            counterbalanced pair says where an option stood as much as which it was, so nothing is made of it.
        protocols: protocols × framings put to the policy.
    """

    policy: str
    found: tuple[Share, ...]
    asked: int
    incomplete: int
    protocols: int


def strategies(shares: Sequence[Share]) -> Plans:
    """Return the behaviour strategies of those protocols of which every node is known where there is a
    choice.
    """
    known: dict[tuple[str, str], dict[str, NDArray[np.float64]]] = {}
    for share in shares:
        known.setdefault((share.protocol, share.framing), {})[share.node] = share.probabilities
    whole = {}
    for (protocol, framing), nodes in known.items():
        sets = find_game(protocol).information_sets
        nodes |= {node.label: np.ones(1) for node in sets if len(node.options) == 1}
        if all(node.label in nodes for node in sets):
            whole[protocol, framing] = np.concatenate([nodes[node.label] for node in sets])
    return whole


def shares_by_policy(
    decisions: Iterable[DecisionRecord],
    planned: Iterable[Mapping[str, Any]] = (),
    question: Question = "choice",
) -> dict[str, Shares]:
    """Return the shares of every policy by its label, in order of appearance.

    Args:
        decisions: of a run of the preference suite.
        planned: the labels of all its episodes, so that an unfinished run does not pass for a complete one;
            without them, what was asked is taken from the decisions.
        question: shares of choices, or what was said that others choose.
    """
    records = [record for record in decisions if record.question == question]
    orders: dict[_Key, dict[int, list[DecisionRecord]]] = {}
    for labels in (*planned, *(record.labels for record in records)):
        orders.setdefault(_key(labels), {}).setdefault(labels["order"], [])
    for record in records:
        orders[_key(record.labels)][record.labels["order"]].append(record)
    found: dict[str, list[Share | None]] = {}
    for key, asked in orders.items():
        usable = [[entry for entry in asked[order] if _usable(entry)] for order in sorted(asked)]
        found.setdefault(key[0], []).append(_share(key, usable) if all(usable) else None)
    return {policy: _shares(policy, entries, orders) for policy, entries in found.items()}


_Key = tuple[str, str, str, str, str, str]


def _shares(policy: str, entries: Sequence[Share | None], asked: Iterable[_Key]) -> Shares:
    complete = tuple(share for share in entries if share is not None)
    protocols = {(protocol, framing) for who, _, protocol, _, _, framing in asked if who == policy}
    return Shares(policy, complete, len(entries), len(entries) - len(complete), len(protocols))


def _key(labels: Mapping[str, Any]) -> _Key:
    names = ("policy", "family", "protocol", "node", "role", "framing")
    policy, family, protocol, node, role, framing = (str(labels[name]) for name in names)
    return policy, family, protocol, node, role, framing


def _share(key: _Key, answers: Sequence[Sequence[DecisionRecord]]) -> Share:
    records = [record for order in answers for record in order]
    by_order = np.array([np.mean([_distribution(record) for record in order], axis=0) for order in answers])
    first = [_shown_first(order[0]) for order in answers]
    return Share(
        *key,
        options=records[0].options,
        probabilities=by_order.mean(axis=0),
        by_order=by_order,
        first=None if None in first else tuple(place for place in first if place is not None),
        answers=len(records),
        exact=all(record.decision.probabilities is not None for record in records),
    )


def _usable(record: DecisionRecord) -> bool:
    answer = record.decision
    return answer.status == "valid" and (answer.probabilities is not None or record.question == "choice")


def _distribution(record: DecisionRecord) -> NDArray[np.float64]:
    """Return a usable answer as a distribution over the options."""
    answer = record.decision
    if answer.probabilities is not None:
        return np.asarray(answer.probabilities, dtype=np.float64)
    assert isinstance(answer, Decision)
    assert isinstance(answer.action, int)
    chosen = np.zeros(len(record.options))
    chosen[answer.action] = 1
    return chosen


def _shown_first(record: DecisionRecord) -> int | None:
    wording = record.decision.wording
    if wording is None or len(wording.orders) != 1:
        return None
    return wording.orders[0][0]
