"""Response formats that hold a reply to a JSON schema, in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ENDING = "ending"
"""The type of a response format of our own, see `ludens.agents.local.engine.Ending`."""

_THOUGHTS = {"reasoning": {"type": "string"}}


def choice_schema(labels: Sequence[str], reasoning: bool) -> dict[str, Any]:
    """Return the format of a choice of one label, with thoughts before it if `reasoning`."""
    choice = {"choice": {"type": "string", "enum": list(labels)}}
    return _object("answer", (_THOUGHTS if reasoning else {}) | choice)


def answer_ending(labels: Sequence[str], reasoning: bool) -> dict[str, Any]:
    """Return the format of a text whose last line names one label, after free thoughts if `reasoning`; models
    on this machine take it.
    """
    return {"type": ENDING, "start": "Answer: " if reasoning else "", "choices": list(labels)}


def shares_schema(labels: Sequence[str]) -> dict[str, Any]:
    """Return the format of a whole number for each label."""
    return _object("answer", {label: {"type": "integer"} for label in labels})


def points_schema(
    labels: Sequence[str], reasoning: bool, limits: tuple[float, float] | None = None, *, whole: bool = True
) -> dict[str, Any]:
    """Return the format of points for each label.

    Args:
        labels: of the things that share the points, or of the one number that is asked for.
        reasoning: whether thoughts come first.
        limits: the lowest and the highest number, for engines that can hold a reply to them; hosted models
            may not take such a schema.
        whole: whether the numbers are whole.
    """
    number: dict[str, Any] = {"type": "integer" if whole else "number"}
    if limits is not None:
        number |= {"minimum": limits[0], "maximum": limits[1]}
    return _object("points", (_THOUGHTS if reasoning else {}) | dict.fromkeys(labels, number))


def price_schema(slots: Sequence[str], longest: int | None = None, products: int = 1) -> dict[str, Any]:
    """Return the format of a price after notes.

    Args:
        slots: the names of the notes.
        longest: the most characters of a note, for engines that can hold a reply to it. Then the price is
            held to a few plain digits as well, without a sign; hosted models may not take such a schema.
        products: how many prices are asked for.
    """
    text: dict[str, Any] = {"type": "string"}
    price: dict[str, Any] = {"type": "number"}
    if longest is not None:
        text["maxLength"] = longest
        price = {"type": "string", "pattern": r"^[0-9]{1,6}(\.[0-9]{1,4})?$"}
    names = ["price"] if products == 1 else [f"price_{number}" for number in range(1, products + 1)]
    return _object("price", dict.fromkeys(slots, text) | dict.fromkeys(names, price))


def message_schema(reasoning: bool, longest: int | None = None) -> dict[str, Any]:
    """Return the format of a message to others, with thoughts before it if `reasoning`; `longest` is the most
    characters, for engines that can hold a reply to it.
    """
    text: dict[str, Any] = {"type": "string"} | ({} if longest is None else {"maxLength": longest})
    return _object("message", (_THOUGHTS if reasoning else {}) | {"message": text})


def _object(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}
