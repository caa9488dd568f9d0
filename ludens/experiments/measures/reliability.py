"""Test–retest reliability of answers, and where their variance comes from.

All quantities are means of half the squared difference of two answers (a variogram), which is their variance
whether or not the design is balanced:

    repetition   two answers to the same question in the same wording
    a factor     two answers to the same question that differ in that factor alone (wording, order …)
    within       two answers to the same question that differ in every factor
    total        two answers to different questions that differ in every factor

The intra-class correlation of single answers is 1 − repetition/total: in balanced data without factors
exactly ICC(1,1) of Shrout & Fleiss (Psychological Bulletin 86(2), 1979). Exact probabilities need no
repetition: two answers drawn with probability p differ with variance p(1−p). What different questions
explain is total − within.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ludens.experiments.measures.intervals import DRAWS, Estimate, missing

Floats = NDArray[np.float64]

NO_REPETITION = "no question was asked twice in the same wording: ask for replicates"
_LEAST = 0.1
"""The share of answers in which a factor must take another value than its most frequent one to be one."""

NO_VARIANCE = "all answers are the same"


@dataclass(frozen=True)
class Answer:
    """One answer for the measurement of reliability.

    Attributes:
        value: 1 or 0 for what was chosen, the probability of 1 if `exact`, or any number that is no
            probability.
        question: what was asked.
        factors: how it was asked, by factor; all answers have the same factors.
        cluster: what is resampled for intervals, such as the game.
        exact: whether the value is a probability of 1, and not one draw.
    """

    value: float
    question: Hashable
    factors: Mapping[str, Hashable]
    cluster: Hashable
    exact: bool = False


@dataclass(frozen=True)
class Reliability:
    """Test–retest reliability, and shares of the variance of single answers.

    Attributes:
        icc: the intra-class correlation of single answers, with a cluster bootstrap interval.
        question: the share of variance between questions, whichever way they are asked.
        factors: by factor, the share that changing it alone adds.
        interactions: the share that factors add together beyond that.
        repetition: the share between answers to the same question in the same wording.
        answers: the number of answers.

    The shares sum to 1 where all are known; small negative ones are chance.
    """

    icc: Estimate
    question: float | None
    factors: Mapping[str, float | None]
    interactions: float | None
    repetition: float | None
    answers: int


def reliability(answers: Sequence[Answer], *, seed: int = 0) -> Reliability:
    """Measure test–retest reliability and the shares of variance of one policy's answers.

    Args:
        answers: the answers; factors that hardly vary have no share.
        seed: of the bootstrap.
    """
    cells: dict[tuple[Hashable, ...], list[Answer]] = {}
    names = tuple(name for name in (answers[0].factors if answers else ()) if _varies(answers, name))
    for answer in answers:
        cells.setdefault((answer.question, *(answer.factors[name] for name in names)), []).append(answer)
    codes = np.array([_codes([key[place] for key in cells]) for place in range(len(names) + 1)]).T
    if not cells or len(set(codes[:, 0])) < 2:
        nothing = missing("reliability needs answers to two questions", len(answers))
        return Reliability(nothing, None, dict.fromkeys(names), None, None, len(answers))
    mean, square, noise = _moments(list(cells.values()))
    half = (square[:, None] + square[None]) / 2 - mean[:, None] * mean[None]
    differs = codes[:, None, :] != codes[None, :, :]
    rewordings = differs[..., 1:]
    everything = rewordings.all(axis=-1)
    elsewhere, same = differs[..., 0] & everything, ~differs[..., 0]
    total = _mean(half, elsewhere)
    within = _mean(half, same & everything) if names else None
    repeated = ~np.isnan(noise)
    repetition = float(noise[repeated].mean()) if repeated.any() else None
    if not total:
        nothing = missing(NO_VARIANCE, len(answers))
        return Reliability(nothing, None, dict.fromkeys(names), None, None, len(answers))
    apart = {
        name: _mean(half, same & rewordings[..., place] & (rewordings.sum(axis=-1) == 1))
        for place, name in enumerate(names)
    }
    factors = {
        name: None if repetition is None or value is None else (value - repetition) / total
        for name, value in apart.items()
    }
    inside = within if within is not None else repetition
    interactions = None
    if within is not None and repetition is not None and None not in factors.values():
        known = sum(share for share in factors.values() if share is not None)
        interactions = (within - repetition) / total - known if len(factors) > 1 else 0.0
    icc = missing(NO_REPETITION, len(answers))
    if repetition is not None:
        clusters = _codes([group[0].cluster for group in cells.values()])
        icc = _correlation(half, elsewhere, noise, clusters, answers=len(answers), seed=seed)
    return Reliability(
        icc,
        None if inside is None else (total - inside) / total,
        factors,
        interactions,
        None if repetition is None else repetition / total,
        len(answers),
    )


def _varies(answers: Sequence[Answer], factor: str) -> bool:
    """Return whether a factor takes several values often enough to compare them."""
    counts = Counter(answer.factors[factor] for answer in answers)
    return len(counts) > 1 and sum(counts.values()) - max(counts.values()) >= _LEAST * len(answers)


def _codes(keys: Sequence[Hashable]) -> NDArray[np.intp]:
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.intp)


def _moments(cells: Sequence[Sequence[Answer]]) -> tuple[Floats, Floats, Floats]:
    """Return each cell's mean answer and mean square, and its variance between repetitions (NaN: unknown)."""
    mean, square, noise = np.zeros(len(cells)), np.zeros(len(cells)), np.full(len(cells), np.nan)
    for place, group in enumerate(cells):
        values = np.array([answer.value for answer in group])
        exact = all(answer.exact for answer in group)
        mean[place] = values.mean()
        # A draw of 0 or 1 with probability p has the mean square p.
        square[place] = mean[place] if exact else (values**2).mean()
        if exact:
            noise[place] = mean[place] * (1 - mean[place])
        elif len(group) > 1:
            noise[place] = values.var(ddof=1)
    return mean, square, noise


def _mean(half: Floats, pairs: NDArray[np.bool_]) -> float | None:
    return float(half[pairs].mean()) if pairs.any() else None


def _correlation(
    half: Floats,
    elsewhere: NDArray[np.bool_],
    noise: Floats,
    clusters: NDArray[np.intp],
    *,
    answers: int,
    seed: int,
) -> Estimate:
    """Return 1 − repetition/total with its interval from resampled clusters."""
    count = int(clusters.max()) + 1
    member = (clusters[:, None] == np.arange(count)).astype(np.float64)
    sums = member.T @ np.where(elsewhere, half, 0.0) @ member
    pairs = member.T @ elsewhere.astype(np.float64) @ member
    known = ~np.isnan(noise)
    noises, cells = member.T @ np.where(known, noise, 0.0), member.T @ known.astype(np.float64)
    value = 1 - (noises.sum() / cells.sum()) / (sums.sum() / pairs.sum())
    if count < 2:
        return Estimate(float(value), n=answers, note="one cluster alone: no interval")
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), DRAWS).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.einsum("dc,ce,de->d", draws, sums, draws) / np.einsum("dc,ce,de->d", draws, pairs, draws)
        spread = 1 - (draws @ noises / (draws @ cells)) / total
    spread = spread[np.isfinite(spread)]
    if not len(spread):
        return Estimate(float(value), n=answers, note="too few games for an interval")
    low, high = np.quantile(spread, [0.025, 0.975]).tolist()
    return Estimate(float(value), low, high, answers, count, "cluster bootstrap")
