"""Text that others wrote, made safe to show: models and the files of runs may hold anything."""

from __future__ import annotations

import re

from ludens.checks import is_shown

# A number with a sign, or a range of them, which a spreadsheet reads as what it is.
_AMOUNT = re.compile(r"[+-](inf|[\d.,]+(e[+-]?\d+)?)( ?%)?((–| to )[+-]?[\d.,]+)?( ?%)?", re.IGNORECASE)


def printable(text: str) -> str:
    """Return the text with every character that a terminal would obey written as an escape."""
    return "".join(char if is_shown(char) else _written_out(char) for char in text)


def harmless(text: str) -> str:
    """Return the text as a cell of a CSV file: with an apostrophe before it if a spreadsheet would take it
    for a formula. Numbers and ranges of them stay as they are.
    """
    formula = text[:1] in set("=+-@\t\r") and not _AMOUNT.fullmatch(text)
    return f"'{text}" if formula else text


def _written_out(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
