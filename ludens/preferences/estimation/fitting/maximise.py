"""The maximum of a single log-likelihood.

If the model is linear and every choice is of one alternative, the log-likelihood is concave in φ. It is then
maximised from φ = 0 by scipy's trust-region method with the analytic gradient and Hessian. Otherwise several
maxima are possible: Newton's method runs from random starts, and the best end point is refined in the same
way.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.fitting.errors import inverse
from ludens.preferences.estimation.fitting.likelihood import Function, Value, evaluator, restricted
from ludens.preferences.estimation.fitting.newton import best_of
from ludens.preferences.estimation.models.linear import Model
from ludens.preferences.estimation.models.restriction import Restriction

Floats = NDArray[np.float64]

STARTS = 10
"""Number of random starts where the log-likelihood may have several maxima."""

_ONE = np.zeros(1, dtype=np.intp)


class Optimum(NamedTuple):
    """The end point ψ (q,) of an optimisation, value, gradient and Hessian there, and whether it is a
    maximum.
    """

    psi: Floats
    value: Value
    converged: bool


def find_optimum(
    model: Model,
    choices: Choices,
    restriction: Restriction,
    *,
    begin: Floats | None = None,
    starts: int = STARTS,
    rng: np.random.Generator | None = None,
) -> Optimum:
    """Find the maximum of the log-likelihood of all choices.

    Args:
        model: the model of the choices.
        choices: the data.
        restriction: the restriction that says which parameters are free.
        begin: φ (p,) to start from; None for the starts of the module's docstring.
        starts: number of random starts where several maxima are possible.
        rng: the source of the random starts.
    """
    function = single(model, choices, restriction)
    sizes = restriction.sizes(model.sizes(choices))
    if restriction.free == 0:
        return Optimum(np.zeros(0), _at(function, np.zeros(0)), True)
    if begin is not None:
        start = restriction.reduce(begin)
    elif model.linear and choices.members is None:
        start = restriction.reduce(np.zeros(len(model.parameters)))
    else:
        source = np.random.default_rng(0) if rng is None else rng
        many = restriction.reduce(model.starts(max(starts, 1), choices.attributes, source))
        start = best_of(function, many, 1, sizes).phi[0]
    return _polish(function, start, sizes, choices.size)


def single(model: Model, choices: Choices, restriction: Restriction) -> Function:
    """Return the log-likelihood of all choices together as a function of ψ (n, q)."""
    return restricted(evaluator(model, choices, choices.total[None]), restriction)


def level_at(model: Model, choices: Choices, phi: Floats) -> float:
    """Return the log-likelihood of all choices at one φ (p,)."""
    return float(_at(evaluator(model, choices, choices.total[None]), phi).level)


def _at(function: Function, point: Floats) -> Value:
    return Value(*(part[0] for part in function(point[None], _ONE)))


def _polish(function: Function, start: Floats, sizes: Floats, count: float) -> Optimum:
    """Maximise by scipy's trust-region method (Conn, Gould & Toint 2000), with scaled parameters, per
    choice.
    """
    last: dict[bytes, Value] = {}

    def at(point: Floats) -> Value:
        key = point.tobytes()
        if key not in last:
            last.clear()
            last[key] = _at(function, point * sizes)
        return last[key]

    def level(point: Floats) -> float:
        return -float(at(point).level) / count

    def slope(point: Floats) -> Floats:
        return -at(point).gradient * sizes / count

    def curvature(point: Floats) -> Floats:
        return -at(point).hessian * sizes[:, None] * sizes / count

    if not np.isfinite(at(start / sizes).level):
        # Something chosen has no probability there, as with a share of 1 of answers that take the first.
        return Optimum(start, at(start / sizes), False)
    answer: Any = optimize.minimize(
        level,
        start / sizes,
        method="trust-exact",
        jac=slope,
        hess=curvature,
        options={"gtol": 1e-9, "maxiter": 200, "subproblem_maxiter": 25},
    )
    reached = np.asarray(answer.x, dtype=np.float64)
    psi, value = reached * sizes, at(reached)
    step = inverse(-value.hessian, sizes) @ value.gradient
    # A final Newton step: near the maximum a trust region cannot resolve rises below rounding errors.
    better = _at(function, psi + step)
    if np.all(np.isfinite(better.gradient)) and better.level >= value.level - 1e-9 * (1 + abs(value.level)):
        psi, value = psi + step, better
    gain = 0.5 * float(value.gradient @ inverse(-value.hessian, sizes) @ value.gradient)
    steepest = float(np.abs(value.gradient * sizes).max()) / count
    return Optimum(psi, value, abs(gain) < 1e-7 and steepest < 1e-6)
