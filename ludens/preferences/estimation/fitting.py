"""One parameter vector for all choices, by maximum likelihood.

Where each choice is of one alternative and the model is linear, the log-likelihood is concave in φ and is
climbed from φ = 0, with scipy's trust region and the analytic gradient and Hessian. Elsewhere several maxima
are possible: random starts climb together by Newton's method, and the highest is polished the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from ludens.errors import UsageError
from ludens.preferences.estimation.catalogue import find_model
from ludens.preferences.estimation.choices import Choices
from ludens.preferences.estimation.errors import bootstrap, carried, cluster_count, inverse, meat, scores
from ludens.preferences.estimation.likelihood import Function, Value, evaluator, restricted
from ludens.preferences.estimation.models import Model
from ludens.preferences.estimation.newton import maximise
from ludens.preferences.estimation.restriction import Restriction
from ludens.preferences.estimation.results import ErrorKind, Fit, FitWarning

Floats = NDArray[np.float64]

STARTS = 10
"""Random starts where the log-likelihood may have several maxima."""

_ONE = np.zeros(1, dtype=np.intp)


class Peak(NamedTuple):
    """Where one climb ended: ψ (q,), value, gradient and Hessian there, and whether it is a maximum."""

    psi: Floats
    value: Value
    converged: bool


def fit(
    choices: Choices,
    model: str | Model = "moralis",
    *,
    fix: Mapping[str, float] | None = None,
    draws: int = 0,
    seed: int = 0,
    starts: int = STARTS,
) -> Fit:
    """Fit one parameter vector to all choices.

    Args:
        choices: the data.
        model: a name or a model.
        fix: parameters to hold at values, for example ``{"kappa": 0}``.
        draws: cluster bootstrap draws; 0 for none.
        seed: of the random starts and the bootstrap.
        starts: random starts where the log-likelihood may have several maxima.

    Raises:
        UsageError: there are no choices, they lack the model's attributes, or a parameter is unknown.
    """
    chosen, fixed = find_model(model), dict(fix or {})
    check_choices(choices, chosen)
    restriction = chosen.restrict(fixed)
    spawned = np.random.SeedSequence(seed).spawn(2)
    peak = climb(chosen, choices, restriction, starts=starts, rng=np.random.default_rng(spawned[0]))
    phi = restriction.expand(peak.psi)
    bread = inverse(-peak.value.hessian, restriction.sizes(chosen.sizes(choices)))
    jacobian = chosen.jacobian(phi) @ restriction.matrix
    filling = restriction.matrix.T @ meat(choices, scores(chosen, choices, phi)) @ restriction.matrix
    covariances: dict[ErrorKind, Floats] = {
        "hessian": carried(bread, jacobian),
        "cluster": carried(bread @ filling @ bread, jacobian),
    }
    drawn = None
    if draws:
        drawn, _ = bootstrap(
            chosen,
            choices,
            restriction,
            peak.psi,
            draws=draws,
            rng=np.random.default_rng(spawned[1]),
        )
        covariances["bootstrap"] = np.cov(drawn, rowvar=False)
    values = chosen.reported(phi)
    notes: tuple[FitWarning, ...] = ()
    return Fit(
        model=chosen,
        names=chosen.names,
        values=values,
        optimum=phi,
        covariances=covariances,
        log_likelihood=float(peak.value.level),
        size=choices.size,
        subjects=len(choices.subjects),
        clusters=cluster_count(choices),
        clustered_by=choices.clustered_by,
        fixed=fixed,
        converged=peak.converged,
        warnings=notes,
        free=restriction.free,
        draws=drawn,
    )


def check_choices(choices: Choices, model: Model) -> None:
    """Refuse choices that the model cannot be fitted to.

    Raises:
        UsageError: there are none, or their attributes are others.
    """
    found, wanted = choices.attributes.shape[2], len(model.attributes)
    if found != wanted:
        raise UsageError(
            f"The model {model.name!r} needs {wanted} attributes ({', '.join(model.attributes)}); "
            f"these choices have {found}."
        )
    if not choices.size > 0:
        raise UsageError("There are no choices to fit.")


def climb(
    model: Model,
    choices: Choices,
    restriction: Restriction,
    *,
    starts: int = STARTS,
    rng: np.random.Generator,
) -> Peak:
    """The maximum of the log-likelihood of all choices in ψ."""
    function = restricted(evaluator(model, choices, choices.total[None]), restriction)
    sizes = restriction.sizes(model.sizes(choices))
    if restriction.free == 0:
        return Peak(np.zeros(0), Value(*(part[0] for part in function(np.zeros((1, 0)), _ONE))), True)
    if model.linear and choices.members is None:
        start = restriction.reduce(np.zeros(len(model.parameters)))
    else:
        begin = restriction.reduce(model.starts(max(starts, 1), choices.attributes, rng))
        start = _best_of_many(function, begin, sizes)
    return polish(function, start, sizes, choices.size)


def polish(function: Function, start: Floats, sizes: Floats, size: float) -> Peak:
    """Climb from one point with scipy's trust region (Conn, Gould & Toint 2000), in parameters of size 1 and
    per choice.
    """
    last: dict[bytes, Value] = {}

    def at(point: Floats) -> Value:
        key = point.tobytes()
        if key not in last:
            last.clear()
            last[key] = Value(*(part[0] for part in function((point * sizes)[None], _ONE)))
        return last[key]

    def level(point: Floats) -> float:
        return -float(at(point).level) / size

    def slope(point: Floats) -> Floats:
        return -at(point).gradient * sizes / size

    def curvature(point: Floats) -> Floats:
        return -at(point).hessian * sizes[:, None] * sizes / size

    answer: Any = optimize.minimize(
        level,
        start / sizes,
        method="trust-exact",
        jac=slope,
        hess=curvature,
        options={"gtol": 1e-9, "maxiter": 200},
    )
    psi = np.asarray(answer.x, dtype=np.float64) * sizes
    value = at(np.asarray(answer.x))
    step = inverse(-value.hessian, sizes) @ value.gradient
    # The last step is Newton's: near the top a trust region cannot tell rises below rounding.
    better = Value(*(part[0] for part in function((psi + step)[None], _ONE)))
    if np.all(np.isfinite(better.gradient)) and better.level >= value.level - 1e-9 * (1 + abs(value.level)):
        psi, value = psi + step, better
    gain = 0.5 * float(value.gradient @ inverse(-value.hessian, sizes) @ value.gradient)
    steepest = float(np.abs(value.gradient * sizes).max()) / size
    return Peak(psi, value, abs(gain) < 1e-7 and steepest < 1e-6)


def _best_of_many(function: Function, begin: Floats, sizes: Floats) -> Floats:
    def shared(points: Floats, which: NDArray[np.intp]) -> Value:
        return function(points, np.zeros_like(which))

    top = maximise(shared, begin, sizes)
    best: Floats = top.phi[np.argmax(top.value.level)]
    return best
