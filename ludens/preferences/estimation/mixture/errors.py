"""Standard errors of a mixture, and diagnoses of its types together.

The diagnoses run in this order:

unconverged   the optimiser did not reach a maximum
empty         a type has less than one subject: its share goes to 0, and its parameters mean nothing
equal         two types between which no subject's log-likelihood differs by more than `ALIKE`
singular      a direction of relative curvature below `FLAT` that no earlier diagnosis explains
few_clusters  there are too few clusters for clustered errors
one_start     only one of several continued starts reached the best maximum

The parameters and shares that *unconverged*, *empty*, *equal* and *singular* concern are NaN.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from ludens.preferences.estimation.fitting.errors import FLAT, cluster_count
from ludens.preferences.estimation.fitting.newton import maximise
from ludens.preferences.estimation.identification.candidate import FEW
from ludens.preferences.estimation.mixture.em import expect, sizes_of
from ludens.preferences.estimation.mixture.likelihood import MixtureLikelihood
from ludens.preferences.estimation.mixture.results import MixtureWarning, Starts
from ludens.preferences.mapping import MapLike

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

ALIKE = 1e-2
"""Largest difference in any subject's log-likelihood between two types that count as equal."""

_TOGETHER = 25  # bootstrap draws maximised together


class Problems(NamedTuple):
    """Warnings, which parameters (K, p) and which shares (K,) are not identified."""

    warnings: tuple[MixtureWarning, ...]
    parameters: Mask
    shares: Mask


def jacobian(function: MixtureLikelihood, psi: Floats, shares: Floats) -> Floats:
    """Return d(θ_1, …, θ_K, π)/dω, shape (K·p + K, P)."""
    types, free, width = function.types, function.restriction.free, len(function.model.names)
    table = np.zeros((types * (width + 1), function.size))
    with np.errstate(all="ignore"):
        for k in range(types):
            own = function.model.jacobian(function.restriction.expand(psi[k])) @ function.restriction.matrix
            table[k * width : (k + 1) * width, k * free : (k + 1) * free] = own
    bent = np.diag(shares) - np.outer(shares, shares)
    table[types * width :, types * free :] = bent[:, : types - 1]
    return np.nan_to_num(table, nan=0.0, posinf=0.0, neginf=0.0)


def bootstrap(
    function: MixtureLikelihood,
    omega: Floats,
    draws: int,
    rng: np.random.Generator,
    map_with: MapLike = map,
) -> Floats:
    """Re-estimate (θ_1, …, θ_K, π) on draws of whole clusters, from the estimate; shape (≤ draws, K·p + K).

    Draws without a maximum at positive precisions are left out.
    """
    clusters = int(function.choices.clusters.max()) + 1
    point = function.split(omega[None])
    membership, _ = expect(function, point[0], np.exp(point[1]))
    shares = np.full(clusters, 1 / clusters)
    parts = (
        rng.multinomial(clusters, shares, size=min(_TOGETHER, draws - first))
        for first in range(0, draws, _TOGETHER)
    )
    again = partial(_refitted, function, omega, membership[0])
    found = [draw for part in map_with(again, parts) for draw in part]
    return np.array(found).reshape(len(found), -1)


def _refitted(
    function: MixtureLikelihood, omega: Floats, membership: Floats, drawn: NDArray[np.integer[Any]]
) -> list[Floats]:
    """Return (θ_1, …, θ_K, π) of the draws that have a maximum, with types in the order of `membership`
    (subjects, K); `drawn` (draws, clusters) says how often each draw holds each cluster.
    """
    choices, model = function.choices, function.model
    weights = drawn[:, choices.clusters].astype(np.float64)
    weighted = MixtureLikelihood(model, choices, function.restriction, function.types, weights)
    top = maximise(weighted, np.repeat(omega[None], len(drawn), axis=0), sizes_of(function))
    psi, logs = function.split(top.phi)
    there, _ = expect(function, psi, np.exp(logs))
    phi = function.restriction.expand(psi)
    found = []
    for place in np.flatnonzero(top.converged & (model.precision(phi) > 0).all(axis=1)):
        _, order = optimize.linear_sum_assignment(-(membership.T @ there[place]))
        theta = model.to_reported(phi[place, order])
        found.append(np.concatenate([theta.reshape(-1), np.exp(logs[place, order])]))
    return found


def problems(
    function: MixtureLikelihood,
    psi: Floats,
    shares: Floats,
    *,
    converged: bool,
    starts: Starts,
) -> Problems:
    """Run the diagnoses of the module's docstring except *singular*, at ψ (K, q) and shares (K,)."""
    types, width = function.types, len(function.model.names)
    warnings: list[MixtureWarning] = []
    parameters, lost = np.zeros((types, width), dtype=bool), np.zeros(types, dtype=bool)
    if not converged:
        everybody = tuple(range(types))
        text = "The optimiser did not reach a maximum; try more starts or fewer types."
        warnings.append(MixtureWarning("unconverged", everybody, text))
        parameters[:], lost[:] = True, types > 1
    subjects = len(function.choices.subjects)
    empty = shares * subjects < 1
    for k in np.flatnonzero(empty):
        text = f"Type {k + 1} has {shares[k] * subjects:.2g} of {subjects} subjects; fit fewer types."
        warnings.append(MixtureWarning("empty", (int(k),), text))
    equal = _equal(function, psi, empty)
    for one, other in equal:
        text = f"Types {one + 1} and {other + 1} choose alike, so that their shares are not identified; "
        warnings.append(MixtureWarning("equal", (one, other), f"{text}fit fewer types."))
    for warning in warnings:
        parameters[list(warning.types)], lost[list(warning.types)] = True, types > 1
    warnings += _few(function)
    if types > 1 and len(starts.levels) > 1 and starts.reached == 1:
        text = f"Only one of {starts.tried} starts reached the best maximum; try more starts."
        warnings.append(MixtureWarning("one_start", (), text))
    return Problems(tuple(warnings), parameters, lost)


def flat(
    function: MixtureLikelihood, psi: Floats, shares: Floats, information: Floats, known: Mask
) -> tuple[MixtureWarning | None, Mask]:
    """Return a warning of directions without curvature that nothing known explains, and the parameters (K, p)
    that they move; `known` (K, p) marks the parameters that are not identified for another reason.
    """
    sizes, types, width = sizes_of(function), function.types, len(function.model.names)
    moved = np.zeros((types, width), dtype=bool)
    curvature, axes = np.linalg.eigh(information * sizes[:, None] * sizes)
    table = (jacobian(function, psi, shares) * sizes)[: types * width]
    for axis in axes[:, curvature < FLAT * max(curvature[-1], 0.0)].T:
        reach = np.abs(table @ axis)
        moved |= (reach > 1e-6 * np.linalg.norm(table, axis=1)).reshape(types, width)
    moved &= ~known
    if not moved.any():
        return None, moved
    concerned = tuple(int(k) for k in np.flatnonzero(moved.any(axis=1)))
    text = f"The likelihood has no curvature along a direction of {_listed(concerned)}; "
    return MixtureWarning("singular", concerned, f"{text}hold a parameter with fix."), moved


def _equal(function: MixtureLikelihood, psi: Floats, empty: Mask) -> list[tuple[int, int]]:
    by_type = function.by_type(psi[None])[0]
    return [
        (one, other)
        for one in range(function.types)
        for other in range(one + 1, function.types)
        if not (empty[one] or empty[other]) and np.abs(by_type[:, one] - by_type[:, other]).max() < ALIKE
    ]


def _few(function: MixtureLikelihood) -> list[MixtureWarning]:
    number = cluster_count(function.choices)
    if number >= max(FEW, function.size + 1):
        return []
    what = f"{number} clusters ({function.choices.clustered_by})"
    if number <= function.size:
        text = f"{what} cannot give clustered errors of {function.size} parameters; take the Hessian's."
    else:
        text = f"With {what} clustered errors are too small more often than not; they need {FEW} or more."
    return [MixtureWarning("few_clusters", (), text)]


def _listed(types: tuple[int, ...]) -> str:
    return "type " + " and ".join(str(k + 1) for k in types)
