"""A second-price auction of two bidders with private values (Vickrey, Journal of Finance 16(1), 1961).

As in the first-price auction, except that the winner pays the other's bid. To bid one's value is weakly
dominant.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ludens.envs.games.first_price_auction import MOST
from ludens.envs.strategic.actions import whole_numbers
from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import Floats, StrategicGame


def _payoff(own: Floats, rest: Floats, highest: float) -> Floats:
    mine, other = own / 100, rest / 100
    ratio = np.where(other > 0, mine / np.where(other > 0, other, 1), 1)
    above = np.maximum(ratio, 1)
    lower = ratio * (1 - mine / 2) / 3
    higher = (1 - mine / 2) / (3 * above**2) + (1 - 1 / above**2) / 2 - other * (1 - 1 / above) / 2
    unopposed = np.where(mine > 0, 1 / 2, 1 / 4)
    return highest * np.where(other == 0, unopposed, np.where(ratio <= 1, lower, higher))


def _build(highest: float) -> StrategicGame:
    return StrategicGame(
        "second_price_auction",
        {"bidder": 2},
        {"bidder": whole_numbers(0, MOST, 5)},
        own_payoff=partial(_payoff, highest=highest),
    )


def _check(highest: float) -> str | None:
    return None if highest > 0 else "highest > 0 is needed"


FAMILY = StrategicFamily(
    name="second_price_auction",
    title="Second-price auction",
    source="Vickrey 1961",
    roles=("bidder",),
    parameters=("highest",),
    build=_build,
    check=_check,
    protocols={"SP1": (100,)},
)
