"""Tables of estimates before rendering, with a column for each estimated parameter vector.

A column is a sample, a type, a policy or a subject; a row is a parameter. Below them are the sizes of the
data and the criteria, then all warnings as notes. Parameters that are not identified have no number anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ludens.agents.llm.logprobs import LOW_ANSWER_MASS
from ludens.errors import UsageError
from ludens.experiments.estimates.revealed import Revealed
from ludens.experiments.measures.intervals import Estimate
from ludens.experiments.report.answering import low_mass_sentence
from ludens.experiments.report.names import joined_names
from ludens.preferences import human

if TYPE_CHECKING:
    from ludens.preferences.estimation.fitting.hypotheses import HypothesisTest
    from ludens.preferences.estimation.fitting.results import ErrorKind, Fit, FitWarning
    from ludens.preferences.estimation.mixture.results import MixtureWarning
    from ludens.preferences.estimation.models.linear import Model

_LAPSES = {"first": "first", "tremble": "tremble", "bias": "bias"}

BELIEFS: Mapping[str, str] = {
    "uniform": "others choose at random",
    "equilibrium": "others play the equilibrium of homo economicus",
    "own": "as stated by the policy",
}
"""Kinds of beliefs in words."""

_ENDLESS = 1e6  # a statistic from which on only its order of magnitude is shown

Errors = Literal["cluster", "cr2", "hessian", "bootstrap", "ratio"]


@dataclass(frozen=True)
class Value:
    """A parameter in a column; numbers that do not exist are NaN.

    Attributes:
        name, symbol: the parameter.
        estimate, se: the estimate and its standard error.
        low, high: the 95 % interval; infinite where it is open.
        p: two-sided p-value of the hypothesis that the parameter is 0.
        fixed: whether the caller held the parameter at this value.
        about: the parameter's meaning in a few words.
    """

    name: str
    symbol: str
    estimate: float
    se: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    fixed: bool = False
    about: str = ""

    @classmethod
    def of(cls, name: str, symbol: str, estimate: Estimate) -> Value:
        """Return an estimate as a value; missing numbers become NaN."""
        numbers = (estimate.value, estimate.low, estimate.high)
        value, low, high = (math.nan if number is None else number for number in numbers)
        return cls(name, symbol, value, low=low, high=high)


@dataclass(frozen=True)
class Column:
    """One estimated parameter vector."""

    title: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Fact:
    """A row of numbers below the estimates: one for each column, or a single one for all columns."""

    name: str
    label: str
    numbers: tuple[float, ...]
    digits: int = 0


@dataclass(frozen=True)
class EstimateTable:
    """A table of estimates.

    Attributes:
        model, title, source: name, title and source of the model.
        columns: at least one column, all with the same parameters.
        facts: the rows below the estimates.
        errors: the kind of standard errors, in words.
        notes: warnings and other remarks, a sentence each.
        unit: the meaning of a column: ``"sample"``, ``"type"``, ``"policy"`` or ``"subject"``.
    """

    model: str
    title: str
    source: str
    columns: tuple[Column, ...]
    facts: tuple[Fact, ...]
    errors: str
    notes: tuple[str, ...]
    unit: str

    @property
    def parameters(self) -> tuple[Value, ...]:
        """The values of the first column, which hold the names and symbols of all parameters."""
        return self.columns[0].values


def of_fit(fit: Fit, errors: Errors = "cluster", title: str = "pooled") -> EstimateTable:
    """Tabulate one fit of all choices together; likelihood ratios are of single policies, so that clustered
    errors stand in their place.
    """
    errors = "cluster" if errors == "ratio" else errors
    facts = (
        Fact("choices", "Choices", (fit.size,), 0 if float(fit.size).is_integer() else 1),
        Fact("subjects", "Subjects", (fit.subjects,)),
        Fact("clusters", "Clusters", (fit.clusters,)),
        *criteria(log_likelihood=fit.log_likelihood, aic=fit.aic, bic=fit.bic),
    )
    words = error_words(errors, fit.clustered_by)
    return make_table(
        fit.model,
        [column(fit, title, errors)],
        facts,
        warning_notes(fit.warnings),
        errors=words,
        unit="sample",
    )


def of_policies(found: Sequence[Revealed], errors: Errors = "ratio") -> EstimateTable:
    """Tabulate the policies of a run, each fitted separately.

    Raises:
        UsageError: no policy has a usable answer.
    """
    fitted = [(entry, entry.fit) for entry in found if entry.fit is not None]
    if not fitted:
        raise UsageError("No answer of the run can be used: preferences need at least one readable choice.")
    first = fitted[0][1]
    columns = [
        _of_revealed(entry) if errors == "ratio" else _with_lapses(column(fit, entry.policy, errors), entry)
        for entry, fit in fitted
    ]
    known = {value.name: value for one in columns for value in one.values}
    names = sorted(known, key=[*first.model.names[:-1], *_LAPSES, first.model.names[-1]].index)
    columns += [Column(entry.policy, ()) for entry in found if entry.fit is None]
    columns = [Column(one.title, tuple(_of(one, known[name]) for name in names)) for one in columns]
    rows = [entry for entry, _ in fitted] + [entry for entry in found if entry.fit is None]
    fits = [entry.fit for entry in rows]
    facts = (
        Fact("choices", "Choices", tuple(fit.size if fit else 0.0 for fit in fits)),
        Fact("clusters", "Clusters", tuple(float(fit.clusters) if fit else 0.0 for fit in fits)),
        Fact(
            "unusable",
            "No usable answer",
            tuple(float(e.answers.invalid + e.answers.refused + e.answers.low_mass) for e in rows),
        ),
        Fact(
            "log_likelihood",
            "Log-likelihood",
            tuple(fit.log_likelihood if fit else math.nan for fit in fits),
            1,
        ),
        Fact("bic", "BIC", tuple(fit.bic if fit else math.nan for fit in fits), 1),
    )
    notes = [f"{joined_names(entry.policy)}: {entry.reason}." for entry in rows if entry.reason]
    for entry in rows:
        mass = entry.answers.answer_mass
        if mass is not None and mass < LOW_ANSWER_MASS:
            notes.append(low_mass_sentence(entry.policy, mass))
    if any(entry.answers.exact and entry.fit for entry in rows):
        told_by = {
            "hessian": "the errors say what one sampled answer to each question would give",
        }
        words = told_by.get(
            errors, "the errors say how far the model misses them, and vanish where it does not"
        )
        notes.append(f"Choice probabilities have no sampling error; {words}.")
    notes.append(f"Beliefs: {'; '.join(BELIEFS[kind] for kind in dict.fromkeys(e.beliefs for e in rows))}.")
    words = error_words(errors, first.clustered_by)
    return make_table(first.model, columns, facts, notes, errors=words, unit="policy")


def hypothesis_notes(
    general: Fit, restricted: Fit, hypothesis: Mapping[str, float], errors: Errors = "cluster"
) -> tuple[str, ...]:
    """Return the Wald and the likelihood-ratio test of a hypothesis as notes.

    Raises:
        UsageError: the hypothesis cannot be tested, see `wald` and `likelihood_ratio`.
    """
    from ludens.preferences.estimation.fitting.hypotheses import likelihood_ratio, wald

    symbols = {parameter.name: parameter.symbol for parameter in general.model.parameters}
    test = wald(general, hypothesis, "cluster" if errors == "ratio" else errors)
    words = ", ".join(f"{symbols[name]} = {value:g}" for name, value in hypothesis.items())
    ratio = words_of_test(likelihood_ratio(restricted, general))
    return (
        f"Wald test of {words}: {words_of_test(test)}.",
        f"Likelihood-ratio test of {words}: {ratio}, if choices are independent given the model.",
    )


def noise_note(fit: Fit, column: str, errors: Errors = "cluster") -> str:
    """Return the test that the groups of a column have the same noise, as a note."""
    from ludens.preferences.estimation.fitting.hypotheses import equal_noise

    try:
        test = equal_noise(fit, "cluster" if errors == "ratio" else errors)
    except UsageError as why:
        return f"Noise by {column}: {str(why)[0].lower()}{str(why)[1:]}"
    return f"Wald test that noise is the same in all groups of {column}: {words_of_test(test)}."


def words_of_test(test: HypothesisTest) -> str:
    """Return a test's statistic, degrees of freedom and p-value."""
    p = "p < 0.001" if test.p < 0.001 else f"p = {test.p:.3f}"
    # What exact answers reject without an error has a statistic of thirty digits.
    statistic = f"{test.statistic:.2f}" if test.statistic < _ENDLESS else f"{test.statistic:.0e}"
    if math.isinf(test.freedom):
        return f"χ²({test.restrictions}) = {statistic}, {p}"
    return f"F({test.restrictions}, {test.freedom:g}) = {statistic}, {p}"


def make_table(
    model: Model,
    columns: Sequence[Column],
    facts: Sequence[Fact],
    notes: Sequence[str],
    *,
    errors: str,
    unit: str,
) -> EstimateTable:
    """Make a table of one model; a note says which human numbers are missing."""
    about = (model.name, model.title, model.source)
    return EstimateTable(
        *about, tuple(columns), tuple(facts), errors, (*notes, *people_missing(model.name)), unit
    )


def column(fit: Fit, title: str, errors: Errors = "cluster") -> Column:
    """Return a fit as a column."""
    from ludens.preferences.estimation.fitting.results import two_sided

    kind: ErrorKind = "cluster" if errors == "ratio" else errors
    spread = fit.standard_errors(kind)
    ends = [(low, high) for low, high in fit.intervals(kind=kind).tolist()]
    values = []
    for place, parameter in enumerate(fit.model.parameters):
        value, error = float(fit.values[place]), float(spread[place])
        known = math.isfinite(error)
        low, high = ends[place] if known else (math.nan, math.nan)
        if math.isnan(value):
            low, high = fit.ranges.get(parameter.name, (math.nan, math.nan))
        values.append(
            Value(
                parameter.name,
                parameter.symbol,
                value,
                se=error,
                low=low,
                high=high,
                p=two_sided(value / error, fit.freedom(kind, parameter.name)) if error > 0 else math.nan,
                fixed=parameter.name in fit.fixed,
                about=parameter.about,
            )
        )
    return Column(title, tuple(values))


def _of_revealed(entry: Revealed) -> Column:
    """Return what was revealed as a column, with its intervals."""
    assert entry.fit is not None
    parameters = {parameter.name: parameter for parameter in entry.fit.model.parameters}
    values = []
    for name, estimate in {**entry.parameters, **entry.lapses}.items():
        region = entry.ranges.get(name)
        ends = (math.nan, math.nan) if region is None else (region.low, region.high)
        if region is None and estimate.low is not None and estimate.high is not None:
            ends = estimate.low, estimate.high
        parameter = parameters.get(name)
        values.append(
            Value(
                name,
                parameter.symbol if parameter else _LAPSES[name],
                math.nan if estimate.value is None else estimate.value,
                low=ends[0],
                high=ends[1],
                p=math.nan if region is None else region.p,
                fixed=name in entry.fit.fixed,
                about=parameter.about if parameter else "",
            )
        )
    return Column(entry.policy, tuple(values))


def _with_lapses(column: Column, entry: Revealed) -> Column:
    """Return a fit's column with what was estimated beside it, by a fit of its own, before the precision."""
    known = {value.name for value in column.values}
    more = [Value.of(name, _LAPSES[name], one) for name, one in entry.lapses.items() if name not in known]
    return replace(column, values=(*column.values[:-1], *more, column.values[-1]))


def _of(column: Column, parameter: Value) -> Value:
    """Return a parameter's value in a column, without numbers where the column does not have it."""
    nothing = Value(parameter.name, parameter.symbol, math.nan, about=parameter.about)
    return next((value for value in column.values if value.name == parameter.name), nothing)


def criteria(**numbers: float) -> tuple[Fact, ...]:
    """Return the given log-likelihood and information criteria as facts."""
    labels = {"log_likelihood": "Log-likelihood", "entropy": "Entropy"}
    digits = {"log_likelihood": 3, "nec": 4}
    return tuple(
        Fact(name, labels.get(name, name.upper()), (number,), digits.get(name, 1))
        for name, number in numbers.items()
    )


def warning_notes(
    warnings: Sequence[FitWarning] | Sequence[MixtureWarning], whose: str = ""
) -> tuple[str, ...]:
    """Return warnings as notes that begin with the kind of the warning."""
    return tuple(f"{whose}{warning.kind.replace('_', ' ')}: {warning.message}" for warning in warnings)


def error_words(errors: Errors, clustered_by: str) -> str:
    """Describe the standard errors, for the line below a table."""
    return {
        "cluster": f"standard errors clustered by {clustered_by}",
        "cr2": f"bias-reduced errors (CR2, Satterthwaite's t) clustered by {clustered_by}",
        "hessian": "standard errors from the inverse Hessian",
        "bootstrap": f"standard errors from a bootstrap of clusters ({clustered_by})",
        "ratio": f"95 % intervals, from likelihood ratios that allow for dependent answers within each "
        f"{clustered_by}",
    }[errors]


_PEOPLE: Mapping[str, tuple[str, ...]] = {
    "moralis": (human.MORALIS,),
    "fehr_schmidt": (human.FEHR_SCHMIDT,),
    "charness_rabin": (human.CHARNESS_RABIN,),
    "bfs": (human.BFS, *(human.bfs_group(number) for number in (1, 2, 3))),
}
"""The groups of human numbers shown beside each model: the same parameters, with the same signs."""


def people(model: str) -> tuple[Column, ...]:
    """Return human estimates of a model's parameters as columns; empty if there are none."""
    found = []
    for game in _PEOPLE.get(model, ()):
        known = [
            number
            for number in human.numbers(game)
            if number.unit == "parameter" and number.value is not None
        ]
        if known:
            title = game.replace(f"{human.BFS}, ", "").replace(human.BFS, "pooled")
            share = next(
                (n for n in human.numbers(game) if n.measure == "share" and n.value is not None), None
            )
            title = f"people, {title}" + (f" ({100 * (share.value or 0):.1f} %)" if share is not None else "")
            shares = () if share is None else (_of_people(share),)
            found.append(Column(title, (*shares, *(_of_people(number) for number in known))))
    return tuple(found)


def people_missing(model: str) -> tuple[str, ...]:
    """Return a note on missing human numbers and the reason; empty if none is missing."""
    missing = [n for game in _PEOPLE.get(model, ()) for n in human.numbers(game) if n.value is None]
    if not missing:
        return ()
    return (f"No human numbers stand beside these ({missing[0].missing}).",)


def _of_people(number: human.HumanNumber) -> Value:
    assert number.value is not None
    reach = 1.96 * number.spread if number.spread is not None else math.nan
    spread = number.spread if number.spread is not None else math.nan
    return Value(
        number.measure, number.measure, number.value, spread, number.value - reach, number.value + reach
    )


def as_json(table: EstimateTable) -> dict[str, Any]:
    """Return the table as JSON values; missing numbers are null."""
    return {
        "model": table.model,
        "errors": table.errors,
        "estimates": [
            {"column": one.title, **{key: _plain(cell) for key, cell in vars(value).items()}}
            for one in table.columns
            for value in one.values
        ],
        "facts": {fact.name: [_plain(number) for number in fact.numbers] for fact in table.facts},
        "notes": list(table.notes),
    }


def _plain(cell: Any) -> Any:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell
