"""A second-price auction of two bidders with private values (Vickrey, Journal of Finance 16(1), 1961).

As in the first-price auction, except that the winner pays the other's bid. To bid one's value is weakly
dominant.
"""

from __future__ import annotations

import numpy as np

from ludens.envs.games.first_price_auction import auction
from ludens.envs.strategic.game import Floats


def _payoff(own: Floats, rest: Floats, highest: float) -> Floats:
    mine, other = own / 100, rest / 100
    ratio = np.where(other > 0, mine / np.where(other > 0, other, 1), 1)
    above = np.maximum(ratio, 1)
    lower = ratio * (1 - mine / 2) / 3
    higher = (1 - mine / 2) / (3 * above**2) + (1 - 1 / above**2) / 2 - other * (1 - 1 / above) / 2
    unopposed = np.where(mine > 0, 1 / 2, 1 / 4)
    return highest * np.where(other == 0, unopposed, np.where(ratio <= 1, lower, higher))


FAMILY = auction("second_price_auction", "Second-price auction", "SP1", _payoff)
