"""A first-price auction of two bidders with private values (Vickrey, Journal of Finance 16(1), 1961).

Values are drawn uniformly from 0 to `highest`, independently. A bidder says, before it learns its value,
what share of it, in per cent, it will bid; payoffs are expected ones. Both bid half their value in
equilibrium.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ludens.envs.strategic.actions import whole_numbers
from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import Floats, StrategicGame

MOST = 120
"""Bids can exceed the value, up to so many per cent."""


def won(own: Floats, rest: Floats) -> Floats:
    """Return E[v·1(own bid is higher)] for a value v uniform on [0, 1]; equal bids of 0 win half the time."""
    ratio = np.where(rest > 0, own / np.where(rest > 0, rest, 1), np.where(own > 0, np.inf, 0))
    more = 1 / 2 - 1 / (6 * np.maximum(ratio, 1) ** 2)
    return np.where(ratio < 1, ratio / 3, more) + np.where((own == 0) & (rest == 0), 1 / 4, 0.0)


def _payoff(own: Floats, rest: Floats, highest: float) -> Floats:
    return highest * (1 - own / 100) * won(own, rest)


def _build(highest: float) -> StrategicGame:
    return StrategicGame(
        "first_price_auction",
        {"bidder": 2},
        {"bidder": whole_numbers(0, MOST, 5)},
        own_payoff=partial(_payoff, highest=highest),
    )


def _check(highest: float) -> str | None:
    return None if highest > 0 else "highest > 0 is needed"


FAMILY = StrategicFamily(
    name="first_price_auction",
    title="First-price auction",
    source="Vickrey 1961",
    roles=("bidder",),
    parameters=("highest",),
    build=_build,
    check=_check,
    protocols={"FP1": (100,)},
)
