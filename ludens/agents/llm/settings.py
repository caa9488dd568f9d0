"""What `LLMPolicy` is told, checked before any model is asked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal, get_args

from ludens.agents.llm.prompts.games import personas
from ludens.checks import check_choice, check_count, whole_number
from ludens.errors import UsageError

Elicit = Literal["auto", "logprobs", "sample"]
AnswerFormat = Literal["auto", "letter"]
Order = Literal["auto", "random", "both"]

NAME = "LLMPolicy"
# What LiteLLM takes and the policy decides: the setting that decides it, if there is one.
DECIDED = {
    "messages": "persona",
    "max_retries": "transport_retries",
    "num_retries": "transport_retries",
    "logprobs": "elicit",
    "top_logprobs": "elicit",
    "response_format": "",
    "drop_params": "",
    "stream": "",
    "n": "",
}


def check_order(order: Order | int) -> Order | int:
    """The order, if it is a known word or a whole number.

    Raises:
        UsageError: it is neither.
    """
    if not isinstance(order, str) and (number := whole_number(order)) is not None:
        return number
    if not isinstance(order, str) or order not in get_args(Order):
        known = ", ".join(map(repr, get_args(Order)))
        raise UsageError(f"{NAME} got order={order!r}; choose one of {known} or a number.")
    return order


def check_word(name: str, value: object, choices: object) -> None:
    """Raise `UsageError` if the value is not among the choices of a `Literal`."""
    check_choice(NAME, name, value, get_args(choices))


def check_whole(name: str, value: object, least: int = 0) -> int:
    """The value, if it is a whole number of at least `least`; else `UsageError`."""
    return check_count(NAME, name, value, least=least)


def check_amount(name: str, value: object, *, above_0: bool = False) -> float:
    """The value, if it is a finite number of at least 0 (or above 0); else `UsageError`."""
    number = math.nan if isinstance(value, bool | str) else _float(value)
    if not math.isfinite(number) or number < 0 or (above_0 and number == 0):
        raise UsageError(
            f"{NAME} got {name}={value!r}; it must be a number {'above 0' if above_0 else 'of 0 or more'}."
        )
    return number


def check_model(model: object) -> str:
    """The model's id, if it is a text; else `UsageError`."""
    if not isinstance(model, str) or not model.strip():
        raise UsageError(
            f"{NAME} got model={model!r}; name it as provider/model, for example openai/gpt-5-mini."
        )
    return model


def check_persona(persona: object) -> str | None:
    """The persona, if it is a text that is no known name written wrongly; else `UsageError`."""
    if persona is None:
        return None
    if not isinstance(persona, str) or not persona.strip():
        raise UsageError(f"{NAME} got persona={persona!r}; give a text, or one of {', '.join(personas())}.")
    meant = get_close_matches(persona.lower().replace(" ", "_"), personas(), 1, 0.8)
    if meant and persona not in personas():
        raise UsageError(f"{NAME} knows no persona {persona!r}; did you mean {meant[0]!r}?")
    return persona


def check_options(options: Iterable[str], settings: Iterable[str]) -> None:
    """See that what is handed on to LiteLLM is no setting of ours written wrongly, and nothing that the
    policy decides itself.

    Args:
        options: the names that are handed on.
        settings: the names of the policy's own settings.

    Raises:
        UsageError: one is; the message says which setting is meant.
    """
    for name in options:
        if name in DECIDED:
            instead = f": set {DECIDED[name]} instead" if DECIDED[name] else ", so it cannot be set"
            raise UsageError(f"{NAME} decides {name} itself{instead}.")
        # Close enough for a slip of the keyboard; LiteLLM's own names (num_ctx, reasoning_effort) are not.
        if meant := get_close_matches(name, list(settings), 1, 0.8):
            raise UsageError(f"{NAME} has no setting {name!r}; did you mean {meant[0]!r}?")


def _float(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # what is no number is what this finds out
    except (TypeError, ValueError, OverflowError):
        return math.nan
