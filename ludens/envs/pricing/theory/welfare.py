"""Welfare: consumer surplus, total surplus and deadweight loss, in money.

Consumer surplus is what consumers gain over the outside good. Under logit demand it is the log-sum

    CS = α·β·μ·log(1 + Σ_j e^{(a_j − p_j/α − a_0)/μ})

(Small & Rosen, Econometrica 49(1), 1981), under nested logit the same of the nests' inclusive values, under
linear demand α·β·q'Γq/2 with Γ the inverse slopes (Singh & Vives, RAND Journal 15(4), 1984), and for a
homogeneous good the triangle α·β·(a − p/α)²/2. Total surplus adds the firms' profits before fines: a fine is
a transfer. With quasi-linear utility it is largest at marginal-cost prices, where it is all consumer surplus;
what total surplus falls short of that is the deadweight loss.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
from ludens.envs.pricing.theory.market import AnyMarket, Market
from ludens.errors import UsageError

Floats = NDArray[np.float64]


class Welfare(NamedTuple):
    """The welfare of a market, in money per period.

    Attributes:
        consumer: consumer surplus, (...); NaN where demand is not that of any consumer (linear demand whose
            slopes are not symmetric).
        profit: the firms' profits before fines, summed, (...).
        efficient: total surplus at marginal-cost prices, (...), the largest there can be.
    """

    consumer: Floats
    profit: Floats
    efficient: Floats

    @property
    def total(self) -> Floats:
        """Total surplus: consumer surplus and profits."""
        total: Floats = self.consumer + self.profit
        return total

    @property
    def deadweight(self) -> Floats:
        """The deadweight loss: the total surplus that is lost against marginal-cost prices, at least 0."""
        # At cost itself, rounding could leave a loss below 0.
        lost: Floats = np.maximum(self.efficient - self.total, 0.0)
        return lost


def welfare(market: AnyMarket, prices: ArrayLike, outside: ArrayLike | None = None) -> Welfare:
    """Return the welfare at prices (..., J); arguments as of `Market.quantities`.

    Raises:
        UsageError: prices or outside values are not finite or do not fit.
    """
    profit: Floats = market.profits(prices, outside).sum(axis=-1)
    efficient = np.broadcast_to(efficient_surplus(market, outside), profit.shape)
    return Welfare(surplus(market, prices, outside), profit, efficient)


def efficient_surplus(market: AnyMarket, outside: ArrayLike | None = None) -> Floats:
    """Return the largest total surplus that the market can reach, (...), for outside values (...).

    Without capacity limits it is the consumer surplus at marginal costs. NaN where it is not worked out.
    """
    if isinstance(market, HomogeneousMarket) or market.capacities is None:
        return surplus(market, market.unit_costs, outside)
    values = np.asarray(market.outside if outside is None else outside, dtype=np.float64)
    found = {value: _efficient(market, value) for value in set(values.reshape(-1).tolist())}
    return np.array([found[value] for value in values.reshape(-1).tolist()]).reshape(values.shape)


def _efficient(market: Market, outside: float) -> float:
    try:
        prices = market.efficient_prices(outside)
    except EquilibriumError:
        return float("nan")
    earned = float(market.profits(prices, outside).sum())
    return float(surplus(market, prices, outside)) + earned


def surplus(market: AnyMarket, prices: ArrayLike, outside: ArrayLike | None = None) -> Floats:
    """Return consumer surplus at prices (..., J), (...); NaN where demand is not that of any consumer.

    Raises:
        UsageError: as `welfare`.
    """
    sold = market.quantities(prices, outside)
    try:
        return market.consumer_surplus(prices, outside)
    except UsageError:  # the prices are good, as the quantities show
        return np.full(sold.shape[:-1], np.nan)
