"""What notebooks show of estimates: a table of parameters, the sizes of the data, and all warnings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ludens.display.notebook import View
from ludens.display.table import Cell, Table
from ludens.preferences.estimation.bayes import Posterior
from ludens.preferences.estimation.fitting.individuals import Individuals
from ludens.preferences.estimation.fitting.results import Fit, Row
from ludens.preferences.estimation.mixture.criteria import CRITERIA
from ludens.preferences.estimation.mixture.results import Mixture, Selection
from ludens.preferences.estimation.models.linear import Model

_MOST = 10


def of_fit(fit: Fit) -> View:
    """Return the view of a fit: estimates with clustered errors, where there are some."""
    kind = "cluster" if "cluster" in fit.covariances else next(iter(fit.covariances))
    clustered = kind == "cluster" and fit.clusters > 1
    caption = f"Standard errors {f'clustered by {fit.clustered_by}' if clustered else f'of the kind {kind}'}."
    return View(
        fit.model.title,
        "estimates",
        f"{fit.size:g} choices of {_count(fit.subjects, 'subject')} in {_count(fit.clusters, 'cluster')}.",
        [each.message for each in fit.warnings],
        tables=[_parameters(fit.model, fit.table(kind), caption, ("estimate", "standard error"))],
        facts={
            "log-likelihood": _text(fit.log_likelihood),
            "AIC": _text(fit.aic),
            "BIC": _text(fit.bic),
            **(
                {"held fixed": ", ".join(f"{name} {value:g}" for name, value in fit.fixed.items())}
                if fit.fixed
                else {}
            ),
        },
    )


def of_posterior(posterior: Posterior) -> View:
    """Return the view of a posterior: means and standard deviations of the median subject."""
    names = ("mean", "standard deviation")
    return View(
        posterior.model.title,
        "posterior",
        f"{_count(len(posterior.who), 'subject')}, {posterior.draws.shape[1]} draws in each of "
        f"{_count(posterior.draws.shape[0], 'chain')}.",
        [each.message for each in posterior.warnings],
        tables=[_parameters(posterior.model, posterior.table(), "The median subject.", names)],
    )


def of_mixture(mixture: Mixture) -> View:
    """Return the view of a mixture: the parameters of its types, over their standard errors."""
    errors, spread = mixture.standard_errors(), mixture.share_errors()
    rows = [
        (
            parameter.symbol,
            [_cell(fit.values[place], errors[kind, place]) for kind, fit in enumerate(mixture.types)],
        )
        for place, parameter in enumerate(mixture.model.parameters)
    ]
    shares = [_cell(share, error) for share, error in zip(mixture.shares, spread, strict=True)]
    heads = [f"type {kind + 1}" for kind in range(len(mixture.types))]
    title = "Types"
    table = Table.of(
        title, "In small the standard errors.", heads, [*rows, ("share", shares)], corner="parameter"
    )
    notes = [each.message for each in mixture.warnings]
    notes += [
        f"Type {kind + 1}: {each.message}" for kind, fit in enumerate(mixture.types) for each in fit.warnings
    ]
    return View(
        mixture.model.title,
        "mixture of types",
        f"{mixture.size:g} choices of {_count(mixture.subjects, 'subject')}.",
        notes,
        tables=[table],
        facts={"log-likelihood": _text(mixture.log_likelihood), "BIC": _text(mixture.criteria.bic)},
    )


def of_selection(selection: Selection) -> View:
    """Return the view of mixtures of 1, 2, … types: their criteria, and what each of these suggests."""
    rows = [
        (str(each.types), [_text(each.log_likelihood), *(_text(getattr(each, name)) for name in CRITERIA)])
        for each in selection.criteria
    ]
    heads = ["log-likelihood", *map(_criterion, CRITERIA)]
    table = Table.of("Criteria", "The smaller, the better.", heads, rows, corner="types")
    facts = {f"by {_criterion(name)}": _count(types, "type") for name, types in selection.suggested.items()}
    return View(selection[0].model.title, "numbers of types", tables=[table], facts=facts)


def of_individuals(individuals: Individuals) -> View:
    """Return the view of the fits of single subjects: each parameter over subjects, and the first of them."""
    symbols = [parameter.symbol for parameter in individuals.fits[0].model.parameters]
    summary = [
        (symbol, [str(row["identified"]), *(_text(float(value)) for value in list(row.values())[2:])])
        for symbol, row in zip(symbols, individuals.summary(), strict=True)
    ]
    heads = ["identified", "mean", "standard deviation", "25 %", "50 %", "75 %"]
    errors = individuals.standard_errors
    first = [
        (
            name,
            [
                _cell(value, error)
                for value, error in zip(individuals.values[place], errors[place], strict=True)
            ],
        )
        for place, name in enumerate(individuals.subjects[:_MOST])
    ]
    warned = ", ".join(
        f"{kind} for {_count(number, 'subject')}" for kind, number in individuals.warned().items()
    )
    return View(
        individuals.fits[0].model.title,
        "estimates by subject",
        f"{_count(len(individuals.subjects), 'subject')}.",
        [f"Warnings: {warned}."] if warned else [],
        tables=[
            Table.of(
                "Over subjects", "Subjects for whom it is identified.", heads, summary, corner="parameter"
            )
        ],
        folded=[Table.of("Subjects", f"The first {len(first)}.", symbols, first, corner="subject")],
    )


def _criterion(name: str) -> str:
    kind, _, subjects = name.partition("_")
    return f"{kind.upper()}{' by subjects' if subjects else ''}"


def _parameters(model: Model, rows: Sequence[Row], caption: str, names: tuple[str, str]) -> Table:
    tested = any(not math.isnan(row.p) for row in rows)
    heads = [*names, "95 % interval", *(["p"] if tested else [])]
    cells = [
        [
            *(_text(row.estimate), _text(row.se)),
            "–" if math.isnan(row.low) else f"{_text(row.low)} to {_text(row.high)}",
            *([_text(row.p)] if tested else []),
        ]
        for row in rows
    ]
    named = [f"{row.symbol} ({row.name})" if row.symbol != row.name else row.name for row in rows]
    return Table.of("Parameters", caption, heads, list(zip(named, cells, strict=True)), corner="parameter")


def _cell(value: float, error: float) -> Cell:
    return Cell(_text(value), "" if math.isnan(error) else _text(error))


def _text(value: float) -> str:
    if math.isnan(value):
        return "–"
    size = abs(value)
    text = (
        f"{value:.1f}" if size >= 100 else f"{value:.3f}" if size >= 0.0005 or value == 0 else f"{value:.1e}"
    )
    return text.replace("-", "−")


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
