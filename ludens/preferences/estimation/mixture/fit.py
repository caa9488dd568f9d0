"""Types of subjects: a finite mixture of K parameter vectors, by maximum likelihood.

The module `likelihood` has the likelihood and its derivatives, the module `em` its maximisation. With H the
Hessian at the maximum and v_i the scores of the subjects, the covariances are

    hessian     (−H)⁻¹, the inverse of the observed information (Louis 1982)
    cluster     G/(G−1) · (−H)⁻¹ (Σ_g v_g v_gᵀ) (−H)⁻¹,  v_g = Σ_{i∈g} v_i
    bootstrap   over draws of whole clusters, each maximised from the estimate, with its types matched to
                the estimate's by membership (Stephens 2000)

transformed to θ and the shares by the delta method.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.fitting.errors import carried, cluster_count, contained, inverse, meat
from ludens.preferences.estimation.fitting.likelihood import Value
from ludens.preferences.estimation.fitting.maximise import Optimum, find_optimum
from ludens.preferences.estimation.fitting.pooled import check_choices
from ludens.preferences.estimation.fitting.results import ErrorKind, Fit, FitWarning
from ludens.preferences.estimation.identification.candidate import Candidate
from ludens.preferences.estimation.identification.warnings import diagnose
from ludens.preferences.estimation.mixture.criteria import criteria
from ludens.preferences.estimation.mixture.em import SAME, MixtureOptimum, maximise_types, sizes_of
from ludens.preferences.estimation.mixture.errors import bootstrap, flat, jacobian, problems
from ludens.preferences.estimation.mixture.likelihood import MixtureLikelihood, Parts
from ludens.preferences.estimation.mixture.results import Mixture, Selection, Starts
from ludens.preferences.estimation.models.catalogue import find_model
from ludens.preferences.estimation.models.expected import model_of
from ludens.preferences.estimation.models.linear import Model
from ludens.preferences.mapping import MapLike

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

STARTS = 20
"""Number of random starts of a mixture."""

_PRESENT = 1e-3  # membership below which a subject's choices do not speak for a type
_ENOUGH = 0.9  # share of bootstrap draws that must have a maximum


def fit_types(
    choices: Choices,
    model: str | Model = "moralis",
    types: int = 3,
    *,
    starts: int = STARTS,
    seed: int = 0,
    workers: int | None = None,
    draws: int = 0,
    fix: Mapping[str, float] | None = None,
    map_with: MapLike = map,
) -> Mixture:
    """Fit K types of subjects.

    Args:
        choices: the data.
        model: a model or its name; every type has its own parameters.
        types: the number of types K.
        starts: number of random starts.
        seed: seed of the starts and of the bootstrap.
        workers: threads for the starts; None for one per core. The result does not depend on their number.
        draws: number of cluster bootstrap draws; 0 for none.
        fix: parameters to hold at values in every type, for example ``{"kappa": 0}``.
        map_with: carries out the bootstrap; `ludens.experiments.compute` uses several processes.

    Raises:
        UsageError: there are no choices, they lack the model's attributes, there are fewer subjects than
            types, or `fix` names an unknown parameter or an impossible value.
    """
    chosen, held = model_of(choices, find_model(model)), dict(fix or {})
    check_choices(choices, chosen)
    if not 1 <= types <= len(choices.subjects):
        raise UsageError(f"Give from 1 to {len(choices.subjects)} types (a subject each); got {types!r}.")
    if starts < 1 or draws < 0 or (workers is not None and workers < 1):
        raise UsageError(
            f"Give starts ≥ 1, workers ≥ 1 and draws ≥ 0; got {starts!r}, {workers!r} and {draws!r}."
        )
    if choices.crossed:
        raise UsageError(
            f"Types are of whole subjects, which clusters by {choices.clustered_by} cross: name a column of "
            "clusters that hold whole subjects, or none."
        )
    restriction = chosen.restrict(held)
    first, second = (np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(2))
    pooled = find_optimum(chosen, choices, restriction, rng=first)
    function = MixtureLikelihood(chosen, choices, restriction, types)
    optimum = maximise_types(
        function, pooled.psi, starts=starts, rng=first, workers=workers or os.cpu_count() or 1
    )
    optimum = optimum._replace(omega=_ordered(function, optimum.omega))
    return _conclude(
        function, optimum, held, pooled=float(pooled.value.level), draws=draws, rng=second, map_with=map_with
    )


def select_types(
    choices: Choices,
    model: str | Model = "moralis",
    upto: int = 4,
    *,
    starts: int = STARTS,
    seed: int = 0,
    workers: int | None = None,
    fix: Mapping[str, float] | None = None,
) -> Selection:
    """Fit mixtures of 1, 2, …, `upto` types and compare their criteria. Arguments are those of `fit_types`.

    Raises:
        UsageError: an argument is invalid, see `fit_types`.
    """
    numbers = range(1, upto + 1)
    if not numbers:
        raise UsageError(f"Give `upto` of 1 or more; got {upto!r}.")
    return Selection(
        tuple(
            fit_types(choices, model, number, starts=starts, seed=seed, workers=workers, fix=fix)
            for number in numbers
        )
    )


def _ordered(function: MixtureLikelihood, omega: Floats) -> Floats:
    """Return ω with the types in order of decreasing share, equal ones by their first parameter."""
    psi, logs = function.split(omega[None])
    theta = function.model.to_reported(function.restriction.expand(psi[0]))
    shares = np.exp(logs[0])
    order = np.lexsort((theta[:, 0], -np.round(shares, 9)))
    ordered: Floats = function.join(psi[:, order], shares[None, order])[0]
    return ordered


def _conclude(
    function: MixtureLikelihood,
    optimum: MixtureOptimum,
    held: Mapping[str, float],
    *,
    pooled: float,
    draws: int,
    rng: np.random.Generator,
    map_with: MapLike,
) -> Mixture:
    """Add standard errors and diagnoses to an optimum."""
    model, choices, types = function.model, function.choices, function.types
    psi, logs = (part[0] for part in function.split(optimum.omega[None]))
    parts, shares = function.parts(optimum.omega[None]), np.exp(logs)
    information, table = -parts.hessian[0], jacobian(function, psi, shares)
    bread, clusters = inverse(information, sizes_of(function)), cluster_count(choices)
    reached = int((optimum.levels > optimum.levels[0] - SAME).sum())
    starts = Starts(len(optimum.short), len(optimum.levels), reached, tuple(optimum.levels.tolist()))
    found = problems(function, psi, shares, converged=optimum.converged, starts=starts)
    none = np.full((len(table), len(table)), np.nan)
    covariances: dict[ErrorKind, Floats] = {"hessian": carried(bread, table), "cluster": none.copy()}
    if clusters > function.size:
        covariances["cluster"] = carried(bread @ meat(choices, parts.scores[0]) @ bread, table)
    drawn = bootstrap(function, optimum.omega, draws, rng, map_with) if draws else None
    if drawn is not None:
        enough = len(drawn) >= max(2, _ENOUGH * draws)
        covariances["bootstrap"] = np.cov(drawn, rowvar=False) if enough else none.copy()
    fits = [
        _type(function, optimum, parts, k, held=held, bread=bread, unknown=found.parameters[k])
        for k in range(types)
    ]
    free = np.array([name not in held for name in model.names])
    known = np.array([np.isnan(each.values) for each in fits])
    singular, moved = flat(function, psi, shares, information, known | ~free)
    fits = [
        replace(one, values=np.where(lost, np.nan, one.values)) for one, lost in zip(fits, moved, strict=True)
    ]
    silent = np.concatenate([*(np.isnan(each.values) | ~free for each in fits), found.shares])
    for covariance in covariances.values():
        covariance[silent], covariance[:, silent] = np.nan, np.nan
    width = len(model.names)
    for k, each in enumerate(fits):
        here = slice(k * width, (k + 1) * width)
        own = {kind: covariance[here, here].copy() for kind, covariance in covariances.items()}
        fits[k] = replace(each, covariances=own, draws=None if drawn is None else drawn[:, here])
    level = float(parts.level[0])
    counted = sum(each.free for each in fits) + types - 1
    return Mixture(
        model=model,
        names=model.names,
        types=tuple(fits),
        shares=np.where(found.shares, np.nan, shares),
        membership=parts.membership[0],
        who=choices.subjects,
        covariances=covariances,
        log_likelihood=level,
        size=choices.size,
        subjects=len(choices.subjects),
        clusters=clusters,
        clustered_by=choices.clustered_by,
        fixed=dict(held),
        converged=optimum.converged,
        criteria=criteria(
            parts.membership[0], free=counted, log_likelihood=level, pooled=pooled, size=choices.size
        ),
        starts=starts,
        warnings=found.warnings if singular is None else (*found.warnings, singular),
        free=counted,
        draws=drawn,
    )


def _type(
    function: MixtureLikelihood,
    optimum: MixtureOptimum,
    parts: Parts,
    k: int,
    *,
    held: Mapping[str, float],
    bread: Floats,
    unknown: Mask,
) -> Fit:
    """Return one type as a fit, diagnosed on the choices of its members like a pooled fit."""
    model, choices, restriction = function.model, function.choices, function.restriction
    membership, psi = parts.membership[0], function.split(optimum.omega[None])[0][0, k]
    mine = np.where(membership[:, k] > _PRESENT, membership[:, k], 0.0)
    own = replace(choices, counts=sparse.csr_array(sparse.diags_array(mine) @ choices.counts))
    by_type = function.by_type(psi[None, None])[0, :, 0]
    level = float((mine * np.where(mine > 0, by_type, 0.0)).sum())
    here = slice(k * restriction.free, (k + 1) * restriction.free)
    own_optimum = Optimum(
        psi, Value(np.array(level), np.zeros(restriction.free), parts.within[0, k]), optimum.converged
    )
    phi = restriction.expand(psi)
    with np.errstate(all="ignore"):
        values = model.to_reported(phi)
    warnings: tuple[FitWarning, ...] = ()
    lost = unknown
    if not unknown.all() and own.size > 0:
        identification = diagnose(
            Candidate(
                model,
                own,
                restriction,
                held,
                own_optimum,
                bread[here, here],
                clustered=None,
                clusters=cluster_count(own),
            )
        )
        warnings, lost = identification.warnings, unknown | identification.unknown
    for place, name in enumerate(model.names):
        values[place] = held.get(name, np.nan if lost[place] else values[place])
    return Fit(
        model=model,
        names=model.names,
        values=values,
        optimum=phi,
        covariances={},
        log_likelihood=level,
        size=own.size,
        subjects=int((np.argmax(membership, axis=1) == k).sum()),
        clusters=cluster_count(own),
        clustered_by=choices.clustered_by,
        fixed=dict(held),
        converged=optimum.converged,
        warnings=warnings,
        free=contained(model, choices, restriction, phi),
    )
