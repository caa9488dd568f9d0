"""Write the tables of columns in data.md from what the code knows of them.

python docs/make_columns.py
"""

from __future__ import annotations

import re
from pathlib import Path

from ludens.experiments import STUDIES
from ludens.experiments.runs.columns import COLUMNS, described

PAGE = Path(__file__).parent / "data.md"
OWN = (
    "adoption",
    "av",
    "bench",
    "budget",
    "deviate",
    "evolve",
    "exam",
    "implant",
    "invasion",
    "judge",
    "moral_machine",
    "pricing",
    "sweep",
    "tournament",
)
"""The studies of ludens itself that have tables of measures."""


def columns() -> str:
    """Return the columns of all tables in Markdown."""
    parts = [f"### `{name}`\n\n{described(found)}" for name, found in COLUMNS.items()]
    for kind in OWN:
        parts += [
            f"### `{name}` of `{kind}`\n\n{described(found)}" for name, found in STUDIES[kind].columns.items()
        ]
    return "\n".join(parts)


def with_columns(page: str) -> str:
    """Return the page with the present columns between its marks."""
    return re.sub(
        r"(?s)(<!-- columns -->\n).*(<!-- end of columns -->)", lambda m: m[1] + columns() + m[2], page
    )


if __name__ == "__main__":
    PAGE.write_text(with_columns(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
