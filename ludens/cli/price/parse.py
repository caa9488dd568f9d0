"""Parsing of the options of `ludens price`: firms, the market, interventions, numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ludens.cli.options import numbers, policy_texts
from ludens.errors import UsageError

if TYPE_CHECKING:
    from ludens.envs.pricing.interventions import Intervention
    from ludens.envs.pricing.theory.market import AnyMarket

_POINTED = re.compile(r"[+-]?(\.\d+|\d+\.)(e[+-]?\d+)?", re.IGNORECASE)
"""A number that JSON does not write without a digit beside its point."""

NUMBERS = "1,3.2,10"
"""An example of numbers separated by commas."""

_EXAMPLES = {
    "--market": "demand=linear",
    "--oversight": "price=competitive",
    "--set": "alpha=0.1",
    "--vary": "alpha=0.1,0.2",
}


def firm_names(text: str | None) -> list[str]:
    """Return firms separated by commas; a part such as ``universalisation=firms`` belongs to the one before.

    Raises:
        UsageError: none is named.
    """
    firms = policy_texts(text or "")
    if not firms:
        raise UsageError("Name the firms, as in --firms local/smollm2-135m,nash.")
    return firms


def market_of(
    firms: int, qualities: str | None, costs: str | None, mu: float | None, further: Sequence[str] | None
) -> AnyMarket:
    """Return the market of so many firms with 100 customers.

    Args:
        firms: how many are named.
        qualities: one number, or one for each product, separated by commas.
        costs: in the same way.
        mu: μ.
        further: other numbers, as of `market_values`.

    Raises:
        UsageError: one cannot be read, is no number of its demand, is out of its range, or does not fit the
            others.
    """
    from ludens.experiments.pricing.market_config import CUSTOMERS, market_of

    values: dict[str, Any] = {"quantity_scale": CUSTOMERS, **market_values(further)}
    for option, several, one, given in (
        ("--qualities", "qualities", "quality", qualities),
        ("--costs", "costs", "cost", costs),
    ):
        if given is None:
            continue
        each, products = numbers(option, given, NUMBERS), _products(values, firms)
        if len(each) not in {1, products}:
            sellers = f"{firms} firms" if products == firms else f"{products} products"
            raise UsageError(f"{option} takes one number, or one for each of {sellers}; got {given!r}.")
        _check_once(option, values, (several, one))
        values |= {one: each[0]} if len(each) == 1 else {several: each}
    if mu is not None:
        _check_once("--mu", values, ("mu",))
        values["mu"] = mu
    return market_of(values, firms)


def market_values(texts: Sequence[str] | None) -> dict[str, Any]:
    """Return the numbers of `ludens.experiments.pricing.market_config.MarketConfig` in ``key=value``.

    Raises:
        UsageError: a text is not of that form, or names none of them, or one twice.
    """
    from ludens.experiments.pricing.market_config import MarketConfig

    values: dict[str, Any] = {}
    for text in texts or ():
        key, value = pair("--market", text, list_or_value)
        if key not in MarketConfig.model_fields or key in values:
            known = ", ".join(MarketConfig.model_fields)
            raise UsageError(f"--market takes each of {known} once; got {text!r}.")
        values[key] = value
    return values


def _check_once(option: str, values: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in names:
        if name in values:
            raise UsageError(f"{option} and --market {name}=… say the same: leave one out.")


def _products(values: Mapping[str, Any], firms: int) -> int:
    for name in ("owners", "nests", "slopes"):
        if isinstance(values.get(name), list):
            return len(values[name])
    asked = values.get("firms", firms)
    return asked if isinstance(asked, int) else firms


def pair(option: str, text: str, read: Callable[[str], Any]) -> tuple[str, Any]:
    """Return the two sides of ``key=value``, the value as `read` returns it.

    Raises:
        UsageError: the text is not of that form.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name or not value:
        raise UsageError(f"{option} takes KEY=VALUE, as in {_EXAMPLES[option]}; got {text!r}.")
    return name, read(value)


def list_or_value(text: str) -> Any:
    """Return a list where commas separate values outside of JSON, else one value."""
    if "," in text and not text.startswith("["):
        return [json_value(part) for part in text.split(",")]
    return json_value(text)


def json_value(text: str) -> Any:
    """Return a number, truth value or list; any other text as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return float(text) if _POINTED.fullmatch(text.strip()) else text.strip()


def intervention(text: str) -> Intervention:
    """Return an intervention from its name and numbers, as in ``regulator:threshold=1.8,fine=5``.

    A slash separates several numbers: ``outside-option:values=-0.1/0.1``.

    Raises:
        UsageError: there is none of that name, or it cannot be read.
    """
    from ludens.envs.pricing.interventions import KINDS, as_intervention

    name, _, tail = text.strip().partition(":")
    names = {re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind).lower(): kind for kind in KINDS}
    if name.strip() not in names:
        raise UsageError(f"--with knows no {name!r}; there are {', '.join(names)}.")
    values: dict[str, Any] = {"kind": names[name.strip()]}
    for part in filter(None, (part.strip() for part in tail.split(","))):
        key, equals, value = (word.strip() for word in part.partition("="))
        if not equals or not value or key in values:
            raise UsageError(
                f"--with {text!r} cannot be read at {part!r}: write key=value, each key once, as in "
                "regulator:threshold=1.8,fine=5."
            )
        values[key] = _value(value)
    return as_intervention(values)


def oversight(text: str | None) -> dict[str, Any] | None:
    """Return oversight from its rule and settings, as in ``veto:price=competitive,firms=0/1``; None for none.

    Raises:
        UsageError: it cannot be read.
    """
    if text is None:
        return None
    rule, _, tail = text.strip().partition(":")
    values: dict[str, Any] = {"rule": rule.strip()}
    for part in filter(None, (part.strip() for part in tail.split(","))):
        key, value = pair("--oversight", part, _value)
        values[key] = (value,) if key == "firms" and isinstance(value, int) else value
    return values


def _value(text: str) -> Any:
    if text in {"true", "false"}:
        return text == "true"
    if "/" in text:
        return tuple(_value(part) for part in text.split("/"))
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
