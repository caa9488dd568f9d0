"""The four terms in which utility is linear, per pure strategy.

For a strategy x, a belief y (everybody else plays y) and each role r of n, drawn with probability 1/n,

    own          π(x, y)  = mean_r Σ_leaves P_r(leaf) · payoff_r
    behind       mean_r Σ_leaves P_r(leaf) · mean_{o≠r} max(0, payoff_o − payoff_r)
    ahead        mean_r Σ_leaves P_r(leaf) · mean_{o≠r} max(0, payoff_r − payoff_o)
    universalised π(x, x)

    u = (1−κ)·own + κ·universalised − α·behind − β·ahead

where P_r is the outcome distribution of x in role r against y in all other roles. Both comparison terms are
therefore expectations over what happens, not over what would happen if x were universal. Sources: van Leeuwen
& Alger (JPE Microeconomics 2(4), 2024) with Fehr & Schmidt's (QJE 1999) average over the others for n > 2
roles.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs import AnyGame, GameTree, StrategicGame, check_strategy, path_probabilities, pure_strategies
from ludens.envs.tree.strategies import leaf_chances
from ludens.errors import UsageError
from ludens.preferences.preference import Preferences, preference_array
from ludens.preferences.strategic import strategic_terms

Floats = NDArray[np.float64]


class UtilityTerms(NamedTuple):
    """The four terms of every pure strategy, in points, each of shape (..., strategies)."""

    own: Floats
    behind: Floats
    ahead: Floats
    universalised: Floats

    def utility(self, preferences: Preferences | ArrayLike) -> Floats:
        """Return (1−κ)·own + κ·universalised − α·behind − β·ahead, shape (..., strategies); the leading
        axes of an array of preferences (..., 3) broadcast against those of the terms.
        """
        alpha, beta, kappa = np.moveaxis(preference_array(preferences)[..., None], -2, 0)
        payoff = (1 - kappa) * self.own + kappa * self.universalised
        utility: Floats = payoff - alpha * self.behind - beta * self.ahead
        return utility


def utility_terms(game: AnyGame, belief: ArrayLike) -> UtilityTerms:
    """Return the terms of every pure strategy, in the order of `pure_strategies`, against a belief (...,
    width).

    Raises:
        GameError: the belief is not a strategy of the game.
        UsageError: the game has more than two players, who move at once, and utility is not linear in κ.
    """
    if isinstance(game, StrategicGame):
        return UtilityTerms(*strategic_terms(game, belief))
    return grid_terms(game, game.payoffs, belief)


def grid_terms(game: GameTree, payoffs: ArrayLike, beliefs: ArrayLike) -> UtilityTerms:
    """Return the terms for many games of one shape and many beliefs at once.

    Args:
        game: any game of that shape; its own payoffs are not used.
        payoffs: points, shape (..., leaves, roles), ordered as `GameTree.payoffs`.
        beliefs: strategies, shape (..., width); leading axes broadcast against those of `payoffs`.

    Raises:
        GameError: a belief is not a strategy of the game.
        UsageError: payoffs are not finite or have another shape.
    """
    table = check_payoffs(game, payoffs)
    behind, ahead = comparison_tables(table)
    paths, together = _pure_paths(game)
    others = _others(game, distribution(game, beliefs)) / len(game.roles)
    universalised = table.mean(axis=-1) @ together.T
    own, worse, better = (_weighted(others, part) @ paths.T for part in (table, behind, ahead))
    # A game without decisions or a batch of games with one belief leaves a term smaller than the rest.
    shape = np.broadcast_shapes(own.shape, universalised.shape)
    return UtilityTerms(*(np.broadcast_to(term, shape) for term in (own, worse, better, universalised)))


def outcome_weights(game: GameTree, beliefs: ArrayLike) -> Floats:
    """Return the probability of every leaf and own role under each pure strategy, shape (..., strategies,
    leaves, roles); every role has the probability 1/n.

    Raises:
        GameError: a belief is not a strategy of the game.
    """
    paths, _ = _pure_paths(game)
    others = _others(game, distribution(game, beliefs)) / len(game.roles)
    return others[..., None, :, :] * paths.reshape(-1, *game.payoffs.shape)


def comparison_tables(payoffs: Floats) -> tuple[Floats, Floats]:
    """Return how far each role is behind, and ahead of, the others on average at each leaf.

    Payoffs and both results have shape (..., leaves, roles); in a game of one role the results are 0.
    """
    roles = payoffs.shape[-1]
    if roles == 1:
        return np.zeros_like(payoffs), np.zeros_like(payoffs)
    gap = payoffs[..., None, :] - payoffs[..., :, None]  # [..., own role, other role]
    return np.maximum(gap, 0).sum(-1) / (roles - 1), np.maximum(-gap, 0).sum(-1) / (roles - 1)


def location(payoffs: Floats) -> tuple[Floats, Floats]:
    """Return the middle of each game's payoffs (..., leaves, roles) and their range, two arrays (...).

    Ties are judged on payoffs minus the middle, since around 0 rounding errors stay proportional to the
    stakes.
    """
    low, high = payoffs.min(axis=(-2, -1)), payoffs.max(axis=(-2, -1))
    return low + (high - low) / 2, high - low


def distribution(game: GameTree, vector: ArrayLike) -> Floats:
    """Return a vector as a strategy whose probabilities sum to exactly 1.

    A belief written with six digits must not shift utilities by more than the tolerance for ties.

    Raises:
        GameError: the vector is not a strategy of the game.
    """
    array = check_strategy(game, vector)
    if game.width == 0:
        return array
    sizes = [len(node.options) for node in game.information_sets]
    starts = [node.columns.start for node in game.information_sets]
    exact: Floats = array / np.repeat(np.add.reduceat(array, starts, axis=-1), sizes, axis=-1)
    return exact


def check_payoffs(game: GameTree, payoffs: ArrayLike) -> Floats:
    """Return payoffs of games shaped like `game` as float64, shape (..., leaves, roles).

    Raises:
        UsageError: they are not finite or have another shape.
    """
    table = np.asarray(payoffs, dtype=np.float64)
    if table.shape[-2:] != game.payoffs.shape:
        raise UsageError(
            f"Payoffs for games like {game!r} end in {game.payoffs.shape} (leaves, roles); got {table.shape}."
        )
    if not np.all(np.isfinite(table)):
        raise UsageError(
            f"Payoffs for games like {game!r} must all be finite; remove or correct those that are not."
        )
    return table


@lru_cache(maxsize=256)
def _pure_paths(game: GameTree) -> tuple[Floats, Floats]:
    """Return the path probabilities of each pure strategy by leaf and role, shape (strategies, leaves·roles),
    and the outcome probabilities when all play it, shape (strategies, leaves).
    """
    paths = path_probabilities(game, pure_strategies(game))
    together = paths.prod(axis=-1) * leaf_chances(game)
    return paths.reshape(len(paths), -1), together


def _others(game: GameTree, beliefs: Floats) -> Floats:
    """Return nature's and the others' part of each leaf's probability, by one's own role; shape (..., leaves,
    roles).
    """
    paths = path_probabilities(game, beliefs)
    roles = len(game.roles)
    seats = [np.delete(np.arange(roles), role) for role in range(roles)]
    return np.stack([leaf_chances(game) * paths[..., seat].prod(axis=-1) for seat in seats], axis=-1)


def _weighted(others: Floats, table: Floats) -> Floats:
    product = others * table
    return product.reshape(*product.shape[:-2], -1)
