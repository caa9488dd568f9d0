"""Preferences revealed by policies' answers, as estimates with intervals, or with a reason where there are
none.

The 95 % interval of a parameter holds the values that a likelihood ratio does not reject, which allows for
any dependence of the answers within a game (in a run of play, within an episode); see
`ludens.preferences.estimation.fitting.regions`. It may be open, and there is one even where no single value
is estimated. Exact probabilities have no sampling error: for them the interval measures how far the model of
preferences misses the answers, and shrinks to a point for a policy that follows the model. Where they are
free of noise, it is the range of preferences that explain all of them. When identification is diagnosed, an
exact answer counts as `EXACT` sampled ones.

Where the orders of options are known, a liking for the first place is estimated beside the preferences (see
`ludens.preferences.estimation.models.lapses`): it would attenuate them otherwise. It is a share of answers
that take the option shown first whatever it is or, where the answers are significantly closer to that, a
utility of the first place; the share is reported in any case.

If a clustered score test (5 %) cannot distinguish choices from chance, the precision is 0 and no weight is
identified, whatever the optimiser returns. This is the case of a model that chooses by the place of an
option.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ludens.errors import UsageError
from ludens.experiments.estimates.answers import Beliefs, PolicyAnswers, as_choices
from ludens.experiments.measures.intervals import Estimate, Method, missing
from ludens.preferences.mapping import MapLike

if TYPE_CHECKING:
    from ludens.preferences.estimation.data.choices import Choices
    from ludens.preferences.estimation.fitting.regions import Region
    from ludens.preferences.estimation.fitting.results import Fit
    from ludens.preferences.estimation.models.linear import Model

METHOD: Literal["likelihood ratio, clustered"] = "likelihood ratio, clustered"
RANGE: Literal["all that explain every choice"] = "all that explain every choice"

_POINT = 1e-6  # the length of a range that is a single value
_EXACTLY = 1e-6  # per answer, what counts as no gain in log-likelihood where nothing was sampled

EXACT = 1000
"""Number of sampled answers that an exact one counts as when identification is diagnosed; our choice."""

NO_ANSWERS = "not estimated: no question was answered in every order"
NO_BELIEFS = "not estimated: it stated no beliefs"
NO_REACTION = "not identified: choices do not react to payoffs"
NO_NOISE = (
    "not identified: choices are free of noise, which leaves a range of preferences that all explain them"
)


@dataclass(frozen=True)
class Revealed:
    """The preferences of one policy, as revealed by its choices.

    Attributes:
        policy: the policy's label.
        model: the name of the model of preferences.
        beliefs: the beliefs that it is assumed to hold.
        parameters: estimates by parameter; those not identified have no value, and a note.
        reason: why parameters are not identified, in a few words; empty where all are.
        notes: every warning of the fit, in full.
        fit: the fit; None where there was nothing to fit.
        answers: the answers that were fitted.
        ranges: the intervals of the parameters, with infinite ends where they are open.
        lapses: the share ``"first"`` of answers that take the option shown first, whatever it is, where
            options were shown in several orders; with trembles, their share ``"tremble"`` too. Where a
            utility of the first place explains the answers better, the preferences are those beside it, and
            ``"bias"`` is the log-odds that it adds.
    """

    policy: str
    model: str
    beliefs: Beliefs
    parameters: Mapping[str, Estimate]
    reason: str
    notes: tuple[str, ...]
    fit: Fit | None = field(compare=False, repr=False)
    answers: PolicyAnswers = field(compare=False, repr=False)
    ranges: Mapping[str, Region] = field(default_factory=dict, compare=False, repr=False)
    lapses: Mapping[str, Estimate] = field(default_factory=dict)


def reveal(
    answers: PolicyAnswers,
    model: str | Model = "moralis",
    beliefs: Beliefs = "uniform",
    *,
    fix: Mapping[str, float] | None = None,
    trembles: bool = False,
    ratios: bool = True,
    draws: int = 0,
    seed: int = 0,
    map_with: MapLike = map,
) -> Revealed:
    """Estimate one policy's preferences.

    Args:
        answers: the policy's answers.
        model: a model for games, or its name.
        beliefs: the beliefs attached to the answers, for the record.
        fix: parameters to hold at values; ``{"first": 0}`` leaves the order of options out of account, and
            ``{"bias": 1}`` holds a utility of the first place.
        trembles: whether to estimate, beside the share of answers that take the option shown first, the
            share of those at random.
        ratios: whether intervals come from likelihood ratios; those from clustered errors (t with G−1 degrees
            of freedom) take a tenth of the time, and there are none where no single value is estimated.
        draws: number of cluster bootstrap draws; 0 for none.
        seed: seed of the random starts and of the bootstrap.
        map_with: carries out the bootstrap.

    Raises:
        UsageError: there is no such model, or games do not have the attributes that it needs.
    """
    from ludens.preferences.estimation import find_model, fit
    from ludens.preferences.estimation.fitting.regions import regions
    from ludens.preferences.estimation.identification.noise_free import noise_free_ranges
    from ludens.preferences.estimation.models.expected import model_of
    from ludens.preferences.estimation.models.lapses import BIAS, FIRST, TREMBLE

    chosen = find_model(model)
    if not answers.seen:
        why = NO_BELIEFS if beliefs == "own" and answers.left_out else NO_ANSWERS
        none = {name: missing(why) for name in chosen.names}
        return Revealed(answers.policy, chosen.name, beliefs, none, why, (), None, answers)
    weight = EXACT if answers.exact else 1
    choices = as_choices(answers, chosen, weight)
    plain, chosen = chosen, model_of(choices, chosen)
    sampled: dict[str, Any] = {"draws": draws, "seed": seed, "map_with": map_with}
    held = {
        name: value
        for name, value in (fix or {}).items()
        if name not in {FIRST.name, TREMBLE.name, BIAS.name}
    }
    found = _by_answers(fit(choices, chosen, fix=held, **sampled), weight)
    several = len({entry.first for entry in answers.seen if entry.first is not None}) > 1
    ranges: Mapping[str, Region] = {}
    lapses: dict[str, Estimate] = {}
    method: Method = METHOD
    free_of_noise = noise_free_ranges(chosen, choices, found.fixed) if answers.exact else None
    if chosen.linear and _no_reaction(found, choices, weight) and free_of_noise is None:
        found = _silenced(found)
        if several:
            lapses = {FIRST.name: _first_share(answers)}
    elif free_of_noise is not None:
        ranges, method = free_of_noise, RANGE
    else:
        whole: Model = chosen
        if several:
            choices = as_choices(answers, plain, weight, orders=True)
            found, share = _with_first(
                chosen, choices, weight, fix=fix or {}, trembles=trembles, sampled=sampled
            )
            whole = found.model
            if share is not None:
                lapses = {
                    FIRST.name: _share_of(share, choices) if ratios else _by_errors(share)[0][FIRST.name]
                }
        if not ratios:
            return _of_errors(answers, beliefs, chosen, found, lapses)
        steps = dict(zip(found.names, found.standard_errors("hessian").tolist(), strict=True))
        ranges = regions(whole, choices, found.optimum, found.fixed, steps=steps)
    reason = NO_NOISE if method == RANGE else reason_of(found)
    estimates = {
        name: _estimate(found, place, reason, ranges.get(name), method)
        for place, name in enumerate(found.names)
    }
    return Revealed(
        answers.policy,
        chosen.name,
        beliefs,
        {name: estimates[name] for name in chosen.names},
        reason,
        tuple(warning.message for warning in found.warnings),
        found,
        answers,
        ranges,
        {**lapses, **{name: one for name, one in estimates.items() if name not in chosen.names}},
    )


def _with_first(
    model: Model,
    choices: Choices,
    weight: int,
    *,
    fix: Mapping[str, float],
    trembles: bool,
    sampled: Mapping[str, Any],
) -> tuple[Fit, Fit | None]:
    """Return the fit with a share of answers that take the first place or, if it is significantly closer to
    the answers, the one with a utility of it, and then the former too.

    The share alone is fitted where it or trembles are asked for, the utility alone where that is held.
    """
    from ludens.preferences.estimation import fit
    from ludens.preferences.estimation.models.lapses import BIAS, FIRST, TREMBLE, LapsesModel

    wanted = [LapsesModel(model, trembles), LapsesModel(model, bias=True)]
    if BIAS.name in fix:
        wanted = wanted[1:]
    elif trembles or {FIRST.name, TREMBLE.name} & set(fix):
        wanted = wanted[:1]
    fits = [_by_answers(fit(choices, one, fix=fix, **sampled), weight) for one in wanted]
    if len(fits) == 2 and _closer(fits[1], fits[0], choices):
        return fits[1], fits[0]
    return fits[0], None


def _closer(fit: Fit, other: Fit, choices: Choices) -> bool:
    """Return whether a fit is closer to the answers than one of another model with as many parameters, by the
    test of Vuong (Econometrica 57(2), 1989) over clusters, one-sided at 5 %.
    """
    from scipy.special import stdtrit

    from ludens.preferences.estimation.fitting.likelihood import log_probabilities

    levels = [log_probabilities(one.model, choices, one.optimum) for one in (fit, other)]
    gain = choices.by_cluster(choices.by_subject(levels[0]) - choices.by_subject(levels[1]))
    if len(gain) < 2 or not np.isfinite(gain).all() or gain.sum() <= _EXACTLY * choices.size:
        return False
    spread = float(np.sqrt(((gain - gain.mean()) ** 2).sum() * len(gain) / (len(gain) - 1)))
    return float(gain.sum()) > float(stdtrit(len(gain) - 1, 0.95)) * spread


def _share_of(fit: Fit, choices: Choices) -> Estimate:
    """Return the share of answers that take the option shown first, with its interval."""
    from ludens.preferences.estimation.fitting.regions import regions
    from ludens.preferences.estimation.models.lapses import FIRST

    steps = dict(zip(fit.names, fit.standard_errors("hessian").tolist(), strict=True))
    found = regions(fit.model, choices, fit.optimum, fit.fixed, names=[FIRST.name], steps=steps)
    place = fit.names.index(FIRST.name)
    return _estimate(fit, place, reason_of(fit), found.get(FIRST.name), METHOD)


def _by_errors(fit: Fit) -> tuple[dict[str, Estimate], dict[str, Region]]:
    """Return the parameters of a fit with the intervals of clustered errors, and these intervals."""
    from ludens.preferences.estimation.fitting.regions import Region

    reason = reason_of(fit)
    ranges = {row.name: Region(row.low, row.high, row.p) for row in fit.table() if math.isfinite(row.low)}
    estimates = {
        name: _estimate(fit, place, reason, ranges.get(name), "clustered t")
        for place, name in enumerate(fit.names)
    }
    return estimates, ranges


def _of_errors(
    answers: PolicyAnswers, beliefs: Beliefs, model: Model, fit: Fit, lapses: Mapping[str, Estimate]
) -> Revealed:
    """Return a fit as what was revealed, with the intervals of clustered errors."""
    estimates, ranges = _by_errors(fit)
    weights = {name: estimates[name] for name in model.names}
    return Revealed(
        answers.policy,
        model.name,
        beliefs,
        weights,
        reason_of(fit),
        tuple(warning.message for warning in fit.warnings),
        fit,
        answers,
        ranges,
        {**lapses, **{name: one for name, one in estimates.items() if name not in weights}},
    )


def reveal_all(
    policies: Sequence[PolicyAnswers], model: str | Model = "moralis", **settings: Any
) -> list[Revealed]:
    """Estimate the preferences of several policies with `reveal`, in their order.

    Raises:
        UsageError: there are no policies, or `reveal` refuses the model.
    """
    if not policies:
        raise UsageError("The run has no answers yet: `ludens resume` goes on with it.")
    return [reveal(answers, model, **settings) for answers in policies]


def reason_of(fit: Fit) -> str:
    """Return why parameters of a fit have no value, in a few words; empty if all have one."""
    if not np.isnan(fit.values).any():
        return ""
    kinds = [(warning.kind, warning.parameters) for warning in fit.warnings]
    if any(kind == "separation" for kind, _ in kinds):
        return NO_NOISE
    if any(
        kind == "bound" and (fit.names[-1] in concerned or fit.names[-1] in fit.fixed)
        for kind, concerned in kinds
    ):
        return NO_REACTION
    silent = [name for name, value in zip(fit.names, fit.values, strict=True) if math.isnan(value)]
    symbols = {parameter.name: parameter.symbol for parameter in fit.model.parameters}
    why = ", ".join(dict.fromkeys(kind for kind, _ in kinds if kind != "few_clusters"))
    return f"not identified: {', '.join(symbols[name] for name in silent)}" + (f" ({why})" if why else "")


def _by_answers(fit: Fit, weight: int) -> Fit:
    """Rescale a fit in which each answer counted `weight` times to answers that count once; the sandwich does
    not change.
    """
    if weight == 1:
        return fit
    covariances = {
        kind: found * (weight if kind == "hessian" else 1) for kind, found in fit.covariances.items()
    }
    return replace(
        fit, covariances=covariances, log_likelihood=fit.log_likelihood / weight, size=fit.size / weight
    )


def _no_reaction(fit: Fit, choices: Choices, weight: int) -> bool:
    """Return whether choices cannot be distinguished from chance, with all alternatives equally likely (φ =
    0).

    The score test s′(Σ s_c s_c′)⁻s with the clusters' own variances, compared with χ², needs no maximum, is
    valid under any dependence within clusters (so that the place of an option, which averages out over
    the orders, is no reaction), and also serves exact answers. The statistic cannot exceed the number of
    clusters; with too few clusters, the likelihood ratio replaces it or, for exact answers, whether there is
    any gain at all.
    """
    from scipy.special import chdtri

    from ludens.preferences.estimation.fitting.errors import scores
    from ludens.preferences.estimation.fitting.likelihood import levels, log_probabilities

    critical = float(chdtri(len(fit.names), 0.05))
    nothing = np.zeros(len(fit.names))
    if fit.clusters > critical:
        each = choices.by_cluster(scores(fit.model, choices, nothing) * fit.model.sizes(choices))
        slope = each.sum(axis=0)
        return float(slope @ np.linalg.pinv(each.T @ each, rcond=1e-9) @ slope) < critical
    chance = float(levels(choices, log_probabilities(fit.model, choices, nothing), choices.total)) / weight
    gain = 2 * (fit.log_likelihood - chance)
    return gain < (critical if weight == 1 else _EXACTLY * fit.size)


def _first_share(answers: PolicyAnswers) -> Estimate:
    """Return the share of answers that take the option shown first, of a policy that chooses by chance
    otherwise, with its interval over games (t with G−1 degrees of freedom).
    """
    from scipy.special import stdtrit

    sums: dict[str, list[float]] = {}
    for entry in answers.seen:
        if entry.first is not None:
            node = next(
                each
                for each in entry.game.information_sets
                if entry.column in range(entry.game.width)[each.columns]
            )
            chance = 1 / len(node.options)
            shown = entry.column == node.columns.start + entry.first
            of_game = sums.setdefault(entry.cluster, [0.0, 0.0])
            of_game[0] += entry.weight * (shown - chance) / (1 - chance)
            of_game[1] += entry.weight
    gains, weights = np.array(list(sums.values())).T
    value, number = float(gains.sum() / weights.sum()), len(gains)
    if number < 2:
        return Estimate(value, n=round(weights.sum()), clusters=number, note="one game has no interval")
    spread = math.sqrt(float(((gains - value * weights) ** 2).sum()) * number / (number - 1)) / weights.sum()
    reach = float(stdtrit(number - 1, 0.975)) * spread
    low, high = max(value - reach, -1.0), min(value + reach, 1.0)
    return Estimate(value, low, high, round(weights.sum()), number, "clustered t")


def _silenced(fit: Fit) -> Fit:
    """Return the fit without the values that a precision of 0 does not identify."""
    from ludens.preferences.estimation.fitting.results import FitWarning

    warning = FitWarning(
        "bound",
        tuple(name for name in fit.names if name not in fit.fixed),
        "Choices cannot be distinguished from chance, so that the precision is at its bound of 0 and no "
        "weight can be read from them: ask more, or read the shares as they are.",
    )
    none = {kind: np.full_like(found, np.nan) for kind, found in fit.covariances.items()}
    values = np.array([fit.fixed.get(name, np.nan) for name in fit.names])
    return replace(fit, values=values, covariances=none, warnings=(warning,))


def _estimate(fit: Fit, place: int, reason: str, region: Region | None, method: Method) -> Estimate:
    value = float(fit.values[place])
    name, n, clusters = fit.names[place], round(fit.size), fit.clusters
    if name in fit.fixed:
        return Estimate(value, n=n, clusters=clusters, note="held at this value")
    note = ""
    if math.isnan(value):
        warning = next((each.message for each in fit.warnings if name in each.parameters), "")
        note = f"{reason}. {warning}" if warning else reason
    if region is None:
        return missing(note, n)
    low, high = (end if math.isfinite(end) else None for end in (region.low, region.high))
    if low is not None and high is not None and high - low < _POINT * (1 + abs(low)) and math.isnan(value):
        value = (low + high) / 2
    known = None if math.isnan(value) else value
    return Estimate(known, low, high, n, clusters, "none" if low is high is None else method, note)
