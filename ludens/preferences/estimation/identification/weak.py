"""Weak identification: parameters that the data hardly identify although the likelihood has a maximum.

A fit has the warning *weak* for one of three reasons:

- A weight rests on the noise model alone (see `noise_model`).
- A parameter with a range, such as κ in [0, 1]: its profile log-likelihood stays within 1.92 of the maximum
  at both ends of the range, so that no admissible value is rejected at 5 %. Parameters that move along the
  profile by more than 1.96 of their conditional errors are concerned too.
- The precision, to which all weights are ratios, does not differ significantly from 0 (Wald test, 5 %).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ludens.preferences.estimation.fitting.errors import inverse
from ludens.preferences.estimation.fitting.maximise import find_optimum
from ludens.preferences.estimation.fitting.results import FitWarning
from ludens.preferences.estimation.identification.candidate import (
    CRITICAL,
    Candidate,
    Mask,
    listed,
    moved,
    variance,
)
from ludens.preferences.estimation.identification.noise_model import noise_model_directions

Floats = NDArray[np.float64]


def rests_on_noise_model(candidate: Candidate) -> FitWarning | None:
    """Warn of weights that only one alternative per situation separates from the noise."""
    if candidate.scale is None:
        return None
    seen = candidate.choices.total.sum(axis=-1) > 0
    available = candidate.choices.available[seen]
    if not np.any(available.sum(axis=1) > 2):
        return None
    phi = candidate.restriction.expand(candidate.optimum.psi)
    slopes = candidate.model.index(phi, candidate.choices.attributes[seen])[1] @ candidate.restriction.matrix
    ways = noise_model_directions(slopes, available, candidate.scale)
    if not ways:
        return None
    table = candidate.jacobian()
    concerned = np.zeros(len(table), dtype=bool)
    for place, way in ways.items():
        concerned |= moved(table, way / candidate.sizes)
        concerned |= moved(table, np.eye(len(way))[place])
    resting = [candidate.model.parameters[_parameter(candidate, place)] for place in ways]
    # A parameter with a range has a value that says "none of it"; it is the first to hold.
    resting.sort(key=lambda parameter: not math.isfinite(parameter.high - parameter.low))
    remedy = next(
        (
            parameter.name
            for parameter in resting
            if not noise_model_directions(
                *_without(slopes, available, _coordinate(candidate, parameter.name), candidate.scale)
            )
        ),
        resting[0].name,
    )
    names = candidate.names(concerned & candidate.free)
    return FitWarning(
        "weak",
        names,
        f"Only one alternative per situation tells {listed([one.name for one in resting])} from the noise, "
        f"so that {listed(names)} would rest on the noise model alone; hold {remedy}, for example "
        f"fix={{{remedy!r}: 0}}, and the others can be estimated, or add games that identify it.",
    )


def profile_is_flat(candidate: Candidate, place: int) -> FitWarning | None:
    """Warn if no value in the range of the parameter number `place` is rejected."""
    parameter = candidate.model.parameters[place]
    if not math.isfinite(parameter.high - parameter.low):
        return None
    phi = candidate.restriction.expand(candidate.optimum.psi)
    factor = 1.0
    if candidate.sandwich is not None:
        direction = candidate.jacobian()[place] / candidate.sizes
        counted = float(direction @ candidate.bread @ direction)
        ratio = counted / max(variance(candidate, direction), 1e-300)
        factor = ratio if candidate.exact else min(1.0, ratio)
    values, spreads = [], []
    for end in (parameter.low, parameter.high):
        restriction = candidate.model.restrict({**candidate.held, parameter.name: end})
        optimum = find_optimum(candidate.model, candidate.choices, restriction, begin=phi)
        fall = float(candidate.optimum.value.level - optimum.value.level)
        if fall > 1e-9 and fall * factor > CRITICAL**2 / 2:
            return None
        there = restriction.expand(optimum.psi)
        sizes = restriction.sizes(candidate.model.sizes(candidate.choices))
        with np.errstate(all="ignore"):
            table = candidate.model.jacobian(there) @ restriction.matrix
            spreads.append(
                np.sqrt(np.diag(table @ inverse(-optimum.value.hessian, sizes) @ table.T) / factor)
            )
            values.append(candidate.model.to_reported(there))
    drawn = ~(np.abs(values[1] - values[0]) <= CRITICAL * np.maximum(*spreads)) & candidate.free
    drawn[place] = True
    names = candidate.names(drawn)
    others = [name for name in names if name != parameter.name]
    also = f", on which {listed(others)} depend" if others else ""
    return FitWarning(
        "weak",
        names,
        f"The choices reject no value of {parameter.name} from {parameter.low:g} to {parameter.high:g} "
        f"at 5 %{also}; more choices are needed, or fix={{{parameter.name!r}: …}}.",
    )


def ratio_is_open(candidate: Candidate) -> FitWarning | None:
    """Warn if the precision may be 0: weights are ratios to it, and their confidence sets are then unbounded
    (Fieller 1954).
    """
    scale = candidate.scale
    assert scale is not None
    spread = math.sqrt(variance(candidate, np.eye(candidate.restriction.free)[scale]))
    precision = float(candidate.model.precision(candidate.restriction.expand(candidate.optimum.psi)))
    if candidate.model.logarithmic:
        spread *= precision
    if precision > CRITICAL * spread:
        return None
    return FitWarning(
        "weak",
        candidate.names(candidate.free),
        f"The precision does not differ significantly from 0 ({precision:.3g} with an error of "
        f"{spread:.3g}), and weights are ratios to it; more choices are needed, or a parameter held with "
        "fix.",
    )


def _parameter(candidate: Candidate, place: int) -> int:
    """Return the number of the parameter whose coordinate of φ, 1 + that number, is a coordinate of ψ."""
    return int(np.flatnonzero(candidate.restriction.matrix[:, place])[0]) - 1


def _coordinate(candidate: Candidate, name: str) -> int:
    return int(np.flatnonzero(candidate.restriction.matrix[1 + candidate.model.names.index(name)])[0])


def _without(slopes: Floats, available: Mask, place: int, scale: int) -> tuple[Floats, Mask, int]:
    return np.delete(slopes, place, axis=-1), available, scale - (place < scale)
