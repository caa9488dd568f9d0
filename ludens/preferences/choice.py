"""Noisy choice: a logit over whole pure strategies (van Leeuwen & Alger, JPE Microeconomics 2(4), 2024).

    p(x) = exp(u(x, ŷ)/λ) / Σ_x' exp(u(x', ŷ)/λ)

λ divides utilities: it is measured in points, and a small λ means little noise. (Quantal response and much of
the literature use the precision 1/λ, which multiplies.) Since the universalised payoff couples information
sets, a separate logit at each set would be a different model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs import AnyGame
from ludens.errors import UsageError
from ludens.preferences.grid import solve_game
from ludens.preferences.preference import Preferences


@dataclass(frozen=True, eq=False)
class ChoiceProbabilities:
    """The probabilities of all pure strategies.

    Attributes:
        strategies: the pure strategies, shape (n, width).
        probabilities: of each, shape (..., n).
        marginals: probability of every option at its information set, shape (..., width). These marginals of
            the joint logit form a behaviour strategy, which does not show the correlation between
            information sets.
        utilities: of each pure strategy, in points, shape (..., n).
    """

    strategies: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    marginals: NDArray[np.float64]
    utilities: NDArray[np.float64]


def choice_probabilities(
    game: AnyGame,
    preferences: Preferences | Sequence[Preferences] | ArrayLike,
    belief: ArrayLike,
    noise: ArrayLike,
) -> ChoiceProbabilities:
    """Return the joint logit over pure strategies and its marginals per information set.

    Args:
        game: the rules.
        preferences: one `Preferences`, a list of them, or an array (..., 3) of (α, β, κ).
        belief: what the others play, shape (..., width).
        noise: λ ≥ 0 in points, shape (...). At 0, the limit without noise, all optimal strategies are
            equally likely. The leading axes of preferences, belief and noise broadcast.

    Raises:
        GameError: the belief is not a strategy of the game.
        UsageError: the noise is negative or not finite, the preferences are invalid, or the axes do not
            broadcast.
    """
    spread = _noise(noise)
    solution = solve_game(game, preferences, belief)
    limit = solution.best / solution.best.sum(axis=-1, keepdims=True)
    try:
        probabilities = np.where(
            spread[..., None] > 0, logit(solution.utilities, np.where(spread > 0, spread, 1.0)), limit
        )
    except ValueError:
        shapes = (spread.shape, solution.margin.shape)
        raise UsageError(f"The axes of noise and of the problems do not broadcast: {shapes}.") from None
    utilities = np.broadcast_to(solution.utilities, probabilities.shape)
    return ChoiceProbabilities(
        solution.strategies, probabilities, probabilities @ solution.strategies, utilities
    )


def logit(utilities: ArrayLike, noise: ArrayLike) -> NDArray[np.float64]:
    """Return exp(u/λ) / Σ exp(u/λ) over the last axis; `noise` λ > 0 has, or broadcasts to, the shape of the
    other axes.
    """
    return np.exp(log_logit(utilities, noise))


def log_logit(utilities: ArrayLike, noise: ArrayLike) -> NDArray[np.float64]:
    """Return the logarithm of `logit`, computed without overflow; a probability of 0 gives −inf."""
    values = np.asarray(utilities, dtype=np.float64)
    values = values - values.max(axis=-1, keepdims=True)
    with np.errstate(over="ignore"):  # a tiny λ sends what is not optimal to −inf, which is the right limit
        scaled = values / np.asarray(noise, dtype=np.float64)[..., None]
    normalised: NDArray[np.float64] = scaled - np.log(np.exp(scaled).sum(axis=-1, keepdims=True))
    return normalised


def _noise(noise: ArrayLike) -> NDArray[np.float64]:
    try:
        spread = np.asarray(noise, dtype=np.float64)
    except (TypeError, ValueError):
        raise UsageError(f"Noise is a number of points, at least 0; got {noise!r}.") from None
    if not np.all(np.isfinite(spread)) or np.any(spread < 0):
        raise UsageError(
            f"Noise must be finite and at least 0 (it divides utilities, in points); got {noise!r}."
        )
    return spread
