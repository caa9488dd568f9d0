"""Firms by name: what manifests hold and the command line takes.

=======================================  =============================================================
specification                            firm
=======================================  =============================================================
``nash``, ``monopoly``, ``myopic``,      the rule of that name, see `ludens.agents.pricing.oracles`
``grim``, ``random``
``moralis:0.5``                          `MoralisFirm` with κ = 0.5, over firms
``moralis:kappa=0.5,universalise=…``     the same over ``firms`` or ``firms_and_consumers``
``fixed:1.7``                            `FixedFirm`
``qlearning``                            a Q-learner, see `ludens.agents.qlearning`
anything with a ``/``                    `PricingLLMPolicy` of that LiteLLM model id
=======================================  =============================================================
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ludens.agents.policy import Policy
from ludens.agents.pricing.oracles import (
    FixedFirm,
    GrimFirm,
    MonopolyFirm,
    MoralisFirm,
    MyopicFirm,
    NashFirm,
    RandomFirm,
)
from ludens.errors import UsageError

_PLAIN: dict[str, Callable[[], Policy]] = {
    firm.name: firm for firm in (NashFirm, MonopolyFirm, MyopicFirm, GrimFirm, RandomFirm)
}
_NUMBERED: dict[str, tuple[Callable[..., Policy], str]] = {
    "moralis": (MoralisFirm, "kappa"),
    "fixed": (FixedFirm, "price"),
}
_FOR_READERS = {"name", "kind"}


def firm_names() -> list[str]:
    """The specifications that need no model, with an example's numbers where they take some."""
    return [*_PLAIN, "moralis:0.5", "fixed:1.7", "qlearning"]


def make_firm(spec: str | Mapping[str, Any], **defaults: Any) -> Policy:
    """The firm that a specification names.

    Args:
        spec: a name as in the table above; or a mapping with that under ``"spec"`` and further settings
            beside it. What `Policy.describe` returns is such a mapping.
        defaults: settings of a language model that the specification does not set itself.

    Raises:
        UsageError: there is no such firm, or a setting is unknown or out of its range.
    """
    if isinstance(spec, Mapping):
        settings = {key: value for key, value in spec.items() if key != "spec" and key not in _FOR_READERS}
        name = spec.get("spec")
        if not isinstance(name, str):
            called = spec.get("name", dict(spec))
            raise UsageError(
                f"The firm {called!r} has no specification to make it from: pass the policy itself."
            )
    else:
        name, settings = spec, {}
    if not isinstance(name, str):
        raise UsageError(f"A firm is named by a text, not by {name!r}; there are {_known()}.")
    name = name.strip()
    if "/" in name:
        from ludens.agents.pricing.llm import PricingLLMPolicy

        return _made(PricingLLMPolicy, name, defaults | settings, name)
    head, _, tail = name.partition(":")
    if head == "qlearning":
        from ludens.agents.qlearning import QLearningPolicy

        return _made(QLearningPolicy, name, settings | _parse(name, tail, None))
    if head in _NUMBERED:
        make, first = _NUMBERED[head]
        return _made(make, name, _parse(name, tail, first) | settings)
    if head in _PLAIN and not tail:
        return _made(_PLAIN[head], name, settings)
    raise UsageError(f"There is no firm {name!r}; there are {_known()}.")


def _known() -> str:
    return ", ".join(firm_names()) + ", and every model id with a slash, for example local/smollm2-135m"


def _made(make: Callable[..., Policy], name: str, settings: Mapping[str, Any], *first: Any) -> Policy:
    try:
        inspect.signature(make).bind(*first, **settings)
    except TypeError as why:
        raise UsageError(f"The firm {name!r} cannot be made with these settings: {why}.") from None
    return make(*first, **settings)


def _parse(name: str, tail: str, first: str | None) -> dict[str, Any]:
    """Settings written as ``key=value,…``; a bare value at the beginning is that of the key `first`."""
    found: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in tail.split(","))):
        key, equals, value = (word.strip() for word in part.partition("="))
        if not equals and first is not None and not found:
            key, value = first, key
        if key in found or not value:
            raise UsageError(f"The firm {name!r} cannot be read at {part!r}: write key=value, each key once.")
        found[key] = _value(value)
    return found


def _value(text: str) -> float | int | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
