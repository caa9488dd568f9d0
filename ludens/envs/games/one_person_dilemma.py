"""A dilemma of one person, with an explicit universalised payoff.

An adviser recommends the suitable or the unsuitable product, at the commissions s and u. Nobody else acts,
but if every adviser recommended the unsuitable one, the share τ of its commission would be left: homo
moralis values it (1 − κ)·u + κ·τ·u, and recommends the suitable one if s > (1 − κ + κ·τ)·u. (An exercise on
preferences of language models, with κ = 0.5 and τ = 0.2, and so a threshold of 0.6·u; the commissions here
are ours.)
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ludens.envs.strategic.actions import named
from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import Floats, StrategicGame


def _payoff(profiles: Floats, suitable: float, unsuitable: float) -> Floats:
    return np.where(profiles < 0.5, suitable, unsuitable)


def _build(suitable: float, unsuitable: float, tau: float) -> StrategicGame:
    return StrategicGame(
        "one_person_dilemma",
        {"adviser": 1},
        {"adviser": named("suitable", "unsuitable")},
        partial(_payoff, suitable=suitable, unsuitable=unsuitable),
        universal=(suitable, tau * unsuitable),
    )


def _check(suitable: float, unsuitable: float, tau: float) -> str | None:
    if not unsuitable > suitable > 0:
        return "unsuitable > suitable > 0 is needed, or there is no dilemma"
    return None if 0 <= tau <= 1 else "tau lies between 0 and 1"


FAMILY = StrategicFamily(
    name="one_person_dilemma",
    title="One-person dilemma",
    source="ours",
    roles=("adviser",),
    parameters=("suitable", "unsuitable", "tau"),
    build=_build,
    check=_check,
    prosocial={"choice": "suitable"},
    protocols={"OP1": (50, 100, 0.2), "OP2": (70, 100, 0.2)},
)
