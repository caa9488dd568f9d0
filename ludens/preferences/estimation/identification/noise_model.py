"""Weights that are identified by the noise model alone.

A weight is a trade-off: what separates it from the scale of the noise is how choices among several
alternatives change with payoffs. In some designs a single alternative per situation carries all of this
information. In the mini ultimatum game the universalised payoff is the same for all whole strategies except
"unequal, reject". Among the others, κ only scales own payoffs, just as noise does; so κ is inferred from how
rarely that one strategy is played, that is, from the tail of the logit. With other errors the same choices
would imply another κ, however many choices there are.

The rule for the weight of attribute k (in coordinates ψ, with the precision's attribute x_0 among the
others):

    S_k = min over γ and over one dropped alternative in each situation with more than two
          of Σ_situations Σ_kept (x_k − Σ_{i≠k} γ_i·x_i, centred within the situation)²

is the information about k that remains when each situation loses the alternative that k depends on most
(under a logit, choices among the others are again a logit). If S_k is less than `VANISHING` times its value
with all alternatives, while x_k still varies given the regressors other than x_0, only the dropped
alternatives separate k from the scale: *weak*. The minimum is sought as in least trimmed squares (Rousseeuw
1984), alternating between γ and the dropped alternatives from several starts. The rule depends on the design
alone, so more answers do not change it; and observing single moves instead of whole strategies can only give
less information.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

VANISHING = 1e-6
"""Share of the whole information below which information counts as none."""

_MANY = 200  # situations tried first: all of them hold at least as much information


def noise_model_directions(slopes: Floats, available: Mask, scale: int) -> dict[int, Floats]:
    """Return the coordinates that only one alternative per situation separates from the scale of the noise.

    Args:
        slopes: ∂V/∂ψ, shape (situations, alternatives, q).
        available: shape (situations, alternatives).
        scale: the coordinate of the precision.

    Returns:
        For each such coordinate, the direction (q,) along which nothing changes without that alternative.
    """
    crowded = available.sum(axis=1) > 2
    width = slopes.shape[-1]
    if not crowded.any() or width < 2:
        return {}
    size = np.sqrt((_centred(slopes, available) ** 2).sum(axis=(0, 1)))
    size = np.where(size > 0, size, 1.0)
    found = {}
    for place in range(width):
        if place != scale:
            direction = _direction(slopes / size, available, place, scale)
            if direction is not None:
                found[place] = direction / size
    return found


def _direction(slopes: Floats, available: Mask, place: int, scale: int) -> Floats | None:
    others = [other for other in range(slopes.shape[-1]) if other != place]
    whole, _ = _residual(slopes, available, place, others)
    if whole <= VANISHING**2:
        return None  # the coordinate is flat in the whole design, which is another warning
    if len(slopes) > _MANY:
        some = np.linspace(0, len(slopes) - 1, _MANY).astype(np.intp)
        least, _ = _least(slopes[some], available[some], place, others)
        if least > VANISHING * whole:
            return None
    least, kept = _least(slopes, available, place, others)
    if least > VANISHING * whole:
        return None
    unscaled, _ = _residual(slopes, kept, place, [other for other in others if other != scale])
    if unscaled <= VANISHING * whole:
        return None
    direction = np.zeros(slopes.shape[-1])
    direction[place] = 1.0
    direction[others] = -_residual(slopes, kept, place, others)[1]
    return direction


def _least(slopes: Floats, available: Mask, place: int, others: list[int]) -> tuple[float, Mask]:
    """Return S_k, and which alternatives are kept at the minimum."""
    crowded = np.flatnonzero(available.sum(axis=1) > 2)
    number = available.sum(axis=1, keepdims=True)
    best, best_kept = np.inf, available
    for start in range(-1, available.shape[1]):
        kept = available.copy()
        if start >= 0:
            kept[crowded, start] = False
        lowest = np.inf
        for _ in range(50):
            found, weights = _residual(slopes, kept, place, others)
            if found < best:
                best, best_kept = found, kept
            if found >= lowest * (1 - 1e-9):
                break
            lowest = found
            left = slopes[..., place] - slopes[..., others] @ weights
            mean = (left * available).sum(axis=1, keepdims=True) / number
            far = np.where(available, (left - mean) ** 2, -1.0).argmax(axis=1)
            kept = available.copy()
            kept[crowded, far[crowded]] = False
    return best, best_kept


def _residual(slopes: Floats, kept: Mask, place: int, others: list[int]) -> tuple[float, Floats]:
    """Return the residual sum of squares of x_k, and γ."""
    rows = _centred(slopes, kept).reshape(-1, slopes.shape[-1])
    if not others:
        return float((rows[:, place] ** 2).sum()), np.zeros(0)
    weights = np.asarray(np.linalg.lstsq(rows[:, others], rows[:, place], rcond=1e-9)[0], dtype=np.float64)
    return float(((rows[:, place] - rows[:, others] @ weights) ** 2).sum()), weights


def _centred(slopes: Floats, kept: Mask) -> Floats:
    here = kept[..., None]
    mean = (slopes * here).sum(axis=1, keepdims=True) / np.maximum(kept.sum(axis=1), 1)[:, None, None]
    centred: Floats = (slopes - mean) * here
    return centred
