"""Does a weight rest on preferences, or on the noise model alone?

A weight is a trade-off: it is told from the noise's scale by how choices among several alternatives move
with payoffs. There are designs in which one alternative per situation carries all of that. In the mini
ultimatum game the universalised payoff is the same for all whole strategies but "unequal, reject". Among
the others, κ only scales own payoffs, which is what noise does; so κ is read off how rarely that one
strategy is played, that is, off the logit's tail: with other errors than the logit's the same choices would
give another κ, however many there are.

The rule, for the weight of attribute k (coordinates ψ, the precision's attribute x_0 among the others):

    S_k = min over γ and over one dropped alternative in each situation with more than two
          of Σ_situations Σ_kept (x_k − Σ_{i≠k} γ_i·x_i, centred within the situation)²

is what remains of the information about k when each situation loses the alternative on which k leans most
(under a logit the choices among the others are again a logit). If S_k is below `VANISHING` of what it is
with all alternatives, while x_k without x_0 among the regressors still varies, only the dropped
alternatives tell k from the scale: *weak*. The minimum is sought like least trimmed squares (Rousseeuw
1984), in turns over γ and the dropped alternatives from several starts. The rule looks at the design alone,
so that more answers do not change it; and seeing single moves instead of whole strategies can only tell
less.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

VANISHING = 1e-6
"""Information below this share of the whole counts as none."""

_MANY = 200  # situations tried first: what they tell, all of them tell at least


def noise_model_directions(slopes: Floats, available: Mask, scale: int) -> dict[int, Floats]:
    """The coordinates that only one alternative per situation tells from the scale of noise.

    Args:
        slopes: ∂V/∂ψ, shape (situations, alternatives, q).
        available: shape (situations, alternatives).
        scale: which coordinate is the precision's.

    Returns:
        Of each such coordinate the direction (q,) along which, without that alternative, nothing changes.
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
    """S_k, and which alternatives are kept there."""
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
    """The sum of squares that is left of x_k, and γ."""
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
