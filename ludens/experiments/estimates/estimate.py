"""Estimates from a run or a table of choices, by one request."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from ludens.errors import UsageError
from ludens.experiments.estimates.answers import run_answers, together
from ludens.experiments.estimates.revealed import reveal_all
from ludens.experiments.estimates.strategies import MODEL, strategies_of_run, strategies_of_table
from ludens.experiments.estimates.table import Errors, EstimateTable, of_fit, of_policies
from ludens.experiments.runs.run import Run
from ludens.preferences.mapping import MapLike

if TYPE_CHECKING:
    from ludens.preferences.estimation.data.choices import Choices

By = Literal["pooled", "subject"]

DRAWS = 1000
"""Number of bootstrap draws where bootstrap errors are requested without a number."""


@dataclass(frozen=True)
class EstimateRequest:
    """A request for estimates.

    Attributes:
        model: the name of the model.
        types: None for no types, K for a mixture of K types, (low, high) to compare all numbers from low to
            high.
        by: ``"pooled"`` for one estimate, ``"subject"`` for one per subject or, in a run, per policy; None
            for pooled estimates of a table, and one per policy of a run.
        fix: parameters to hold at values.
        errors: the kind of standard errors; None for errors clustered by subject or, for the policies of a
            run, for intervals from clustered likelihood ratios.
        beliefs: ``"uniform"``, or ``"stated"`` by subjects or policies.
        columns: the table's names of columns, by our names.
        reading: how a table is read, by the names of `read_choices`' arguments: ``drop_missing``, ``codes``,
            ``pattern``, ``questions``, ``delimiter``, ``decimal``, ``sheet``.
        draws: number of bootstrap draws; None for the default.
        seed: seed of the random starts and of the bootstrap.
        map_with: carries out bootstraps; `ludens.experiments.compute` uses several processes.
    """

    model: str = "moralis"
    types: int | tuple[int, int] | None = None
    by: By | None = None
    fix: Mapping[str, float] | None = None
    errors: Errors | None = None
    beliefs: Literal["uniform", "stated"] = "uniform"
    columns: Mapping[str, str] | None = None
    reading: Mapping[str, Any] | None = None
    draws: int | None = None
    seed: int = 0
    map_with: MapLike = field(default=map, compare=False)

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

    if request.model == MODEL:
        return (_strategies(source, request, table=is_table(source)),)
    if is_table(source):
        return _of_table(source, request)
    return _of_run(source, request)


def _strategies(source: str | os.PathLike[str], request: EstimateRequest, *, table: bool) -> EstimateTable:
    """Estimate strategy frequencies; nothing of a request has a meaning there but its bootstrap."""
    given: dict[str, Any] = {"--types": request.types, "--by": request.by, "--fix": request.fix}
    given["--errors"] = None if request.errors == "bootstrap" else request.errors
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
    from ludens.preferences.estimation import fit
    from ludens.preferences.estimation.data.tables import read_choices

    settings: dict[str, Any] = {**(request.reading or {}), **(request.columns or {})}
    choices = read_choices(source, request.model, beliefs=request.beliefs, **settings)
    if request.types is not None:
        tables = types_of(choices, request)
    elif request.by == "subject":
        tables = (subjects_of(choices, request),)
    else:
        tables = (of_fit(fit(choices, request.model, **request.settings), request.errors or "cluster"),)
    before = (*choices.notes, *_consistency(source, settings))
    return tuple(replace(table, notes=(*before, *table.notes)) for table in tables)


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
    from ludens.preferences.estimation import find_model, fit

    given = ["columns"] * bool(request.columns) + list(request.reading or {})
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(f"A run is no table and is read as it is: leave {options} out.")
    model = find_model(request.model)
    with Run(source) as run:
        answers = run_answers(run, "own" if request.beliefs == "stated" else "uniform")
    if request.types is not None:
        return types_of(together(answers, model), request)
    if request.by == "pooled":
        choices = together(answers, model)
        return (of_fit(fit(choices, model, **request.settings), request.errors or "cluster"),)
    beliefs = "own" if request.beliefs == "stated" else "uniform"
    found = reveal_all(answers, model, beliefs=beliefs, **request.settings)
    return (of_policies(found, request.errors or "ratio"),)


def types_of(choices: Choices, request: EstimateRequest) -> tuple[EstimateTable, ...]:
    """Estimate types of subjects; for several numbers of types, return their criteria and then each
    mixture.
    """
    from ludens.experiments.estimates.several import of_selection, of_types
    from ludens.preferences.estimation.mixture.fit import fit_types, select_types

    errors = request.errors or "cluster"
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
