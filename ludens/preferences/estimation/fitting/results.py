"""The result of a fit: estimates, their standard errors, and warnings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ludens.display.notebook import Shown
from ludens.errors import UsageError
from ludens.preferences.estimation.models.linear import Model

Floats = NDArray[np.float64]

ErrorKind = Literal["hessian", "cluster", "cr2", "bootstrap"]
WarningKind = Literal["flat", "weak", "bound", "separation", "singular", "unconverged", "few_clusters"]


@dataclass(frozen=True)
class FitWarning:
    """A warning about something that the data do not identify.

    Attributes:
        kind: *flat*: the likelihood does not change along a direction; *singular*: it changes, but has no
            curvature there; *weak*: the data reject no admissible value, or the parameter rests on the noise
            model alone; *bound*: the parameter is at the end of its range; *separation*: the likelihood rises
            without bound; *unconverged*: no maximum was reached; *few_clusters*: there are too few clusters
            for clustered errors.
        parameters: the parameters concerned; their estimates and errors are NaN (for *few_clusters*, at most
            the errors).
        message: one sentence that says what is wrong and what to do.
    """

    kind: WarningKind
    parameters: tuple[str, ...]
    message: str


class Row(NamedTuple):
    """A row of a table. Unidentified estimates, and the errors of fixed parameters, are NaN."""

    name: str
    symbol: str
    estimate: float
    se: float
    low: float
    high: float
    z: float
    p: float


@dataclass(frozen=True, eq=False, repr=False)
class Fit(Shown):
    """A fit of one parameter vector.

    Attributes:
        model: the fitted model.
        names: the names of the parameters θ.
        values: estimates of θ, shape (p,); NaN where not identified.
        optimum: the optimiser's end point φ, shape (p,), also where `values` are NaN.
        covariances: covariances of θ by kind, shape (p, p); rows and columns of parameters that are not
            identified or not free are NaN.
        log_likelihood: the log-likelihood at the optimum.
        size: the number of choices.
        subjects, clusters: the numbers of subjects and of clusters.
        clustered_by: a cluster's meaning in words.
        fixed: parameters that the caller held at a value.
        converged: whether the optimiser reached a maximum.
        warnings: warnings about what the data do not identify.
        free: the number of estimated parameters: neither held fixed nor at a bound, and contained in the
            likelihood of these choices.
        draws: θ of the bootstrap draws that have a maximum, shape (draws, p); None without a bootstrap.
        freedoms: the degrees of freedom of each parameter's t with ``"cr2"`` errors, shape (p,).
        ranges: where choices are separated, the values of each parameter that explain all of them without
            noise or, if none does, those that a likelihood ratio does not reject at 5 %; open ends are
            infinite.
    """

    shown_by: ClassVar[str] = "ludens.preferences.estimation.views:of_fit"

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
    draws: Floats | None = None
    freedoms: Floats | None = None
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value:.4g}" for name, value in zip(self.names, self.values, strict=True))
        return f"Fit({self.model.name}: {values}; {self.size:g} choices of {self.subjects} subjects)"

    @property
    def aic(self) -> float:
        """Akaike's information criterion, 2·free − 2ℓ."""
        return 2 * self.free - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's information criterion, free·log(choices) − 2ℓ; observations are choices, not subjects."""
        return self.free * math.log(max(self.size, 1.0)) - 2 * self.log_likelihood

    def covariance(self, kind: ErrorKind = "cluster") -> Floats:
        """Return the covariance of θ, shape (p, p).

        Raises:
            UsageError: the fit has no covariance of that kind.
        """
        if kind not in self.covariances:
            known = ", ".join(self.covariances)
            raise UsageError(
                f"This fit has no {kind!r} errors, only {known}; a bootstrap needs draws=…, and "
                "cr2 clusters of one way."
            )
        return self.covariances[kind]

    def standard_errors(self, kind: ErrorKind = "cluster") -> Floats:
        """Return standard errors of θ, shape (p,); NaN where not identified or not free."""
        return np.sqrt(np.diag(self.covariance(kind)))

    def intervals(self, level: float = 0.95, kind: ErrorKind = "cluster") -> Floats:
        """Return intervals of θ, shape (p, 2): around the estimates, for ``"cluster"`` with t of one degree
        of freedom less than clusters, for ``"cr2"`` of each parameter's own, otherwise normal or, for
        ``"bootstrap"``, percentiles of the draws.

        Raises:
            UsageError: the level does not lie between 0 and 1, or the fit has no errors of that kind.
        """
        if not 0 < level < 1:
            raise UsageError(f"An interval's level lies between 0 and 1; got {level!r}.")
        errors = self.standard_errors(kind)
        if kind == "bootstrap" and self.draws is not None and len(self.draws):
            ends = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2], axis=0).T
            return np.where(np.isnan(errors)[:, None], np.nan, ends)
        freedoms = np.array([self.freedom(kind, name) for name in self.names])
        reach = special.stdtrit(freedoms, 0.5 + level / 2) * errors
        return np.stack([self.values - reach, self.values + reach], axis=1)

    def freedom(self, kind: ErrorKind = "cluster", name: str | None = None) -> float:
        """Return the degrees of freedom of t: clusters less one for clustered errors, Satterthwaite's of a
        parameter for ``"cr2"`` (the fewest of all without a name), else infinite.
        """
        if kind == "cr2" and self.freedoms is not None:
            if name is not None:
                return float(self.freedoms[self.names.index(name)])
            known = self.freedoms[np.isfinite(self.freedoms)]
            return float(known.min()) if len(known) else math.nan
        return max(self.clusters - 1, 1) if kind == "cluster" else math.inf

    def table(self, kind: ErrorKind = "cluster", level: float = 0.95) -> list[Row]:
        """Return a row per parameter; z and the two-sided p test the hypothesis that it is 0."""
        errors, ends = self.standard_errors(kind), self.intervals(level, kind)
        rows = []
        for place, parameter in enumerate(self.model.parameters):
            value, error = float(self.values[place]), float(errors[place])
            z = value / error if error > 0 else math.nan
            low, high = ends[place].tolist()
            p = two_sided(z, self.freedom(kind, parameter.name))
            rows.append(Row(parameter.name, parameter.symbol, value, error, low, high, z, p))
        return rows


def two_sided(z: float, freedom: float) -> float:
    """Return the two-sided p-value of an estimate over its error; t with `freedom` degrees, normal if
    infinite.
    """
    if math.isinf(freedom):
        return math.erfc(abs(z) / math.sqrt(2))
    return 2 * float(special.stdtr(freedom, -abs(z)))
