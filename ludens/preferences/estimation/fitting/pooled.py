"""One parameter vector for all choices, by maximum likelihood, with standard errors and diagnoses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.fitting.bias_reduced import bias_reduced
from ludens.preferences.estimation.fitting.bounds import Bounds, check_bounds, maximise_within
from ludens.preferences.estimation.fitting.errors import (
    bootstrap,
    carried,
    cluster_count,
    contained,
    filling,
    inverse,
)
from ludens.preferences.estimation.fitting.likelihood import events
from ludens.preferences.estimation.fitting.maximise import STARTS, Optimum
from ludens.preferences.estimation.fitting.regions import regions
from ludens.preferences.estimation.fitting.results import ErrorKind, Fit, FitWarning
from ludens.preferences.estimation.identification.candidate import FEW, Candidate
from ludens.preferences.estimation.identification.noise_free import noise_free_ranges
from ludens.preferences.estimation.identification.warnings import diagnose
from ludens.preferences.estimation.models.catalogue import find_model
from ludens.preferences.estimation.models.expected import model_of
from ludens.preferences.estimation.models.linear import Model
from ludens.preferences.mapping import MapLike

Floats = NDArray[np.float64]

_ENOUGH = 0.9  # share of bootstrap draws that must have a maximum


def fit(
    choices: Choices,
    model: str | Model = "moralis",
    *,
    fix: Mapping[str, float] | None = None,
    bounds: Bounds | None = None,
    draws: int = 0,
    seed: int = 0,
    starts: int = STARTS,
    map_with: MapLike = map,
) -> Fit:
    """Fit one parameter vector to all choices.

    Args:
        choices: the data.
        model: a model or its name.
        fix: parameters to hold at values, for example ``{"kappa": 0}``.
        bounds: intervals, for example ``{"kappa": (0, 1)}``. A parameter whose estimate lies outside is held
            at the end of its interval, and the rest is fitted again; it has no standard error, and the other
            errors are conditional on its value.
        draws: number of cluster bootstrap draws; 0 for none.
        seed: seed of the random starts and of the bootstrap.
        starts: number of random starts where the log-likelihood may have several maxima.
        map_with: carries out the bootstrap; `ludens.experiments.compute` uses several processes.

    Raises:
        UsageError: there are no choices, they lack the model's attributes, or `fix` or `bounds` name an
            unknown parameter or an impossible value.
    """
    chosen = model_of(choices, find_model(model))
    fixed, within = dict(fix or {}), dict(bounds or {})
    check_choices(choices, chosen)
    check_bounds(chosen, within, fixed)
    if draws < 0 or starts < 1:
        raise UsageError(f"Give draws ≥ 0 and starts ≥ 1; got draws={draws}, starts={starts}.")
    if draws and choices.crossed:
        raise UsageError(
            f"Clusters by {choices.clustered_by} cross subjects, so that whole ones cannot be drawn: take "
            "clustered errors in place of the bootstrap."
        )
    spawned = np.random.SeedSequence(seed).spawn(2)
    optimum, pinned = maximise_within(
        chosen, choices, fixed, within, starts=starts, rng=np.random.default_rng(spawned[0])
    )
    rng = np.random.default_rng(spawned[1])
    return conclude(chosen, choices, optimum, fixed, pinned, draws=draws, rng=rng, map_with=map_with)


def check_choices(choices: Choices, model: Model) -> None:
    """Refuse choices that the model cannot be fitted to.

    Raises:
        UsageError: there are no choices, or they do not have the model's attributes.
    """
    found, wanted = choices.attributes.shape[2], len(model.attributes)
    if found != wanted:
        raise UsageError(
            f"The model {model.name!r} needs {wanted} attributes ({', '.join(model.attributes)}); "
            f"these choices have {found}."
        )
    if not choices.size > 0:
        raise UsageError("There are no choices to fit.")
    model.check(choices)


def conclude(
    model: Model,
    choices: Choices,
    optimum: Optimum,
    fixed: Mapping[str, float],
    pinned: Mapping[str, float],
    *,
    draws: int = 0,
    rng: np.random.Generator | None = None,
    clustered: bool = True,
    map_with: MapLike = map,
) -> Fit:
    """Add standard errors and diagnoses to an optimum.

    Args:
        model: the fitted model.
        choices: the data.
        optimum: the optimum, in the ψ of ``model.restrict({**fixed, **pinned})``.
        fixed: the parameters that the caller holds at values.
        pinned: the parameters at their bounds.
        draws: number of bootstrap draws.
        rng: the source of the bootstrap draws.
        clustered: whether to compute clustered errors; a single subject has none.
        map_with: carries out the bootstrap.
    """
    held = {**fixed, **pinned}
    restriction = model.restrict(held)
    phi = restriction.expand(optimum.psi)
    clusters = cluster_count(choices)
    with np.errstate(all="ignore"):
        values = model.to_reported(phi)
        jacobian = model.jacobian(phi) @ restriction.matrix
    sizes = restriction.sizes(model.sizes(choices))
    bread = inverse(-optimum.value.hessian, sizes)
    shown = events(model, choices, phi)
    covariances: dict[ErrorKind, Floats] = {"hessian": carried(bread, jacobian)}
    sandwich, reduced, notes = None, None, [_pinned(name, end) for name, end in pinned.items()]
    if clustered:
        if clusters > restriction.free:
            middle = restriction.matrix.T @ filling(choices, shown.score) @ restriction.matrix
            sandwich = bread @ middle @ bread
            covariances["cluster"] = carried(sandwich, jacobian)
            with np.errstate(all="ignore"):
                reduced = bias_reduced(
                    choices, shown, restriction.matrix, bread=bread, jacobian=jacobian, sizes=sizes
                )
        else:
            covariances["cluster"] = np.full((len(phi), len(phi)), np.nan)
        if reduced is not None:
            covariances["cr2"] = reduced.covariance
        elif clusters <= restriction.free:
            covariances["cr2"] = np.full((len(phi), len(phi)), np.nan)
        if clusters < FEW:
            notes.append(_few(clusters, choices.clustered_by, restriction.free))
    identification = diagnose(
        Candidate(model, choices, restriction, held, optimum, bread, sandwich, clusters)
    )
    unknown, warnings = identification.unknown, identification.warnings
    if pinned and np.all(unknown[_free(model, held)]) and warnings:
        # Where no weight is identified, it means nothing that one of them ran to an end.
        unknown = _free(model, fixed)
        names = tuple(name for name in model.names if name not in fixed)
        warnings, notes = (replace(warnings[0], parameters=names), *warnings[1:]), notes[len(pinned) :]
    drawn = None
    if draws and rng is not None and restriction.free and not np.all(unknown[_free(model, held)]):
        drawn, lost = bootstrap(
            model, choices, restriction, optimum.psi, draws=draws, rng=rng, map_with=map_with
        )
        if lost:
            notes.append(_lost(lost, draws))
        enough = len(drawn) >= max(2, _ENOUGH * draws)
        covariances["bootstrap"] = (
            np.cov(drawn, rowvar=False) if enough else np.full((len(phi), len(phi)), np.nan)
        )
    elif draws:
        covariances["bootstrap"] = np.full((len(phi), len(phi)), np.nan)
    ranges: dict[str, tuple[float, float]] = {}
    if any(warning.kind == "separation" for warning in warnings):
        found = noise_free_ranges(model, choices, fixed)
        if found is None and not clustered:
            silent_ones = [name for name, one in zip(model.names, unknown, strict=True) if one]
            found = regions(model, choices, phi, fixed, names=silent_ones)
        ranges = {name: (region.low, region.high) for name, region in (found or {}).items()}
    silent = unknown | ~_free(model, held)
    for table in covariances.values():
        table[silent], table[:, silent] = np.nan, np.nan
    return Fit(
        model=model,
        names=model.names,
        values=_written(values, held, model.names, unknown),
        optimum=phi,
        covariances=covariances,
        log_likelihood=float(optimum.value.level),
        size=choices.size,
        subjects=len(choices.subjects),
        clusters=clusters,
        clustered_by=choices.clustered_by,
        fixed=dict(fixed),
        converged=optimum.converged,
        warnings=(*warnings, *notes),
        free=contained(model, choices, restriction, phi, shown),
        draws=drawn,
        freedoms=None if reduced is None else np.where(silent, np.nan, reduced.freedoms),
        ranges=ranges,
    )


def _free(model: Model, held: Mapping[str, float]) -> NDArray[np.bool_]:
    return np.array([name not in held for name in model.names])


def _written(
    values: Floats, held: Mapping[str, float], names: tuple[str, ...], unknown: NDArray[np.bool_]
) -> Floats:
    """Return the values with NaN for unknown ones, and with held ones exact, also where φ does not
    give them.
    """
    for place, name in enumerate(names):
        if name in held:
            values[place] = held[name]
    return np.where(unknown, np.nan, values)


def _pinned(name: str, end: float) -> FitWarning:
    return FitWarning(
        "bound",
        (name,),
        f"{name} is at its bound {end:g}: it has no error, and the other errors are those given its value.",
    )


def _few(clusters: int, clustered_by: str, free: int) -> FitWarning:
    what = f"{clusters} cluster{'' if clusters == 1 else 's'} ({clustered_by})"
    if clusters <= free:
        text = f"{what} cannot give clustered errors of {free} parameters; take the inverse Hessian's."
    else:
        text = f"With {what} clustered errors are too small more often than not; they need {FEW} or more."
    return FitWarning("few_clusters", (), text)


def _lost(lost: int, draws: int) -> FitWarning:
    return FitWarning(
        "separation",
        (),
        f"{lost} of {draws} bootstrap draws have no maximum at a positive precision and are left out"
        f"{'; there are no bootstrap errors' if lost > (1 - _ENOUGH) * draws else ''}.",
    )
