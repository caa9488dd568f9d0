"""Strategies over a game tree, and the outcomes that follow from them.

A *strategy* is a complete plan for every role: for each information set a distribution over its options. It
is a vector of length `game.width`, the sets' distributions laid end to end (`InformationSet.columns`);
leading axes are batch axes throughout. With x the own strategy and y that of everybody else:

    π_r(x, y) = Σ_leaves P(leaf | role r plays x, the others y) · payoff_r(leaf)
    π(x, y) = mean of π_r(x, y) over roles r

the mean being the value before roles are drawn, each equally likely (van Leeuwen & Alger 2024).
"""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs.tree.nodes import GameError
from ludens.envs.tree.tree import GameTree, InformationSet

Strategy = NDArray[np.float64]

MAX_PURE_STRATEGIES = 1 << 20
MAX_TABLE = 1 << 25


class Choices(Protocol):
    """A game as strategies see it: where its players decide, and between what."""

    @property
    def information_sets(self) -> tuple[InformationSet, ...]:
        """All information sets, in the order of strategy vectors."""

    @property
    def width(self) -> int:
        """The length of a strategy vector: options summed over information sets."""

    def information_set(self, label: str) -> InformationSet:
        """Return the information set of that name."""

    def __hash__(self) -> int: ...


def strategy(game: Choices, plan: Mapping[str, str | float | Mapping[str, float]]) -> Strategy:
    """Return a strategy from names.

    Per information set the plan has an option's name, the probability of its first option (sets with two
    options), or a probability for each option.

    Raises:
        GameError: a set is missing or unknown, an option is unknown, or probabilities do not form a
            distribution.
    """
    unknown = set(plan) - {node.label for node in game.information_sets}
    if unknown:
        game.information_set(min(unknown, key=str))
    vector = np.zeros(game.width)
    for node in game.information_sets:
        if node.label not in plan:
            raise GameError(
                f"The strategy for {game!r} says nothing of {node.label!r}; name every information set."
            )
        vector[node.columns] = _distribution(game, node, plan[node.label])
    return check_strategy(game, vector)


def uniform_strategy(game: Choices) -> Strategy:
    """Return every option of an information set equally likely; shape (width,)."""
    shares = [np.full(len(node.options), 1 / len(node.options)) for node in game.information_sets]
    return np.concatenate([np.zeros(0), *shares])


def check_strategy(game: Choices, vector: ArrayLike) -> Strategy:
    """Return the vector as float64, shape (..., width), if it is a distribution at every information set.

    Raises:
        GameError: not numbers, wrong length, a negative or non-finite entry, or probabilities that do not sum
            to 1 (to 1e-6).
    """
    try:
        array = np.asarray(vector, dtype=np.float64)
    except (TypeError, ValueError):
        raise GameError(f"A strategy for {game!r} is a vector of numbers; got {vector!r}.") from None
    if array.ndim == 0 or array.shape[-1] != game.width:
        raise GameError(
            f"A strategy for {game!r} has {game.width} entries in its last axis; got {array.shape}."
        )
    for node in game.information_sets:
        part = array[..., node.columns]
        if not np.all(np.isfinite(part)) or np.any(part < 0) or np.any(np.abs(part.sum(-1) - 1) > 1e-6):
            raise GameError(
                f"The strategy for {game!r} is not a probability distribution at {node.label!r}: {part}."
            )
    return array


def describe_strategy(game: Choices, vector: ArrayLike) -> dict[str, dict[str, float]]:
    """Return the strategy (one vector) with its names back: information set → option → probability."""
    array = check_strategy(game, vector)
    return {
        node.label: dict(zip(node.options, array[node.columns].tolist(), strict=True))
        for node in game.information_sets
    }


@lru_cache(maxsize=256)
def pure_strategies(game: Choices) -> Strategy:
    """Return every pure strategy, shape (n, width), the first information set varying slowest.

    Raises:
        GameError: there are more than about a million of them.
    """
    sizes = [len(node.options) for node in game.information_sets]
    count = int(np.prod(sizes, dtype=object)) if sizes else 1
    if count > MAX_PURE_STRATEGIES or count * sum(sizes) > MAX_TABLE:
        raise GameError(
            f"{game!r} has {count} pure strategies of {sum(sizes)} entries each, and a table holds at most "
            f"{MAX_PURE_STRATEGIES} strategies and {MAX_TABLE} entries."
        )
    blocks = [np.eye(size) for size in sizes]
    rows = [np.concatenate(choice) for choice in itertools.product(*blocks)] if sizes else [np.zeros(0)]
    table = np.stack(rows)
    table.setflags(write=False)
    return table


def path_probabilities(game: GameTree, vector: ArrayLike) -> NDArray[np.float64]:
    """Return the probabilities with which `vector`, played in one role, makes its moves towards each leaf.

    Moves of nature and of other roles count as certain; shape (..., leaves, roles).
    """
    array = np.asarray(vector, dtype=np.float64)
    padded = np.concatenate([array, np.ones((*array.shape[:-1], 1))], axis=-1)
    shares: NDArray[np.float64] = padded[..., _path_columns(game)].prod(axis=-1)
    return shares


def outcome_probabilities(
    game: GameTree, own: ArrayLike, others: ArrayLike, role: str | None = None
) -> NDArray[np.float64]:
    """Return the probability of every leaf when one player plays `own` and all the others play `others`.

    With `role` the player sits there: shape (..., leaves). Without, one column per role the player may be
    given: shape (..., leaves, roles). `own` and `others` broadcast against each other.

    Raises:
        GameError: they do not broadcast, or there is no such role.
    """
    mine, theirs = path_probabilities(game, own), path_probabilities(game, others)
    try:
        # Broadcast first: in a game with one role the others have no move that would bring their axes in.
        mine, theirs = np.broadcast_arrays(mine, theirs)
    except ValueError:
        axes = (mine.shape[:-2], theirs.shape[:-2])
        raise GameError(f"Leading axes of the strategies for {game!r} do not broadcast: {axes}.") from None
    chance = leaf_chances(game)
    if role is not None:
        return chance * _seat_product(mine, theirs, _role_index(game, role))
    return np.stack([chance * _seat_product(mine, theirs, r) for r in range(len(game.roles))], axis=-1)


def expected_payoff(
    game: GameTree, own: ArrayLike, others: ArrayLike, role: str | None = None
) -> NDArray[np.float64]:
    """Return π_r(x, y) in a fixed `role`, or π(x, y) with roles drawn at random, in points, by batch."""
    probabilities = outcome_probabilities(game, own, others, role)
    if role is not None:
        return probabilities @ game.payoffs[:, _role_index(game, role)]
    summed: NDArray[np.float64] = (probabilities * game.payoffs).sum(axis=(-2, -1))
    return summed / len(game.roles)


@lru_cache(maxsize=256)
def leaf_chances(game: GameTree) -> NDArray[np.float64]:
    """Return nature's probability of its own moves on the way to each leaf, shape (leaves,)."""
    chances = np.array([leaf.chance for leaf in game.leaves])
    chances.setflags(write=False)
    return chances


def _seat_product(mine: NDArray[np.float64], theirs: NDArray[np.float64], seat: int) -> NDArray[np.float64]:
    roles = mine.shape[-1]
    product = mine[..., seat]
    for other in range(roles):
        if other != seat:
            product = product * theirs[..., other]
    return product


def _role_index(game: GameTree, role: str) -> int:
    if role not in game.roles:
        raise GameError(f"{game!r} has no role {role!r}; its roles are {', '.join(game.roles)}.")
    return game.roles.index(role)


@lru_cache(maxsize=256)
def _path_columns(game: GameTree) -> NDArray[np.intp]:
    """Return the strategy columns that each role chooses on the way to each leaf.

    The shape is (leaves, roles, depth), padded by `width`.
    """
    columns = [[list(_chosen(game, leaf_path, role)) for role in game.roles] for leaf_path in _paths(game)]
    depth = max((len(entry) for row in columns for entry in row), default=0)
    padded = [[entry + [game.width] * (depth - len(entry)) for entry in row] for row in columns]
    return np.array(padded, dtype=np.intp).reshape(len(columns), len(game.roles), depth)


def _paths(game: GameTree) -> list[dict[str, str]]:
    return [{step.label: step.option for step in leaf.path if step.role is not None} for leaf in game.leaves]


def _chosen(game: GameTree, path: Mapping[str, str], role: str) -> Iterator[int]:
    for node in game.information_sets:
        if node.role == role and node.label in path:
            yield node.columns.start + node.options.index(path[node.label])


def _distribution(
    game: Choices, node: InformationSet, wanted: str | float | Mapping[str, float]
) -> NDArray[np.float64]:
    if isinstance(wanted, str):
        wanted = {wanted: 1.0}
    if isinstance(wanted, Mapping):
        unknown = set(wanted) - set(node.options)
        if unknown:
            raise GameError(
                f"{game!r} offers no {min(unknown, key=str)!r} at {node.label!r}, "
                f"only {', '.join(node.options)}."
            )
        shares = [wanted.get(option, 0.0) for option in node.options]
        if not all(isinstance(share, numbers.Real) for share in shares):
            raise GameError(f"{node.label!r} of {game!r} needs numbers as probabilities; got {wanted!r}.")
        return np.array(shares, dtype=np.float64)
    if len(node.options) != 2:
        raise GameError(
            f"{node.label!r} of {game!r} has {len(node.options)} options; give each a probability by name."
        )
    if not isinstance(wanted, numbers.Real):
        raise GameError(f"{node.label!r} of {game!r} needs an option or probabilities; got {wanted!r}.")
    return np.array([float(wanted), 1 - float(wanted)])
