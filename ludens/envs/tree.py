"""Finite sequential games as one tree of decision, chance and payoff nodes.

A `GameTree` is pure data: who may move where, what follows, what everybody is paid. Everything else
(strategies, expected payoffs, the PettingZoo environment, the Gambit file, the picture) is derived from it.

Perfect recall is required of every role and no information set may be met twice on one path; then behaviour
strategies lose nothing against mixed ones (Kuhn 1953) and expected payoffs are multilinear in them.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError

PROBABILITY_TOLERANCE = 1e-9


class GameError(UsageError):
    """A game's definition is wrong: the message names the node and what to change."""


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

    Nodes that carry the same `information_set` cannot be told apart by the mover: they must agree in role and
    options. Without one the node is a set of its own, named by its label.
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


@dataclass(frozen=True)
class Step:
    """One edge of a path: at the node `label` (an information set, or a chance node) `option` followed.

    `role` is None where nature moved.
    """

    label: str
    option: str
    role: str | None


@dataclass(frozen=True)
class InformationSet:
    """What a role can tell apart when it moves, and what it may then choose.

    `known` are the steps common to all paths into the set: all that the mover has learnt. `columns` are this
    set's places in a strategy vector.
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
class GameTree:
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "roles", tuple(self.roles))
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))
        _check_roles(self)
        _check_tree(self)
        _check_information(self)

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
        """The information set of that name.

        Raises:
            GameError: there is none; the message lists those that exist.
        """
        for node in self.information_sets:
            if node.label == label:
                return node
        known = ", ".join(node.label for node in self.information_sets)
        raise GameError(f"{self!r} has no information set {label!r}; it has {known}.")


def walk(root: Node) -> Iterator[tuple[tuple[Step, ...], Node]]:
    """Every node with the path that leads to it, parents before children, options in order."""
    stack: list[tuple[tuple[Step, ...], Node]] = [((), root)]
    while stack:
        path, node = stack.pop()
        yield path, node
        for step, child in reversed(children(node)):
            stack.append(((*path, step), child))


def children(node: Node) -> list[tuple[Step, Node]]:
    """The edges out of a node, each with the node it leads to, in order; none from a payoff node."""
    if isinstance(node, DecisionNode):
        return [(Step(node.information, name, node.role), child) for name, child in node.options.items()]
    if isinstance(node, ChanceNode):
        return [(Step(node.label, name, None), child) for name, (_, child) in node.branches.items()]
    return []


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


def _where(path: Sequence[Step], node: object) -> str:
    label = getattr(node, "label", None)
    way = " > ".join(step.option for step in path) or "the root"
    return f"node {label!r} (at {way})" if label else f"the node at {way}"


def _check_roles(game: GameTree) -> None:
    if not game.roles or not all(isinstance(role, str) and role for role in game.roles):
        raise GameError(
            f"Game {game.name!r} needs at least one role, each a non-empty name; got {game.roles!r}."
        )
    if len(set(game.roles)) < len(game.roles):
        raise GameError(f"Game {game.name!r} names a role twice: {game.roles!r}; give each its own name.")


def _check_tree(game: GameTree) -> None:
    labels: set[str] = set()
    for path, node in walk(game.root):
        where = f"Game {game.name!r}, {_where(path, node)}"
        if isinstance(node, PayoffNode):
            _check_payoffs(game, node, where)
            continue
        if not isinstance(node, DecisionNode | ChanceNode):
            raise GameError(f"{where}, is {node!r}; use a DecisionNode, ChanceNode or PayoffNode.")
        if not node.label or node.label in labels:
            raise GameError(f"{where}, needs a label of its own; {node.label!r} is empty or used twice.")
        labels.add(node.label)
        if isinstance(node, ChanceNode):
            _check_chance(node, where)
            continue
        _check_names(node.options, "options", where)
        if node.role not in game.roles:
            raise GameError(
                f"{where}, belongs to role {node.role!r}; the game's roles are {', '.join(game.roles)}."
            )
        if len(node.options) < 2:
            raise GameError(f"{where}, offers {len(node.options)} option(s); a decision needs at least two.")


def _check_names(branches: object, what: str, where: str) -> None:
    if not isinstance(branches, Mapping):
        raise GameError(f"{where}, has {what} {branches!r}; give a mapping from names to what follows.")
    wrong = [name for name in branches if not isinstance(name, str) or not name]
    if wrong:
        raise GameError(f"{where}, has {what} named {wrong[0]!r}; a name must be a non-empty text.")


def _check_payoffs(game: GameTree, node: PayoffNode, where: str) -> None:
    if not isinstance(node.payoffs, Sequence) or isinstance(node.payoffs, str):
        raise GameError(f"{where}, pays {node.payoffs!r}; give a tuple with one number for each role.")
    if len(node.payoffs) != len(game.roles):
        raise GameError(
            f"{where}, pays {len(node.payoffs)} number(s) for {len(game.roles)} role(s); give one each."
        )
    if not all(isinstance(value, numbers.Real) and math.isfinite(value) for value in node.payoffs):
        raise GameError(f"{where}, pays {node.payoffs!r}; payoffs must be finite numbers.")


def _check_chance(node: ChanceNode, where: str) -> None:
    _check_names(node.branches, "branches", where)
    if not all(isinstance(branch, tuple) and len(branch) == 2 for branch in node.branches.values()):
        raise GameError(f"{where}, must map each outcome to a pair: its probability, and what follows.")
    shares = [share for share, _ in node.branches.values()]
    if not shares or not all(isinstance(x, numbers.Real) and math.isfinite(x) and x > 0 for x in shares):
        raise GameError(f"{where}, has probabilities {shares!r}; each must be above 0.")
    if abs(sum(shares) - 1) > PROBABILITY_TOLERANCE:
        raise GameError(f"{where}, has probabilities that sum to {sum(shares):.6g}; they must sum to 1.")


def _check_information(game: GameTree) -> None:
    seen: dict[str, tuple[DecisionNode, tuple[Step, ...]]] = {}
    labels = {node.label: node for _, node in walk(game.root) if isinstance(node, DecisionNode | ChanceNode)}
    for path, node in walk(game.root):
        if not isinstance(node, DecisionNode):
            continue
        where = f"Game {game.name!r}, {_where(path, node)}"
        name = node.information
        namesake = labels.get(name)
        if namesake is not None and (isinstance(namesake, ChanceNode) or namesake.information != name):
            raise GameError(
                f"{where}, is in information set {name!r}, the label of another node; rename one."
            )
        if any(step.label == name for step in path):
            raise GameError(f"{where}, meets information set {name!r} twice on one path; split the set.")
        own = tuple(step for step in path if step.role == node.role)
        other, other_own = seen.setdefault(name, (node, own))
        if other.role != node.role or tuple(other.options) != tuple(node.options):
            raise GameError(
                f"{where}, shares information set {name!r} with node {other.label!r} "
                "but differs in role or options."
            )
        if other_own != own:
            raise GameError(
                f"{where}, shares information set {name!r} with node {other.label!r}, but {node.role!r} "
                "came there by other moves of its own: roles must remember what they did."
            )
