"""What a fit says: estimates, their errors, and what the data could not tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError
from ludens.preferences.estimation.models.linear import Model

Floats = NDArray[np.float64]

ErrorKind = Literal["hessian", "cluster", "bootstrap"]
WarningKind = Literal["flat", "weak", "bound", "separation", "singular", "unconverged", "few_clusters"]


@dataclass(frozen=True)
class FitWarning:
    """Something that the data could not tell.

    Attributes:
        kind: *flat*: the likelihood does not change along a direction; *singular*: its curvature vanishes
            there, though it changes; *weak*: the data reject no admissible value, or the parameter rests on
            the noise model alone; *bound*: at the end of its range; *separation*: the likelihood rises for
            ever; *unconverged*: no maximum was reached; *few_clusters*: the clustered errors rest on too few.
        parameters: whom it concerns; their estimates and errors are NaN (*few_clusters*: errors at most).
        message: one sentence: what was found and what to do.
    """

    kind: WarningKind
    parameters: tuple[str, ...]
    message: str


class Row(NamedTuple):
    """A table's line. What is not identified, and the errors of what is held fixed, are NaN."""

    name: str
    symbol: str
    estimate: float
    se: float
    low: float
    high: float
    z: float
    p: float


@dataclass(frozen=True, eq=False)
class Fit:
    """A fit of one parameter vector.

    Attributes:
        model: what was fitted.
        names: of the parameters θ.
        values: θ, shape (p,); NaN where not identified.
        optimum: φ, where the optimiser ended, shape (p,): raw, also where `values` are NaN.
        covariances: of θ, shape (p, p), by kind; NaN rows and columns for what is not identified or not free.
        log_likelihood: at the optimum.
        size: the number of choices.
        subjects, clusters: how many there are.
        clustered_by: what a cluster is.
        fixed: parameters that the caller held at a value.
        converged: whether the optimiser reached a maximum.
        warnings: what the data could not tell.
        free: the number of estimated parameters (neither held fixed nor at a bound).
        draws: θ of the bootstrap draws that have a maximum, shape (draws, p); None without a bootstrap.
    """

    model: Model
    names: tuple[str, ...]
    values: Floats
    optimum: Floats
    covariances: Mapping[ErrorKind, Floats]
    log_likelihood: float
    size: float
    subjects: int
    clusters: int
    clustered_by: str
    fixed: Mapping[str, float]
    converged: bool
    warnings: tuple[FitWarning, ...]
    free: int
    draws: Floats | None = field(default=None, repr=False)

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2·free − 2ℓ."""
        return 2 * self.free - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's criterion, free·log(choices) − 2ℓ: observations are choices, not subjects."""
        return self.free * math.log(max(self.size, 1.0)) - 2 * self.log_likelihood

    def covariance(self, kind: ErrorKind = "cluster") -> Floats:
        """The covariance of θ, shape (p, p).

        Raises:
            UsageError: the fit has no covariance of that kind.
        """
        if kind not in self.covariances:
            known = ", ".join(self.covariances)
            raise UsageError(f"This fit has no {kind!r} errors, only {known}; a bootstrap needs draws=….")
        return self.covariances[kind]

    def standard_errors(self, kind: ErrorKind = "cluster") -> Floats:
        """Standard errors of θ, shape (p,); NaN where not identified or not free."""
        return np.sqrt(np.diag(self.covariance(kind)))

    def intervals(self, level: float = 0.95, kind: ErrorKind = "cluster") -> Floats:
        """Intervals of θ, shape (p, 2): normal ones around the estimates; under ``"bootstrap"`` the draws'
        percentiles.
        """
        if not 0 < level < 1:
            raise UsageError(f"An interval's level lies between 0 and 1; got {level!r}.")
        errors = self.standard_errors(kind)
        if kind == "bootstrap" and self.draws is not None and len(self.draws):
            ends = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2], axis=0).T
            return np.where(np.isnan(errors)[:, None], np.nan, ends)
        reach = NormalDist().inv_cdf(0.5 + level / 2) * errors
        return np.stack([self.values - reach, self.values + reach], axis=1)

    def table(self, kind: ErrorKind = "cluster", level: float = 0.95) -> list[Row]:
        """A row per parameter, z and two-sided p of the hypothesis that it is 0."""
        errors, ends = self.standard_errors(kind), self.intervals(level, kind)
        return [
            _row(parameter.name, parameter.symbol, *numbers)
            for parameter, *numbers in zip(
                self.model.parameters, self.values.tolist(), errors.tolist(), ends.tolist(), strict=True
            )
        ]


def _row(name: str, symbol: str, value: float, error: float, ends: list[float]) -> Row:
    z = value / error if error > 0 else math.nan
    return Row(name, symbol, value, error, ends[0], ends[1], z, math.erfc(abs(z) / math.sqrt(2)))
