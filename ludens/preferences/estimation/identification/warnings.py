"""The diagnoses of a fit: named warnings, and the estimates that are NaN because of them.

The diagnoses run in this order, each on the parameters that are still identified:

- *bound*: a precision of 0 (infinite noise) is not rejected at 5 % by a likelihood-ratio test. Choices do not
  react to utilities, so that any weight fits.
- *weak*: a weight rests on the noise model alone (see `noise_model`).
- *separation*: the log-likelihood rises without bound (see `separation`).
- *unconverged*: the optimiser did not reach a maximum.
- *flat*: along some direction the relative curvature is below `FLAT`, and the log-likelihood is constant.
- *singular*: the curvature vanishes along a direction, but the log-likelihood changes, or this is not a
  maximum.
- *bound*: the estimated precision is 0 or less: choices are not drawn to the payoff in which weights are
  measured.
- *weak*: no admissible value is rejected, or the weights are ratios to a precision that may be 0 (see
  `weak`).

A direction v in φ concerns a parameter if dθ/dφ·v moves it. Variances are the larger of the inverse Hessian's
and the clustered one. Fractional choices (exact probabilities) have no sampling error, only variation over
clusters: for them all tests are Wald tests with the clustered covariance, and profiles are scaled by it
(Chandler & Bate 2007).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ludens.preferences.estimation.fitting.errors import FLAT
from ludens.preferences.estimation.fitting.maximise import single
from ludens.preferences.estimation.fitting.results import FitWarning
from ludens.preferences.estimation.identification.candidate import LEVEL, Candidate, Mask, listed, moved
from ludens.preferences.estimation.identification.separation import rising, separating
from ludens.preferences.estimation.identification.weak import (
    profile_is_flat,
    ratio_is_open,
    rests_on_noise_model,
)

Floats = NDArray[np.float64]

_SYMPTOM = 1e-3  # ratio of the curvatures at the optimum and at φ = 0 below which separation is checked
_ONE = np.zeros(1, dtype=np.intp)


class Identification(NamedTuple):
    """The warnings of a fit, and which parameters are not identified, shape (p,)."""

    warnings: tuple[FitWarning, ...]
    unknown: Mask


def diagnose(candidate: Candidate) -> Identification:
    """Run all diagnoses of a fit, in the order of the module's docstring."""
    free = candidate.free
    if candidate.restriction.free == 0:
        return Identification((), np.zeros_like(free))
    null = candidate.restriction.reduce(candidate.model.nothing())
    function = single(candidate.model, candidate.choices, candidate.restriction)
    level0, _, hessian0 = (part[0] for part in function(null[None], _ONE))
    warnings, unknown = [], np.zeros_like(free)

    def tell(*new: FitWarning | None) -> None:
        for warning in new:
            if warning is not None:
                warnings.append(warning)
                unknown[[candidate.model.names.index(name) for name in warning.parameters]] = True

    def left() -> bool:
        return not np.all(unknown[free])

    if candidate.scale is not None:
        tell(_no_reaction(candidate, float(level0)))
        if left():
            tell(rests_on_noise_model(candidate))
    if left():
        tell(_separation(candidate, -hessian0) or _unconverged(candidate))
    if left():
        # A separating direction is also flat at the point where the optimiser gave up.
        tell(
            *(note for note in _flat(candidate) if not set(note.parameters) <= set(candidate.names(unknown)))
        )
    if candidate.scale is not None and left():
        tell(_no_precision(candidate))
    for place in np.flatnonzero(free):
        if not unknown[place]:
            tell(profile_is_flat(candidate, int(place)))
    if candidate.scale is not None and left():
        tell(ratio_is_open(candidate))
    return Identification(tuple(warnings), unknown & free)


def _no_reaction(candidate: Candidate, level0: float) -> FitWarning | None:
    """Warn if φ = 0 is not rejected by a likelihood-ratio test or, for exact probabilities, a Wald test."""
    psi, critical = candidate.optimum.psi, float(special.chdtri(candidate.restriction.free, LEVEL))
    if candidate.exact and candidate.sandwich is not None and not candidate.model.logarithmic:
        # Probabilities that follow the model exactly have no error: add a bit of the inverse Hessian.
        spread = (candidate.sandwich + 1e-6 * candidate.bread) / np.outer(candidate.sizes, candidate.sizes)
        scaled = psi / candidate.sizes
        statistic, test = float(scaled @ np.linalg.pinv(spread, hermitian=True) @ scaled), "clustered Wald"
    else:
        statistic, test = max(2 * (float(candidate.optimum.value.level) - level0), 0.0), "likelihood ratio"
    if statistic > critical:
        return None
    return FitWarning(
        "bound",
        candidate.names(candidate.free),
        "Choices do not react to utilities: a precision of 0 (infinite noise) is not rejected at 5 % "
        f"({test} {statistic:.2f}, critical {critical:.2f}), so that no weight is identified.",
    )


def _no_precision(candidate: Candidate) -> FitWarning | None:
    if float(candidate.model.precision(candidate.restriction.expand(candidate.optimum.psi))) > 0:
        return None
    return FitWarning(
        "bound",
        candidate.names(candidate.free),
        "The precision is at its bound 0: choices are not drawn to the payoff that the weights are measured "
        "in, so that no weight is identified.",
    )


def _unconverged(candidate: Candidate) -> FitWarning | None:
    if candidate.optimum.converged:
        return None
    return FitWarning(
        "unconverged",
        candidate.names(candidate.free),
        "The optimiser did not reach a maximum; try more starts, or hold a parameter with fix.",
    )


def _separation(candidate: Candidate, information0: Floats) -> FitWarning | None:
    sizes, optimum = candidate.sizes, candidate.optimum
    information = -optimum.value.hessian * sizes[:, None] * sizes
    free = candidate.free
    if candidate.model.linear and candidate.choices.members is None:
        curvature, axes = np.linalg.eigh(information0 * sizes[:, None] * sizes)
        known = curvature > FLAT * curvature.max(initial=0.0)
        whitened = axes[:, known] / np.sqrt(curvature[known])
        left = np.linalg.eigvalsh(whitened.T @ information @ whitened)
        if optimum.converged and left.min(initial=1.0) > _SYMPTOM:
            return None
        moved = separating(candidate.choices, candidate.restriction, sizes, candidate.scale)
        if moved is None:
            return None
    else:
        curvature, axes = np.linalg.eigh(information / candidate.choices.size)
        if optimum.converged and curvature.min() > _SYMPTOM * 0.1:
            return None
        function = single(candidate.model, candidate.choices, candidate.restriction)
        ways = rising(
            function, optimum.psi, float(optimum.value.level), axes[:, curvature <= _SYMPTOM * 0.1], sizes
        )
        if not ways:
            return None
        moved = np.any([np.abs(way / sizes) > 1e-6 for way in ways], axis=0)
    concerned = (np.abs(candidate.jacobian())[:, moved] > 0).any(axis=1) & free
    names = candidate.names(concerned)
    text = "the noise goes to 0 and weights fit in ranges" if concerned[-1] else "they grow without end"
    return FitWarning(
        "separation",
        names,
        f"The likelihood rises without bound along a direction of {listed(names)}, which predicts choices "
        f"ever better: {text}; more or noisier choices are needed, or a parameter held with fix.",
    )


def _flat(candidate: Candidate) -> list[FitWarning]:
    sizes, optimum = candidate.sizes, candidate.optimum
    curvature, axes = np.linalg.eigh(-optimum.value.hessian * sizes[:, None] * sizes)
    none = curvature < FLAT * np.abs(curvature).max(initial=0.0)
    if not none.any():
        return []
    function = single(candidate.model, candidate.choices, candidate.restriction)
    reach = max(1.0, float(np.linalg.norm(optimum.psi / sizes)))
    table = candidate.jacobian()
    constant, curved = np.zeros(len(table), dtype=bool), np.zeros(len(table), dtype=bool)
    for axis in axes[:, none].T:
        points = optimum.psi + np.array([[-0.5], [0.5]]) * reach * axis * sizes
        change = np.abs(function(points, np.zeros(2, dtype=np.intp)).level - optimum.value.level)
        still = change.max() < 1e-7 * (1 + abs(optimum.value.level))
        (constant if still else curved)[moved(table, axis)] = True
    warnings = []
    if constant.any():
        names = candidate.names(constant & candidate.free)
        warnings.append(
            FitWarning(
                "flat",
                names,
                f"The likelihood does not change along a direction of {listed(names)}: these choices do not "
                "tell them apart; hold one of them with fix, or add situations in which they differ.",
            )
        )
    if (curved & ~constant).any():
        names = candidate.names(curved & ~constant & candidate.free)
        warnings.append(
            FitWarning(
                "singular",
                names,
                f"The likelihood has no curvature along a direction of {listed(names)}, so that it has no "
                "errors; hold one of them with fix, or add situations in which they differ.",
            )
        )
    return warnings
