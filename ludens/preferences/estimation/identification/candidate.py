"""A fit before it is judged, with what all diagnoses ask of it."""

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
"""The level of the tests behind *bound* and *weak*."""

CRITICAL = math.sqrt(2) * float(special.erfinv(1 - LEVEL))
"""1.96: the standard normal's two-sided critical value at that level."""

FEW = 20
"""Below so many clusters the clustered errors come with a warning, and diagnoses do not use them."""


class Candidate(NamedTuple):
    """A fit before it is judged.

    Attributes:
        model, choices, restriction: what was fitted.
        held: the parameters at fixed values, by the caller or at their bounds.
        optimum: where the climb ended.
        bread: (−H)⁻¹ in ψ, shape (q, q).
        clustered: the clustered covariance in ψ, shape (q, q); None with too few clusters for one.
        clusters: how many there are.
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
            table = self.model.jacobian(self.restriction.expand(self.optimum.psi)) @ self.restriction.matrix
        return np.nan_to_num(table * self.sizes, nan=1.0)

    def names(self, which: Mask) -> tuple[str, ...]:
        """Names of parameters by a mask (p,)."""
        return tuple(name for name, one in zip(self.model.names, which, strict=True) if one)


def variance(candidate: Candidate, direction: Floats) -> float:
    """Of a linear combination of ψ: by clusters for exact probabilities, else the larger of both."""
    counted = float(direction @ candidate.bread @ direction)
    if candidate.sandwich is None:
        return counted
    clustered = float(direction @ candidate.sandwich @ direction)
    return clustered if candidate.exact else max(counted, clustered)


def moved(table: Floats, axis: Floats) -> Mask:
    """Which parameters a direction in units of typical sizes moves: dθ/dψ (p, q), (q,) to (p,)."""
    length = np.linalg.norm(table, axis=1) * np.linalg.norm(axis)
    concerned: Mask = np.abs(table @ axis) > 1e-6 * length
    return concerned


def listed(names: tuple[str, ...] | list[str]) -> str:
    """Names as in a sentence: "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
