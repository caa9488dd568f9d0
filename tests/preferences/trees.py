"""Random game trees for Hypothesis: few nodes, whole-number payoffs, chance and hidden moves on demand."""

from __future__ import annotations

from hypothesis import strategies as st

from ludens.envs import ChanceNode, DecisionNode, GameTree, PayoffNode, walk

POINTS = st.integers(-20, 100)
SHARES = st.sampled_from([(0.5, 0.5), (0.25, 0.75), (1 / 3, 2 / 3), (0.25, 0.25, 0.5)])


@st.composite
def trees(draw, chance=True, hidden=False, most_decisions=6):
    """A tree of up to 3 roles and `most_decisions` decision nodes, at least one of them."""
    roles = tuple(f"role {number}" for number in range(draw(st.integers(1, 3))))
    left = most_decisions
    count = 0

    def payoff():
        return PayoffNode(tuple(draw(POINTS) for _ in roles))

    def decision(depth, role=None, size=None, shared=None):
        nonlocal left, count
        left -= 1
        count += 1
        label = f"node {count}"
        role = role or draw(st.sampled_from(roles))
        size = size or draw(st.integers(2, 3))
        others = [other for other in roles if other != role]
        if hidden and depth > 1 and others and left >= size and draw(st.booleans()):
            mover, options = draw(st.sampled_from(others)), draw(st.integers(2, 3))
            children = [decision(depth - 1, mover, options, f"set after {label}") for _ in range(size)]
        else:
            children = [node(depth - 1) for _ in range(size)]
        return DecisionNode(label, role, {f"option {k}": child for k, child in enumerate(children)}, shared)

    def node(depth):
        nonlocal count
        kinds = ["pay"] if depth <= 0 or left <= 0 else ["pay", "decide", "decide"]
        if chance and depth > 0:
            kinds.append("chance")
        kind = draw(st.sampled_from(kinds))
        if kind == "pay":
            return payoff()
        if kind == "decide":
            return decision(depth)
        count += 1
        label = f"node {count}"
        shares = draw(SHARES)
        return ChanceNode(label, {f"draw {k}": (share, node(depth - 1)) for k, share in enumerate(shares)})

    return GameTree("random", roles, decision(3))


def subgames(game):
    """The game that starts at every node but the ends; a game of perfect information."""
    return [
        GameTree("part", game.roles, node) for _, node in walk(game.root) if not isinstance(node, PayoffNode)
    ]
