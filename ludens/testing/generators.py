"""Hypothesis strategies that draw games, for tests of claims about all games."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ludens.envs import ChanceNode, DecisionNode, Family, GameTree, Node, PayoffNode, walk

_ROLES = ("first", "second", "third")
_OPTIONS = ("a", "b", "c")
_PAYOFFS = st.integers(-20, 100)


def games(
    *,
    max_depth: int = 3,
    max_roles: int = 3,
    max_decisions: int = 6,
    chance: bool = True,
    hidden: bool = True,
) -> st.SearchStrategy[GameTree]:
    """Return game trees with 1 to `max_roles` (at most 3) roles, 2 or 3 options and whole-number payoffs.

    Args:
        max_depth: length of the longest path in moves, nature's included; there is at least one decision.
        max_roles: the greatest number of roles.
        max_decisions: the greatest number of decision nodes, at least 1; with 6 there are at most 729 pure
            strategies.
        chance: whether nature may move.
        hidden: whether moves may be hidden (information sets of several nodes); if not, information is
            perfect.
    """
    roles = st.integers(1, max_roles).map(lambda count: _ROLES[:count])
    return roles.flatmap(
        lambda names: _trees(
            names, max_depth=max_depth, max_decisions=max_decisions, chance=chance, hidden=hidden
        )
    )


def payoffs(family: Family) -> st.SearchStrategy[tuple[float, ...]]:
    """Return payoffs that are valid for a game of the family, one number per parameter."""
    count = len(family.parameters)
    numbers = st.lists(st.integers(0, 100), min_size=count, max_size=count, unique=True)

    def arranged(drawn: list[int]) -> list[tuple[float, ...]]:
        orders = itertools.permutations(map(float, sorted(drawn)))
        return [values for values in orders if family.check(*values) is None]

    return numbers.map(arranged).filter(bool).flatmap(st.sampled_from)


def behaviour_strategies(game: GameTree) -> st.SearchStrategy[NDArray[np.float64]]:
    """Return strategy vectors of a game, shape (width,): any distribution at each information set.

    Pure strategies are included.
    """
    sets = [_distributions(len(node.options)) for node in game.information_sets]
    return st.tuples(*sets).map(lambda parts: np.concatenate([*parts, np.zeros(0)]))


def _distributions(count: int) -> st.SearchStrategy[NDArray[np.float64]]:
    weights = st.lists(st.integers(0, 8), min_size=count, max_size=count).filter(any)
    return weights.map(lambda drawn: np.array(drawn) / sum(drawn))


@st.composite
def _trees(
    draw: st.DrawFn,
    roles: tuple[str, ...],
    *,
    max_depth: int,
    max_decisions: int,
    chance: bool,
    hidden: bool,
) -> GameTree:
    numbers = itertools.count(1)
    left = max_decisions

    def label() -> str:
        return f"node {next(numbers)}"

    def leaf() -> Node:
        return PayoffNode(tuple(draw(_PAYOFFS) for _ in roles))

    def branching(below: list[Node], role: str | None) -> Node:
        names = _OPTIONS[: len(below)]
        if role is not None:
            return DecisionNode(label(), role, dict(zip(names, below, strict=True)))
        weights = [draw(st.integers(1, 4)) for _ in below]
        shares = (weight / sum(weights) for weight in weights)
        return ChanceNode(label(), dict(zip(names, zip(shares, below, strict=True), strict=True)))

    def tree(depth: int) -> Node:
        """Return a subtree of at most `depth` moves."""
        nonlocal left
        kinds = ["leaf"] * (depth < max_depth) + ["decision"] * 2 * (left > 0) + ["chance"] * chance
        # A hidden move is made by another role or by nature, and is followed by two nodes that look alike.
        if hidden and depth >= 2 and (chance or len(roles) > 1) and left >= 3:
            kinds.append("hidden")
        kind = draw(st.sampled_from(kinds)) if depth else "leaf"
        if kind == "leaf":
            return leaf()
        options = draw(st.integers(2, 3))
        if kind == "hidden":
            return hidden_move(depth, options)
        role = None if kind == "chance" else draw(st.sampled_from(roles))
        left -= role is not None
        return branching([tree(depth - 1) for _ in range(options)], role)

    def hidden_move(depth: int, options: int) -> Node:
        """Return a move with an answer by a role that cannot distinguish some of the move's options."""
        nonlocal left
        blind = draw(st.sampled_from(roles))
        movers: list[str | None] = [role for role in roles if role != blind]
        mover = draw(st.sampled_from([*movers, None] if chance else movers))
        left -= mover is not None
        answers = _OPTIONS[: draw(st.integers(2, 3))]
        unseen = draw(st.integers(2, min(options, left)))
        left -= unseen
        together = f"set {next(numbers)}"
        below: list[Node] = [
            DecisionNode(label(), blind, {name: tree(depth - 2) for name in answers}, together)
            for _ in range(unseen)
        ]
        below += [tree(depth - 1) for _ in range(options - unseen)]
        return branching(below, mover)

    root = tree(max_depth)
    if not any(isinstance(node, DecisionNode) for _, node in walk(root)):
        root = DecisionNode(label(), draw(st.sampled_from(roles)), {"a": leaf(), "b": leaf()})
    return GameTree("drawn", roles, root)
