"""Benchmark prices of a market, and measures relative to them.

The benchmarks are the one-shot Nash equilibrium p_N and the joint-profit ("monopoly") prices p_M. From them
follow the profit gain Δ (`total_gain` has the equation), the price grid of Calvano, Calzolari, Denicolò &
Pastorello (AER 2020), and the critical discount factor of grim-trigger collusion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.checks import real_number
from ludens.display.notebook import View
from ludens.display.table import Table
from ludens.envs.pricing.theory import parameters
from ludens.envs.pricing.theory.demand import Conduct
from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.envs.pricing.theory.groups import Groups
from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
from ludens.envs.pricing.theory.market import AnyMarket
from ludens.errors import UsageError

Floats = NDArray[np.float64]

_ROUNDING = 1e-10


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


def highest_price(market: AnyMarket) -> float:
    """Return the highest joint-profit price of any product, for bounds of prices; that without capacity
    limits where the one with them is not worked out.

    Raises:
        EquilibriumError: the solver did not find it.
    """
    try:
        prices = monopoly_prices(market)
    except EquilibriumError:
        if isinstance(market, HomogeneousMarket) or market.capacities is None:
            raise
        prices = monopoly_prices(market.unlimited)
    return float(np.max(prices))


def total_gain(profits: ArrayLike, nash: ArrayLike, joint: ArrayLike) -> Floats:
    """Return the profit gain of a market,

        Δ = (Σ_f π_f − Σ_f π_f^N) / (Σ_f π_f^M − Σ_f π_f^N)

    where π_f is the profit of firm f before fines, π_f^N its profit at the one-shot Nash prices, and π_f^M
    its profit at the prices that maximise joint profit. Δ is 0 at Nash and 1 at the largest joint profit; for
    equal firms it is the Δ of Calvano, Calzolari, Denicolò & Pastorello (AER 2020, equation 9). Over several
    periods, profits and both benchmarks are averaged first, each period with those of its own regime.

    Args:
        profits: (..., F), as are the others, which broadcast; NaN for firms that are not in the market, which
            are left out.
        nash: at Nash prices.
        joint: at joint-profit prices.

    Returns:
        (...). NaN where no firm is in the market, or joint pricing adds nothing to total profit, as with one
        firm.
    """
    known = (np.asarray(each, dtype=np.float64) for each in (profits, nash, joint))
    earned, low, high = np.broadcast_arrays(*known)
    there = np.isfinite(earned) & np.isfinite(low) & np.isfinite(high)
    sums = (np.where(there, each, 0.0).sum(axis=-1) for each in (earned, low, high))
    return _gain(*sums)


def firm_gains(profits: ArrayLike, nash: ArrayLike, joint: ArrayLike) -> Floats:
    """Return each firm's own profit gain, (π_f − π_f^N) / (π_f^M − π_f^N), with the profits of `total_gain`.

    Returns:
        (..., F). NaN for firms that are not in the market, and where the firm earns no more under joint
        pricing than at Nash: there a share of the difference has no meaning.
    """
    return _gain(*(np.asarray(each, dtype=np.float64) for each in (profits, nash, joint)))


def profit_gain(market: AnyMarket, prices: ArrayLike) -> Floats:
    """Return Δ at prices (..., J), see `total_gain`, shape (...).

    Raises:
        UsageError: the prices do not fit the market, or it has one firm only.
    """
    _check_rivals(market)
    return total_gain(market.profits(prices), *profit_benchmarks(market))


def profit_benchmarks(market: AnyMarket) -> tuple[Floats, Floats]:
    """Return each firm's profits at Nash and at joint-profit prices, (F,) each.

    Raises:
        EquilibriumError: the solver did not find the prices.
    """
    return market.profits(nash_prices(market)), market.profits(monopoly_prices(market))


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


def view(market: AnyMarket) -> View:
    """Return what a notebook shows of a market: its products with their benchmark prices, and the profits."""
    nash, joint = nash_prices(market), monopoly_prices(market)
    numbers = np.stack([market.qualities, market.costs, nash, joint], axis=1)
    rows = [
        (str(product), [str(market.owners[product]), *(f"{number:.4g}" for number in row)])
        for product, row in enumerate(numbers)
    ]
    table = Table.of(
        "Products",
        "Quality and cost in units of quality, prices in money.",
        ["firm", "quality", "cost", ("price", "Nash"), ("price", "joint profit")],
        rows,
        corner="product",
    )
    profits = {
        f"{name} profits": ", ".join(f"{profit:.4g}" for profit in market.profits(prices))
        for name, prices in (("Nash", nash), ("joint", joint))
    }
    shown = {"qualities", "costs", "owners", "firms"}
    further = {name: str(value) for name, value in market.parameters.items() if name not in shown}
    firms = f"{market.firms} firm{'' if market.firms == 1 else 's'}"
    products = f"{market.products} product{'' if market.products == 1 else 's'}"
    return View(f"{firms}, {products}", "market", tables=[table], facts={**profits, **further})


def _gain(earned: Floats, low: Floats, high: Floats) -> Floats:
    room = high - low
    with np.errstate(divide="ignore", invalid="ignore"):
        gain: Floats = (earned - low) / room
        # Where joint pricing adds no more than rounding, there is nothing to take a share of.
        return np.where(room > _ROUNDING * (np.abs(low) + np.abs(high)), gain, np.nan)


def _check_rivals(market: AnyMarket) -> None:
    if market.firms == 1:
        raise UsageError(
            "A market of one firm has nothing between Nash and joint-profit prices; add a second firm."
        )
