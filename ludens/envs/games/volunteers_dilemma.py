"""The volunteer's dilemma (Diekmann, Journal of Conflict Resolution 29(4), 1985): all gain if at least one
of n people bears the cost.

In the symmetric equilibrium of homines economici one waits with probability (cost/gain)^(1/(n − 1)).
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ludens.envs.strategic.actions import named
from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import Floats, StrategicGame


def _payoff(own: Floats, rest: Floats, gain: float, cost: float) -> Floats:
    return np.where(own + rest > 0.5, gain, 0.0) - cost * own


def _build(n: float, gain: float, cost: float) -> StrategicGame:
    return StrategicGame(
        "volunteers_dilemma",
        {"bystander": int(n)},
        {"bystander": named("wait", "volunteer")},
        own_payoff=partial(_payoff, gain=gain, cost=cost),
    )


def _check(n: float, gain: float, cost: float) -> str | None:
    if n != int(n) or not 2 <= n <= 10_000:
        return "n is a whole number from 2 to 10000"
    return None if gain > cost > 0 else "gain > cost > 0 is needed, or nobody would volunteer alone"


FAMILY = StrategicFamily(
    name="volunteers_dilemma",
    title="Volunteer's dilemma",
    source="Diekmann 1985",
    roles=("bystander",),
    parameters=("n", "gain", "cost"),
    build=_build,
    check=_check,
    prosocial={"choice": "volunteer"},
    protocols={"VD1": (3, 100, 25), "VD2": (10, 100, 50)},
)
