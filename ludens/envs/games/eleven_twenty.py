"""The 11–20 money request game (Arad & Rubinstein, American Economic Review 102(7), 2012).

Each of two players asks for an amount from 11 to 20 and gets it; who asks for exactly one less than the
other gets 20 more. In the symmetric equilibrium 15, 16, 17, 18, 19 and 20 are asked for with 25, 25, 20,
15, 10 and 5 %.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ludens.envs.strategic.actions import whole_numbers
from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import Floats, StrategicGame


def _payoff(own: Floats, rest: Floats, bonus: float) -> Floats:
    return own + np.where(np.abs(own - (rest - 1)) < 1e-9, bonus, 0.0)


def _build(low: float, high: float, bonus: float) -> StrategicGame:
    return StrategicGame(
        "eleven_twenty",
        {"player": 2},
        {"player": whole_numbers(int(low), int(high))},
        own_payoff=partial(_payoff, bonus=bonus),
    )


def _check(low: float, high: float, bonus: float) -> str | None:
    if low != int(low) or high != int(high) or not low < high:
        return "low < high are whole numbers"
    return None if bonus >= 0 else "bonus >= 0 is needed"


FAMILY = StrategicFamily(
    name="eleven_twenty",
    title="11–20 game",
    source="Arad & Rubinstein 2012",
    roles=("player",),
    parameters=("low", "high", "bonus"),
    build=_build,
    check=_check,
    protocols={"ET1": (11, 20, 20)},
)
