"""Price leadership (Stackelberg): one firm prices first, the others reply with Nash prices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.theory.demand import Conduct, Demand, Fixed
from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.envs.pricing.theory.groups import Groups
from ludens.envs.pricing.theory.market import Market
from ludens.errors import UsageError

Floats = NDArray[np.float64]

_SCAN = 33


def stackelberg_prices(market: Market, leader: int) -> Floats:
    """Return the prices (J,) when firm `leader` moves first and the others reply with Nash prices.

    Raises:
        UsageError: the market has no such firm, or it has several products and demand is not plain logit, for
            which there is no method here; or some of its costs are not known.
        EquilibriumError: the solver did not find the followers' prices.
    """
    market.check_firm(leader)
    if market.capacities is not None:
        raise EquilibriumError("A price leader's prices are not worked out where capacities are limited.")
    market.equilibrium(Conduct(market.groups))  # which a market that does not know all costs refuses
    surplus = market.qualities - market.costs
    margins = _leader_margins(market.demand, surplus, market.outside, market.groups, leader)
    prices: Floats = market.price_scale * (market.costs + margins)
    return prices


def _leader_margins(demand: Demand, surplus: Floats, outside: float, owners: Groups, leader: int) -> Floats:
    """Return the margins (J,) when firm `leader` moves first.

    The leader's profit, with the followers' equilibrium solved at each margin, is scanned from below its Nash
    margin to beyond its joint-profit one; around the best point the zero of its derivative is bracketed and
    solved. Under plain logit all products of the leader carry one margin, because followers react to their
    joint value only, and equal margins yield the most at any such value.
    """
    from scipy.optimize import brentq, minimize_scalar

    own = owners.labels == leader
    conduct = Conduct(owners)
    nash = demand.equilibrium(surplus, outside, conduct)
    if own.all():
        return nash
    if own.sum() > 1 and demand.name != "logit":
        raise UsageError(
            f"A price leader with several products is solved under logit demand only, not {demand.name};"
            " give the leader one product."
        )

    def answered(margin: float) -> Floats:
        return demand.equilibrium(surplus, outside, conduct, Fixed(own, np.where(own, margin, 0.0)))

    def profit(margin: float) -> float:
        margins = answered(margin)
        return float((margins * demand.shares(surplus - margins, np.asarray(outside)))[own].sum())

    everybody = Groups(np.zeros(len(surplus), dtype=np.intp))
    start = float(nash[own][0])
    joint = float(demand.equilibrium(surplus, outside, Conduct(everybody))[own][0])
    reach = max(joint - start, start)
    grid = np.linspace(max(start - reach / 4, 0.0), start + 1.5 * reach, _SCAN)
    best = int(np.argmax([profit(margin) for margin in grid]))
    low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, _SCAN - 1)])
    width = 1e-3 * (high - low)

    def slope(margin: float) -> float:
        # Fourth order: exact to rounding where followers' answers are smooth.
        near = profit(margin + width) - profit(margin - width)
        return 8 * near - (profit(margin + 2 * width) - profit(margin - 2 * width))

    if slope(low) > 0 > slope(high):
        candidate = float(brentq(slope, low, high, xtol=1e-14, rtol=1e-14))
    else:
        candidate = high
    plain = float(
        minimize_scalar(
            lambda m: -profit(m), bounds=(low, high), method="bounded", options={"xatol": 1e-10}
        ).x
    )
    # At a kink (a rival just driven out) the derivative jumps and the plain search is the better one.
    return answered(max((candidate, plain), key=lambda m: profit(m) + 1e-14 * (m == candidate)))
