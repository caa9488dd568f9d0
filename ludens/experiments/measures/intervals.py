"""Estimates with 95 % intervals: Wilson's for shares of counted replies, the cluster bootstrap for everything
else, and the wider of both for shares of sampled choices.

Answers to one question asked twice are not two independent pieces of evidence, and a model that reports exact
probabilities has no sampling error at all at a question: what varies is the question. So means and slopes are
resampled by *cluster* (a protocol, or a question of it), never by single answer. Sampled choices vary for
both reasons. With few clusters (there are six protocols in a family) percentile intervals are somewhat too
narrow; every estimate therefore carries its counts.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.errors import UsageError
from ludens.experiments.runs.columns import Column

DRAWS = 2000
"""Bootstrap replications behind every interval."""

_BLOCK = 1 << 22  # resampled numbers held at once: bounds memory for runs with very many clusters

Method = Literal[
    "wilson",
    "cluster bootstrap",
    "the wider of wilson and cluster bootstrap",
    "likelihood ratio, clustered",
    "all that explain every choice",
    "profile likelihood",
    "clustered t",
    "Welch's t",
    "paired t",
    "replicates",
    "none",
]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval and what it rests on.

    Attributes:
        value: None where it was not measured or is not identified; `note` then says why.
        low, high: the interval's ends; None where it has none, or is open on that side.
        n: the observations behind it: answers for shares, questions or protocols elsewhere.
        clusters: how many clusters were resampled; None for Wilson's interval.
        method: how the interval was made.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    clusters: int | None = None
    method: Method = "none"
    note: str = ""


ESTIMATE_COLUMNS = (
    Column("value", "number", "the estimate", empty="not measured, or not identified: see the note"),
    Column("low", "number", "the lower end of its 95 % interval", empty="no interval"),
    Column("high", "number", "the upper end of its 95 % interval", empty="no interval"),
    Column("n", "integer", "observations behind it: answers for shares, questions or protocols elsewhere"),
    Column("clusters", "integer", "clusters that were resampled", empty="none were"),
    Column("method", "text", "how the interval was made"),
    Column("note", "text", "why something is missing or to be read with care; an empty text otherwise"),
)
"""The columns that an `Estimate` takes in a table."""


def missing(note: str, n: int = 0) -> Estimate:
    """Return an estimate without a value, with the reason."""
    return Estimate(None, n=n, note=note)


def wilson(successes: float, n: int, level: float = 0.95) -> Estimate:
    """Return a share with Wilson's score interval (Wilson 1927, JASA 22), which stays inside [0, 1] and
    never has width 0.

    `successes` may be fractional (weighted answers). With ``n == 0`` there is no estimate.

    Raises:
        UsageError: successes do not lie in 0 … n.
    """
    if n < 0 or not -1e-9 <= successes <= n + 1e-9:
        raise UsageError(f"A share needs 0 ≤ successes ≤ n; got {successes} of {n}.")
    if n == 0:
        return missing("nothing was counted")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = min(max(successes / n, 0.0), 1.0)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # The bounds are the share itself at 0 and 1, which rounding must not undo.
    low, high = max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))
    return Estimate(share, low, high, n, None, "wilson")


def wider(counted: Estimate, resampled: Estimate) -> Estimate:
    """Return a share of sampled choices with the wider of two intervals: Wilson's for the chance in each
    answer and the cluster bootstrap's for the choice of questions, at each end the one that reaches
    further. Where one of them lacks, the other.
    """
    if counted.low is None or counted.high is None or resampled.low is None or resampled.high is None:
        return resampled if counted.low is None else counted
    return replace(
        counted,
        low=min(counted.low, resampled.low),
        high=max(counted.high, resampled.high),
        clusters=resampled.clusters,
        method="the wider of wilson and cluster bootstrap",
    )


def cluster_mean(
    values: ArrayLike,
    clusters: Sequence[Hashable],
    rng: np.random.Generator,
    *,
    draws: int = DRAWS,
    level: float = 0.95,
) -> Estimate:
    """Return the mean of `values`, shape (n,), with a percentile interval from resampling whole clusters with
    replacement.

    The resampled mean is a ratio (sum of the drawn clusters' sums by sum of their sizes). With a single
    cluster nothing can be resampled: the mean stands without an interval.
    """
    array = np.asarray(values, dtype=np.float64)
    members, count = _memberships(array, clusters)
    if count == 0:
        return missing("nothing was measured")
    mean = float(array.mean())
    if count == 1:
        return Estimate(mean, n=len(array), clusters=1, note="one cluster: no interval")
    sums, sizes = np.bincount(members, array, count), np.bincount(members, minlength=count)
    means = np.concatenate([(drawn @ sums) / (drawn @ sizes) for drawn in _resamples(count, draws, rng)])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(mean, float(low), float(high), len(array), count, "cluster bootstrap")


def cluster_slopes(
    outcome: ArrayLike,
    regressors: ArrayLike,
    clusters: Sequence[Hashable],
    rng: np.random.Generator,
    *,
    draws: int = DRAWS,
    level: float = 0.95,
) -> tuple[Estimate, ...]:
    """Ordinary least squares of `outcome` (n,) on `regressors` (n, k), with cluster-bootstrap intervals per
    column.

    No constant is added. Columns that cannot be told apart give k missing estimates that say so. Resamples
    in which they cannot be told apart are left out; if these are more than half, there is no interval.
    """
    y, x = np.asarray(outcome, dtype=np.float64), np.asarray(regressors, dtype=np.float64)
    members, count = _memberships(y, clusters)
    width = x.shape[1]
    scale = np.maximum(np.abs(x).max(axis=0, initial=0.0), 1e-300)
    x = x / scale
    if len(y) < width or np.linalg.matrix_rank(x) < width:
        none = missing("not identified: the regressors move together", len(y))
        return tuple(none for _ in range(width))
    gram, moment = np.zeros((count, width, width)), np.zeros((count, width))
    np.add.at(gram, members, x[:, :, None] * x[:, None, :])
    np.add.at(moment, members, x * y[:, None])
    slopes = np.linalg.solve(gram.sum(0), moment.sum(0)) / scale
    blocks = []
    for drawn in _resamples(count, draws, rng):
        left = np.tensordot(drawn, gram, axes=1)
        usable = np.linalg.cond(left) < 1e9
        right = (drawn @ moment)[usable]
        blocks.append(np.linalg.solve(left[usable], right[..., None])[..., 0] / scale)
    resampled = np.concatenate(blocks)
    if count == 1 or len(resampled) < draws / 2:
        note = "too few clusters for an interval"
        return tuple(Estimate(float(slope), n=len(y), clusters=count, note=note) for slope in slopes)
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return tuple(
        Estimate(slope, interval[0], interval[1], len(y), count, "cluster bootstrap")
        for slope, interval in zip(slopes.tolist(), np.stack([low, high], axis=1).tolist(), strict=True)
    )


def welch(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> Estimate:
    """Return the mean of `second` (m,) less that of `first` (n,), two independent samples, with the interval
    of Welch (1947, Biometrika 34), which lets their variances differ.
    """
    a, b = (np.asarray(each, dtype=np.float64) for each in (first, second))
    if not len(a) or not len(b):
        return missing("nothing was measured on one side", len(a) + len(b))
    squares = [float(each.var(ddof=1)) / len(each) if len(each) > 1 else math.nan for each in (a, b)]
    error = math.sqrt(sum(squares))
    degrees = (
        sum(squares) ** 2
        / sum(square**2 / (len(each) - 1) for square, each in zip(squares, (a, b), strict=True))
        if error > 0
        else math.nan
    )
    return _t_interval(
        float(b.mean() - a.mean()), error, degrees, n=len(a) + len(b), method="Welch's t", level=level
    )


def paired(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> Estimate:
    """Return the mean of `second` less `first`, both (n,), value by value, with Student's interval.

    Raises:
        UsageError: there are not as many values on both sides.
    """
    a, b = (np.asarray(each, dtype=np.float64) for each in (first, second))
    if a.shape != b.shape:
        raise UsageError(f"Pairs need as many values on both sides; got {len(a)} and {len(b)}.")
    if not len(a):
        return missing("nothing was measured on both sides")
    differences = b - a
    error = float(differences.std(ddof=1)) / math.sqrt(len(a)) if len(a) > 1 else math.nan
    return _t_interval(float(differences.mean()), error, len(a) - 1, n=len(a), method="paired t", level=level)


def _t_interval(
    value: float, error: float, degrees: float, *, n: int, method: Method, level: float
) -> Estimate:
    """Return a difference with Student's interval; without one where its error is not known, or is 0."""
    if not error > 1e-12 * max(1.0, abs(value)):  # rounding is no variation
        note = "one value on a side: no interval" if math.isnan(error) else "values do not vary: no interval"
        return Estimate(value, n=n, note=note)
    from scipy.stats import t

    half = float(t.ppf(0.5 + level / 2, degrees)) * error
    return Estimate(value, value - half, value + half, n, None, method)


def _memberships(values: NDArray[np.float64], clusters: Sequence[Hashable]) -> tuple[NDArray[np.intp], int]:
    if values.ndim != 1 or len(values) != len(clusters):
        raise UsageError(
            f"Give one cluster for each value; got {values.shape} values and {len(clusters)} clusters."
        )
    numbers: dict[Hashable, int] = {}
    members = np.array([numbers.setdefault(name, len(numbers)) for name in clusters], dtype=np.intp)
    return members, len(numbers)


def _resamples(count: int, draws: int, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Yield how often each cluster is drawn, in blocks of shape (≤ draws, count): rows sum to `count`."""
    shares = np.full(count, 1 / count)
    block = max(1, _BLOCK // count)
    return [
        rng.multinomial(count, shares, size=min(block, draws - start)).astype(np.float64)
        for start in range(0, draws, block)
    ]
