"""A separate parameter vector for every subject.

Subjects who faced the same situations are optimised together (see `newton`). Each fit is then diagnosed by
itself like a pooled one; its errors come from the inverse Hessian, since one subject is one cluster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ludens.display.notebook import Shown
from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.fitting.bounds import Bounds, check_bounds, maximise_within
from ludens.preferences.estimation.fitting.likelihood import Value, evaluator, restricted
from ludens.preferences.estimation.fitting.maximise import STARTS, Optimum
from ludens.preferences.estimation.fitting.newton import best_of
from ludens.preferences.estimation.fitting.pooled import check_choices, conclude
from ludens.preferences.estimation.fitting.results import Fit
from ludens.preferences.estimation.models.catalogue import find_model
from ludens.preferences.estimation.models.expected import model_of
from ludens.preferences.estimation.models.linear import Model
from ludens.preferences.estimation.models.restriction import Restriction

Floats = NDArray[np.float64]

_BLOCK = 1 << 24  # numbers in the counts of subjects optimised together


@dataclass(frozen=True, eq=False, repr=False)
class Individuals(Shown):
    """Fits of single subjects.

    Attributes:
        subjects: the subjects' names.
        fits: their fits, in the same order.
    """

    shown_by: ClassVar[str] = "ludens.preferences.estimation.views:of_individuals"

    subjects: tuple[str, ...]
    fits: tuple[Fit, ...]

    def __repr__(self) -> str:
        return f"Individuals({self.fits[0].model.name}: {len(self.subjects)} subjects)"

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names."""
        return self.fits[0].names

    @property
    def values(self) -> Floats:
        """Estimates, shape (subjects, p); NaN where not identified."""
        return np.stack([one.values for one in self.fits])

    @property
    def standard_errors(self) -> Floats:
        """Standard errors from the inverse Hessian, shape (subjects, p)."""
        return np.stack([one.standard_errors("hessian") for one in self.fits])

    @property
    def log_likelihood(self) -> float:
        """The sum of the log-likelihoods of all subjects."""
        return float(sum(one.log_likelihood for one in self.fits))

    def summary(self, levels: Sequence[float] = (0.25, 0.5, 0.75)) -> list[dict[str, float | str]]:
        """Summarise each parameter over the subjects for whom it is identified: their number, mean, standard
        deviation and quantiles.
        """
        rows: list[dict[str, float | str]] = []
        for name, column in zip(self.names, self.values.T, strict=True):
            known = column[~np.isnan(column)]
            row: dict[str, float | str] = {"name": name, "identified": len(known)}
            row["mean"] = float(known.mean()) if len(known) else np.nan
            row["sd"] = float(known.std(ddof=1)) if len(known) > 1 else np.nan
            for level in levels:
                row[f"q{100 * level:g}"] = float(np.quantile(known, level)) if len(known) else np.nan
            rows.append(row)
        return rows

    def warned(self) -> dict[str, int]:
        """Count the subjects that have a warning of each kind."""
        return dict(Counter(kind for one in self.fits for kind in {note.kind for note in one.warnings}))


def fit_individuals(
    choices: Choices,
    model: str | Model = "moralis",
    *,
    fix: Mapping[str, float] | None = None,
    bounds: Bounds | None = None,
    seed: int = 0,
    starts: int = STARTS,
) -> Individuals:
    """Fit every subject on its own.

    Args:
        choices: the data.
        model: a model or its name.
        fix: parameters to hold at values.
        bounds: intervals; a subject whose estimate leaves one is fitted again within it.
        seed: seed of the random starts, which are the same for all subjects.
        starts: number of random starts where the log-likelihood may have several maxima.

    Raises:
        UsageError: an argument is invalid (see `fit`), or a subject has no choices.
    """
    chosen = model_of(choices, find_model(model))
    fixed, within = dict(fix or {}), dict(bounds or {})
    check_choices(choices, chosen)
    check_bounds(chosen, within, fixed)
    sizes = np.asarray(choices.counts.sum(axis=1)).reshape(-1)
    if not np.all(sizes > 0):
        name = choices.subjects[int(np.argmin(sizes))]
        raise UsageError(f"Subject {name!r} has no choices; leave it out.")
    restriction = chosen.restrict(fixed)
    fits: dict[int, Fit] = {}
    for members in _alike(choices):
        together = observed(choices.only(members))
        optima = _maximise_all(chosen, together, restriction, starts, np.random.default_rng(seed))
        for place, (subject, first) in enumerate(zip(members, optima, strict=True)):
            alone = together.only([place])
            rng = np.random.default_rng(seed)
            optimum, pinned = maximise_within(
                chosen, alone, fixed, within, starts=starts, rng=rng, first=first
            )
            fits[subject] = conclude(chosen, alone, optimum, fixed, pinned, clustered=False)
    return Individuals(choices.subjects, tuple(fits[place] for place in range(len(choices.subjects))))


def observed(choices: Choices) -> Choices:
    """Return the choices without the situations in which nobody chose."""
    seen = choices.total.sum(axis=-1) > 0
    if np.all(seen):
        return choices
    columns = np.repeat(seen, choices.events)
    return replace(
        choices,
        attributes=choices.attributes[seen],
        available=choices.available[seen],
        members=None if choices.members is None else choices.members[seen],
        measure=None if choices.measure is None else choices.measure[seen],
        counts=sparse.csr_array(choices.counts[:, columns]),
        crossed=tuple(sparse.csr_array(counts[:, columns]) for counts in choices.crossed),
        situations=tuple(name for name, one in zip(choices.situations, seen, strict=False) if one),
    )


def _alike(choices: Choices) -> list[list[int]]:
    """Group the subjects who faced the same situations."""
    groups: dict[bytes, list[int]] = {}
    counts = choices.counts
    for subject in range(len(choices.subjects)):
        columns = counts.indices[counts.indptr[subject] : counts.indptr[subject + 1]]
        values = counts.data[counts.indptr[subject] : counts.indptr[subject + 1]]
        met = np.unique(columns[values > 0] // choices.events)
        groups.setdefault(met.tobytes(), []).append(subject)
    return list(groups.values())


def _maximise_all(
    model: Model, choices: Choices, restriction: Restriction, starts: int, rng: np.random.Generator
) -> list[Optimum]:
    """Maximise every subject's log-likelihood."""
    number = len(choices.subjects)
    if restriction.free == 0:
        begin = np.zeros((1, 0))
    elif model.linear and choices.members is None:
        begin = restriction.reduce(np.zeros((1, len(model.parameters))))
    else:
        begin = restriction.reduce(model.starts(starts, choices.attributes, rng))
    sizes = restriction.sizes(model.sizes(choices))
    block = max(1, _BLOCK // choices.counts.shape[1])
    optima: list[Optimum] = []
    for first in range(0, number, block):
        rows = range(first, min(first + block, number))
        counts = choices.tally(np.eye(number)[rows])
        function = restricted(evaluator(model, choices, counts), restriction)
        best = best_of(function, begin, len(rows), sizes)
        for place in range(len(rows)):
            value = Value(*(part[place] for part in best.value))
            optima.append(Optimum(best.phi[place], value, bool(best.converged[place])))
    return optima
