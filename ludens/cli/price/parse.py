"""Parsing of the options of `ludens price`: firms, the market, interventions, numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ludens.cli.options import policy_texts
from ludens.errors import UsageError

if TYPE_CHECKING:
    from ludens.envs.pricing import Market
    from ludens.envs.pricing.interventions import Intervention


def firm_names(text: str | None) -> list[str]:
    """Return firms separated by commas; a part such as ``universalisation=firms`` belongs to the one before.

    Raises:
        UsageError: none is named.
    """
    firms = policy_texts(text or "")
    if not firms:
        raise UsageError("Name the firms, as in --firms local/smollm2-135m,nash.")
    return firms


def market_of(firms: int, qualities: str | None, costs: str | None, mu: float) -> Market:
    """Return the market of so many firms with one product each and 100 customers.

    Raises:
        UsageError: there are not as many numbers as firms, or one is out of its range.
    """
    from ludens.envs.pricing import Market

    def each(option: str, text: str | None, default: float) -> list[float]:
        found = [default] if text is None else numbers(option, text)
        if len(found) not in {1, firms}:
            raise UsageError(f"{option} takes one number, or one for each of {firms} firms; got {text!r}.")
        return found * firms if len(found) == 1 else found

    return Market(
        each("--qualities", qualities, 2.0), each("--costs", costs, 1.0), mu=mu, quantity_scale=100.0
    )


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


def numbers(option: str, text: str) -> list[float]:
    """Return numbers separated by commas.

    Raises:
        UsageError: one is none.
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(
            f"{option} takes numbers separated by commas, as in 1,3.2,10; got {text!r}."
        ) from None


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
