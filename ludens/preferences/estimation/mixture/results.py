"""The result of a mixture: the types, their shares, the subjects' membership, and warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ludens.display.notebook import Shown
from ludens.errors import UsageError
from ludens.preferences.estimation.fitting.results import ErrorKind, Fit
from ludens.preferences.estimation.mixture.criteria import Criteria, suggested
from ludens.preferences.estimation.models.linear import Model

Floats = NDArray[np.float64]

MixtureWarningKind = Literal["empty", "equal", "singular", "unconverged", "few_clusters", "one_start"]


@dataclass(frozen=True)
class MixtureWarning:
    """A warning about the types together; warnings about a single type are in its `Fit`.

    Attributes:
        kind: *empty*: a type has less than one subject; *equal*: two types choose alike; *singular*: the
            likelihood has no curvature along some direction; *unconverged*: no maximum was reached;
            *few_clusters*: there are too few clusters for clustered errors; *one_start*: only one of several
            starts reached the best maximum, so that a higher one may exist.
        types: the types concerned, counted from 0.
        message: one sentence that says what is wrong and what to do.
    """

    kind: MixtureWarningKind
    types: tuple[int, ...]
    message: str


class Starts(NamedTuple):
    """A summary of the random starts.

    Attributes:
        tried: number of starts.
        continued: number of starts, the best after short runs, that were followed to their maximum.
        reached: number of these that reached the best maximum.
        levels: their final log-likelihoods, the highest first.
    """

    tried: int
    continued: int
    reached: int
    levels: tuple[float, ...]

    @property
    def spread(self) -> float:
        """The difference between the best and the worst log-likelihood."""
        return self.levels[0] - self.levels[-1]


@dataclass(frozen=True, eq=False, repr=False)
class Mixture(Shown):
    """A finite mixture of types, the largest first; equal shares are ordered by the first parameter.

    Attributes:
        model: the model of every type's choices.
        names: the names of its parameters θ.
        types: a `Fit` for each type. Its errors are those of the whole mixture and include the uncertainty
            about membership; its choices, size and log-likelihood are weighted by membership, and its
            `subjects` is the number of subjects that most likely have this type.
        shares: the types' shares, shape (K,); NaN where not identified.
        membership: each subject's probability of being of each type, shape (subjects, K).
        who: the subjects' names.
        covariances: covariances of all parameters by kind, shape (K·p + K, K·p + K): θ of the first type, of
            the second, …, then the shares, which sum to 1.
        log_likelihood: the log-likelihood of the mixture.
        size, subjects, clusters, clustered_by: see `Fit`.
        fixed: parameters held at a value, in every type.
        converged: whether the optimiser reached a maximum.
        criteria: the criteria for the number of types.
        starts: a summary of the random starts.
        warnings: warnings about the types together.
        free: the number of free parameters, including K − 1 shares.
        draws: (θ_1, …, θ_K, π) of the bootstrap draws, shape (draws, K·p + K); None without a bootstrap.
    """

    shown_by: ClassVar[str] = "ludens.preferences.estimation.views:of_mixture"

    model: Model
    names: tuple[str, ...]
    types: tuple[Fit, ...]
    shares: Floats
    membership: Floats
    who: tuple[str, ...]
    covariances: Mapping[ErrorKind, Floats]
    log_likelihood: float
    size: float
    subjects: int
    clusters: int
    clustered_by: str
    fixed: Mapping[str, float]
    converged: bool
    criteria: Criteria
    starts: Starts
    warnings: tuple[MixtureWarning, ...]
    free: int
    draws: Floats | None = None

    def __repr__(self) -> str:
        shares = ", ".join(f"{share:.3g}" for share in self.shares)
        return f"Mixture({self.model.name}: {len(self.types)} types with shares {shares})"

    @property
    def values(self) -> Floats:
        """θ of every type, shape (K, p)."""
        return np.stack([fit.values for fit in self.types])

    @property
    def assigned(self) -> NDArray[np.intp]:
        """Each subject's most likely type, shape (subjects,)."""
        most_probable: NDArray[np.intp] = np.argmax(self.membership, axis=1)
        return most_probable

    def covariance(self, kind: ErrorKind = "cluster") -> Floats:
        """Return the covariance of all parameters.

        Raises:
            UsageError: the mixture has no covariance of that kind.
        """
        if kind not in self.covariances:
            known = ", ".join(self.covariances)
            raise UsageError(f"This mixture has no {kind!r} errors, only {known}; a bootstrap needs draws=….")
        return self.covariances[kind]

    def standard_errors(self, kind: ErrorKind = "cluster") -> Floats:
        """Return standard errors of θ, shape (K, p)."""
        size = len(self.types) * len(self.names)
        return np.sqrt(np.diag(self.covariance(kind))[:size]).reshape(len(self.types), -1)

    def share_errors(self, kind: ErrorKind = "cluster") -> Floats:
        """Return standard errors of the shares, shape (K,)."""
        return np.sqrt(np.diag(self.covariance(kind))[len(self.types) * len(self.names) :])


@dataclass(frozen=True, eq=False, repr=False)
class Selection(Shown):
    """Mixtures of 1, 2, … types of the same choices, as a sequence, with their criteria."""

    shown_by: ClassVar[str] = "ludens.preferences.estimation.views:of_selection"

    mixtures: tuple[Mixture, ...]

    def __repr__(self) -> str:
        return f"Selection({', '.join(map(repr, self.mixtures))})"

    @property
    def criteria(self) -> tuple[Criteria, ...]:
        """The criteria for each number of types."""
        return tuple(mixture.criteria for mixture in self.mixtures)

    @property
    def suggested(self) -> dict[str, int]:
        """The number of types that each criterion would choose; the criteria need not agree."""
        return suggested(self.criteria)

    def __len__(self) -> int:
        return len(self.mixtures)

    def __iter__(self) -> Iterator[Mixture]:
        return iter(self.mixtures)

    def __getitem__(self, place: int) -> Mixture:
        return self.mixtures[place]
