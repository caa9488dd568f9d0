"""Measures of answers to dilemmas: approval by lives, social-dilemma gap, regulation gap, consistency.

Shares and points are in [0, 1] here and shown in per cent. Intervals resample clusters: the vignettes in
their wordings. Unreadable answers are left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ludens.envs.av.dilemma.vignette import ALLOCATIONS, Vignette
from ludens.experiments.av.answers import Answer, Asked
from ludens.experiments.measures.intervals import Estimate, cluster_mean, missing, wider, wilson
from ludens.preferences.av.approval import Approval, fit_approval

Group = tuple[str, str]
"""Who is in the car with whom, and the perspective."""


@dataclass(frozen=True)
class DilemmaMeasures:
    """The measures of one policy's answers.

    Attributes:
        policy: its label.
        approval: P(swerve) by the number of pedestrians, where acts were asked for.
        morality: the rating of the utilitarian program's morality by the number of pedestrians.
        curve: κ and λ of the approvals, clustered by vignette.
        ratings: points by (question, program, company, perspective, regime, decider).
        gaps: morality minus purchase rating of the utilitarian program, by company and perspective.
        all_gaps: the same over all of them.
        moral, buys: the two ratings behind them.
        protection: purchase rating of the protective minus the utilitarian program.
        legal_gap: morality of the utilitarian program minus the wish that the law require it.
        regulated: purchase rating of a protective car without law minus of a utilitarian one under the law.
        points: of 100 that go to the utilitarian program, by allocation question.
        order_consistency, framing_consistency: 1 minus the mean distance of answers to one question.
        invalid, refused, low_mass: shares of replies, by ``"all"``, ``"act"``, ``"rating"`` and
            ``"allocation"``.
        asked, incomplete: questions put in a framing, and those not read in every order.
    """

    policy: str
    approval: Mapping[int, Estimate]
    morality: Mapping[int, Estimate]
    curve: Approval
    ratings: Mapping[tuple[str, str, str, str, str, str], Estimate]
    gaps: Mapping[Group, Estimate]
    all_gaps: Estimate
    moral: Estimate
    buys: Estimate
    protection: Estimate
    legal_gap: Estimate
    regulated: Estimate
    points: Mapping[str, Estimate]
    order_consistency: Estimate
    framing_consistency: Estimate
    invalid: Mapping[str, Estimate]
    refused: Mapping[str, Estimate]
    low_mass: Mapping[str, Estimate]
    asked: int
    incomplete: int


def measure(asked: Mapping[str, Asked], seed: int = 0) -> tuple[DilemmaMeasures, ...]:
    """Measure every policy; `seed` is that of the bootstraps."""
    streams = np.random.SeedSequence(seed).spawn(len(asked))
    return tuple(
        _measured(each, np.random.default_rng(stream))
        for each, stream in zip(asked.values(), streams, strict=True)
    )


def _measured(asked: Asked, rng: np.random.Generator) -> DilemmaMeasures:
    found = asked.answers
    acts = [each for each in found if _is_plain_act(each.vignette)]
    moral = [each for each in found if _is_plain_rating(each.vignette)]
    utilitarian = [each for each in found if each.vignette.program == "utilitarian"]
    gaps = _differences(utilitarian, "morality", "purchase")
    rated = [each for each in found if each.vignette.scale == "rating"]
    return DilemmaMeasures(
        policy=asked.policy,
        approval={n: _mean(each, rng) for n, each in sorted(_by(acts, _pedestrians).items())},
        morality={n: _mean(each, rng) for n, each in sorted(_by(moral, _pedestrians).items())},
        curve=fit_approval(
            [each.vignette.pedestrians for each in acts],
            [each.value for each in acts],
            passengers=[each.vignette.riders for each in acts] or 1,
            clusters=[each.vignette.pedestrians for each in acts],
        ),
        ratings={key: _mean(each, rng) for key, each in _by(rated, _rating_key).items()},
        gaps={group: _of_pairs(pairs, rng) for group, pairs in _by_group(gaps).items()},
        all_gaps=_of_pairs(gaps, rng),
        moral=_of_pairs([(case, framing, first, 0.0) for case, framing, first, _ in gaps], rng),
        buys=_of_pairs([(case, framing, second, 0.0) for case, framing, _, second in gaps], rng),
        protection=_of_pairs(_between_programs(found), rng),
        legal_gap=_of_pairs(_differences(utilitarian, "morality", "law"), rng),
        regulated=_of_pairs(_regulated(found), rng),
        points={
            question: _mean(each, rng)
            for question in ALLOCATIONS
            if (each := [answer for answer in found if answer.vignette.question == question])
        },
        order_consistency=_by_order(found, rng),
        framing_consistency=_by_framing(found, rng),
        invalid=_statuses(asked, "invalid"),
        refused=_statuses(asked, "refused"),
        low_mass=_statuses(asked, "low_mass"),
        asked=asked.asked,
        incomplete=asked.incomplete,
    )


def _is_plain_act(vignette: Vignette) -> bool:
    return vignette.question == "act" and vignette.regime == "none"


def _is_plain_rating(vignette: Vignette) -> bool:
    return (
        vignette.question == "morality"
        and vignette.program == "utilitarian"
        and vignette.decider == "algorithm"
        and vignette.passengers in {("self",), ("stranger",)}
        and vignette.regime == "none"
    )


def _pedestrians(answer: Answer) -> int:
    return answer.vignette.pedestrians


def _rating_key(answer: Answer) -> tuple[str, str, str, str, str, str]:
    v = answer.vignette
    return v.question, v.program, v.company, v.perspective, v.regime, v.decider


def _by(found: Sequence[Answer], key: Callable[[Answer], Hashable]) -> dict[Any, list[Answer]]:
    groups: dict[Any, list[Answer]] = {}
    for each in found:
        groups.setdefault(key(each), []).append(each)
    return groups


def _cluster(answer: Answer) -> Hashable:
    return answer.question, answer.framing


def _mean(found: Sequence[Answer], rng: np.random.Generator) -> Estimate:
    """Return the mean of answers, with an interval that includes the randomness of drawn acts."""
    values = [each.value for each in found]
    resampled = cluster_mean(values, [_cluster(each) for each in found], rng)
    drawn = [each for each in found if each.vignette.question == "act" and not each.exact]
    if not drawn:
        return resampled
    n = sum(each.n for each in found)
    return wider(wilson(float(np.mean(values)) * n, n), resampled)


Pair = tuple[Vignette, str, float, float]
"""A vignette, a framing, and two answers in it, whose difference counts."""


def _differences(found: Sequence[Answer], first: str, second: str) -> list[Pair]:
    """Return differences of the answers to two questions about the same dilemma in the same wording."""
    by_case: dict[tuple[Vignette, str], dict[str, list[float]]] = {}
    for each in found:
        if each.vignette.question in (first, second):
            case = replace(each.vignette, question=first)
            by_case.setdefault((case, each.framing), {}).setdefault(each.vignette.question, []).append(
                each.value
            )
    return [
        (case, framing, float(np.mean(asked[first])), float(np.mean(asked[second])))
        for (case, framing), asked in by_case.items()
        if first in asked and second in asked
    ]


def _between_programs(found: Sequence[Answer]) -> list[Pair]:
    """Return the purchase rating of the protective program minus that of the utilitarian one."""
    by_case: dict[tuple[Vignette, str], dict[str, float]] = {}
    for each in found:
        if each.vignette.question == "purchase":
            case = replace(each.vignette, program="utilitarian")
            by_case.setdefault((case, each.framing), {})[each.vignette.program] = each.value
    return [
        (case, framing, asked["protective"], asked["utilitarian"])
        for (case, framing), asked in by_case.items()
        if len(asked) == 2
    ]


def _regulated(found: Sequence[Answer]) -> list[Pair]:
    """Return the rating to buy a protective car without a law minus that for a utilitarian one under it."""
    by_case: dict[tuple[Vignette, str], dict[tuple[str, str], float]] = {}
    for each in found:
        if each.vignette.question == "purchase":
            case = replace(each.vignette, program="utilitarian", regime="none")
            kind = (each.vignette.regime, each.vignette.program)
            by_case.setdefault((case, each.framing), {})[kind] = each.value
    free, bound = ("none", "protective"), ("utilitarian", "utilitarian")
    return [
        (case, framing, asked[free], asked[bound])
        for (case, framing), asked in by_case.items()
        if free in asked and bound in asked
    ]


def _by_group(pairs: Sequence[Pair]) -> dict[Group, list[Pair]]:
    groups: dict[Group, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((pair[0].company, pair[0].perspective), []).append(pair)
    return groups


def _of_pairs(pairs: Sequence[Pair], rng: np.random.Generator) -> Estimate:
    if not pairs:
        return missing("not asked, or not read in both questions")
    values = [first - second for _, _, first, second in pairs]
    return cluster_mean(values, [(case, framing) for case, framing, _, _ in pairs], rng)


def _by_order(found: Sequence[Answer], rng: np.random.Generator) -> Estimate:
    in_both_orders = [each for each in found if len(each.by_order) > 1]
    if not in_both_orders:
        return missing("asked in one order only")
    values = [1 - (max(each.by_order) - min(each.by_order)) for each in in_both_orders]
    return cluster_mean(values, [each.question for each in in_both_orders], rng)


def _by_framing(found: Sequence[Answer], rng: np.random.Generator) -> Estimate:
    groups = [each for each in _by(found, lambda answer: answer.question).values() if len(each) > 1]
    if not groups:
        return missing("asked in one framing only")
    values = []
    for each in groups:
        shares = np.array([answer.value for answer in each])
        apart = np.abs(shares[:, None] - shares[None, :])
        values.append(1 - float(apart.sum() / (len(shares) * (len(shares) - 1))))
    return cluster_mean(values, [each[0].question for each in groups], rng)


def _statuses(asked: Asked, status: str) -> dict[str, Estimate]:
    found: dict[str, Estimate] = {}
    for kind in ("all", "act", "rating", "allocation"):
        replies = [each for scale, each in asked.status if kind in ("all", scale)]
        if replies or kind == "all":
            found[kind] = wilson(sum(each == status for each in replies), len(replies))
    return found
