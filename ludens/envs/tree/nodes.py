"""The nodes that a game tree is made of, and ways to walk over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ludens.envs.turn import Step
from ludens.errors import UsageError


class GameError(UsageError):
    """An error in a game's definition; the message names the node and what to change."""


@dataclass(frozen=True)
class PayoffNode:
    """The end of a path: one payoff per role, in the order of the game's roles, in points."""

    payoffs: tuple[float, ...]


@dataclass(frozen=True)
class ChanceNode:
    """A draw by nature: `branches` maps an outcome's name to its probability and what follows.

    Probabilities are above 0 and sum to 1.
    """

    label: str
    branches: Mapping[str, tuple[float, Node]]


@dataclass(frozen=True)
class DecisionNode:
    """A move of `role`: `options` maps an option's name to what follows; its position is the option's number.

    Nodes that carry the same `information_set` cannot be distinguished by the mover: they must agree in
    role and options. Without one the node is a set of its own, named by its label.
    """

    label: str
    role: str
    options: Mapping[str, Node]
    information_set: str | None = None

    @property
    def information(self) -> str:
        """The name of the information set that this node belongs to."""
        return self.information_set or self.label


Node = PayoffNode | ChanceNode | DecisionNode


def walk(root: Node) -> Iterator[tuple[tuple[Step, ...], Node]]:
    """Return every node with the path that leads to it, parents before children, options in order."""
    stack: list[tuple[tuple[Step, ...], Node]] = [((), root)]
    while stack:
        path, node = stack.pop()
        yield path, node
        for step, child in reversed(children(node)):
            stack.append(((*path, step), child))


def children(node: Node) -> list[tuple[Step, Node]]:
    """Return the edges out of a node, each with the node it leads to, in order; none from a payoff node."""
    if isinstance(node, DecisionNode):
        return [(Step(node.information, name, node.role), child) for name, child in node.options.items()]
    if isinstance(node, ChanceNode):
        return [(Step(node.label, name, None), child) for name, (_, child) in node.branches.items()]
    return []
