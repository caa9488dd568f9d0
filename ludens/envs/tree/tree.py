"""Finite sequential games as one tree of decision, chance and payoff nodes.

A `GameTree` is pure data: who may move where, what follows, what everybody is paid. Everything else
(strategies, expected payoffs, the PettingZoo environment, the Gambit file, the picture) is derived from it.

`ludens.envs.tree.definition` says what a definition must satisfy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ludens.display.notebook import Shown
from ludens.envs.tree.definition import check_definition
from ludens.envs.tree.nodes import ChanceNode, DecisionNode, GameError, Node, PayoffNode, children, walk
from ludens.envs.turn import Step


@dataclass(frozen=True)
class InformationSet:
    """What a role can tell apart when it moves, and what it may then choose.

    `known` are the steps common to all paths into the set: what the mover knows for certain. `columns` are
    this set's places in a strategy vector.
    """

    label: str
    role: str
    options: tuple[str, ...]
    known: tuple[Step, ...]
    columns: slice


@dataclass(frozen=True)
class Leaf:
    """One way in which the game can end: its path, nature's share in its probability, payoffs per role."""

    path: tuple[Step, ...]
    chance: float
    payoffs: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class GameTree(Shown):
    """A finite sequential game.

    Args:
        name: the game's family, for example ``"trust"``; names its wordings.
        roles: the parts to play, at least one; payoffs are listed in this order.
        root: the first node.
        parameters: the numbers from which the tree was built (for example T, R, P, S), for tables and
            wordings.
        protocol: the name of a published parameter set, if it is one.

    Raises:
        GameError: the definition is inconsistent; the message names the node.
    """

    name: str
    roles: tuple[str, ...]
    root: Node
    parameters: Mapping[str, float] = field(default_factory=dict)
    protocol: str | None = None
    shown_by: ClassVar[str] = "ludens.envs.tree.drawing:view"

    def __post_init__(self) -> None:
        check_definition(self.name, self.roles, self.root, self.parameters)
        object.__setattr__(self, "roles", tuple(self.roles))
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))

    def __eq__(self, other: object) -> bool:
        # Mappings compare without regard to order, but options are numbered in order: the leaves carry it.
        if not isinstance(other, GameTree):
            return NotImplemented
        return self is other or (self._identity == other._identity and self.root == other.root)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _identity(self) -> tuple[object, ...]:
        return (self.name, self.protocol, self.roles, tuple(self.parameters.items()), self.leaves)

    @cached_property
    def _hash(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        shown = self.protocol or ", ".join(f"{key}={value:g}" for key, value in self.parameters.items())
        return f"GameTree({self.name}{': ' + shown if shown else ''})"

    def __getstate__(self) -> dict[str, object]:
        # A mapping proxy cannot be pickled, and what is derived is cheaper to derive again than to carry.
        state = {key: getattr(self, key) for key in ("name", "roles", "root", "protocol")}
        return state | {"parameters": dict(self.parameters)}

    def __setstate__(self, state: dict[str, object]) -> None:
        for key, value in state.items():
            object.__setattr__(self, key, value)
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))

    @cached_property
    def information_sets(self) -> tuple[InformationSet, ...]:
        """All information sets, in the order in which a walk of the tree meets them first."""
        return _collect_information_sets(self)

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """All ends of the game, in tree order."""
        return tuple(_leaves(self))

    @cached_property
    def payoffs(self) -> NDArray[np.float64]:
        """Payoffs of every leaf, shape (leaves, roles), in points."""
        table = np.array([leaf.payoffs for leaf in self.leaves], dtype=np.float64)
        table.setflags(write=False)
        return table

    @cached_property
    def width(self) -> int:
        """The length of a strategy vector: options summed over information sets."""
        return sum(len(node.options) for node in self.information_sets)

    def information_set(self, label: str) -> InformationSet:
        """Return the information set of that name.

        Raises:
            GameError: there is no such set; the message lists those that exist.
        """
        for node in self.information_sets:
            if node.label == label:
                return node
        known = ", ".join(node.label for node in self.information_sets)
        raise GameError(f"{self!r} has no information set {label!r}; it has {known}.")


def _leaves(game: GameTree) -> Iterator[Leaf]:
    def below(node: Node, path: tuple[Step, ...], chance: float) -> Iterator[Leaf]:
        if isinstance(node, PayoffNode):
            yield Leaf(path, chance, tuple(float(value) for value in node.payoffs))
        for step, child in children(node):
            share = node.branches[step.option][0] if isinstance(node, ChanceNode) else 1.0
            yield from below(child, (*path, step), chance * share)

    return below(game.root, (), 1.0)


def _collect_information_sets(game: GameTree) -> tuple[InformationSet, ...]:
    paths: dict[str, list[tuple[Step, ...]]] = {}
    first: dict[str, DecisionNode] = {}
    for path, node in walk(game.root):
        if isinstance(node, DecisionNode):
            paths.setdefault(node.information, []).append(path)
            first.setdefault(node.information, node)
    found: list[InformationSet] = []
    start = 0
    for label, node in first.items():
        stop = start + len(node.options)
        common = tuple(step for step in paths[label][0] if all(step in other for other in paths[label][1:]))
        found.append(InformationSet(label, node.role, tuple(node.options), common, slice(start, stop)))
        start = stop
    return tuple(found)
