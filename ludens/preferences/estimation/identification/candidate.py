"""A fit before its diagnoses, with the quantities that all of them use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.fitting.maximise import Optimum
from ludens.preferences.estimation.models.linear import Model
from ludens.preferences.estimation.models.restriction import Restriction

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEVEL = 0.05
"""Level of the tests behind the warnings *bound* and *weak*."""

CRITICAL = math.sqrt(2) * float(special.erfinv(1 - LEVEL))
"""1.96, the two-sided critical value of the standard normal distribution at that level."""

FEW = 20
"""Number of clusters below which clustered errors have a warning, and diagnoses do not use them."""


class Candidate(NamedTuple):
    """A fit before its diagnoses.

    Attributes:
        model, choices, restriction: the model, the data, and which parameters are free.
        held: the parameters that are held at values by the caller, or at their bounds.
        optimum: the optimiser's end point.
        bread: (−H)⁻¹ in ψ, shape (q, q).
        clustered: the clustered covariance in ψ, shape (q, q); None if there are too few clusters.
        clusters: the number of clusters.
    """

    model: Model
    choices: Choices
    restriction: Restriction
    held: Mapping[str, float]
    optimum: Optimum
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
        """Whether choices are fractional, that is, probabilities instead of counts."""
        return self.choices.fractional

    @property
    def scale(self) -> int | None:
        """The coordinate of ψ that is the precision; None where it is held."""
        place = np.flatnonzero(self.restriction.matrix[0])
        return int(place[0]) if len(place) else None

    @property
    def sandwich(self) -> Floats | None:
        """The clustered covariance, where diagnoses may use it: always for exact probabilities, which have no
        other error, and for counted choices with at least `FEW` clusters.
        """
        return self.clustered if self.exact or self.clusters >= FEW else None

    def jacobian(self) -> Floats:
        """Return dθ/dψ per typical size of ψ, shape (p, q)."""
        with np.errstate(all="ignore"):
            table = self.model.jacobian(self.restriction.expand(self.optimum.psi)) @ self.restriction.matrix
        return np.nan_to_num(table * self.sizes, nan=1.0)

    def names(self, which: Mask) -> tuple[str, ...]:
        """Return the names of the parameters in a mask (p,)."""
        return tuple(name for name, one in zip(self.model.names, which, strict=True) if one)


def variance(candidate: Candidate, direction: Floats) -> float:
    """Return the variance of a linear combination of ψ: the clustered one for exact probabilities, otherwise
    the larger of the clustered one and the inverse Hessian's.
    """
    counted = float(direction @ candidate.bread @ direction)
    if candidate.sandwich is None:
        return counted
    clustered = float(direction @ candidate.sandwich @ direction)
    return clustered if candidate.exact else max(counted, clustered)


def moved(table: Floats, axis: Floats) -> Mask:
    """Return which parameters (p,) a direction (q,) in units of typical sizes moves, given dθ/dψ (p, q)."""
    length = np.linalg.norm(table, axis=1) * np.linalg.norm(axis)
    concerned: Mask = np.abs(table @ axis) > 1e-6 * length
    return concerned


def listed(names: tuple[str, ...] | list[str]) -> str:
    """Join names as in a sentence: "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
