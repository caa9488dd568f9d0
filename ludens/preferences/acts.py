"""Kind and unkind acts in a game tree: what the other did before one's own last move.

An act is kind if it lets one earn more at best than the middle between what the other's options let one earn
at best, and unkind if it lets one earn less (after the equitable payoff of Dufwenberg & Kirchsteiger, Games
and Economic Behavior 47, 2004, without beliefs; ours in that detail). Only acts that are known when one moves
count, the last of them. So trust is kind and an unequal offer unkind, and where both move at once there are
neither.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ludens.envs import ChanceNode, DecisionNode, GameTree, Node, PayoffNode
from ludens.envs.tree.nodes import walk
from ludens.envs.turn import Step


@lru_cache(maxsize=256)
def acts(game: GameTree) -> NDArray[np.float64]:
    """Return 1 after a kind act of the other, −1 after an unkind one, 0 without, for every leaf and role of a
    game of two; shape (leaves, roles).
    """
    known = {node.label: node.known for node in game.information_sets}
    kind = _kindness(game)
    found = np.zeros(game.payoffs.shape)
    for place, leaf in enumerate(game.leaves):
        for number, role in enumerate(game.roles):
            own = [step for step in leaf.path if step.role == role]
            before = known[own[-1].label] if own else ()
            others = [step for step in before if step.role not in {role, None}]
            if others:
                found[place, number] = kind[others[-1]]
    return found


def _kindness(game: GameTree) -> dict[Step, float]:
    """Return the sign of every move, which is the same at all nodes of an information set or counts as 0."""
    signs: dict[Step, set[float]] = {}
    for _, node in walk(game.root):
        if isinstance(node, DecisionNode):
            place = 1 - game.roles.index(node.role)
            best = {name: _best(child, place) for name, child in node.options.items()}
            middle = (min(best.values()) + max(best.values())) / 2
            for name, value in best.items():
                sign = float(np.sign(value - middle))
                signs.setdefault(Step(node.information, name, node.role), set()).add(sign)
    return {step: one.pop() if len(one) == 1 else 0.0 for step, one in signs.items()}


def _best(node: Node, place: int) -> float:
    """Return the most that a role can earn from here on."""
    if isinstance(node, PayoffNode):
        return float(node.payoffs[place])
    below = (
        [child for _, child in node.branches.values()]
        if isinstance(node, ChanceNode)
        else node.options.values()
    )
    return max(_best(child, place) for child in below)
