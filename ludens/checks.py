"""Checks of arguments: counts, words from a list, texts, seeds, and calls in the right order."""

from __future__ import annotations

import math
import numbers
import operator
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ludens.errors import UsageError

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def whole_number(value: object) -> int | None:
    """Return the value as an int if it is a whole number, else None.

    Whole numbers are the values that Python takes as an index: NumPy's integers and arrays without an axis
    too, not 1.0, True or a text.
    """
    if type(value) is int:  # most are
        return value
    if isinstance(value, bool | np.bool_):  # which NumPy before 2.3 takes as an index too
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]  # raises for values without an index
    except TypeError:
        return None


def real_number(value: object) -> float | None:
    """Return the value as a float if it is one real number, NumPy's too, else None.

    Booleans, texts and arrays are not; infinity and NaN are.
    """
    return float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else None


def duration(value: object) -> float | None:
    """Return a number of seconds, also written ``"90s"``, ``"10m"`` or ``"2h"``; None for anything else, and
    for what is below 0 or not finite.
    """
    if isinstance(value, str):
        written = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*([smh]?)", value.strip())
        return None if written is None else float(written[1]) * _SECONDS[written[2]]
    number = real_number(value)
    return number if number is not None and 0 <= number < math.inf else None


def is_shown(char: str) -> bool:
    """Return whether a character is shown, and not obeyed, by a terminal."""
    # Cc: control; Cf: format, which can reorder what is read; Cs: half a pair. Joiners make up emoji.
    return char in "\n\t\u200c\u200d" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def said(text: object, least: int, most: int) -> str:
    """Return a message to others with a blank in place of every character that a terminal would obey.

    Raises:
        UsageError: it is no text, or has too few or too many characters.
    """
    if isinstance(text, str):
        shown = "".join(char if is_shown(char) else " " for char in text)
        if least <= len(shown.strip()) and len(shown) <= most:
            return shown
    given = f"{len(text)} characters" if isinstance(text, str) and len(text) > most else repr(text)
    length = f"{least} to {most}" if least else f"at most {most}"
    raise UsageError(f"A message is a text of {length} characters; got {given}.")


def entries(value: object) -> list[Any] | None:
    """Return the entries of a list, an array or any other iterable; None for texts, mappings and what has no
    entries.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return None
    return None if getattr(value, "shape", None) == () else list(value)


def check_choice(environment: str, name: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise `UsageError` if the value is not among the choices (words, or None)."""
    if not isinstance(value, str | None) or value not in choices:
        raise UsageError(
            f"{environment} got {name}={value!r}; choose one of {', '.join(map(repr, choices))}."
        )


def check_count(environment: str, name: str, value: object, *, least: int = 1) -> int:
    """Return the value as an int.

    Raises:
        UsageError: it is not a whole number, or below `least`.
    """
    number = whole_number(value)
    if number is None or number < least:
        raise UsageError(
            f"{environment} got {name}={value!r}; it must be a whole number of at least {least}."
        )
    return number


def check_texts(prefix: str, values: Mapping[str, Any]) -> None:
    """See that every text can be written in UTF-8, which half of a surrogate pair cannot. Arguments and names
    of files hold such halves where their bytes are not UTF-8.

    Args:
        prefix: what comes before a key in the message.
        values: by key; texts in lists and mappings are looked at too.

    Raises:
        UsageError: one cannot; the message names its key.
    """
    for key, value in values.items():
        for text in (str(key), value):
            if isinstance(text, str) and (half := half_character(text)):
                raise UsageError(f"{prefix}{key} holds {half}: write the text in UTF-8.")
        if isinstance(value, list | tuple):
            check_texts(f"{prefix}{key}", {f"[{place}]": each for place, each in enumerate(value)})
        elif isinstance(value, Mapping):
            check_texts(f"{prefix}{key}.", value)


def half_character(text: str) -> str:
    """Return a description of the first half of a surrogate pair in a text; empty if there is none."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"half a character ({text[error.start]!r} at place {error.start + 1})"
    return ""


def seeded(environment: str, seed: int | None, present: np.random.Generator | None) -> np.random.Generator:
    """Return the generator of an episode.

    A seed starts a new one; without a seed the `present` one goes on, if there is one.

    Raises:
        UsageError: the seed is not a whole number of at least 0.
    """
    if seed is None and present is not None:
        return present
    return np.random.default_rng(None if seed is None else check_count(environment, "seed", seed, least=0))


def check_started(environment: str, call: str, started: bool) -> None:
    """Raise `UsageError` if a call comes before the first episode (`started`)."""
    if not started:
        raise UsageError(f"Call reset() before {call} on {environment}.")


def check_running(environment: str, call: str, started: bool, agents: Sequence[str]) -> None:
    """Raise `UsageError` if a call comes before an episode (`started`) or after it (no `agents` are left)."""
    check_started(environment, call, started)
    if not agents:
        raise UsageError(f"The episode of {environment} is over: call reset() before {call}.")
