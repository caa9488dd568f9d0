"""The oracle for many problems at once: games of one shape × preferences × beliefs.

The utilities of all pure strategies in all problems come from one matrix product; `best_strategies` and
`choice_probabilities` solve a batch of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs import AnyGame, GameTree, StrategicGame, pure_strategies
from ludens.errors import UsageError
from ludens.preferences.preference import Preferences, preference_array
from ludens.preferences.strategic import payoff_range, plan_utilities
from ludens.preferences.terms import check_payoffs, grid_terms, location

TOLERANCE = 1e-9
"""Utilities closer than this share of the payoff scale count as tied."""


@dataclass(frozen=True, eq=False)
class GridSolution:
    """The oracle's solutions of a batch of problems.

    Attributes:
        strategies: the pure strategies, shape (n, width).
        utilities: of every strategy, in points, shape (..., n).
        best: which strategies are optimal, ties included, bool, shape (..., n).
        margin: points by which the optimal strategies lead the best other one, shape (...); inf where all
            are tied.
        scale: payoff scale by which ties are judged, in points, shape (...).
    """

    strategies: NDArray[np.float64]
    utilities: NDArray[np.float64]
    best: NDArray[np.bool_]
    margin: NDArray[np.float64]
    scale: NDArray[np.float64]


def solve_grid(
    game: GameTree,
    payoffs: ArrayLike,
    preferences: Preferences | Sequence[Preferences] | ArrayLike,
    beliefs: ArrayLike,
    *,
    tolerance: float = TOLERANCE,
) -> GridSolution:
    """Compute utilities and optimal strategies of games × preferences × beliefs, whose leading axes
    broadcast.

    For example, 6 dilemmas × 3 preferences × 5 beliefs are
    ``solve_grid(game, payoff_table(games)[:, None, None], preferences[:, None, :], beliefs)`` with shape
    (6, 3, 5).

    Args:
        game: any game of the common shape.
        payoffs: points, shape (..., leaves, roles); `payoff_table` makes it from games.
        preferences: one `Preferences`, a list of them, or an array (..., 3) of (α, β, κ).
        beliefs: strategies, shape (..., width).
        tolerance: strategies count as tied if their utilities differ by at most this × (largest − smallest
            payoff of the game) × (1 + |α| + |β|).

    Raises:
        GameError: a belief is not a strategy of the game.
        UsageError: payoffs or preferences have a wrong shape or value, or the axes do not broadcast.
    """
    weights = preference_array(preferences)
    table = check_payoffs(game, payoffs)
    middle, spread = location(table)
    try:
        terms = grid_terms(game, table - middle[..., None, None], beliefs)
        centred = terms.utility(weights)
        scale = np.broadcast_to(spread * (1 + np.abs(weights[..., :2]).sum(-1)), centred.shape[:-1])
    except ValueError as error:
        if isinstance(error, UsageError):
            raise
        axes = (table.shape[:-2], weights.shape[:-1], np.shape(beliefs)[:-1])
        raise UsageError(
            f"Leading axes of payoffs, preferences and beliefs do not broadcast: {axes}."
        ) from None
    top = centred.max(axis=-1, keepdims=True)
    best = centred >= top - tolerance * scale[..., None]
    margin = top[..., 0] - np.where(best, -np.inf, centred).max(axis=-1)
    return GridSolution(pure_strategies(game), centred + middle[..., None], best, margin, scale)


def solve_game(
    game: AnyGame,
    preferences: Preferences | Sequence[Preferences] | ArrayLike,
    beliefs: ArrayLike,
    *,
    tolerance: float = TOLERANCE,
) -> GridSolution:
    """Compute utilities and optimal strategies of preferences × beliefs, whose leading axes broadcast, in one
    game: a game tree, or one in which all move at once.

    Raises:
        GameError: a belief is not a strategy of the game.
        UsageError: preferences have a wrong shape or value, or the axes do not broadcast.
    """
    if isinstance(game, GameTree):
        return solve_grid(game, game.payoffs, preferences, beliefs, tolerance=tolerance)
    weights = preference_array(preferences)
    try:
        utilities = plan_utilities(game, weights, beliefs)
    except ValueError as error:
        if isinstance(error, UsageError):
            raise
        axes = (weights.shape[:-1], np.shape(beliefs)[:-1])
        raise UsageError(f"Leading axes of preferences and beliefs do not broadcast: {axes}.") from None
    low, high = payoff_range(game)
    scale = np.broadcast_to((high - low) * (1 + np.abs(weights[..., :2]).sum(-1)), utilities.shape[:-1])
    top = utilities.max(axis=-1, keepdims=True)
    best = utilities >= top - tolerance * scale[..., None]
    margin = top[..., 0] - np.where(best, -np.inf, utilities).max(axis=-1)
    return GridSolution(pure_strategies(game), utilities, best, margin, scale)


def largest_payoff(game: AnyGame) -> float:
    """Return the largest absolute payoff, in points, by which rounding is judged."""
    if isinstance(game, StrategicGame):
        return max(map(abs, payoff_range(game)))
    return float(np.abs(game.payoffs).max())


def payoff_table(games: Sequence[GameTree]) -> NDArray[np.float64]:
    """Return the payoffs of games of one shape, in points; shape (games, leaves, roles).

    Raises:
        UsageError: there is no game, or two games differ in more than payoffs.
    """
    if not games:
        raise UsageError("A payoff table needs at least one game; got none.")
    first = games[0]
    for game in games[1:]:
        if not same_shape(first, game):
            raise UsageError(
                f"{game!r} and {first!r} differ in more than payoffs; solve them in separate grids."
            )
    return np.stack([game.payoffs for game in games])


def same_shape(one: GameTree, other: GameTree) -> bool:
    """Return whether two games differ in payoffs alone, and so have the same strategies in the same order."""
    if one.roles != other.roles or one.information_sets != other.information_sets:
        return False
    return [(leaf.path, leaf.chance) for leaf in one.leaves] == [
        (leaf.path, leaf.chance) for leaf in other.leaves
    ]
