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
Codes = NDArray[np.intp]

VANISHING = 1e-6
"""Share of the whole information below which information counts as none."""

_BLOCK = 1 << 21  # numbers held at once
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
    centred, number = _centred(slopes, available), available.sum(axis=1)
    crowded = number > 2
    # Without the alternative a, the squares about a situation's mean are less by n/(n−1)·(x_a − x̄)².
    factor = np.where(crowded, number / np.maximum(number - 1, 1), 0.0)
    ways = np.where(available & crowded[:, None], np.arange(available.shape[1]), -1).T
    starts = np.concatenate([np.full((1, len(available)), -1), ways])
    together = max(1, _BLOCK // available.size)
    best, dropped = np.inf, starts[0]
    for first in range(0, len(starts), together):
        begin = starts[first : first + together]
        lowest, found = _trimmed(centred, available, factor, begin, place=place, others=others)
        if lowest < best:
            best, dropped = lowest, found
    kept = available.copy()
    kept[dropped >= 0, dropped[dropped >= 0]] = False
    return _residual(slopes, kept, place, others)[0], kept


def _trimmed(
    centred: Floats, available: Mask, factor: Floats, starts: Codes, *, place: int, others: list[int]
) -> tuple[float, Codes]:
    """Return the least sum of squares that starts lead to, and the alternative that each situation drops.

    Args:
        centred: x less its mean in the situation, shape (c, j, q).
        available: shape (c, j).
        factor: n/(n−1) of each situation that drops an alternative, 0 of the others, shape (c,).
        starts: alternatives dropped at first, −1 for none, shape (s, c).
        place: k.
        others: the other coordinates.
    """
    everywhere, whole = np.arange(len(centred)), np.einsum("cjp,cjq->pq", centred, centred)
    dropped, lowest = starts, np.full(len(starts), np.inf)
    best, best_dropped = np.inf, starts[0]
    for _ in range(50):
        lost = np.where((dropped >= 0)[..., None], centred[everywhere, dropped], 0.0)
        scatter = whole - np.einsum("scp,scq,c->spq", lost, lost, factor)
        cross = scatter[:, others, place]
        inverse = np.linalg.pinv(scatter[:, others][:, :, others], rcond=1e-14, hermitian=True)
        weights = np.einsum("spq,sq->sp", inverse, cross)
        left = scatter[:, place, place] - (weights * cross).sum(axis=1)
        top = int(np.argmin(left))
        if left[top] < best:
            best, best_dropped = float(left[top]), dropped[top]
        falling = left < lowest * (1 - 1e-9)
        if not falling.any():
            break
        lowest, weights = left[falling], weights[falling]
        gaps = centred[..., place] - np.einsum("cjq,sq->scj", centred[..., others], weights)
        far = np.where(available, gaps**2, -1.0).argmax(axis=-1)
        dropped = np.where(factor > 0, far, -1)
    return best, best_dropped


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
