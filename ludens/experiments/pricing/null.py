"""The regression on lagged prices without collusion.

A firm that maximises only the profit of the present period also reacts to the rival's last price: best
replies slope upwards, by .420 at the Nash prices of the baseline duopoly. This module simulates such firms in
the market of a run and estimates the same regression. The null, including its noise, is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
from ludens.errors import UsageError
from ludens.experiments.pricing.panels import Panel
from ludens.experiments.pricing.regression import Coefficient, first_explained, lagged, regress

Floats = NDArray[np.float64]

REPLICATIONS = 200
"""Simulated data sets behind the null."""

_LEAST_NOISE = 0.02  # price units: firms that never vary would tell nothing of their replies
_POINTS = 241


@dataclass(frozen=True)
class Null:
    """The regression's slopes among noisy myopic firms in the same market.

    Attributes:
        own, rival: mean slopes over the replications, with the range that holds 95 % of them; no error.
        slope: the exact slope of the best reply in the rivals' mean price, at the Nash prices.
        noise: standard deviation of the normal noise on their prices, at scale 1.
        replications: the number of simulated data sets of the same size.
    """

    own: Coefficient
    rival: Coefficient
    slope: float
    noise: float
    replications: int


def myopic_null(
    panel: Panel,
    rng: np.random.Generator,
    *,
    noise: float | None = None,
    replications: int = REPLICATIONS,
) -> Null | None:
    """Simulate firms that play the best reply to the last prices plus noise, and return the slopes.

    Every replication has the panel's own number of runs and periods and its market, starts at Nash prices,
    and enters the same regression. The spread of the replications is the sampling variation of a study of
    this size.

    Args:
        panel: with its schedules.
        rng: for the noise.
        noise: standard deviation in prices at scale 1; by default that of the regression's residuals, but at
            least 0.02, and at most a quarter of the way from the Nash to the joint-profit price: noise beyond
            that would throw the firms far from where their replies have the slope that they have at Nash.
        replications: how many.

    Returns:
        None if the panel has no finished run, or a single firm; if firms, demand or costs change within the
        periods of the regression; or if firms move in turns, or sell one homogeneous good, to whose prices
        there is no best reply.

    Raises:
        UsageError: the panel has no schedules.
    """
    runs = np.flatnonzero(panel.complete & (panel.played > 1))
    if not len(runs) or panel.prices.shape[2] < 2:
        return None
    if not panel.schedules:
        raise UsageError("The null is simulated in the run's market, and this panel does not know it.")
    periods = int(panel.played[runs].max())
    market = panel.steady_market(int(runs[0]), first_explained(periods) - 1, periods)
    if market is None or panel.moves == "in turns" or isinstance(market, HomogeneousMarket):
        return None
    scale = float(panel.scale[runs[0]])
    try:
        reply = Replies(market, scale)
    except EquilibriumError:  # a market without benchmarks, as with capacity limits and rerouted customers
        return None
    nash = np.asarray(nash_prices(market), dtype=np.float64) / scale
    if noise is None:
        room = float(np.mean(monopoly_prices(market) / scale - nash))
        noise = max(_LEAST_NOISE, min(regress(panel).residual or 0.0, room / 4))
    firms, first = len(nash), first_explained(periods)
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
    """Best replies to batches of prices at scale 1: from a table for two firms, otherwise by search.

    `Market.best_response` takes one price vector at a time, and the null needs hundreds of thousands.

    Args:
        market: with one product per firm.
        scale: what its prices are divided by.
    """

    def __init__(self, market: Any, scale: float) -> None:
        self._market, self._scale = market, scale
        self._costs = np.asarray(market.unit_costs, dtype=np.float64) / scale
        top = float(np.max(monopoly_prices(market))) / scale
        # Best replies lie between cost and well above the joint price, whatever the others ask.
        self._low, self._high = self._costs, self._costs + 2.0 * np.max(top - self._costs)
        self._table: tuple[Floats, Floats] | None = None
        if len(self._costs) == 2:
            grid = np.linspace(float(self._low.min()), float(self._high.max()), _POINTS)
            both = self._search(np.stack([grid, grid], axis=1))
            self._table = (grid, both)

    def __call__(self, prices: Floats) -> Floats:
        """Return the best replies (…, F) to prices (…, F); firm i replies to the others' prices."""
        if self._table is None:
            return self._search(prices)
        grid, replies = self._table
        first = np.interp(prices[..., 1], grid, replies[:, 0])
        return np.stack([first, np.interp(prices[..., 0], grid, replies[:, 1])], axis=-1)

    def slope(self, prices: Floats, step: float = 1e-3) -> float:
        """Return the increase in the mean reply when all rivals' prices rise by one."""
        moved = []
        for firm in range(len(prices)):
            up = np.stack([prices - step, prices + step])
            up[:, firm] = prices[firm]
            low, high = self._search(up, steps=80)[:, firm]
            moved.append((high - low) / (2 * step))
        return float(np.mean(moved))

    def _search(self, prices: Floats, steps: int = 45) -> Floats:
        """Maximise profit by golden-section search in each firm's own price; it has a single maximum."""
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
    """Return the slopes of many data sets with prices (replications, runs, T, F), two arrays."""
    y, x = lagged(prices)
    y = y - y.mean(axis=-2, keepdims=True)
    x = x - x.mean(axis=-3, keepdims=True)
    gram = np.einsum("srtfa,srtfb->sab", x, x)
    moment = np.einsum("srtfa,srtf->sa", x, y)
    slopes = np.linalg.solve(gram, moment[..., None])[..., 0]
    return slopes[:, 0], slopes[:, 1]


def _range(slopes: Floats) -> Coefficient:
    low, high = np.quantile(slopes, [0.025, 0.975])
    return Coefficient(float(slopes.mean()), None, float(low), float(high))
