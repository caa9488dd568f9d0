"""Policies by name: what manifests hold and the command line takes.

==========================================  =====================================================
specification                               policy
==========================================  =====================================================
``random``, ``tit_for_tat``, ``human`` …    the policy of that name
``homo_economicus``                         `OraclePolicy` of the own payoff
``homo_moralis:0.5``                        `OraclePolicy` with κ = 0.5
``oracle:alpha=0.3,beta=0.2,kappa=0.1``     `OraclePolicy`; numbers left out are 0
``quantal:kappa=0.5,noise=8``               `QuantalPolicy`; noise is λ in points
``nash``, ``moralis:0.5``, ``qlearning`` …  a firm in a pricing market, see `ludens.agents.pricing`
``adopter:0.5``, ``always:utilitarian`` …   a chooser of car programs, see `ludens.agents.av.adoption`
anything with a ``/``                       `LLMPolicy` of that LiteLLM model id
==========================================  =====================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ludens.agents.human import HumanPolicy
from ludens.agents.policy import Policy
from ludens.agents.specs import Specifications, language_model
from ludens.agents.tree.scripted import (
    AlwaysCooperate,
    AlwaysDefect,
    Grim,
    RandomPolicy,
    Reciprocator,
    TitForTat,
)
from ludens.errors import UsageError

_PLAIN: dict[str, Callable[[], Policy]] = {
    policy.name: policy
    for policy in (RandomPolicy, AlwaysCooperate, AlwaysDefect, TitForTat, Reciprocator, Grim, HumanPolicy)
}
# Firms whose names are free here: `grim` and `random` are players of games with two options.
_FIRMS = ("nash", "monopoly", "myopic", "matching", "moralis", "fixed", "qlearning")
# Choosers in the adoption game whose names are free here.
_ADOPTERS = ("adopter", "always")
_PREFERENCES = ("alpha", "beta", "kappa")
_SOLVERS = {
    "homo_economicus": ("belief",),
    "homo_moralis": ("kappa", "belief"),
    "oracle": (*_PREFERENCES, "belief"),
    "quantal": (*_PREFERENCES, "noise", "belief"),
}


def policy_names() -> list[str]:
    """The specifications that need no model, with an example's numbers where they take some."""
    examples = [
        "homo_economicus",
        "homo_moralis:0.5",
        "oracle:alpha=0.3,kappa=0.5",
        "quantal:kappa=0.5,noise=8",
    ]
    return [*_PLAIN, *examples]


_POLICIES = Specifications("policy", policy_names)


def make_policy(spec: str | Mapping[str, Any] | Policy, game: object = None, **defaults: Any) -> Policy:
    """Return the policy that a specification names, for a game.

    Args:
        spec: a name as in the table above; or a mapping with that under ``"spec"`` and further settings
            beside it, which go before those in the name. What `Policy.describe` returns is such a mapping. A
            policy is returned as it is.
        game: what the policy is to play: an environment's id, with or without ``ludens/`` and ``-v0``, or the
            rules (a `GameTree`, a `Market`, an `AdoptionGame` …). None stands for game trees.
        defaults: settings of language models that the specification does not set itself; other policies
            ignore them.

    Raises:
        UsageError: there is no such policy, it cannot play the game, or a setting is unknown or out of its
            range.
    """
    if isinstance(spec, Policy):
        return spec
    make = _maker(game)
    if make is not None:
        return make(spec, **defaults)
    name, settings = _POLICIES.unfold(spec)
    if "/" in name:
        return language_model(name, defaults | settings)
    head, _, tail = name.strip().partition(":")
    if head in _SOLVERS:
        first = "kappa" if head == "homo_moralis" else None
        return _solver(head, _POLICIES.parse(name, tail, first, words=("belief",)) | settings)
    if head in _PLAIN and not tail:
        if settings:
            raise UsageError(f"The policy {head!r} takes no settings; got {', '.join(map(str, settings))}.")
        return _PLAIN[head]()
    if head in _FIRMS:
        from ludens.agents.pricing import make_firm

        return make_firm(spec)
    if head in _ADOPTERS:
        from ludens.agents.av.adoption import make_adopter

        return make_adopter(spec)
    raise UsageError(f"There is no policy {name!r}; there are {_POLICIES.known}.")


def _solver(head: str, settings: dict[str, Any]) -> Policy:
    from ludens.agents.tree.oracle import OraclePolicy, QuantalPolicy
    from ludens.preferences import Preferences

    if head == "homo_moralis" and "kappa" not in settings:
        raise UsageError("The policy 'homo_moralis' needs its weight: write homo_moralis:0.5, for example.")
    unknown = sorted(map(str, set(settings) - set(_SOLVERS[head])))
    if unknown:
        raise UsageError(
            f"The policy {head!r} has no setting {unknown[0]!r}; it has {', '.join(_SOLVERS[head])}."
        )
    preferences = Preferences(**{key: settings[key] for key in _PREFERENCES if key in settings})
    belief = settings.get("belief", "uniform")
    if head == "quantal":
        return QuantalPolicy(
            preferences, belief, **{key: settings[key] for key in ("noise",) if key in settings}
        )
    return OraclePolicy(preferences, belief)


def _maker(game: object) -> Callable[..., Policy] | None:
    """Return what makes policies for a game; None for game trees."""
    name = game if isinstance(game, str) else type(game).__name__
    name = name.removeprefix("ludens/").removesuffix("-v0")
    if name in {"bertrand", "bertrand_sequential", "Market", "HomogeneousMarket", "LinearMarket"}:
        from ludens.agents.pricing.names import make_firm

        return make_firm
    if name in {"av_dilemma", "moral_machine", "Vignette", "Dilemma", "MoralScenario"}:
        from ludens.agents.av.names import make_respondent

        return make_respondent
    if name in {"av_adoption", "AdoptionGame"}:
        from ludens.agents.av.adoption import make_adopter

        return make_adopter
    return None
