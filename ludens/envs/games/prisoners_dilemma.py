"""The prisoner's dilemma, played simultaneously (Flood & Dresher 1950; Rapoport & Chammah, Prisoner's
Dilemma, 1965): cooperate or defect.

PD1 has the payoffs of Axelrod (The Evolution of Cooperation, 1984). In PD2 homo moralis defects up to κ =
1/4 and cooperates from κ = 2/3 on, and mixes in between (after Alger & Weibull, Econometrica 2013). PD3
has the payoffs of CoopEval (arXiv 2604.15267, 2026).
"""

from __future__ import annotations

from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import StrategicGame
from ludens.envs.strategic.matrix import symmetric_game
from ludens.envs.tree.family import ordered


def _build(T: float, R: float, P: float, S: float) -> StrategicGame:
    return symmetric_game("prisoners_dilemma", "player", ("cooperate", "defect"), [[R, S], [T, P]])


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
    protocols={"PD1": (5, 3, 1, 0), "PD2": (7, 5, 3, 2), "PD3": (3, 2, 1, 0)},
)
