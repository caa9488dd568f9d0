"""Matching pennies with unequal prizes (Goeree & Holt, American Economic Review 91(5), 2001).

In the only equilibrium the row player plays top with probability 1/2, whatever the prize x is, and the
column player left with probability 40/x: 1/2, 1/8 and 10/11 in the three protocols.
"""

from __future__ import annotations

import numpy as np

from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import StrategicGame
from ludens.envs.strategic.matrix import bimatrix_game


def _build(x: float) -> StrategicGame:
    table = np.array([[(x, 40), (40, 80)], [(40, 80), (80, 40)]])
    return bimatrix_game(
        "matching_pennies", ("row player", "column player"), (("top", "bottom"), ("left", "right")), table
    )


def _check(x: float) -> str | None:
    return None if x > 40 else "x > 40 is needed, or top is never better"


FAMILY = StrategicFamily(
    name="matching_pennies",
    title="Matching pennies",
    source="Goeree & Holt 2001",
    roles=("row player", "column player"),
    parameters=("x",),
    build=_build,
    check=_check,
    protocols={"MP1": (80,), "MP2": (320,), "MP3": (44,)},
)
