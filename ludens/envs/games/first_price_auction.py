"""A first-price auction of two bidders with private values (Vickrey, Journal of Finance 16(1), 1961).

Values are drawn uniformly from 0 to `highest`, independently. A bidder says, before it learns its value,
what share of it, in per cent, it will bid; payoffs are expected ones. Both bid half their value in
equilibrium.
"""

from __future__ import annotations

from collections.abc import Callable
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


def auction(name: str, title: str, protocol: str, own_payoff: Callable[..., Floats]) -> StrategicFamily:
    """Return the family of auctions in which two bidders earn `own_payoff(own, rest, highest=…)`."""
    return StrategicFamily(
        name=name,
        title=title,
        source="Vickrey 1961",
        roles=("bidder",),
        parameters=("highest",),
        build=partial(_build, name, own_payoff),
        check=_check,
        protocols={protocol: (100,)},
    )


def _build(name: str, own_payoff: Callable[..., Floats], highest: float) -> StrategicGame:
    bids = {"bidder": whole_numbers(0, MOST, 5)}
    return StrategicGame(name, {"bidder": 2}, bids, own_payoff=partial(own_payoff, highest=highest))


def _check(highest: float) -> str | None:
    return None if highest > 0 else "highest > 0 is needed"


FAMILY = auction("first_price_auction", "First-price auction", "FP1", _payoff)
