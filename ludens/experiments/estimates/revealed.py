"""Preferences revealed by policies' answers, as estimates with intervals and plain words where there are
none.

Standard errors come from the sandwich clustered by game × framing × order (of a play: by episode) and from
the inverse Hessian; the wider is taken for each parameter. Exact probabilities have no sampling error: there
the sandwich says how far the model of preferences misses the answers, and would vanish for a player who
follows it; the inverse Hessian says what as many single sampled answers would have told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ludens.errors import UsageError
from ludens.experiments.estimates.answers import Beliefs, PolicyAnswers, as_choices
from ludens.experiments.intervals import Estimate, missing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ludens.preferences.estimation.models import Model
    from ludens.preferences.estimation.results import Fit

METHOD: Literal["the wider of cluster sandwich and inverse Hessian"] = (
    "the wider of cluster sandwich and inverse Hessian"
)

NO_ANSWERS = "not estimated: no question was answered in every order"
NO_REACTION = "not identified: choices do not react to payoffs"
NO_NOISE = (
    "not identified: choices are free of noise, which leaves a range of preferences that all explain them"
)


@dataclass(frozen=True, eq=False)
class Revealed:
    """The preferences of one policy, as its choices reveal them.

    Attributes:
        policy: its label.
        model: the name of the model of preferences.
        beliefs: what it was taken to think that others do.
        parameters: estimates by parameter; those not identified have no value, and a note.
        verdict: why parameters are not identified, in a few words; empty where all are.
        notes: every warning of the fit, in full.
        fit: the fit itself; None where there was nothing to fit.
        answers: what it rests on.
    """

    policy: str
    model: str
    beliefs: Beliefs
    parameters: Mapping[str, Estimate]
    verdict: str
    notes: tuple[str, ...]
    fit: Fit | None
    answers: PolicyAnswers


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
    settings: dict[str, Any] = {"fix": fix, "draws": draws, "seed": seed}
    found = fit(as_choices(answers, chosen), chosen, **settings)
    verdict = verdict_of(found)
    return Revealed(
        answers.policy,
        chosen.name,
        beliefs,
        {name: _estimate(found, place, verdict) for place, name in enumerate(found.names)},
        verdict,
        tuple(warning.message for warning in found.warnings),
        found,
        answers,
    )


def wider_errors(fit: Fit) -> NDArray[np.float64]:
    """Per parameter the larger of the clustered and the inverse-Hessian standard error; NaN where neither is
    known.
    """
    kinds = [fit.standard_errors(kind) for kind in ("hessian", "cluster") if kind in fit.covariances]
    wider: NDArray[np.float64] = np.fmax.reduce(kinds)
    return wider


def wider_fit(fit: Fit) -> Fit:
    """The fit with the wider errors in place of the clustered ones, for tables.

    The covariance of each kind is scaled by parameter, so that its diagonal holds the wider variances.
    """
    errors, clustered = wider_errors(fit), fit.standard_errors("cluster")
    with np.errstate(divide="ignore", invalid="ignore"):
        usable = np.isfinite(clustered) & (clustered > 0)
        scale = np.where(usable, errors / clustered, 0.0)
    covariance = fit.covariance("cluster") * scale[:, None] * scale
    np.fill_diagonal(covariance, errors**2)
    return replace(fit, covariances={**fit.covariances, "cluster": covariance})


def verdict_of(fit: Fit) -> str:
    """Why parameters of a fit have no value, in a few words; empty where all have one."""
    if not np.isnan(fit.values).any():
        return ""
    kinds = [(warning.kind, warning.parameters) for warning in fit.warnings]
    scale = fit.names[-1]
    if any(kind == "separation" for kind, _ in kinds):
        return NO_NOISE
    if any(kind == "bound" and scale in concerned for kind, concerned in kinds):
        return NO_REACTION
    silent = [name for name, value in zip(fit.names, fit.values, strict=True) if math.isnan(value)]
    symbols = {parameter.name: parameter.symbol for parameter in fit.model.parameters}
    why = ", ".join(dict.fromkeys(kind for kind, _ in kinds if kind != "few_clusters"))
    return f"not identified: {', '.join(symbols[name] for name in silent)}" + (f" ({why})" if why else "")


def _estimate(fit: Fit, place: int, verdict: str) -> Estimate:
    value, error = float(fit.values[place]), float(wider_errors(fit)[place])
    name, n, clusters = fit.names[place], round(fit.size), fit.clusters
    if name in fit.fixed:
        return Estimate(value, n=n, clusters=clusters, note="held at this value")
    if math.isnan(value):
        told = next((warning.message for warning in fit.warnings if name in warning.parameters), verdict)
        return missing(f"{verdict}. {told}" if told != verdict else verdict, n)
    if math.isnan(error):
        return Estimate(value, n=n, clusters=clusters, note="no standard error")
    reach = 1.959963984540054 * error
    return Estimate(value, value - reach, value + reach, n, clusters, METHOD)


def reveal_all(
    policies: Sequence[PolicyAnswers], model: str | Model = "moralis", **settings: Any
) -> list[Revealed]:
    """`reveal` for each of several policies that have answers to it, in their order.

    Raises:
        UsageError: as in `reveal`.
    """
    if not policies:
        raise UsageError("The run has no answers yet: `ludens resume` goes on with it.")
    return [reveal(answers, model, **settings) for answers in policies]
