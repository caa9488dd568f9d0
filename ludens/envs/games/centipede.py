"""The centipede game (Rosenthal 1981; McKelvey & Palfrey, Econometrica 60(4), 1992).

Two players move in turns: to take gives the mover the large pile and the other the small one; to pass
multiplies both. After the last pass the other player has the large pile. In the subgame-perfect equilibrium
the first mover takes at once.
"""

from __future__ import annotations

from ludens.envs.tree.family import Family
from ludens.envs.tree.nodes import DecisionNode, Node, PayoffNode

_ROLES = ("first mover", "second mover")


def _build(large: float, small: float, growth: float, moves: float) -> Node:
    def below(move: int) -> Node:
        piles = (large * growth**move, small * growth**move)
        taken = PayoffNode(piles if move % 2 == 0 else piles[::-1])
        if move == int(moves):
            return taken
        options: dict[str, Node] = {"take": taken, "pass": below(move + 1)}
        return DecisionNode(f"move {move + 1}", _ROLES[move % 2], options)

    return below(0)


def _check(large: float, small: float, growth: float, moves: float) -> str | None:
    if not large > small >= 0:
        return "large > small >= 0 is needed"
    if not growth > 1 or not large > growth * small:
        return "growth > 1 and large > growth * small are needed, or to take is not better at the end"
    return None if moves == int(moves) and 1 <= moves <= 16 else "moves is a whole number from 1 to 16"


FAMILY = Family(
    name="centipede",
    title="Centipede game",
    source="McKelvey & Palfrey 1992",
    roles=_ROLES,
    parameters=("large", "small", "growth", "moves"),
    build=_build,
    check=_check,
    prosocial={},
    protocols={"CT1": (40, 10, 2, 4), "CT2": (40, 10, 2, 6)},
    benchmark=False,
)
