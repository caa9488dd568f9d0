"""Do firms answer the rival's last price? The regression of Fish, Gonczarowski & Shorrer (2024), and what
the same regression finds where nobody colludes.

    p_it = α_(i,run) + γ·p_i,t−1 + δ·p_−i,t−1 + ε_it

over the last two thirds of the periods (101–300 of 300), prices divided by their run's scale, one constant
per firm and run, standard errors clustered by run. With more than two firms p_−i is the mean of the others
(our choice). Only runs that are done enter.

A positive δ is no sign of collusion by itself: whoever just maximises this period's profit against the
rival's last price reacts to it too (best replies slope upwards; by .420 at the Nash prices of the baseline
duopoly). `myopic_null` simulates such firms in the run's own market and puts the same regression to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError
from ludens.experiments.pricing.panels import Panel

Floats = NDArray[np.float64]
Cluster = Literal["run", "firm"]

REPLICATIONS = 200
"""Simulated data sets behind the null."""

_LEAST_NOISE = 0.02  # price units: firms that never vary would tell nothing of their replies
_POINTS = 241


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
    """What the regression found.

    Attributes:
        own: γ, on the own lagged price.
        rival: δ, on the rivals' mean lagged price.
        n: observations (firm, period).
        runs: runs that entered; `clusters` are what the errors are clustered by.
        periods: first and last period that is explained, counted from 1, of the longest run.
        residual: standard deviation of the residuals, in prices at scale 1.
        note: why something is missing.
    """

    own: Coefficient
    rival: Coefficient
    n: int
    runs: int
    clusters: int
    periods: tuple[int, int]
    residual: float | None
    note: str = ""


@dataclass(frozen=True)
class Null:
    """What the regression finds among noisy myopic best responders in the same market.

    Attributes:
        own, rival: mean slopes over the replications, with the range that holds 95 % of them; no error.
        slope: the exact slope of the best reply in the rivals' mean price, at the Nash prices.
        noise: standard deviation of the normal noise on their prices, at scale 1.
        replications: how many data sets of the same size were simulated.
    """

    own: Coefficient
    rival: Coefficient
    slope: float
    noise: float
    replications: int


def regress(panel: Panel, cluster: Cluster = "run") -> Regression:
    """The regression over all runs of the panel that are done.

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
    """Least squares with a constant per entity and clustered errors.

    The covariance is the sandwich of cluster sums with the usual correction G/(G−1)·(N−1)/(N−K), K counting
    the constants too: what a regression on dummies reports (Stata, statsmodels).

    Args:
        outcome: (n,).
        regressors: (n, 2), own and rival's lagged price.
        entities: (n,), whole numbers: what has a constant of its own.
        clusters: (n,), whole numbers: within which errors may hang together.
        runs: taken over into the result.
        periods: likewise.
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
    """The first period that is explained, from 0: after a third of them, and with a period before it."""
    return max(1, periods // 3)


def lagged(prices: Floats) -> tuple[Floats, Floats]:
    """Outcome and regressors from prices (…, T, F): shapes (…, T−1, F) and (…, T−1, F, 2)."""
    before = prices[..., :-1, :]
    count = before.shape[-1]
    rivals = (before.sum(axis=-1, keepdims=True) - before) / (count - 1)
    return prices[..., 1:, :], np.stack([before, rivals], axis=-1)


def myopic_null(
    panel: Panel,
    rng: np.random.Generator,
    *,
    noise: float | None = None,
    replications: int = REPLICATIONS,
) -> Null | None:
    """The regression's slopes where every firm plays its best reply to the last prices, plus normal noise.

    Every replication has the panel's own number of runs and periods and its market (without shocks), starts
    at Nash prices, and enters the same regression. The spread of the replications is what a study of this
    size finds by chance.

    Args:
        panel: with its markets.
        rng: for the noise.
        noise: standard deviation in prices at scale 1; by default that of the regression's residuals, but at
            least 0.02, and at most a quarter of the way from the Nash to the joint-profit price: noise beyond
            that would throw the firms far from where their replies have the slope that they have at Nash.
        replications: how many.

    Returns:
        None where the panel has no run that is done, or a single firm.

    Raises:
        UsageError: the panel does not know its markets.
    """
    runs = np.flatnonzero(panel.complete & (panel.played > 1))
    if not len(runs) or panel.prices.shape[2] < 2:
        return None
    if not panel.markets:
        raise UsageError("The null is simulated in the run's market, and this panel does not know it.")
    market, scale = panel.markets[runs[0]], float(panel.scale[runs[0]])
    reply = Replies(market, scale)
    nash = np.asarray(market.nash(), dtype=np.float64) / scale
    if noise is None:
        room = float(np.mean(market.monopoly() / scale - nash))
        noise = max(_LEAST_NOISE, min(regress(panel).residual or 0.0, room / 4))
    periods, firms = int(panel.played[runs].max()), len(nash)
    first = first_explained(periods)
    length = periods - first + 1
    prices = np.empty((replications, len(runs), length, firms))
    current = np.broadcast_to(nash, (replications, len(runs), firms))
    for period in range(-first + 1, length):
        current = reply(current) + rng.normal(0.0, noise, current.shape)
        if period >= 0:
            prices[:, :, period] = current
    own, rival = _many(prices)
    return Null(_range(own), _range(rival), reply.slope(nash), noise, replications)


class Replies:
    """Best replies to batches of prices at scale 1: from a table for two firms, else searched for.

    The market's own best reply takes one price vector at a time, and the null asks for hundreds of thousands.

    Args:
        market: with one product per firm.
        scale: what its prices are divided by.
    """

    def __init__(self, market: Any, scale: float) -> None:
        self._market, self._scale = market, scale
        self._costs = np.asarray(market.unit_costs, dtype=np.float64) / scale
        top = float(np.max(market.monopoly())) / scale
        # Best replies lie between cost and well above the joint price, whatever the others ask.
        self._low, self._high = self._costs, self._costs + 2.0 * np.max(top - self._costs)
        self._table: tuple[Floats, Floats] | None = None
        if len(self._costs) == 2:
            grid = np.linspace(float(self._low.min()), float(self._high.max()), _POINTS)
            both = self._search(np.stack([grid, grid], axis=1))
            self._table = (grid, both)

    def __call__(self, prices: Floats) -> Floats:
        """Prices (…, F) to replies (…, F); firm i answers the others' prices."""
        if self._table is None:
            return self._search(prices)
        grid, replies = self._table
        first = np.interp(prices[..., 1], grid, replies[:, 0])
        return np.stack([first, np.interp(prices[..., 0], grid, replies[:, 1])], axis=-1)

    def slope(self, prices: Floats, step: float = 1e-3) -> float:
        """How much the mean reply rises when all rivals' prices rise by one."""
        moved = []
        for firm in range(len(prices)):
            up = np.stack([prices - step, prices + step])
            up[:, firm] = prices[firm]
            low, high = self._search(up, steps=80)[:, firm]
            moved.append((high - low) / (2 * step))
        return float(np.mean(moved))

    def _search(self, prices: Floats, steps: int = 45) -> Floats:
        """Golden-section search in each firm's own price: profit has a single peak there."""
        shrink = (np.sqrt(5) - 1) / 2
        found = np.empty(prices.shape)
        for firm in range(prices.shape[-1]):
            tried = np.array(prices, dtype=np.float64)
            low = np.full(prices.shape[:-1], self._low[firm])
            high = np.full(prices.shape[:-1], self._high[firm])
            for _ in range(steps):
                left, right = high - shrink * (high - low), low + shrink * (high - low)
                better = self._profit(tried, firm, left) > self._profit(tried, firm, right)
                low, high = np.where(better, low, left), np.where(better, right, high)
            found[..., firm] = (low + high) / 2
        return found

    def _profit(self, prices: Floats, firm: int, own: Floats) -> Floats:
        prices[..., firm] = own
        profits: Floats = self._market.profits(prices * self._scale)[..., firm]
        return profits


def _many(prices: Floats) -> tuple[Floats, Floats]:
    """The slopes of many data sets at once: prices (replications, runs, T, F) to two arrays."""
    y, x = lagged(prices)
    y = y - y.mean(axis=-2, keepdims=True)
    x = x - x.mean(axis=-3, keepdims=True)
    gram = np.einsum("srtfa,srtfb->sab", x, x)
    moment = np.einsum("srtfa,srtf->sa", x, y)
    slopes = np.linalg.solve(gram, moment[..., None])[..., 0]
    return slopes[:, 0], slopes[:, 1]


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


def _range(slopes: Floats) -> Coefficient:
    low, high = np.quantile(slopes, [0.025, 0.975])
    return Coefficient(float(slopes.mean()), None, float(low), float(high))


def _nothing(note: str, periods: tuple[int, int], runs: int = 0) -> Regression:
    return Regression(Coefficient(None), Coefficient(None), 0, runs, 0, periods, None, note)
