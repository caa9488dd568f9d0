"""Noisy choice: a logit over whole pure strategies (van Leeuwen & Alger, JPE Microeconomics 2(4), 2024).

    p(x) = exp(u(x, ŷ)/λ) / Σ_x' exp(u(x', ŷ)/λ)

λ divides: it is in points, and small λ means little noise. (The precision of quantal response and of much
of the literature multiplies instead.) The universalised payoff couples information sets, so a logit set by
set would be another model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs import GameTree
from ludens.errors import UsageError
from ludens.preferences.grid import solve_grid
from ludens.preferences.preference import Preferences


@dataclass(frozen=True, eq=False)
class ChoiceProbabilities:
    """How likely each pure strategy is.

    Attributes:
        strategies: the pure strategies, shape (n, width).
        probabilities: of each, shape (..., n).
        marginals: probability of every option at its information set, shape (..., width): the marginals of
            the joint logit. They form a behaviour strategy; the correlation between information sets is not
            in it.
        utilities: of each pure strategy, in points, shape (..., n).
    """

    strategies: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    marginals: NDArray[np.float64]
    utilities: NDArray[np.float64]


def choice_probabilities(
    game: GameTree,
    preferences: Preferences | Sequence[Preferences] | ArrayLike,
    belief: ArrayLike,
    noise: ArrayLike,
) -> ChoiceProbabilities:
    """The joint logit over pure strategies, and its marginals per information set.

    Args:
        game: the rules.
        preferences: one, a list, or an array (..., 3) of (α, β, κ).
        belief: what the others play, shape (..., width).
        noise: λ ≥ 0 in points, shape (...); 0 is the limit of no noise, each optimal strategy equally likely.
            The leading axes of the three broadcast.

    Raises:
        GameError: the belief is no strategy of the game.
        UsageError: the noise is negative or not finite, preferences are wrong, or the axes do not broadcast.
    """
    spread = _noise(noise)
    solution = solve_grid(game, game.payoffs, preferences, belief)
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
    """exp(u/λ) / Σ exp(u/λ) over the last axis; `noise` λ > 0 has the shape of the other axes or broadcasts
    to it.
    """
    return np.exp(log_logit(utilities, noise))


def log_logit(utilities: ArrayLike, noise: ArrayLike) -> NDArray[np.float64]:
    """Logarithms of `logit`, computed without overflow: the largest utility is taken off first (−inf is
    possible).
    """
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
