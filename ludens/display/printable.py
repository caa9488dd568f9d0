"""Text that others wrote, made safe to show: models and the files of runs may hold anything."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """Return the text with every character that a terminal would obey written as an escape."""
    return "".join(char if _is_shown(char) else _written_out(char) for char in text)


def _is_shown(char: str) -> bool:
    # Cc: control; Cf: format, which can reorder what is read; Cs: half a pair. Joiners make up emoji.
    return char in "\n\t\u200c\u200d" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _written_out(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
