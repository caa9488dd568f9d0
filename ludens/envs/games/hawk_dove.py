"""The hawk–dove game, also called chicken (Maynard Smith & Price, Nature 246, 1973).

A resource is worth v, and a fight costs its loser c > v. Homo moralis plays hawk with probability
(1 − κ)/(1 + κ)·v/c (Alger & Weibull, Econometrica 2013), homo economicus with v/c.
"""

from __future__ import annotations

from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import StrategicGame
from ludens.envs.strategic.matrix import symmetric_game


def _build(v: float, c: float) -> StrategicGame:
    return symmetric_game("hawk_dove", "animal", ("hawk", "dove"), [[(v - c) / 2, v], [0, v / 2]])


def _check(v: float, c: float) -> str | None:
    return None if c > v > 0 else "c > v > 0 is needed, or to fight is always better"


FAMILY = StrategicFamily(
    name="hawk_dove",
    title="Hawk–dove game",
    source="Maynard Smith & Price 1973",
    roles=("animal",),
    parameters=("v", "c"),
    build=_build,
    check=_check,
    prosocial={"choice": "dove"},
    protocols={"HD1": (40, 60), "HD2": (20, 80)},
)
