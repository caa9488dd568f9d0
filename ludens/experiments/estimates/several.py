"""Tables of several parameter vectors from one data set: types, comparisons of numbers of types, subjects."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import TYPE_CHECKING

from ludens.errors import UsageError
from ludens.experiments.estimates.table import (
    Column,
    Errors,
    EstimateTable,
    Fact,
    Value,
    column,
    error_words,
    make_table,
    of_policies,
    warning_notes,
    words_of_test,
)
from ludens.experiments.report.names import number, policy_name

if TYPE_CHECKING:
    from ludens.experiments.estimates.revealed import Revealed
    from ludens.preferences.estimation.fitting.hypotheses import Difference
    from ludens.preferences.estimation.fitting.individuals import Individuals
    from ludens.preferences.estimation.fitting.results import Fit
    from ludens.preferences.estimation.mixture.results import Mixture, Selection

_CRITERIA = {
    "log_likelihood": ("Log-likelihood", 3),
    "free": ("Free parameters", 0),
    "aic": ("AIC", 1),
    "bic": ("BIC, n = choices", 1),
    "bic_subjects": ("BIC, n = subjects", 1),
    "icl": ("ICL, n = choices", 1),
    "icl_subjects": ("ICL, n = subjects", 1),
    "entropy": ("Entropy of membership", 2),
    "nec": ("NEC", 4),
}


def of_types(mixture: Mixture, errors: Errors = "cluster") -> EstimateTable:
    """Tabulate the types of a mixture side by side, with their shares."""
    columns = []
    kind = "cluster" if errors == "ratio" else errors
    spreads = mixture.share_errors(kind).tolist()
    for place, fit in enumerate(mixture.types):
        share = _share(float(mixture.shares[place]), spreads[place])
        found = column(fit, f"type {place + 1}", kind)
        columns.append(Column(found.title, (share, *found.values)))
    notes = [
        note
        for place, fit in enumerate(mixture.types)
        for note in warning_notes(fit.warnings, f"type {place + 1}, ")
    ]
    notes = [*warning_notes(mixture.warnings), *notes]
    starts = mixture.starts
    notes.append(
        f"Types are ordered by share. Of {starts.tried} random starts the best {starts.continued} were "
        f"followed to their maximum, and {starts.reached} of these reached the best."
    )
    assigned = mixture.assigned.tolist()
    facts = [
        Fact(
            "assigned",
            "Most likely of this type",
            tuple(float(assigned.count(k)) for k in range(len(columns))),
        ),
        Fact("choices", "Choices", (mixture.size,)),
        Fact("subjects", "Subjects", (mixture.subjects,)),
        Fact("clusters", "Clusters", (mixture.clusters,)),
        *(
            Fact(name, label, (float(getattr(mixture.criteria, name)),), digits)
            for name, (label, digits) in _CRITERIA.items()
            if name != "free"
        ),
    ]
    words = error_words(kind, mixture.clustered_by)
    return make_table(mixture.model, columns, facts, notes, errors=words, unit="type")


def of_selection(selection: Selection, low: int = 1) -> EstimateTable:
    """Tabulate the criteria for numbers of types from `low` on, and the number that each criterion
    suggests.
    """
    from ludens.preferences.estimation.mixture.criteria import suggested

    mixtures = [mixture for mixture in selection if len(mixture.types) >= low]
    rows = [mixture.criteria for mixture in mixtures]
    facts = [
        Fact(name, label, tuple(float(getattr(row, name)) for row in rows), digits)
        for name, (label, digits) in _CRITERIA.items()
    ]
    notes = [
        "Less is better for every criterion but the log-likelihood; they need not agree, and none decides."
    ]
    agreed: dict[int, list[str]] = {}
    for name, types in suggested(rows).items():
        agreed.setdefault(types, []).append(_CRITERIA[name][0])
    notes += [
        f"{types} type{'s' * (types > 1)}: suggested by {'; '.join(names)}."
        for types, names in agreed.items()
    ]
    for mixture in mixtures:
        notes += warning_notes(mixture.warnings, f"{len(mixture.types)} types, ")
    columns = [Column(f"{row.types} type{'s' * (row.types > 1)}", ()) for row in rows]
    words = error_words("cluster", mixtures[0].clustered_by)
    return make_table(mixtures[0].model, columns, facts, notes, errors=words, unit="types")


def of_beliefs(fits: Mapping[str, Fit], errors: Errors = "cluster") -> EstimateTable:
    """Tabulate fits of the same choices under several beliefs, and how far each parameter moves."""
    kind = "cluster" if errors == "ratio" else errors
    first = next(iter(fits.values()))
    columns = [column(fit, name, kind) for name, fit in fits.items()]
    facts = [
        Fact("choices", "Choices", tuple(fit.size for fit in fits.values())),
        Fact("subjects", "Subjects", tuple(fit.subjects for fit in fits.values())),
        Fact("log_likelihood", "Log-likelihood", tuple(fit.log_likelihood for fit in fits.values()), 3),
    ]
    same = len({(fit.size, fit.subjects) for fit in fits.values()}) == 1
    moves = _moves(list(fits.values())) if same else []
    notes = [
        "Each column explains the same choices by other beliefs about the others."
        if same
        else "Not all choices have each kind of beliefs: the columns explain different choices, and their "
        "numbers cannot be compared."
    ]
    if moves:
        notes.append(f"Over these beliefs: {', '.join(moves)}.")
    for name, fit in fits.items():
        notes += warning_notes(fit.warnings, f"{name}, ")
    words = error_words(kind, first.clustered_by)
    return make_table(first.model, columns, facts, notes, errors=words, unit="sample")


def _moves(fits: Sequence[Fit]) -> list[str]:
    """Return the range of each parameter's estimates, of those that two or more fits estimate."""
    values: dict[str, list[float]] = {}
    for fit in fits:
        for parameter, value in zip(fit.model.parameters, fit.values.tolist(), strict=True):
            if math.isfinite(value):
                values.setdefault(parameter.symbol, []).append(value)
    return [
        f"{symbol} {number(min(known), 3)} to {number(max(known), 3)}"
        for symbol, known in values.items()
        if len(known) > 1
    ]


def of_two(first: Fit, second: Fit, names: tuple[str, str], errors: Errors = "cluster") -> EstimateTable:
    """Tabulate two fits of different samples side by side, with the differences of their parameters."""
    from ludens.preferences.estimation.fitting.hypotheses import compare, equality

    kind = "cluster" if errors == "ratio" else errors
    values = tuple(
        Value(gap.name, gap.symbol, gap.estimate, gap.se, gap.low, gap.high, gap.p)
        for gap in compare(first, second, kind=kind)
    )
    columns = [column(first, names[0], kind), column(second, names[1], kind), Column("difference", values)]
    facts = [
        Fact("choices", "Choices", (first.size, second.size, math.nan)),
        Fact("subjects", "Subjects", (first.subjects, second.subjects, math.nan)),
        Fact("clusters", "Clusters", (first.clusters, second.clusters, math.nan)),
        Fact("log_likelihood", "Log-likelihood", (first.log_likelihood, second.log_likelihood, math.nan), 3),
    ]
    notes = [
        *(
            f"{gap.symbol}: {names[0]} − {names[1]} = {gap.estimate:.3f}, 95 % interval {gap.low:.3f} to "
            f"{gap.high:.3f}."
            for gap in values
            if not math.isnan(gap.low)
        ),
    ]
    try:
        notes.append(f"All parameters are equal: {words_of_test(equality(first, second, kind))}.")
    except UsageError as why:
        notes.append(str(why))
    notes.append("The two samples are taken as independent: nobody belongs to both.")
    for name, fit in zip(names, (first, second), strict=True):
        notes += warning_notes(fit.warnings, f"{name}, ")
    words = error_words(kind, first.clustered_by)
    return make_table(first.model, columns, facts, notes, errors=words, unit="sample")


def of_policies_compared(found: Sequence[Revealed], errors: Errors = "ratio") -> EstimateTable:
    """Tabulate the policies of a run with the differences between their parameters.

    Raises:
        UsageError: fewer than two policies have usable answers.
    """
    from ludens.experiments.estimates.differences import EACH_PAIR, comparable, policy_differences

    kind = "cluster" if errors == "ratio" else errors
    apart = policy_differences(found, kind)
    if not apart:
        raise UsageError(
            "Fewer than two policies of the run have usable answers, so that none can be compared: leave "
            "--compare out."
        )
    table = of_policies(found, errors)
    columns, notes = list(table.columns), []
    for each in apart:
        names = f"{policy_name(each.policy)} − {policy_name(each.other)}"
        gaps = [each.gaps.get(value.name) for value in table.parameters]
        columns.append(
            Column(
                f"{each.policy} − {each.other}",
                tuple(
                    Value(value.name, value.symbol, math.nan) if gap is None else _difference(gap, errors)
                    for value, gap in zip(table.parameters, gaps, strict=True)
                ),
            )
        )
        words = each.reason if each.test is None else f"{words_of_test(each.test)}."
        notes.append(f"{names}, all parameters are equal: {words}")
    notes.append(
        "Differences have the errors of both policies, as if the answers of one did not depend on those of "
        f"the other{', with t intervals of clustered errors' if errors == 'ratio' else ''}."
    )
    fitted = len(comparable(found))
    if fitted > EACH_PAIR:
        notes.append(f"Of {fitted} policies, the first is compared with each other.")
    nothing = (math.nan,) * len(apart)
    facts = tuple(replace(fact, numbers=(*fact.numbers, *nothing)) for fact in table.facts)
    return replace(table, columns=tuple(columns), facts=facts, notes=(*notes, *table.notes))


def _difference(gap: Difference, errors: Errors) -> Value:
    """Return a difference as a value, with an interval in place of an error where policies have intervals."""
    error = math.nan if errors == "ratio" else gap.se
    return Value(gap.name, gap.symbol, gap.estimate, error, gap.low, gap.high, gap.p)


def of_policies_by_beliefs(
    by_beliefs: Mapping[str, Sequence[Revealed]], errors: Errors = "ratio"
) -> EstimateTable:
    """Tabulate the policies of a run under several beliefs, and how far each parameter moves.

    Raises:
        UsageError: no policy has a usable answer.
    """
    kinds = list(by_beliefs)
    policies = [each.policy for each in by_beliefs[kinds[0]]]
    found = {(each.policy, kind): each for kind in kinds for each in by_beliefs[kind]}
    rows = [
        replace(found[policy, kind], policy=f"{policy} | {kind}")
        for policy in policies
        for kind in kinds
        if (policy, kind) in found
    ]
    moves = {
        policy: _moves([one.fit for (whose, _), one in found.items() if whose == policy and one.fit])
        for policy in policies
    }
    notes = [
        f"{policy_name(policy)}, over these beliefs: {', '.join(ranges)}."
        for policy, ranges in moves.items()
        if ranges
    ]
    table = of_policies(rows, errors)
    return replace(table, notes=(*notes, *table.notes))


def of_individuals(found: Individuals) -> EstimateTable:
    """Tabulate all subjects; errors are the inverse Hessian's, since one subject is one cluster."""
    columns = [column(fit, name, "hessian") for name, fit in zip(found.subjects, found.fits, strict=True)]
    facts = [
        Fact("choices", "Choices", tuple(fit.size for fit in found.fits)),
        Fact("log_likelihood", "Log-likelihood", (found.log_likelihood,), 3),
    ]
    notes = [
        f"{kind.replace('_', ' ')}: so with {count} of {len(columns)} subjects, whose parameters concerned "
        f"have no number."
        for kind, count in found.warned().items()
        if kind != "few_clusters"
    ]
    ranged = [fit for fit in found.fits if fit.ranges]
    if ranged:
        noiseless = sum(len(set(fit.ranges.get(fit.names[-1], (0.0, 1.0)))) == 1 for fit in ranged)
        notes.append(
            f"In place of numbers, {len(ranged)} of {len(columns)} subjects have ranges, in brackets and in "
            f"CSV and JSON: for {noiseless} of them all values that explain every choice without noise, for "
            "the others those that a likelihood ratio does not reject at 5 %."
        )
    words = error_words("hessian", "subject")
    return make_table(found.fits[0].model, columns, facts, notes, errors=words, unit="subject")


def _share(value: float, error: float) -> Value:
    reach = NormalDist().inv_cdf(0.975) * error if math.isfinite(error) else math.nan
    return Value(
        "share", "share", value, se=error, low=value - reach, high=value + reach, about="of the subjects"
    )
