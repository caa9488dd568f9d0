"""What prices and profits are measured against: the gain over Nash, the grid between both benchmarks,
patience.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError

if TYPE_CHECKING:
    from ludens.envs.pricing.theory.market import Market

Floats = NDArray[np.float64]


def gain(market: Market, profits: Floats, mean: bool) -> Floats:
    """Δ = (π − π_N)/(π_M − π_N) for profits (..., F): (..., F), or of mean profits (...)."""
    _rivals_needed(market)
    low, high = market.profits(market.nash()), market.profits(market.monopoly())
    if mean:
        profits, low, high = profits.mean(-1), low.mean(-1), high.mean(-1)
    share: Floats = (profits - low) / (high - low)
    return share


def price_grid(market: Market, points: int, extension: float) -> Floats:
    """Equally spaced prices around those between Nash and joint profit."""
    if points < 2 or points != int(points) or not 0 <= extension < math.inf:
        raise UsageError(
            "A price grid needs a whole number of at least 2 points and an extension of at least 0;"
            f" got {points} and {extension}."
        )
    _rivals_needed(market)
    low, high = market.nash(), market.monopoly()
    if market.is_symmetric:
        low, high = low[0], high[0]
    wide = extension * (high - low)
    grid: Floats = np.linspace(low - wide, high + wide, int(points), axis=-1)
    return grid


def critical_discount(market: Market) -> float:
    """(π_D − π_M)/(π_D − π_N), the largest over firms."""
    _rivals_needed(market)
    joint = market.monopoly()
    low, high = market.profits(market.nash()), market.profits(joint)
    needed = []
    for firm in range(market.firms):
        tempted = market.profits(market.best_response(firm, joint))[firm]
        needed.append(float((tempted - high[firm]) / (tempted - low[firm])))
    return max(needed)


def _rivals_needed(market: Market) -> None:
    if market.firms == 1:
        raise UsageError(
            "A market of one firm has nothing between Nash and joint-profit prices; add a second firm."
        )
