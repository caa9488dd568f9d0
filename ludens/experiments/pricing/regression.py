"""Do firms react to the rival's last price? The regression of Fish, Gonczarowski & Shorrer (2024).

    p_it = α_(i,run) + γ·p_i,t−1 + δ·p_−i,t−1 + ε_it

over the last two thirds of the periods (101–300 of 300), prices divided by their run's scale, one constant
per firm and run, standard errors clustered by run. With more than two firms p_−i is the mean of the others
(our choice). Only runs that are done enter.

A positive δ alone is no evidence of collusion: see `ludens.experiments.pricing.null`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ludens.experiments.pricing.panels import Panel

Floats = NDArray[np.float64]
Cluster = Literal["run", "firm"]


@dataclass(frozen=True)
class Coefficient:
    """A slope with its clustered standard error and 95 % interval (Student's t, clusters − 1 degrees).

    The last three are None with a single cluster; all are None where the slope is not identified.
    """

    value: float | None
    error: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Regression:
    """The results of the regression.

    Attributes:
        own: γ, on the own lagged price.
        rival: δ, on the rivals' mean lagged price.
        n: observations (firm, period).
        runs: runs that entered; `clusters` are what the errors are clustered by.
        periods: first and last period that is explained, counted from 1, of the longest run.
        residual: standard deviation of the residuals, in prices at scale 1.
        note: why a value is missing.
    """

    own: Coefficient
    rival: Coefficient
    n: int
    runs: int
    clusters: int
    periods: tuple[int, int]
    residual: float | None
    note: str = ""


def regress(panel: Panel, cluster: Cluster = "run") -> Regression:
    """Estimate the regression over all finished runs of the panel.

    Args:
        panel: of at least two firms.
        cluster: ``"run"``, or ``"firm"`` for each firm of each run by itself.
    """
    runs = np.flatnonzero(panel.complete & (panel.played > 1))
    last = int(panel.played[runs].max()) if len(runs) else 0
    first = first_explained(last)
    if panel.prices.shape[2] < 2:
        return _nothing("one firm has no rival", (first + 1, last))
    if not len(runs):
        return _nothing("no run was played to its end", (first + 1, last))
    outcome, regressors, entities, clusters = [], [], [], []
    for run in runs:
        prices = panel.relative_prices[run, : panel.played[run]]
        y, x = lagged(prices[first_explained(len(prices)) - 1 :])
        count, firms = y.shape
        outcome.append(y.ravel())
        regressors.append(x.reshape(-1, 2))
        seat = np.tile(np.arange(firms), count)
        entities.append(int(run) * firms + seat)
        clusters.append(np.full(count * firms, run) if cluster == "run" else entities[-1])
    y, x = np.concatenate(outcome), np.concatenate(regressors)
    entity, member = np.concatenate(entities), np.concatenate(clusters)
    known = np.isfinite(y) & np.isfinite(x).all(axis=1)
    return fixed_effects(
        y[known], x[known], entity[known], member[known], runs=len(runs), periods=(first + 1, last)
    )


def fixed_effects(
    outcome: Floats,
    regressors: Floats,
    entities: NDArray[np.integer[Any]],
    clusters: NDArray[np.integer[Any]],
    *,
    runs: int = 0,
    periods: tuple[int, int] = (0, 0),
) -> Regression:
    """Estimate by least squares with a constant per entity and clustered errors.

    The covariance is the sandwich of cluster sums with the usual correction G/(G−1)·(N−1)/(N−K), K counting
    the constants too: what a regression on dummies reports (Stata, statsmodels).

    Args:
        outcome: (n,).
        regressors: (n, 2), own and rival's lagged price.
        entities: (n,), whole numbers: the entity of each observation, which has its own constant.
        clusters: (n,), whole numbers: the cluster of each observation, within which errors may correlate.
        runs: passed on to the result.
        periods: passed on to the result.
    """
    names, place = np.unique(entities, return_inverse=True)
    groups, member = np.unique(clusters, return_inverse=True)
    n, k = len(outcome), len(names) + regressors.shape[1]
    if n <= k:
        return _nothing("too few periods", periods, runs)
    y, x = _within(outcome[:, None], place)[:, 0], _within(regressors, place)
    spread = np.abs(x).max(axis=0)
    if (spread < 1e-9).any() or np.linalg.matrix_rank(x / spread, tol=1e-8 * np.sqrt(n)) < x.shape[1]:
        return _nothing("not identified: lagged prices do not vary, or move together", periods, runs)
    bread = np.linalg.inv(x.T @ x)
    slopes = bread @ (x.T @ y)
    residuals = y - x @ slopes
    count = len(groups)
    sums = np.zeros((count, x.shape[1]))
    np.add.at(sums, member, x * residuals[:, None])
    errors = np.full(x.shape[1], np.nan)
    if count > 1:
        covariance = bread @ (sums.T @ sums) @ bread * (count / (count - 1) * (n - 1) / (n - k))
        errors = np.sqrt(np.diag(covariance))
    own, rival = (_coefficient(float(b), float(e), count) for b, e in zip(slopes, errors, strict=True))
    note = "" if count > 1 else "one cluster: no standard errors"
    residual = float(np.sqrt(residuals @ residuals / (n - k)))
    return Regression(own, rival, n, runs, count, periods, residual, note)


def first_explained(periods: int) -> int:
    """Return the first explained period, from 0: after a third of all periods, with a period before it."""
    return max(1, periods // 3)


def lagged(prices: Floats) -> tuple[Floats, Floats]:
    """Return outcome and regressors from prices (…, T, F): shapes (…, T−1, F) and (…, T−1, F, 2)."""
    before = prices[..., :-1, :]
    count = before.shape[-1]
    rivals = (before.sum(axis=-1, keepdims=True) - before) / (count - 1)
    return prices[..., 1:, :], np.stack([before, rivals], axis=-1)


def _within(values: Floats, place: NDArray[np.intp]) -> Floats:
    counts = np.bincount(place)
    means = np.stack([np.bincount(place, column) / counts for column in values.T], axis=1)
    return values - means[place]


def _coefficient(value: float, error: float, clusters: int) -> Coefficient:
    if clusters < 2:
        return Coefficient(value)
    from scipy.stats import t

    half = float(t.ppf(0.975, clusters - 1)) * error
    return Coefficient(value, error, value - half, value + half)


def _nothing(note: str, periods: tuple[int, int], runs: int = 0) -> Regression:
    return Regression(Coefficient(None), Coefficient(None), 0, runs, 0, periods, None, note)
