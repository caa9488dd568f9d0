"""What a seat takes a finished round of a game tree to have been, where it sees others' moves with noise.

Every move of another's is seen as another one with some probability, unless that contradicts what the seat
did or learnt in the round itself: who answers to trust knows that there was some. Moves that followed on a
path that was not taken are those that the others have answered, and otherwise drawn with equal chances. Of a
game in which all move at once, written as a tree with hidden moves, this is the noise of `StrategicEnv`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ludens.envs.tree.tree import GameTree, Leaf


def misread(
    game: GameTree,
    truth: Leaf,
    role: str | None,
    *,
    noise: float,
    rng: np.random.Generator,
    answers: Mapping[str, str] | None = None,
) -> Leaf:
    """Return how the seat in a role takes a round to have ended.

    Args:
        game: the rules.
        truth: how it ended.
        role: the seat's own; None for a seat that was not in the round.
        noise: the probability with which a move of another's is seen wrongly.
        rng: for what is drawn.
        answers: what everybody answered at every information set, with the strategy method, where a seat
            learns nothing during the round; None where moves were made one after another.
    """
    happened = {step.label: step.option for step in truth.path} | dict(answers or {})
    leaves = [leaf for leaf in game.leaves if _is_possible(leaf, truth, role, answers)]
    depth = 0
    while len(leaves) > 1:
        step = leaves[0].path[depth]
        options = list(dict.fromkeys(leaf.path[depth].option for leaf in leaves))
        option = happened.get(step.label, "")
        others = [name for name in options if name != option]
        seen_rightly = option in options
        if seen_rightly and others and step.role not in (None, role):
            seen_rightly = not rng.random() < noise
        if not seen_rightly:
            option = str(rng.choice(others))
        leaves = [leaf for leaf in leaves if leaf.path[depth].option == option]
        depth += 1
    return leaves[0]


def _is_possible(leaf: Leaf, truth: Leaf, role: str | None, answers: Mapping[str, str] | None) -> bool:
    """Return whether a round that ended in `leaf` agrees with all that the seat did and learnt."""
    if role is None:
        return True
    own = [step for step in leaf.path if step.role == role]
    if answers is None:
        return own == [step for step in truth.path if step.role == role]
    return all(answers[step.label] == step.option for step in own)
