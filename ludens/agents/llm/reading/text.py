"""What all readers of replies share: plain text, the JSON objects in it, and the model's thoughts."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Literal

Outcome = Literal["ok", "invalid", "refused"]

EMPTY = "The reply was empty."
DECLINED = "The model declined to answer."
MAX_JSON_OBJECTS = 50

Pairs = list[tuple[str, Any]]
"""A JSON object with every key it holds: a key that stands there twice may hold two answers."""

_MINUS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{EM DASH}": "-"})


def plain(text: str) -> str:
    """Return the text with straight quotes and with letters in their plain form, without a reasoning model's
    thoughts, terminal escape codes, control characters and HTML tags.
    """
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"(?s)\A.*</think>|\A\s*<think>.*", " ", text)
    text = re.sub(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)", "", text)
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u2060\ufeff]", " ", text)
    text = re.sub(r"</?[a-zA-Z][^<>]{0,500}>", " ", text)
    return text.translate(str.maketrans("‘’“”«»", '\'\'""""')).strip()


def plain_numbers(text: str) -> str:
    """Return the plain text (`plain`) with every dash that can stand for a minus sign as a hyphen."""
    return plain(text.translate(_MINUS))


def json_objects(text: str) -> tuple[list[tuple[int, Pairs]], str, bool]:
    """Return the JSON objects in a text, the text around them, and whether a broken object is among it.

    Each object comes with the place where it begins. In the text around them blanks stand in their place, so
    that places stay as they were.
    """
    decoder = json.JSONDecoder(object_pairs_hook=Pairs)
    objects: list[tuple[int, Pairs]] = []
    around, broken, start = text, False, -1
    for _ in range(MAX_JSON_OBJECTS):
        start = text.find("{", start + 1)
        if start < 0:
            break
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            broken = broken or re.match(r'\{\s*"', text[start:]) is not None
            continue
        objects.append((start, value))
        around = around[:start] + "\n".ljust(end - start) + around[end:]
        start = end - 1
    return objects, around, broken


def json_thoughts(objects: Sequence[tuple[int, Pairs]]) -> str | None:
    """Return the text under the key "reasoning" of the first JSON object that has one."""
    return next(
        (
            value
            for _, entry in objects
            for key, value in entry
            if key == "reasoning" and isinstance(value, str)
        ),
        None,
    )
