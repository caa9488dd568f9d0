"""The utility of a strategy (pure or behaviour) against a belief.

    u(x, ŷ) = (1−κ)·π(x, ŷ) + κ·π(x, x) − α·E[max(0, π_other − π_own)] − β·E[max(0, π_own − π_other)]

after van Leeuwen & Alger (JPE Microeconomics 2(4), 2024). The expectations in the comparison terms are over
the outcomes of x against ŷ, and with more than two roles they average over the others (Fehr & Schmidt, QJE
1999).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs import AnyGame, StrategicGame, expected_payoff, outcome_probabilities
from ludens.envs.strategic import expectations
from ludens.preferences.preference import Preferences
from ludens.preferences.strategic import strategic_utility
from ludens.preferences.terms import comparison_tables, distribution


def utility(
    game: AnyGame, preferences: Preferences, strategy: ArrayLike, belief: ArrayLike, role: str | None = None
) -> NDArray[np.float64]:
    """Return the utility, in points, of playing `strategy` when all others play `belief`.

    Args:
        game: the rules.
        preferences: α, β and κ.
        strategy: shape (..., width).
        belief: shape (..., width); batch axes broadcast against those of `strategy`.
        role: the player's role, or None for roles drawn at random, each equally likely. A fixed role changes
            the own-payoff and comparison terms. The universalised payoff is π(x, x) with random roles in any
            case: "what if everybody used this strategy" concerns the whole strategy, behind the veil, and so
            has the same answer in every role. Therefore the mean of `utility` over the roles is the utility
            with random roles.

    Returns:
        Utilities with the shape of the batch axes.

    Raises:
        GameError: the strategy or the belief is not a strategy of the game, or there is no such role.
    """
    if isinstance(game, StrategicGame):
        return strategic_utility(game, preferences, strategy, belief, role)
    own, others = distribution(game, strategy), distribution(game, belief)
    behind, ahead = comparison_tables(game.payoffs)
    felt = (1 - preferences.kappa) * game.payoffs - preferences.alpha * behind - preferences.beta * ahead
    outcomes = outcome_probabilities(game, own, others, role)
    if role is None:
        expected = (outcomes * felt).sum(axis=(-2, -1)) / len(game.roles)
    else:
        expected = outcomes @ felt[:, game.roles.index(role)]
    total: NDArray[np.float64] = expected + preferences.kappa * expected_payoff(game, own, own)
    return total


def universalised_payoff(game: AnyGame, strategy: ArrayLike) -> NDArray[np.float64]:
    """Return π(x, x), the payoff in points if everybody used the strategy in every role; shape: the batch
    axes.

    Raises:
        GameError: it is not a strategy of the game.
    """
    if isinstance(game, StrategicGame):
        return expectations.expected_payoff(game, strategy, strategy)
    own = distribution(game, strategy)
    return expected_payoff(game, own, own)
