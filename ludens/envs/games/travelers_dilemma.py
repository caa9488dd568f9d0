"""The traveller's dilemma (Basu, American Economic Review 84(2), 1994; Capra, Goeree, Gomez & Holt, AER
89(3), 1999).

Both claim an amount and get the lower one; who claimed less gets the reward r more and the other r less.
Both claim the lowest amount in the only equilibrium, for every r above one step.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ludens.envs.strategic.actions import whole_numbers
from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import Floats, StrategicGame


def _payoff(own: Floats, rest: Floats, r: float) -> Floats:
    return np.minimum(own, rest) + r * np.sign(rest - own)


def _build(low: float, high: float, step: float, r: float) -> StrategicGame:
    return StrategicGame(
        "travelers_dilemma",
        {"traveller": 2},
        {"traveller": whole_numbers(int(low), int(high), int(step))},
        own_payoff=partial(_payoff, r=r),
    )


def _check(low: float, high: float, step: float, r: float) -> str | None:
    if any(value != int(value) for value in (low, high, step)) or not 0 <= low < high or step < 1:
        return "low < high and step >= 1 are whole numbers of at least 0"
    return None if r > step else "r > step is needed, or nobody gains by claiming less"


FAMILY = StrategicFamily(
    name="travelers_dilemma",
    title="Traveller's dilemma",
    source="Basu 1994",
    roles=("traveller",),
    parameters=("low", "high", "step", "r"),
    build=_build,
    check=_check,
    protocols={"TD1": (2, 100, 1, 2), "TD2": (80, 200, 5, 10), "TD3": (80, 200, 5, 80)},
)
