"""The stag hunt (Rousseau 1755; Battalio, Samuelson & Van Huyck, Econometrica 69(3), 2001).

Two equilibria: to hunt stag pays both more, to hunt hare risks less. Both are indifferent if the other
hunts stag with probability (P − S)/(R − T + P − S), which is 0.8 in all three protocols.
"""

from __future__ import annotations

from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import StrategicGame
from ludens.envs.strategic.matrix import symmetric_game


def _build(R: float, T: float, P: float, S: float) -> StrategicGame:
    return symmetric_game("stag_hunt", "hunter", ("stag", "hare"), [[R, S], [T, P]])


def _check(R: float, T: float, P: float, S: float) -> str | None:
    if not (R > T and P > S):
        return "R > T and P > S are needed, or there are not two equilibria"
    return None if R > P else "R > P is needed, or hare pays both more"


FAMILY = StrategicFamily(
    name="stag_hunt",
    title="Stag hunt",
    source="Battalio, Samuelson & Van Huyck 2001",
    roles=("hunter",),
    parameters=("R", "T", "P", "S"),
    build=_build,
    check=_check,
    prosocial={"choice": "stag"},
    protocols={"STH1": (45, 35, 40, 0), "STH2": (45, 40, 20, 0), "STH3": (45, 42, 12, 0)},
)
