"""The prisoner's dilemma, played simultaneously (Flood & Dresher 1950; Rapoport & Chammah, Prisoner's
Dilemma, 1965): cooperate or defect.

PD1 are the payoffs that Axelrod used (The Evolution of Cooperation, 1984). Of homo moralis in PD2 Alger &
Weibull (Econometrica 2013) say: defect up to κ = 1/4, cooperate from κ = 2/3.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ludens.envs.strategic.actions import named
from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import Floats, StrategicGame
from ludens.envs.tree.family import ordered


def _payoff(profiles: Floats, T: float, R: float, P: float, S: float) -> Floats:
    table = np.array([[R, S], [T, P]])
    own = profiles.astype(np.intp)
    return table[own, own[..., ::-1]]


def _build(T: float, R: float, P: float, S: float) -> StrategicGame:
    return StrategicGame(
        "prisoners_dilemma",
        {"player": 2},
        {"player": named("cooperate", "defect")},
        partial(_payoff, T=T, R=R, P=P, S=S),
    )


def _check(T: float, R: float, P: float, S: float) -> str | None:
    return ordered(T=T, R=R, P=P, S=S)


FAMILY = StrategicFamily(
    name="prisoners_dilemma",
    title="Prisoner's dilemma",
    source="Rapoport & Chammah 1965",
    roles=("player",),
    parameters=("T", "R", "P", "S"),
    build=_build,
    check=_check,
    prosocial={"choice": "cooperate"},
    protocols={"PD1": (5, 3, 1, 0), "PD2": (7, 5, 3, 2)},
)
