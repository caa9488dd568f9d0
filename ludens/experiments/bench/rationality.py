"""What must hold before parameters mean much: answers that repeat, and choices that preferences explain."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ludens.agents.policy import Decision
from ludens.envs import LIBRARY, AnyGame, find_game
from ludens.experiments.estimates.answers import continued
from ludens.experiments.measures.intervals import Estimate, missing
from ludens.experiments.measures.reliability import Answer, Reliability, reliability
from ludens.experiments.measures.shares import Share, strategies
from ludens.experiments.report.names import percent, policy_name
from ludens.experiments.runs.records import DecisionRecord

if TYPE_CHECKING:
    from numpy.typing import NDArray

FACTORS = {"framing": "wording", "order": "order", "format": "format", "reasoning": "reasoning"}
"""What an answer may depend on beside the question, with the words of tables."""

_LOW_ICC = 0.5
_LOW_EXPLAINED = 0.75
_TIE = 1e-9


@dataclass(frozen=True)
class Rationality:
    """How far one policy's answers repeat, and how many games one vector of preferences explains.

    Attributes:
        reliability: test–retest reliability and shares of variance of the prosocial choice.
        rationalised: the share of games whose most probable strategies one (α, β, κ) makes optimal; games
            without a most probable option at some node are left out.
        exact: whether all answers are known as probabilities, so that none has sampling error.
    """

    reliability: Reliability
    rationalised: Estimate
    exact: bool


def rationality(records: Sequence[DecisionRecord], shares: Sequence[Share], *, seed: int = 0) -> Rationality:
    """Measure the consistency of one policy's choices in a benchmark.

    Args:
        records: its choices.
        shares: the same by question, with the orders of options averaged.
        seed: of the bootstrap.
    """
    exact = all(share.exact for share in shares)
    return Rationality(reliability(list(_answers(records)), seed=seed), _rationalised(shares), exact)


def over_settings(
    records: Sequence[DecisionRecord], settings: Mapping[str, Mapping[str, Any]], *, seed: int = 0
) -> dict[str, Reliability]:
    """Measure, by model, what the format of its answers and its reasoning move.

    Only models that a run asked under several formats, or with and without reasoning, and otherwise alike,
    are in the result: all their answers are taken together, those of each setting under a label of their own.

    Args:
        records: choices of a benchmark.
        settings: the specification of every policy under test, by label.
        seed: of the bootstrap.
    """
    alike: dict[str, dict[str, dict[str, Any]]] = {}
    for label, given in settings.items():
        asked = {"format": given.get("format") or "auto", "reasoning": bool(given.get("reasoning"))}
        others = {name: value for name, value in given.items() if name not in {*asked, "label", "name"}}
        model = json.dumps(others, sort_keys=True, default=str)
        alike.setdefault(model, {})[label] = asked
    differing = [labels for labels in alike.values() if len({str(asked) for asked in labels.values()}) > 1]
    return {
        over_all(tuple(labels)): reliability(
            [
                replace(answer, factors={**answer.factors, **labels[record.labels["policy"]]})
                for record, answer in _answered(records)
                if record.labels["policy"] in labels
            ],
            seed=seed,
        )
        for labels in differing
    }


def over_all(labels: Sequence[str]) -> str:
    """Return what tables call a model over all its settings, of which each has a label."""
    return f"{' and '.join(map(policy_name, labels))}, together"


def remarks_on(policy: str, measured: Rationality) -> Iterator[str]:
    """Yield a sentence on each reason for which a policy's estimated preferences rest on little."""
    name, found = policy_name(policy), measured.reliability
    icc = found.icc.value
    if icc is not None and icc < _LOW_ICC and not measured.exact:
        yield (
            f"{name}: answers to the same question repeat little (intra-class correlation {icc:.2f}), so "
            "that α, β, κ and λ rest on little."
        )
    moved = [share for share in found.factors.values() if share is not None]
    if found.question is not None and moved and sum(moved) > max(found.question, 0.0):
        words = " and ".join(FACTORS[factor] for factor in found.factors)
        verb = "move" if len(found.factors) > 1 else "moves"
        yield f"{name}: {words} {verb} its answers more than the games do."
    explained = measured.rationalised
    if explained.value is not None and explained.value < _LOW_EXPLAINED:
        yield (
            f"{name}: no α, β and κ explain more than {percent(explained.value)} per cent of its most "
            f"frequent strategies ({round(explained.value * explained.n)} of {explained.n} games)."
        )


def variance_shares(found: Reliability) -> Mapping[str, float | None]:
    """Return shares of variance by what they are due to, in the order of tables."""
    return {
        "games": found.question,
        **{FACTORS[factor]: found.factors.get(factor) for factor in FACTORS if factor in found.factors},
        **({"together": found.interactions} if len(found.factors) > 1 else {}),
        "repetition": found.repetition,
    }


def _answers(records: Sequence[DecisionRecord]) -> Iterator[Answer]:
    return (answer for _, answer in _answered(records))


def _answered(records: Sequence[DecisionRecord]) -> Iterator[tuple[DecisionRecord, Answer]]:
    for record in records:
        answer = record.decision
        family, node = str(record.labels["family"]), str(record.labels["node"])
        prosocial = LIBRARY[family].prosocial.get(node)
        if not isinstance(answer, Decision) or answer.status != "valid" or prosocial not in record.options:
            continue
        place = record.options.index(prosocial)
        exact = answer.probabilities is not None
        value = answer.probabilities[place] if answer.probabilities is not None else answer.action == place
        protocol = record.labels["protocol"]
        factors = {
            "framing": record.labels["framing"],
            "order": record.labels["order"],
            "format": str(answer.provenance),
            "reasoning": bool(answer.reasoning),
        }
        yield record, Answer(float(value), (protocol, node), factors, protocol, exact)


def _rationalised(shares: Sequence[Share]) -> Estimate:
    from ludens.preferences.rationality.games import rationalise
    from ludens.preferences.strategic import linear_in_kappa

    plans: dict[str, list[NDArray[np.float64]]] = {}
    for (protocol, _), strategy in strategies(shares).items():
        plans.setdefault(protocol, []).append(strategy)
    means = {name: np.mean(each, axis=0) for name, each in plans.items()}
    mean_plans = {(name, ""): mean for name, mean in means.items()}
    games = {name: continued(find_game(name), mean_plans, "") for name in means}
    clear = [
        (games[name], mean)
        for name, mean in means.items()
        if linear_in_kappa(games[name]) and _has_mode(games[name], mean)
    ]
    if not clear:
        return missing("in no game was one option the most frequent at every node")
    found = rationalise(clear)
    return Estimate(found.explained / found.games, n=found.games, note="the largest share; no interval")


def _has_mode(game: AnyGame, strategy: NDArray[np.float64]) -> bool:
    """Return whether at every node one option is more probable than all others."""
    ranked = [np.sort(strategy[node.columns]) for node in game.information_sets]
    return all(len(node) < 2 or node[-1] - node[-2] > _TIE for node in ranked)
