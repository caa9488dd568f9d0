"""Firms by name: what manifests hold and the command line takes.

=======================================  =============================================================
specification                            firm
=======================================  =============================================================
``nash``, ``monopoly``, ``myopic``,      the rule of that name, see `ludens.agents.pricing.rules`
``grim``, ``random``
``matching``                             `MatchingPolicy`
``moralis:0.5``                          `HomoMoralisPricePolicy` with κ = 0.5, over firms
``moralis:kappa=0.5,universalise=…``     the same over ``firms`` or ``firms_and_consumers``
``fixed:1.7``                            `FixedPricePolicy`
``qlearning``                            a Q-learner, see `ludens.agents.qlearning`
anything with a ``/``                    `PricePolicy` of that LiteLLM model id
=======================================  =============================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ludens.agents.policy import Policy
from ludens.agents.pricing.matching import MatchingPolicy
from ludens.agents.pricing.rules import (
    FixedPricePolicy,
    GrimPricePolicy,
    HomoMoralisPricePolicy,
    MonopolyPolicy,
    MyopicPolicy,
    NashPolicy,
    RandomFirm,
)
from ludens.agents.specs import Specifications
from ludens.errors import UsageError

_PLAIN: dict[str, Callable[[], Policy]] = {
    firm.name: firm
    for firm in (NashPolicy, MonopolyPolicy, MyopicPolicy, MatchingPolicy, GrimPricePolicy, RandomFirm)
}
_NUMBERED: dict[str, tuple[Callable[..., Policy], str]] = {
    "moralis": (HomoMoralisPricePolicy, "kappa"),
    "fixed": (FixedPricePolicy, "price"),
}


def firm_names() -> list[str]:
    """The specifications that need no model, with an example's numbers where they take some."""
    return [*_PLAIN, "moralis:0.5", "fixed:1.7", "qlearning"]


_FIRMS = Specifications("firm", firm_names)


def make_firm(spec: str | Mapping[str, Any], **defaults: Any) -> Policy:
    """The firm that a specification names.

    Args:
        spec: a name as in the table above; or a mapping with that under ``"spec"`` and further settings
            beside it. What `Policy.describe` returns is such a mapping.
        defaults: settings of a language model that the specification does not set itself.

    Raises:
        UsageError: there is no such firm, or a setting is unknown or out of its range.
    """
    name, settings = _FIRMS.unfold(spec)
    name = name.strip()
    if "/" in name:
        from ludens.agents.llm.price_policy import PricePolicy

        return _FIRMS.make(PricePolicy, name, defaults | settings, name)
    head, _, tail = name.partition(":")
    if head == "qlearning":
        from ludens.agents.qlearning import QLearningPolicy

        return _FIRMS.make(QLearningPolicy, name, settings | _FIRMS.parse(name, tail, read=_value))
    if head in _NUMBERED:
        make, first = _NUMBERED[head]
        return _FIRMS.make(make, name, _FIRMS.parse(name, tail, first, read=_value) | settings)
    if head in _PLAIN and not tail:
        return _FIRMS.make(_PLAIN[head], name, settings)
    raise UsageError(f"There is no firm {name!r}; there are {_FIRMS.known}.")


def _value(text: str) -> float | int | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
