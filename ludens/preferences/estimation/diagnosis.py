"""What the data could not tell: named warnings, and which estimates are therefore NaN.

Looked for in this order, each in what those before left over:

bound       a precision of 0 (infinite noise) is not rejected at 5 %: choices do not react to utilities, so
that
            every weight fits
weak        a weight rests on the noise model alone (see `leaning`)
separation  the log-likelihood rises for ever (see `separation`)
unconverged the climb did not reach a maximum
flat        along some direction the relative curvature is below `FLAT`, and the log-likelihood does not
change singular    the curvature vanishes there, but the log-likelihood changes, or it is no maximum
bound       the precision's estimate is 0 or less: what the weights are measured in does not attract
weak        the precision, to which the weights are ratios, is not told from 0 (Wald test, 5 %); or the
profile
            log-likelihood of a parameter with a range stays within 1.92 of its maximum at both of its ends,
            so that no admissible value is rejected at 5 %. What the profile moves by more than 1.96 of its
            errors given that parameter goes with it

A parameter is concerned by a direction v in φ if dθ/dφ·v moves it. Variances are the larger of the Hessian's
and the clusters'. The test against a precision of 0 is a likelihood ratio test. Fractional choices (exact
probabilities) have no sampling error, only an error over clusters: for them all tests are Wald's with the
clustered covariance, and profiles are scaled by it (Chandler & Bate 2007).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ludens.preferences.estimation.choices import Choices
from ludens.preferences.estimation.climbing import Peak, climb, single
from ludens.preferences.estimation.errors import FLAT, inverse
from ludens.preferences.estimation.leaning import leaning
from ludens.preferences.estimation.models import Model
from ludens.preferences.estimation.restriction import Restriction
from ludens.preferences.estimation.results import FitWarning
from ludens.preferences.estimation.separation import rising, separating

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEVEL = 0.05
"""The level of the tests behind *bound* and *weak*."""

FEW = 20
"""Below so many clusters the clustered errors come with a warning, and diagnoses do not use them."""

_CRITICAL = math.sqrt(2) * float(special.erfinv(1 - LEVEL))  # 1.96
_SYMPTOM = 1e-3  # curvature at the top by that at no reaction at all, below which separation is looked for
_ONE = np.zeros(1, dtype=np.intp)


class Found(NamedTuple):
    """A fit before it is judged.

    Attributes:
        model, choices, restriction: what was fitted.
        held: the parameters at fixed values, by the caller or at their bounds.
        peak: where the climb ended.
        bread: (−H)⁻¹ in ψ, shape (q, q).
        clustered: the clustered covariance in ψ, shape (q, q); None with too few clusters for one.
        clusters: how many there are.
    """

    model: Model
    choices: Choices
    restriction: Restriction
    held: Mapping[str, float]
    peak: Peak
    bread: Floats
    clustered: Floats | None
    clusters: int

    @property
    def sizes(self) -> Floats:
        """Typical sizes of ψ, shape (q,)."""
        return self.restriction.sizes(self.model.sizes(self.choices))

    @property
    def free(self) -> Mask:
        """Which parameters are estimated, shape (p,)."""
        return np.array([name not in self.held for name in self.model.names])

    @property
    def exact(self) -> bool:
        """Whether choices are fractional: probabilities instead of counts."""
        counts = self.choices.counts.data
        return bool(np.any(np.abs(counts - np.rint(counts)) > 1e-9))

    @property
    def scale(self) -> int | None:
        """Which coordinate of ψ is the precision; None where it is held."""
        place = np.flatnonzero(self.restriction.matrix[0])
        return int(place[0]) if len(place) else None

    @property
    def sandwich(self) -> Floats | None:
        """The clustered covariance where diagnoses may use it: exact probabilities have no other error,
        while counted choices are better judged without it than by fewer than `FEW` clusters.
        """
        return self.clustered if self.exact or self.clusters >= FEW else None

    def jacobian(self) -> Floats:
        """dθ/dψ per typical size of ψ, shape (p, q)."""
        with np.errstate(all="ignore"):
            table = self.model.jacobian(self.restriction.expand(self.peak.psi)) @ self.restriction.matrix
        return np.nan_to_num(table * self.sizes, nan=1.0)

    def names(self, which: Mask) -> tuple[str, ...]:
        """Names of parameters by a mask (p,)."""
        return tuple(name for name, one in zip(self.model.names, which, strict=True) if one)


class Verdict(NamedTuple):
    """The warnings, and which parameters are not identified, shape (p,)."""

    warnings: tuple[FitWarning, ...]
    unknown: Mask


def diagnose(found: Found) -> Verdict:
    """Judge a fit, in the order of the module's docstring."""
    free = found.free
    if found.restriction.free == 0:
        return Verdict((), np.zeros_like(free))
    null = found.restriction.reduce(np.zeros(len(free)))
    function = single(found.model, found.choices, found.restriction)
    level0, _, hessian0 = (part[0] for part in function(null[None], _ONE))
    warnings, unknown = [], np.zeros_like(free)

    def tell(*new: FitWarning | None) -> None:
        for warning in new:
            if warning is not None:
                warnings.append(warning)
                unknown[[found.model.names.index(name) for name in warning.parameters]] = True

    def left() -> bool:
        return not np.all(unknown[free])

    if found.scale is not None:
        tell(_no_reaction(found, float(level0)))
        if left():
            tell(_leaning(found))
    if left():
        tell(_separation(found, -hessian0) or _unconverged(found))
    if left():
        tell(*_flat(found))
    if found.scale is not None:
        if left():
            tell(_no_precision(found))
        if left():
            tell(_ratio(found))
    for place in np.flatnonzero(free):
        if not unknown[place]:
            tell(_profile(found, int(place)))
    return Verdict(tuple(warnings), unknown & free)


def _no_reaction(found: Found, level0: float) -> FitWarning | None:
    """Whether φ = 0 is not rejected: by the likelihood ratio, for exact probabilities by the clusters."""
    psi, critical = found.peak.psi, float(special.chdtri(found.restriction.free, LEVEL))
    if found.exact and found.sandwich is not None:
        # Probabilities that follow the model exactly have no error: a millionth of the Hessian's stands in.
        spread = (found.sandwich + 1e-6 * found.bread) / np.outer(found.sizes, found.sizes)
        scaled = psi / found.sizes
        statistic, test = float(scaled @ np.linalg.pinv(spread, hermitian=True) @ scaled), "clustered Wald"
    else:
        statistic, test = max(2 * (float(found.peak.value.level) - level0), 0.0), "likelihood ratio"
    if statistic > critical:
        return None
    return FitWarning(
        "bound",
        found.names(found.free),
        "Choices do not react to utilities: a precision of 0 (infinite noise) is not rejected at 5 % "
        f"({test} {statistic:.2f}, critical {critical:.2f}), so that no weight is identified.",
    )


def _no_precision(found: Found) -> FitWarning | None:
    if float(found.model.precision(found.restriction.expand(found.peak.psi))) > 0:
        return None
    return FitWarning(
        "bound",
        found.names(found.free),
        "The precision is at its bound 0: choices are not drawn to the payoff that the weights are measured "
        "in, so that no weight is identified.",
    )


def _unconverged(found: Found) -> FitWarning | None:
    if found.peak.converged:
        return None
    return FitWarning(
        "unconverged",
        found.names(found.free),
        "The climb did not reach a maximum; try more starts, or hold a parameter with fix.",
    )


def _separation(found: Found, information0: Floats) -> FitWarning | None:
    sizes, peak = found.sizes, found.peak
    information = -peak.value.hessian * sizes[:, None] * sizes
    free = found.free
    if found.model.linear and found.choices.members is None:
        curvature, axes = np.linalg.eigh(information0 * sizes[:, None] * sizes)
        known = curvature > FLAT * curvature.max(initial=0.0)
        whitened = axes[:, known] / np.sqrt(curvature[known])
        left = np.linalg.eigvalsh(whitened.T @ information @ whitened)
        if peak.converged and left.min(initial=1.0) > _SYMPTOM:
            return None
        moved = separating(found.choices, found.restriction, sizes, found.scale)
        if moved is None:
            return None
    else:
        curvature, axes = np.linalg.eigh(information / found.choices.size)
        if peak.converged and curvature.min() > _SYMPTOM * 0.1:
            return None
        function = single(found.model, found.choices, found.restriction)
        ways = rising(
            function, peak.psi, float(peak.value.level), axes[:, curvature <= _SYMPTOM * 0.1], sizes
        )
        if not ways:
            return None
        moved = np.any([np.abs(way / sizes) > 1e-6 for way in ways], axis=0)
    concerned = (np.abs(found.jacobian())[:, moved] > 0).any(axis=1) & free
    names = found.names(concerned)
    text = "the noise goes to 0 and weights fit in ranges" if concerned[-1] else "they grow without end"
    return FitWarning(
        "separation",
        names,
        f"The likelihood rises for ever along a direction of {_listed(names)}, which predicts choices ever "
        f"better: {text}; more or noisier choices are needed, or a parameter held with fix.",
    )


def _flat(found: Found) -> list[FitWarning]:
    sizes, peak = found.sizes, found.peak
    curvature, axes = np.linalg.eigh(-peak.value.hessian * sizes[:, None] * sizes)
    none = curvature < FLAT * np.abs(curvature).max(initial=0.0)
    if not none.any():
        return []
    function = single(found.model, found.choices, found.restriction)
    reach = max(1.0, float(np.linalg.norm(peak.psi / sizes)))
    table = found.jacobian()
    constant, curved = np.zeros(len(table), dtype=bool), np.zeros(len(table), dtype=bool)
    for axis in axes[:, none].T:
        points = peak.psi + np.array([[-0.5], [0.5]]) * reach * axis * sizes
        change = np.abs(function(points, np.zeros(2, dtype=np.intp)).level - peak.value.level)
        still = change.max() < 1e-7 * (1 + abs(peak.value.level))
        (constant if still else curved)[_moved(table, axis)] = True
    found_warnings = []
    if constant.any():
        names = found.names(constant & found.free)
        found_warnings.append(
            FitWarning(
                "flat",
                names,
                f"The likelihood does not change along a direction of {_listed(names)}: these choices do not "
                "tell them apart; hold one of them with fix, or add situations in which they differ.",
            )
        )
    if (curved & ~constant).any():
        names = found.names(curved & ~constant & found.free)
        found_warnings.append(
            FitWarning(
                "singular",
                names,
                f"The likelihood has no curvature along a direction of {_listed(names)}, so that it has no "
                "errors; hold one of them with fix, or add situations in which they differ.",
            )
        )
    return found_warnings


def _leaning(found: Found) -> FitWarning | None:
    if found.scale is None:
        return None
    seen = found.choices.total.sum(axis=-1) > 0
    available = found.choices.available[seen]
    if not np.any(available.sum(axis=1) > 2):
        return None
    phi = found.restriction.expand(found.peak.psi)
    slopes = found.model.index(phi, found.choices.attributes[seen])[1] @ found.restriction.matrix
    ways = leaning(slopes, available, found.scale)
    if not ways:
        return None
    table = found.jacobian()
    concerned = np.zeros(len(table), dtype=bool)
    for place, way in ways.items():
        concerned |= _moved(table, way / found.sizes)
        concerned |= _moved(table, np.eye(len(way))[place])
    leaners = [found.model.parameters[_parameter(found, place)] for place in ways]
    # A parameter with a range has a value that says "none of it"; it is the first to hold.
    leaners.sort(key=lambda parameter: not math.isfinite(parameter.high - parameter.low))
    remedy = next(
        (
            parameter.name
            for parameter in leaners
            if not leaning(*_without(slopes, available, _coordinate(found, parameter.name), found.scale))
        ),
        leaners[0].name,
    )
    names = found.names(concerned & found.free)
    return FitWarning(
        "weak",
        names,
        f"Only one alternative per situation tells {_listed([one.name for one in leaners])} from the noise, "
        f"so that {_listed(names)} would rest on the noise model alone; hold {remedy}, for example "
        f"fix={{{remedy!r}: 0}}, and the others can be estimated, or add games that identify it.",
    )


def _ratio(found: Found) -> FitWarning | None:
    """Weights are ratios: with a precision that may be 0 their confidence sets have no end (Fieller
    1954).
    """
    scale = found.scale
    assert scale is not None
    spread = math.sqrt(_variance(found, np.eye(found.restriction.free)[scale]))
    precision = float(found.model.precision(found.restriction.expand(found.peak.psi)))
    if precision > _CRITICAL * spread:
        return None
    return FitWarning(
        "weak",
        found.names(found.free),
        f"The precision is not told from 0 ({precision:.3g} with an error of {spread:.3g}), and weights are "
        "ratios to it; more choices are needed, or a parameter held with fix.",
    )


def _profile(found: Found, place: int) -> FitWarning | None:
    parameter = found.model.parameters[place]
    if not math.isfinite(parameter.high - parameter.low):
        return None
    phi = found.restriction.expand(found.peak.psi)
    factor = 1.0
    if found.sandwich is not None:
        direction = found.jacobian()[place] / found.sizes
        counted = float(direction @ found.bread @ direction)
        ratio = counted / max(_variance(found, direction), 1e-300)
        factor = ratio if found.exact else min(1.0, ratio)
    values, spreads = [], []
    for end in (parameter.low, parameter.high):
        restriction = found.model.restrict({**found.held, parameter.name: end})
        peak = climb(found.model, found.choices, restriction, begin=phi)
        fall = float(found.peak.value.level - peak.value.level)
        if fall > 1e-9 and fall * factor > _CRITICAL**2 / 2:
            return None
        there = restriction.expand(peak.psi)
        sizes = restriction.sizes(found.model.sizes(found.choices))
        with np.errstate(all="ignore"):
            table = found.model.jacobian(there) @ restriction.matrix
            spreads.append(np.sqrt(np.diag(table @ inverse(-peak.value.hessian, sizes) @ table.T) / factor))
            values.append(found.model.reported(there))
    drawn = ~(np.abs(values[1] - values[0]) <= _CRITICAL * np.maximum(*spreads)) & found.free
    drawn[place] = True
    names = found.names(drawn)
    others = [name for name in names if name != parameter.name]
    also = f", on which {_listed(others)} depend" if others else ""
    return FitWarning(
        "weak",
        names,
        f"The choices reject no value of {parameter.name} from {parameter.low:g} to {parameter.high:g} "
        f"at 5 %{also}; more choices are needed, or fix={{{parameter.name!r}: …}}.",
    )


def _variance(found: Found, direction: Floats) -> float:
    """Of a linear combination of ψ: by clusters for exact probabilities, else the larger of both."""
    counted = float(direction @ found.bread @ direction)
    if found.sandwich is None:
        return counted
    clustered = float(direction @ found.sandwich @ direction)
    return clustered if found.exact else max(counted, clustered)


def _moved(table: Floats, axis: Floats) -> Mask:
    """Which parameters a direction in units of typical sizes moves: dθ/dψ (p, q), (q,) to (p,)."""
    length = np.linalg.norm(table, axis=1) * np.linalg.norm(axis)
    moved: Mask = np.abs(table @ axis) > 1e-6 * length
    return moved


def _parameter(found: Found, place: int) -> int:
    """Which parameter a coordinate of ψ belongs to (it is its own coordinate of φ: 1 + its number)."""
    return int(np.flatnonzero(found.restriction.matrix[:, place])[0]) - 1


def _coordinate(found: Found, name: str) -> int:
    return int(np.flatnonzero(found.restriction.matrix[1 + found.model.names.index(name)])[0])


def _without(slopes: Floats, available: Mask, place: int, scale: int) -> tuple[Floats, Mask, int]:
    return np.delete(slopes, place, axis=-1), available, scale - (place < scale)


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
