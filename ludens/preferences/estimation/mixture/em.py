"""The highest maximum of a mixture's log-likelihood: random starts, expectation–maximisation, then Newton.

1. Starts are random and depend only on the data. In every other start, each type begins at the fit of one
   random subject, to which all subjects add half a subject's weight so that the fit exists; in the rest, each
   subject belongs to the types with random probabilities.
2. All starts take `SHORT` steps of generalised EM (Dempster, Laird & Rubin 1977): membership, then shares
   and one guarded Newton step of each type, which never lowers the likelihood.
3. The better half, at least `CONTINUED` starts, continue with Newton's method on the mixture's own
   log-likelihood, which converges much faster than EM.

Starts are processed in blocks of `TOGETHER`, whatever the number of workers, so that the result does not
depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ludens.preferences.estimation.fitting.errors import FLAT, inverse
from ludens.preferences.estimation.fitting.likelihood import Value, evaluator, restricted
from ludens.preferences.estimation.fitting.newton import maximise
from ludens.preferences.estimation.mixture.likelihood import MixtureLikelihood

Floats = NDArray[np.float64]

SHORT = 30
"""Number of EM steps of every start."""
CONTINUED = 10
"""Least number of starts that are continued."""
TOGETHER = 5
"""Number of starts in a block."""
SAME = 1e-4
"""Difference of log-likelihoods below which maxima count as the same."""

_OWN = 0.5  # weight, in subjects, of all subjects' choices in the fit of a single one
_SOFT = 0.3  # concentration of random memberships
_ONE = np.zeros(1, dtype=np.intp)


class MixtureOptimum(NamedTuple):
    """The result of the maximisation.

    Attributes:
        omega: the best point, shape (P,).
        value: the log-likelihood and its derivatives at that point.
        converged: whether it is a maximum.
        short: log-likelihood of every start after its EM steps, shape (starts,).
        levels: final log-likelihoods of the continued starts, the highest first.
    """

    omega: Floats
    value: Value
    converged: bool
    short: Floats
    levels: Floats


def maximise_types(
    function: MixtureLikelihood, pooled: Floats, *, starts: int, rng: np.random.Generator, workers: int
) -> MixtureOptimum:
    """Find the highest maximum of a mixture's log-likelihood.

    Args:
        function: the mixture's log-likelihood.
        pooled: ψ (q,) of the pooled fit.
        starts: number of random starts.
        rng: the source of the random starts.
        workers: number of threads.
    """
    if function.types == 1 or function.restriction.free == 0:
        starts = 1
    begun = _memberships(function, starts, rng)
    with ThreadPoolExecutor(workers) as pool:
        short = _in_blocks(pool.map, lambda block: _short(function, pooled, block), begun)
        order = np.argsort(-short[1], kind="stable")
        kept = order[: max(CONTINUED, (starts + 1) // 2)]
        ended = _in_blocks(pool.map, lambda block: _long(function, block), short[0][kept])
    best = int(np.argmax(ended[1]))
    omega, value, converged = _last(function, ended[0][best])
    return MixtureOptimum(omega, value, converged, short[1], -np.sort(-ended[1]))


def improve(
    function: MixtureLikelihood, psi: Floats, shares: Floats, steps: int
) -> tuple[Floats, Floats, Floats]:
    """Take steps of generalised EM from ψ (n, K, q) and shares (n, K).

    Returns:
        The final ψ and shares, and the log-likelihood before every step and at the end, shape (steps+1, n).
    """
    path = []
    for _ in range(steps):
        membership, level = expect(function, psi, shares)
        path.append(level)
        psi, shares = _step(function, psi, membership, 1)
    return psi, shares, np.stack([*path, expect(function, psi, shares)[1]])


def expect(function: MixtureLikelihood, psi: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Return membership (n, subjects, K) and log-likelihood (n,) at ψ (n, K, q) and shares (n, K)."""
    joint = function.by_type(psi) + np.log(np.maximum(shares, 1e-300))[:, None]
    level = special.logsumexp(joint, axis=2)
    return np.exp(joint - level[..., None]), level.sum(axis=1)


def _step(
    function: MixtureLikelihood, psi: Floats, membership: Floats, iterations: int
) -> tuple[Floats, Floats]:
    """Return ψ and shares that fit a membership better."""
    counts = function.tally(membership)
    flat = psi.reshape(-1, psi.shape[2])
    single = restricted(evaluator(function.model, function.choices, counts), function.restriction)
    sizes = function.restriction.sizes(function.model.sizes(function.choices))
    moved = maximise(single, flat, sizes, iterations=iterations).phi if psi.shape[2] else flat
    return moved.reshape(psi.shape), membership.mean(axis=1)


def _memberships(function: MixtureLikelihood, starts: int, rng: np.random.Generator) -> Floats:
    """Draw random memberships, shape (starts, subjects, K)."""
    subjects = len(function.choices.subjects)
    found = np.empty((starts, subjects, function.types))
    for place in range(starts):
        if place % 2:
            found[place] = rng.dirichlet(np.full(function.types, _SOFT), size=subjects)
        else:
            few = subjects < function.types
            drawn = rng.choice(subjects, function.types, replace=few)
            found[place] = _OWN / subjects
            found[place, drawn, np.arange(function.types)] += 1.0
    return found


def _short(function: MixtureLikelihood, pooled: Floats, memberships: Floats) -> tuple[Floats, Floats]:
    psi = np.broadcast_to(pooled, (len(memberships), function.types, len(pooled)))
    psi, _ = _step(function, psi, memberships, 5)
    shares = np.full((len(psi), function.types), 1 / function.types)
    steps = SHORT if function.types > 1 else 0
    psi, shares, path = improve(function, psi, shares, steps)
    return function.join(psi, shares), path[-1]


def _long(function: MixtureLikelihood, omega: Floats) -> tuple[Floats, Floats]:
    if not omega.shape[1]:
        return omega, function(omega, np.arange(len(omega))).level
    ended = maximise(function, omega, sizes_of(function), iterations=200)
    return ended.phi, ended.value.level


def _last(function: MixtureLikelihood, omega: Floats) -> tuple[Floats, Value, bool]:
    """Take a last Newton step, beyond the resolution of the level, and return whether it ends in a
    maximum.
    """
    value = Value(*(part[0] for part in function(omega[None], _ONE)))
    if not len(omega):
        return omega, value, True
    sizes = sizes_of(function)
    step = inverse(-value.hessian, sizes) @ value.gradient
    further = Value(*(part[0] for part in function((omega + step)[None], _ONE)))
    if np.all(np.isfinite(further.gradient)) and further.level >= value.level - 1e-9 * (1 + abs(value.level)):
        omega, value = omega + step, further
    curvature = np.linalg.eigvalsh(-value.hessian * sizes[:, None] * sizes)
    gain = 0.5 * float(value.gradient @ inverse(-value.hessian, sizes) @ value.gradient)
    steepest = float(np.abs(value.gradient * sizes).max()) / max(function.choices.size, 1.0)
    top = curvature[0] > -FLAT * curvature[-1]
    return omega, value, bool(top and abs(gain) < 1e-7 and steepest < 1e-6)


def sizes_of(function: MixtureLikelihood) -> Floats:
    """Return typical sizes of ω, shape (P,)."""
    sizes = function.restriction.sizes(function.model.sizes(function.choices))
    return np.concatenate([np.tile(sizes, function.types), np.ones(function.types - 1)])


def _in_blocks(
    run: Callable[..., Iterable[tuple[Floats, Floats]]],
    work: Callable[[Floats], tuple[Floats, Floats]],
    rows: Floats,
) -> tuple[Floats, Floats]:
    blocks = [rows[first : first + TOGETHER] for first in range(0, len(rows), TOGETHER)]
    first, second = zip(*run(work, blocks), strict=True)
    return np.concatenate(first), np.concatenate(second)
