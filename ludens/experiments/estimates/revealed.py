"""Preferences revealed by policies' answers, as estimates with intervals and plain words where there are
none.

Standard errors come from the sandwich clustered by game × framing × order (of a play: by episode) and from
the inverse Hessian; the wider is taken for each parameter. Exact probabilities have no sampling error. There
the sandwich says how far the model of preferences misses the answers, and vanishes for a player who follows
it; the inverse Hessian says what one sampled answer to each question would have told. Whether a parameter is
identified at all is judged on what is known, an exact answer standing for `EXACT` sampled ones.

Choices that a clustered score test (5 %) cannot tell from chance have a precision of 0, and then no weight is
identified, whatever an optimiser finds: so with a model that follows the place of an option alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ludens.errors import UsageError
from ludens.experiments.estimates.answers import Beliefs, PolicyAnswers, as_choices
from ludens.experiments.measures.intervals import Estimate, missing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ludens.preferences.estimation.data.choices import Choices
    from ludens.preferences.estimation.fitting.results import Fit
    from ludens.preferences.estimation.models.linear import Model

METHOD: Literal["the wider of cluster sandwich and inverse Hessian"] = (
    "the wider of cluster sandwich and inverse Hessian"
)

_EXACTLY = 1e-6  # per answer, what counts as no gain in log-likelihood where nothing was sampled

EXACT = 1000
"""How many sampled answers an exact one stands for, where identification is judged; our choice."""

NO_ANSWERS = "not estimated: no question was answered in every order"
NO_REACTION = "not identified: choices do not react to payoffs"
NO_NOISE = (
    "not identified: choices are free of noise, which leaves a range of preferences that all explain them"
)


@dataclass(frozen=True)
class Revealed:
    """The preferences of one policy, as its choices reveal them.

    Attributes:
        policy: its label.
        model: the name of the model of preferences.
        beliefs: what it was taken to think that others do.
        parameters: estimates by parameter; those not identified have no value, and a note.
        reason: why parameters are not identified, in a few words; empty where all are.
        notes: every warning of the fit, in full.
        fit: the fit itself; None where there was nothing to fit.
        answers: what it rests on.
    """

    policy: str
    model: str
    beliefs: Beliefs
    parameters: Mapping[str, Estimate]
    reason: str
    notes: tuple[str, ...]
    fit: Fit | None = field(compare=False, repr=False)
    answers: PolicyAnswers = field(compare=False, repr=False)


def reveal(
    answers: PolicyAnswers,
    model: str | Model = "moralis",
    beliefs: Beliefs = "uniform",
    *,
    fix: Mapping[str, float] | None = None,
    draws: int = 0,
    seed: int = 0,
) -> Revealed:
    """Estimate one policy's preferences.

    Args:
        answers: of the policy.
        model: a model for games, or its name.
        beliefs: those under which the answers were collected, for the record.
        fix: parameters held at values.
        draws: of a cluster bootstrap; 0 for none.
        seed: of all chance.

    Raises:
        UsageError: there is no such model, or games do not tell what it needs.
    """
    from ludens.preferences.estimation import find_model, fit

    chosen = find_model(model)
    if not answers.seen:
        none = {name: missing(NO_ANSWERS) for name in chosen.names}
        return Revealed(answers.policy, chosen.name, beliefs, none, NO_ANSWERS, (), None, answers)
    weight = EXACT if answers.exact else 1
    choices = as_choices(answers, chosen, weight)
    found = fit(choices, chosen, fix=fix, draws=draws, seed=seed)
    found = _by_answers(found, weight)
    if chosen.linear and _no_reaction(found, choices, weight):
        found = _silenced(found)
    reason = reason_of(found)
    return Revealed(
        answers.policy,
        chosen.name,
        beliefs,
        {name: _estimate(found, place, reason) for place, name in enumerate(found.names)},
        reason,
        tuple(warning.message for warning in found.warnings),
        found,
        answers,
    )


def reveal_all(
    policies: Sequence[PolicyAnswers], model: str | Model = "moralis", **settings: Any
) -> list[Revealed]:
    """`reveal` for each of several policies, in their order.

    Raises:
        UsageError: as in `reveal`, or there are none.
    """
    if not policies:
        raise UsageError("The run has no answers yet: `ludens resume` goes on with it.")
    return [reveal(answers, model, **settings) for answers in policies]


def wider_errors(fit: Fit) -> NDArray[np.float64]:
    """Per parameter the larger of the clustered and the inverse-Hessian standard error; NaN where neither is
    known.
    """
    kinds = [fit.standard_errors(kind) for kind in ("hessian", "cluster") if kind in fit.covariances]
    wider: NDArray[np.float64] = np.fmax.reduce(kinds)
    return wider


def reason_of(fit: Fit) -> str:
    """Why parameters of a fit have no value, in a few words; empty where all have one."""
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
    """A fit to answers that counted `weight` times each, as if they had counted once; the sandwich stays as
    it is.
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
    """Whether choices cannot be told from chance, all alternatives being equally likely (φ = 0).

    A score test with the clusters' own variances, s′(Σ s_c s_c′)⁻s against χ²: it needs no maximum, holds
    under any dependence within clusters (so the place of an option cancels between orders), and serves exact
    answers too. It cannot exceed the number of clusters; with too few of them, the likelihood ratio is used,
    and of exact answers whether there is any gain at all.
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


def _silenced(fit: Fit) -> Fit:
    """The fit without values for anything that a precision of 0 leaves open."""
    from ludens.preferences.estimation.fitting.results import FitWarning

    warning = FitWarning(
        "bound",
        tuple(name for name in fit.names if name not in fit.fixed),
        "Choices cannot be told from chance, so that the precision is at its bound of 0 and no weight can "
        "be read from "
        "them: ask more, or read the shares as they are.",
    )
    none = {kind: np.full_like(found, np.nan) for kind, found in fit.covariances.items()}
    values = np.array([fit.fixed.get(name, np.nan) for name in fit.names])
    return replace(fit, values=values, covariances=none, warnings=(warning,))


def _estimate(fit: Fit, place: int, reason: str) -> Estimate:
    value, error = float(fit.values[place]), float(wider_errors(fit)[place])
    name, n, clusters = fit.names[place], round(fit.size), fit.clusters
    if math.isnan(value):
        warning = next((each.message for each in fit.warnings if name in each.parameters), "")
        return missing(f"{reason}. {warning}" if warning else reason, n)
    if name in fit.fixed:
        return Estimate(value, n=n, clusters=clusters, note="held at this value")
    if math.isnan(error):
        return Estimate(value, n=n, clusters=clusters, note="no standard error")
    reach = NormalDist().inv_cdf(0.975) * error
    return Estimate(value, value - reach, value + reach, n, clusters, METHOD)
