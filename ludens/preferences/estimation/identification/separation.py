"""Separation: choices that are predicted so well that the log-likelihood rises without bound.

A direction v of the coefficients separates the choices if along it no rejected alternative gains on the
chosen one, and some lose (Albert & Anderson 1984; for conditional logits Santos Silva & Tenreyro 2010):
v·(x_chosen − x_other) ≥ 0 for all, > 0 for some. Then there is no maximum. Where single alternatives are
observed, a linear programme finds such a direction or proves that there is none. Where events of several
alternatives are observed, or the model is not linear, the log-likelihood is followed along the flattest
directions and outwards.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.fitting.likelihood import Function
from ludens.preferences.estimation.models.restriction import Restriction

Floats = NDArray[np.float64]

_MARGIN = 1e-7  # what a programme's solution must exceed to count as above 0


def separating(
    choices: Choices, restriction: Restriction, sizes: Floats, scale: int | None
) -> NDArray[np.bool_] | None:
    """Return which coordinates ψ (q,) separating directions move, or None if the choices are not separated.

    For linear models and events of one alternative. If the precision's coordinate, `scale`, moves, all
    weights are concerned, and the other coordinates are not checked.
    """
    rows = _differences(choices, restriction) * sizes
    length = np.abs(rows).max(axis=1, initial=0.0)
    rows = np.unique(np.round(rows[length > 0] / length[length > 0, None], 12), axis=0)
    if not len(rows):
        return None
    gain, direction = _programme(rows.sum(axis=0), rows)
    if gain <= _MARGIN:
        return None
    moved: NDArray[np.bool_] = np.abs(direction) > _MARGIN
    for place in [*([] if scale is None else [scale]), *range(restriction.free)]:
        if scale is not None and moved[scale]:
            break
        for sign in (1.0, -1.0):
            if not moved[place]:
                moved[place] = _programme(sign * np.eye(restriction.free)[place], rows)[0] > _MARGIN
    return moved


def rising(function: Function, psi: Floats, level: float, axes: Floats, sizes: Floats) -> list[Floats]:
    """Return directions (q,) along which the log-likelihood does not fall, while it falls in the opposite
    one.

    The candidates are the columns of `axes` (q, n), in units of `sizes`, with both signs, and the direction
    from 0 to ψ.
    """
    outward = psi / sizes
    length = float(np.linalg.norm(outward))
    tried = [sign * axis for axis in axes.T for sign in (1.0, -1.0)]
    if length > 0:
        tried.append(outward / length)
    reach = max(1.0, length)
    slack = 1e-9 * (1 + abs(level))

    def along(direction: Floats) -> Floats:
        steps = np.array([0.5, 1.0, 4.0, 16.0]) * reach
        points = psi + steps[:, None] * direction * sizes
        level: Floats = function(points, np.zeros(len(points), dtype=np.intp)).level
        return level

    return [
        direction * sizes
        for direction in tried
        if np.all(along(direction) >= level - slack) and np.any(along(-direction) < level - 1e-6 * reach)
    ]


def _differences(choices: Choices, restriction: Restriction) -> Floats:
    """Return x_chosen − x_other of every observed pair, shape (pairs, q)."""
    attributes = choices.attributes @ restriction.matrix
    situation, chosen = np.nonzero(choices.total > 0)
    gaps = attributes[situation, chosen][:, None] - attributes[situation]
    other = choices.available[situation].copy()
    other[np.arange(len(situation)), chosen] = False
    return gaps[other]


def _programme(aim: Floats, rows: Floats) -> tuple[float, Floats]:
    """Maximise aim·v over v in [−1, 1] with rows·v ≥ 0; return the maximum and v."""
    answer: Any = optimize.linprog(-aim, A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=(-1, 1), method="highs")
    return -float(answer.fun), np.asarray(answer.x, dtype=np.float64)
