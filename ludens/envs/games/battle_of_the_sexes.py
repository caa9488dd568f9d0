"""The battle of the sexes (Luce & Raiffa, Games and Decisions, 1957): to meet is better than not to, and
each of the two prefers another place.

In the mixed equilibrium each goes to the own place with probability high/(high + low).
"""

from __future__ import annotations

from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import StrategicGame
from ludens.envs.strategic.matrix import bimatrix_game

_PLACES = ("first place", "second place")


def _build(high: float, low: float) -> StrategicGame:
    table = [[(high, low), (0, 0)], [(0, 0), (low, high)]]
    return bimatrix_game("battle_of_the_sexes", ("one", "other"), (_PLACES, _PLACES), table)


def _check(high: float, low: float) -> str | None:
    return None if high > low > 0 else "high > low > 0 is needed, or they do not disagree"


FAMILY = StrategicFamily(
    name="battle_of_the_sexes",
    title="Battle of the sexes",
    source="Luce & Raiffa 1957",
    roles=("one", "other"),
    parameters=("high", "low"),
    build=_build,
    check=_check,
    protocols={"BS1": (20, 10), "BS2": (30, 10)},
)
