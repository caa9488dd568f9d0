"""Pure coordination (Schelling, The Strategy of Conflict, 1960), with one meeting point that pays more
where high > low: the Hi-Lo game (Bacharach, Beyond Individual Choice, 2006).

Homo moralis with κ = 1 meets at the better point; in the mixed equilibrium of homines economici it is
chosen with probability low/(high + low).
"""

from __future__ import annotations

from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import StrategicGame
from ludens.envs.strategic.matrix import symmetric_game


def _build(high: float, low: float) -> StrategicGame:
    return symmetric_game("coordination", "player", ("tower", "bridge"), [[high, 0], [0, low]])


def _check(high: float, low: float) -> str | None:
    return None if high >= low > 0 else "high >= low > 0 is needed, or they do not want to meet"


FAMILY = StrategicFamily(
    name="coordination",
    title="Coordination game",
    source="Schelling 1960",
    roles=("player",),
    parameters=("high", "low"),
    build=_build,
    check=_check,
    prosocial={"choice": "tower"},
    protocols={"CG1": (10, 10), "CG2": (20, 10)},
)
