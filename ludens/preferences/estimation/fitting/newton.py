"""Newton's method on many smooth problems at once.

Individual estimates, bootstrap draws, the M-steps of a mixture and replications of a study are hundreds of
small problems that differ only in their counts. scipy's optimisers take one problem per call; here all
problems take their steps together, as array operations. Single large fits use scipy (see `maximise`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ludens.preferences.estimation.fitting.likelihood import Value

Floats = NDArray[np.float64]

_TOLERANCE = 1e-10
_FLATTEST = 1e-10  # smallest curvature taken seriously, relative to the largest
_LONGEST = 20.0  # longest step, in scaled units


class Maxima(NamedTuple):
    """The end points φ (b, p) of the optimisation, the values there, and whether they are maxima (b,)."""

    phi: Floats
    value: Value
    converged: NDArray[np.bool_]


def maximise(
    function: Callable[[Floats, NDArray[np.intp]], Value],
    start: Floats,
    scale: Floats,
    *,
    iterations: int = 100,
) -> Maxima:
    """Maximise all problems at once, each from its row of `start` (b, p).

    Newton steps use the absolute values of the curvatures, so that they lead uphill even where the function
    is not concave, and are halved until the value rises.

    Args:
        function: takes points and problem numbers, returns values, gradients and Hessians.
        start: finite starting points.
        scale: typical size of each parameter, shape (p,), the unit of distances and curvatures.
        iterations: the largest number of steps.

    Returns:
        The maxima; a problem has converged if one more step would raise the value by less than 1e-10.
    """
    phi = np.array(start, dtype=np.float64)
    everybody = np.arange(len(phi))
    current = function(phi, everybody)
    level, gradient, hessian = (np.array(part) for part in current)
    converged = np.zeros(len(phi), dtype=bool)
    active = everybody
    for _ in range(iterations):
        step, gain = _step(gradient[active], hessian[active], scale)
        converged[active] = gain < _TOLERANCE * (1 + np.abs(level[active])) * 1e-2
        moving = ~converged[active]
        active, step = active[moving], step[moving]
        if not len(active):
            break
        risen = np.zeros(len(active), dtype=bool)
        length = np.ones(len(active))
        for _ in range(40):
            todo = np.flatnonzero(~risen)
            if not len(todo):
                break
            who = active[todo]
            trial = phi[who] + length[todo, None] * step[todo]
            tried = function(trial, who)
            better = tried.level > level[who]
            done = who[better]
            phi[done], level[done] = trial[better], tried.level[better]
            gradient[done], hessian[done] = tried.gradient[better], tried.hessian[better]
            risen[todo[better]] = True
            length[todo] /= 2
        # Where no step rises, rounding decides: the last point is as good as it gets.
        stuck = active[~risen]
        converged[stuck] = True
        active = active[risen]
        if not len(active):
            break
    return Maxima(phi, Value(level, gradient, hessian), converged)


def best_of(
    function: Callable[[Floats, NDArray[np.intp]], Value], starts: Floats, number: int, scale: Floats
) -> Maxima:
    """Maximise problems that may have several maxima; return the highest maximum of each.

    Every start is followed to its end: the highest maximum may be one that a start reaches late, far out.

    Args:
        function: see `maximise`; it takes problem numbers up to `number`.
        starts: the starting points of every problem, shape (s, p).
        number: the number b of problems.
        scale: see `maximise`.
    """
    which = np.repeat(np.arange(number), len(starts))
    top = maximise(lambda phi, rows: function(phi, which[rows]), np.tile(starts, (number, 1)), scale)
    level = top.value.level.reshape(number, len(starts))
    # Of equal ones, the one that converged.
    tied = level >= level.max(axis=1, keepdims=True) - 1e-9
    best = np.argmax(np.where(tied, 1 + top.converged.reshape(level.shape), 0), axis=1)
    rows = np.arange(number) * len(starts) + best
    return Maxima(top.phi[rows], Value(*(part[rows] for part in top.value)), top.converged[rows])


def _step(gradient: Floats, hessian: Floats, scale: Floats) -> tuple[Floats, Floats]:
    """Return the step (n, p), and half of the rise that it promises to first order (n,)."""
    slope = gradient * scale
    curvature, axes = np.linalg.eigh(-hessian * scale[:, None] * scale)
    largest = np.abs(curvature).max(axis=-1, keepdims=True)
    # The square of a step over nothing at all must still be a number.
    floor = np.maximum(_FLATTEST * largest, 1e-140)
    along = np.einsum("npq,np->nq", axes, slope)
    # Where the likelihood is flat to the last digit, a step is as long as may be, and its square finite.
    taken = np.clip(along / np.maximum(np.abs(curvature), floor), -1e100, 1e100)
    reach = np.linalg.norm(taken, axis=-1, keepdims=True)
    taken *= np.minimum(1.0, _LONGEST / np.maximum(reach, 1e-300))
    gain = 0.5 * (along * taken).sum(axis=-1)
    return np.einsum("npq,nq->np", axes, taken) * scale, gain
