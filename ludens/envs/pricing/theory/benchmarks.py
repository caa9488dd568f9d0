"""Benchmark prices of a market, and measures relative to them.

The benchmarks are the one-shot Nash equilibrium p_N and the joint-profit ("monopoly") prices p_M. From them
follow the profit gain Δ = (π − π_N)/(π_M − π_N), the price grid of Calvano, Calzolari, Denicolò & Pastorello
(AER 2020), and the critical discount factor of grim-trigger collusion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.checks import real_number
from ludens.envs.pricing.theory import parameters
from ludens.envs.pricing.theory.demand import Conduct
from ludens.envs.pricing.theory.groups import Groups
from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
from ludens.envs.pricing.theory.market import AnyMarket
from ludens.errors import UsageError

Floats = NDArray[np.float64]


def nash_prices(market: AnyMarket) -> Floats:
    """Return the prices (J,) of the one-shot Nash equilibrium.

    Raises:
        EquilibriumError: the solver did not find them.
    """
    return market.equilibrium(Conduct(market.groups))


def monopoly_prices(market: AnyMarket, coalition: Sequence[int] | None = None) -> Floats:
    """Return the prices (J,) that maximise the joint profit of firms.

    Args:
        market: the market.
        coalition: the firms that maximise their joint profit, all of them by default. The others maximise
            their own profits; the prices are then a Nash equilibrium between them and the coalition.

    Raises:
        UsageError: the coalition is empty or names a firm that does not exist; or the good is homogeneous and
            the coalition leaves a firm out.
        EquilibriumError: the solver did not find them.
    """
    members = frozenset(range(market.firms) if coalition is None else coalition)
    if not members or not members <= set(range(market.firms)):
        raise UsageError(f"A coalition names firms from 0 to {market.firms - 1}; got {sorted(members)}.")
    owners = np.asarray(market.owners)
    _, merged = np.unique(np.where(np.isin(owners, list(members)), -1, owners), return_inverse=True)
    return market.equilibrium(Conduct(Groups(merged)))


def profit_gain(market: AnyMarket, prices: ArrayLike, *, mean: bool = False) -> Floats:
    """Return Δ = (π − π_N)/(π_M − π_N) at prices (..., J): 0 at Nash profits, 1 at joint-profit ones.

    Returns:
        Each firm's own gain, (..., F); with `mean`, the gain of profits averaged over firms, (...). If
        firms differ, one of them may earn less under joint pricing than at Nash; then only the mean is
        meaningful.

    Raises:
        UsageError: the prices do not fit the market, or it has one firm only.
    """
    return gain_of_profits(market, market.profits(prices), mean=mean)


def gain_of_profits(market: AnyMarket, profits: ArrayLike, *, mean: bool = False) -> Floats:
    """Return the `profit_gain` of known profits (..., F).

    Raises:
        UsageError: the market has one firm only.
    """
    _check_rivals(market)
    earned = np.asarray(profits, dtype=np.float64)
    low, high = market.profits(nash_prices(market)), market.profits(monopoly_prices(market))
    if mean:
        earned, low, high = earned.mean(-1), low.mean(-1), high.mean(-1)
    share: Floats = (earned - low) / (high - low)
    return share


def price_grid(market: AnyMarket, points: int = 15, extension: float = 0.1) -> Floats:
    """Return equally spaced prices from p_N − ξ(p_M − p_N) to p_M + ξ(p_M − p_N).

    Args:
        market: the market. For a homogeneous good the grid runs from 0 to the intercept instead, as in Klein
            (2021), whose k intervals have k + 1 points.
        points: how many, at least 2.
        extension: ξ ≥ 0; without effect for a homogeneous good.

    Returns:
        (points,) where all firms are alike, else (J, points).

    Raises:
        UsageError: fewer than 2 points, ξ < 0, or one firm only.
    """
    number, wider = parameters.count(points, 2), real_number(extension)
    if number is None or wider is None or not 0 <= wider < math.inf:
        raise UsageError(
            "A price grid needs a whole number of at least 2 points and an extension of at least 0;"
            f" got {points!r} and {extension!r}."
        )
    if isinstance(market, HomogeneousMarket):
        return np.linspace(0.0, market.price_scale * market.intercept, number)
    _check_rivals(market)
    low, high = nash_prices(market), monopoly_prices(market)
    if market.is_symmetric:
        low, high = low[0], high[0]
    wide = wider * (high - low)
    grid: Floats = np.linspace(low - wide, high + wide, number, axis=-1)
    return grid


def critical_discount(market: AnyMarket) -> float:
    """Return the least discount factor at which grim triggers sustain the joint-profit prices.

    It is δ* = (π_D − π_M)/(π_D − π_N) with π_D the profit of the best deviation, the highest over firms; 1 or
    more if a firm prefers Nash.

    Raises:
        UsageError: the market has one firm only, or no best replies (a homogeneous good).
    """
    _check_rivals(market)
    joint = monopoly_prices(market)
    low, high = market.profits(nash_prices(market)), market.profits(joint)
    needed = []
    for firm in range(market.firms):
        tempted = market.profits(market.best_response(firm, joint))[firm]
        needed.append(float((tempted - high[firm]) / (tempted - low[firm])))
    return max(needed)


def _check_rivals(market: AnyMarket) -> None:
    if market.firms == 1:
        raise UsageError(
            "A market of one firm has nothing between Nash and joint-profit prices; add a second firm."
        )
