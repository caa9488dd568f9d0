"""Estimates from a run or a table of choices, by one request."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ludens.errors import UsageError
from ludens.experiments.estimates.answers import (
    Beliefs,
    PolicyAnswers,
    grouped_by_policy,
    run_answers,
    together,
)
from ludens.experiments.estimates.revealed import reveal_all
from ludens.experiments.estimates.strategies import MODEL, strategies_of_run, strategies_of_table
from ludens.experiments.estimates.table import Errors, EstimateTable, of_fit, of_policies
from ludens.experiments.runs.run import Run
from ludens.experiments.study.questions import label_of
from ludens.preferences.mapping import MapLike

if TYPE_CHECKING:
    from ludens.experiments.estimates.revealed import Revealed
    from ludens.preferences.estimation.data.choices import Choices
    from ludens.preferences.estimation.models.linear import Model

By = Literal["pooled", "subject"]
Kind = Literal["uniform", "equilibrium", "stated", "all"]

_OF_RUNS: Mapping[Kind, Beliefs] = {"uniform": "uniform", "equilibrium": "equilibrium", "stated": "own"}

DRAWS = 1000
"""Number of bootstrap draws where bootstrap errors are requested without a number."""


@dataclass(frozen=True)
class EstimateRequest:
    """A request for estimates.

    Attributes:
        model: the model or its name.
        types: None for no types, K for a mixture of K types, (low, high) to compare all numbers from low to
            high.
        by: ``"pooled"`` for one estimate, ``"subject"`` for one per subject or, in a run, per policy; None
            for pooled estimates of a table, and one per policy of a run.
        fix: parameters to hold at values.
        errors: the kind of standard errors; None for errors clustered by subject or, for the policies of a
            run, for intervals from clustered likelihood ratios.
        beliefs: ``"uniform"``, ``"stated"`` by subjects or policies, ``"equilibrium"`` of homo economicus, or
            ``"all"``, which estimates under each of them.
        columns: the table's names of columns, by our names.
        reading: how a table is read, by the names of `read_choices`' arguments: ``drop_missing``, ``codes``,
            ``pattern``, ``questions``, ``delimiter``, ``decimal``, ``sheet``.
        draws: number of bootstrap draws; None for the default.
        seed: seed of the random starts and of the bootstrap.
        map_with: carries out bootstraps; `ludens.experiments.compute` uses several processes.
        test: values of parameters that are tested jointly, of one pooled estimate.
        covariates: columns of a table on which weights depend, by weight, as in ``{"kappa": ("age",)}``.
        noise_by: the column of a table that names groups of subjects, each with a noise of its own; of a run,
            ``"policy"``, and of a benchmark the models under test are the groups.
    """

    model: str | Model = "moralis"
    types: int | tuple[int, int] | None = None
    by: By | None = None
    fix: Mapping[str, float] | None = None
    errors: Errors | None = None
    beliefs: Kind = "uniform"
    columns: Mapping[str, str] | None = None
    reading: Mapping[str, Any] | None = None
    draws: int | None = None
    seed: int = 0
    map_with: MapLike = field(default=map, compare=False)
    test: Mapping[str, float] | None = None
    covariates: Mapping[str, tuple[str, ...]] | None = None
    noise_by: str | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments that every fit takes."""
        draws = self.draws
        if draws is None:
            draws = DRAWS if self.errors == "bootstrap" else 0
        return {"fix": self.fix, "draws": draws, "seed": self.seed, "map_with": self.map_with}


def estimate(source: str | os.PathLike[str], request: EstimateRequest) -> tuple[EstimateTable, ...]:
    """Estimate preferences from a run or a table; return one table, or several if numbers of types are
    compared.

    Args:
        source: a run's ``.db`` file, or a table's file as `ludens.preferences.estimation.read_choices` takes
            it.
        request: what to estimate, and how.

    Raises:
        UsageError: the source holds no choices that the model can use, or the request contradicts itself.
        NoRunError: there is no such run.
    """
    if request.types is not None and request.by == "subject":
        raise UsageError("Types are estimated of all subjects together: leave --by subject out, or --types.")
    from ludens.preferences.estimation.data.files import is_table

    if request.test and (request.types is not None or request.by == "subject" or request.model == MODEL):
        raise UsageError(
            "A hypothesis is tested on one pooled estimate: leave --types, --by subject or --test out."
        )
    if request.model == MODEL:
        return (_strategies(source, request, table=is_table(source)),)
    if is_table(source):
        return _of_table(source, request)
    return _of_run(source, request)


def compare_sources(
    source: str | os.PathLike[str], other: str | os.PathLike[str], request: EstimateRequest
) -> EstimateTable:
    """Estimate preferences from two runs or tables, each pooled, and their differences.

    Args:
        source: the first, see `estimate`.
        other: the second, of other subjects.
        request: what to estimate of both, and how.

    Raises:
        UsageError: see `estimate`; or the request is for something else than two pooled estimates.
        NoRunError: there is no such run.
    """
    from ludens.experiments.estimates.several import of_two
    from ludens.preferences.estimation import fit

    if request.types is not None or request.by == "subject" or request.test or request.model == MODEL:
        raise UsageError("Two pooled estimates are compared: leave --types, --by subject and --test out.")
    if request.errors == "ratio":
        raise UsageError("Differences have no --errors ratio: take cluster, cr2, hessian or bootstrap.")
    read = [_pooled(place, request) for place in (source, other)]
    samples = [choices for choices, _ in read]
    fits = [fit(choices, model, **request.settings) for choices, model in read]
    names = [Path(place).stem for place in (source, other)]
    if names[0] == names[1]:
        names = ["first", "second"]
    table = of_two(fits[0], fits[1], (names[0], names[1]), request.errors or "cluster")
    notes = [
        f"{name}: {note}" for name, choices in zip(names, samples, strict=True) for note in choices.notes
    ]
    return replace(table, notes=(*notes, *table.notes))


def _pooled(source: str | os.PathLike[str], request: EstimateRequest) -> tuple[Choices, Model]:
    """Return all choices of a table or of a run, and the model with its covariates."""
    from ludens.preferences.estimation import find_model
    from ludens.preferences.estimation.data.covariates import with_covariates, with_noise_groups
    from ludens.preferences.estimation.data.files import is_table
    from ludens.preferences.estimation.data.tables import read_choices

    model, effects = find_model(request.model), request.covariates or {}
    if not is_table(source) and request.noise_by == "policy":
        answers = _tested(source, _answers(source, replace(request, noise_by=None)))
        return with_noise_groups(grouped_by_policy(answers, model), model, "policy")
    if not is_table(source):
        return together(_answers(source, request), model), model
    settings: dict[str, Any] = {**(request.reading or {}), **(request.columns or {})}
    named = [column for names in effects.values() for column in names]
    columns = tuple(dict.fromkeys([*named, request.noise_by] if request.noise_by else named))
    choices = read_choices(source, model, beliefs=request.beliefs, covariates=columns, **settings)
    if effects:
        choices, model = with_covariates(choices, model, effects)
    return with_noise_groups(choices, model, request.noise_by) if request.noise_by else (choices, model)


def _tested(source: str | os.PathLike[str], answers: tuple[PolicyAnswers, ...]) -> tuple[PolicyAnswers, ...]:
    """Return the answers of the models under test, of a benchmark; policies that it compares them with have
    no noise, or nothing else. Of other runs, return all.

    Raises:
        UsageError: fewer than two have usable answers.
    """
    with Run(source) as run:
        manifest = run.manifest
    if manifest["kind"] == "bench":
        labels = set(map(label_of, manifest["config"]["models"]))
        answers = tuple(each for each in answers if each.policy in labels)
    if sum(bool(each.seen) for each in answers) < 2:
        raise UsageError(
            "Noise by policy compares two policies with usable answers or more: ask another model, or leave "
            "it out."
        )
    return answers


def _answers(source: str | os.PathLike[str], request: EstimateRequest) -> tuple[PolicyAnswers, ...]:
    clusters = {"cluster", "cluster_2"} >= set(request.columns or {})
    given = ["cluster" if clusters else "columns"] * bool(request.columns) + list(request.reading or {})
    given += ["covariates"] * bool(request.covariates)
    if request.noise_by and not given:
        raise UsageError(f"A run has no column {request.noise_by!r}: take --noise-by policy.")
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(f"A run is no table and is read as it is: leave {options} out.")
    assert request.beliefs != "all"  # which is made of the other kinds
    with Run(source) as run:
        return tuple(run_answers(run, _OF_RUNS[request.beliefs]))


def _strategies(source: str | os.PathLike[str], request: EstimateRequest, *, table: bool) -> EstimateTable:
    """Estimate strategy frequencies; nothing of a request has a meaning there but its bootstrap."""
    given: dict[str, Any] = {"--types": request.types, "--by": request.by, "--fix": request.fix}
    given["--errors"] = None if request.errors == "bootstrap" else request.errors
    given["--covariates"] = request.covariates
    given["--noise-by"] = request.noise_by
    given["--beliefs"] = None if request.beliefs == "uniform" else request.beliefs
    if wrong := [name for name, value in given.items() if value]:
        raise UsageError(f"{wrong[0]} has no effect on strategy frequencies: leave it out.")
    sampled: dict[str, Any] = {name: getattr(request, name) for name in ("draws", "seed", "map_with")}
    if table:
        return strategies_of_table(source, request.columns, request.reading, **sampled)
    if request.columns or request.reading:
        raise UsageError("A run is no table and is read as it is: leave out what is said of a table.")
    return strategies_of_run(source, **sampled)


def _of_table(source: str | os.PathLike[str], request: EstimateRequest) -> tuple[EstimateTable, ...]:
    settings: dict[str, Any] = {**(request.reading or {}), **(request.columns or {})}
    if request.beliefs == "all":
        return (_under_beliefs(source, request),)
    if request.covariates and request.by == "subject":
        raise UsageError("A subject's covariates do not vary: leave --by subject out, or --covariates.")
    _check_noise(request)
    choices, model = _pooled(source, request)
    request = replace(request, model=model)
    if request.types is not None:
        tables = types_of(choices, request)
    elif request.by == "subject":
        tables = (subjects_of(choices, request),)
    else:
        tables = (_one(choices, request),)
    before = (*choices.notes, *_consistency(source, settings))
    return tuple(replace(table, notes=(*before, *table.notes)) for table in tables)


def _check_noise(request: EstimateRequest) -> None:
    if request.noise_by and (request.by == "subject" or request.types is not None):
        raise UsageError(
            "Noise by group is of one pooled estimate: leave --by subject, --types or --noise-by out."
        )


def _under_beliefs(source: str | os.PathLike[str], request: EstimateRequest) -> EstimateTable:
    """Estimate from choices in games under each kind of beliefs that the table allows, side by side."""
    from ludens.experiments.estimates.several import of_beliefs
    from ludens.preferences.estimation import fit

    if request.types is not None or request.by == "subject" or request.test:
        raise UsageError(
            "--beliefs all is for one pooled estimate: leave --types, --by subject and --test out."
        )
    fits, left_out = {}, []
    for kind in ("uniform", "equilibrium", "stated"):
        try:
            choices, model = _pooled(source, replace(request, beliefs=kind))
        except UsageError as why:
            if kind == "uniform":
                raise
            left_out.append(f"Beliefs, {kind}: left out. {why}")
            continue
        fits[kind] = fit(choices, model, **request.settings)
    table = of_beliefs(fits, request.errors or "cluster")
    return replace(table, notes=(*table.notes, *left_out))


def _consistency(source: str | os.PathLike[str], settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is known of the consistency of choices between payoffs; nothing of other choices."""
    from ludens.experiments.estimates.consistency import consistency_notes
    from ludens.preferences.estimation.data.tables import read_choices
    from ludens.preferences.rationality.menus import PAYOFFS

    try:
        payoffs = read_choices(source, PAYOFFS, **settings)
    except UsageError:
        return ()
    return tuple(consistency_notes(payoffs))


def _of_run(source: str | os.PathLike[str], request: EstimateRequest) -> tuple[EstimateTable, ...]:
    from ludens.preferences.estimation import find_model

    model = find_model(request.model)
    if request.beliefs == "all":
        return (_run_under_beliefs(source, request),)
    if request.noise_by == "policy":
        _check_noise(request)
        choices, grouped = _pooled(source, request)
        return (_one(choices, replace(request, model=grouped)),)
    answers = _answers(source, request)
    if request.types is not None:
        return types_of(together(answers, model), request)
    if request.by == "pooled":
        return (_one(together(answers, model), request),)
    if request.test:
        raise UsageError("A hypothesis is tested on one pooled estimate: add --by pooled.")
    found = reveal_all(answers, model, beliefs=_OF_RUNS[request.beliefs], **request.settings)
    return (of_policies(found, request.errors or "ratio"),)


def _run_under_beliefs(source: str | os.PathLike[str], request: EstimateRequest) -> EstimateTable:
    """Estimate the preferences of a run's policies under each kind of beliefs that the run allows."""
    from ludens.experiments.estimates.several import of_policies_by_beliefs

    if request.by == "pooled":
        return _under_beliefs(source, request)
    if request.types is not None or request.test:
        raise UsageError("--beliefs all is for one estimate per policy: leave --types and --test out.")
    found: dict[str, list[Revealed]] = {}
    left_out = []
    for kind, beliefs in _OF_RUNS.items():
        try:
            answers = _answers(source, replace(request, beliefs=kind))
        except UsageError as why:
            if kind == "uniform":
                raise
            left_out.append(f"Beliefs, {kind}: left out. {why}")
            continue
        found[kind] = reveal_all(answers, request.model, beliefs=beliefs, **request.settings)
    table = of_policies_by_beliefs(found, request.errors or "ratio")
    return replace(table, notes=(*table.notes, *left_out))


def compare_policies(source: str | os.PathLike[str], request: EstimateRequest) -> EstimateTable:
    """Estimate the preferences of every policy of a run, and the differences between policies.

    Args:
        source: the run.
        request: what to estimate, and how.

    Raises:
        UsageError: see `estimate`; the source is a table, the request is not for an estimate per policy, or
            fewer than two policies have usable answers.
        NoRunError: there is no such run.
    """
    from ludens.experiments.estimates.several import of_policies_compared
    from ludens.preferences.estimation.data.files import is_table

    if is_table(source):
        raise UsageError(f"{source} is a table, which has no policies: give --compare another table.")
    if request.types is not None or request.by == "pooled" or request.test or request.model == MODEL:
        raise UsageError("Policies are compared one by one: leave --types, --by pooled and --test out.")
    if request.beliefs == "all":
        raise UsageError("Policies are compared under one kind of beliefs: give another one than all.")
    answers = _answers(source, request)
    found = reveal_all(answers, request.model, beliefs=_OF_RUNS[request.beliefs], **request.settings)
    return of_policies_compared(found, request.errors or "ratio")


def _one(choices: Choices, request: EstimateRequest) -> EstimateTable:
    """Tabulate one estimate of all choices together, with the test of the request."""
    from ludens.experiments.estimates.table import hypothesis_notes, noise_note
    from ludens.preferences.estimation import fit

    errors = request.errors or "cluster"
    general = fit(choices, request.model, **request.settings)
    table = of_fit(general, errors)
    if request.noise_by:
        table = replace(table, notes=(noise_note(general, request.noise_by, errors), *table.notes))
    if not request.test:
        return table
    fixed = {**(request.fix or {}), **request.test}
    restricted = fit(choices, request.model, fix=fixed, seed=request.seed)
    notes = hypothesis_notes(general, restricted, request.test, errors)
    return replace(table, notes=(*notes, *table.notes))


def types_of(choices: Choices, request: EstimateRequest) -> tuple[EstimateTable, ...]:
    """Estimate types of subjects; for several numbers of types, return their criteria and then each
    mixture.
    """
    from ludens.experiments.estimates.several import of_selection, of_types
    from ludens.preferences.estimation.mixture.fit import fit_types, select_types

    errors = request.errors or "cluster"
    if errors not in ("cluster", "hessian", "bootstrap"):
        raise UsageError(f"Types have no --errors {errors}: take cluster, hessian or bootstrap.")
    if isinstance(request.types, tuple):
        if errors == "bootstrap":
            raise UsageError(
                "Several numbers of types have no bootstrap errors: leave them out, or ask for one number."
            )
        low, high = request.types
        found = select_types(choices, request.model, high, seed=request.seed, fix=request.fix)
        shown = [of_types(mixture, errors) for mixture in found if len(mixture.types) >= low]
        return of_selection(found, low), *shown
    assert request.types is not None
    return (of_types(fit_types(choices, request.model, request.types, **request.settings), errors),)


def subjects_of(choices: Choices, request: EstimateRequest) -> EstimateTable:
    """Estimate every subject separately."""
    from ludens.experiments.estimates.several import of_individuals
    from ludens.preferences.estimation import fit_individuals

    if request.errors not in {None, "hessian"}:
        raise UsageError(
            "One subject is one cluster: its errors are the inverse Hessian's, so leave --errors out."
        )
    return of_individuals(fit_individuals(choices, request.model, fix=request.fix, seed=request.seed))
