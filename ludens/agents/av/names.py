"""Respondents by name: what manifests hold and the command line takes.

=============================================  ========================================================
specification                                  respondent
=============================================  ========================================================
``homo_economicus``                            cares for its own survival alone, behind the veil
``homo_moralis:0.5``                           κ = 0.5, read behind the veil of the headcount
``homo_moralis:0.5,reading=role``              within its own role (or ``even``, ``mixed``)
``altruist:0.2``                               stays in its role, α = 0.2 on every other life
``utilitarian``                                counts lives
``random``                                     every answer with the same probability
anything with a ``/``                          `LLMPolicy` of that LiteLLM model id
=============================================  ========================================================

All but the last two also take ``family=``, ``scale=``, ``shape=logistic|linear|step`` and ``act=best|logit``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ludens.agents.av.dilemma import DilemmaOraclePolicy
from ludens.agents.policy import Policy
from ludens.agents.specs import Specifications, language_model
from ludens.agents.tree.scripted import RandomPolicy
from ludens.errors import UsageError
from ludens.preferences.av.dilemma import DilemmaPreferences

# Each with the kind of its preferences, and the setting that a bare number is.
_HEADS: dict[str, tuple[str, str | None]] = {
    "homo_economicus": ("moralis", None),
    "homo_moralis": ("moralis", "kappa"),
    "altruist": ("altruist", "altruism"),
    "utilitarian": ("utilitarian", None),
}
_WANTS = {
    "homo_economicus": {"reading", "family"},
    "homo_moralis": {"kappa", "reading", "family"},
    "altruist": {"altruism", "family"},
    "utilitarian": {"family"},
}
_SHOWS = {"scale", "shape", "act"}
_WORDS = {"reading", "shape", "act"}


def respondent_names() -> list[str]:
    """The specifications that need no model, with an example's numbers where they take some."""
    return ["homo_economicus", "homo_moralis:0.5", "altruist:0.2", "utilitarian", "random"]


_RESPONDENTS = Specifications("respondent", respondent_names)


def make_respondent(spec: str | Mapping[str, Any], **defaults: Any) -> Policy:
    """The respondent that a specification names.

    Args:
        spec: a name as in the table above; or a mapping with that under ``"spec"`` and further settings
            beside it. What `Policy.describe` returns is such a mapping.
        defaults: settings of a language model that the specification does not set itself.

    Raises:
        UsageError: there is no such respondent, or a setting is unknown or out of its range.
    """
    name, settings = _RESPONDENTS.unfold(spec)
    name = name.strip()
    if "/" in name:
        return language_model(name, defaults | settings)
    head, _, tail = name.partition(":")
    if head in _HEADS:
        told = _RESPONDENTS.parse(name, tail, _HEADS[head][1], words=_WORDS)
        return _oracle(name, head, told | settings)
    if head == "random" and not tail and not settings:
        return RandomPolicy()
    raise UsageError(f"There is no respondent {name!r}; there are {_RESPONDENTS.known}.")


def _oracle(name: str, head: str, settings: Mapping[str, Any]) -> Policy:
    unknown = sorted(map(str, set(settings) - _WANTS[head] - _SHOWS))
    if unknown:
        known = ", ".join(sorted(_WANTS[head] | _SHOWS))
        raise UsageError(f"The respondent {name!r} has no setting {unknown[0]!r}; it has {known}.")
    kind, first = _HEADS[head]
    if first is not None and first not in settings:
        raise UsageError(f"The respondent {name!r} needs its weight: write {head}:0.5, for example.")
    wants = {key: value for key, value in settings.items() if key in _WANTS[head]}
    shows = {key: value for key, value in settings.items() if key in _SHOWS}
    return DilemmaOraclePolicy(DilemmaPreferences(kind=kind, **wants), **shows)  # type: ignore[arg-type]  # checked there
