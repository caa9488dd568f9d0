"""The table of every report: on a page, in a terminal, and as text to copy.

A table is made from headings and rows; a pair puts neighbouring columns under one heading::

    Table.of(
        "Cooperation",
        "Share of the prosocial option, in per cent.",
        ["all games", ("by role", "first"), ("by role", "second")],
        [("always_defect", [Cell("0", "0–12", "n = 30"), "0", "0"])],
        corner="policy",
    )
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from ludens.display.printable import harmless, printable
from ludens.errors import UsageError

Header = tuple[str, str]
"""The heading that neighbouring columns share (may be empty), and the column's own."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: its value.
        below: what is shown in small below it, as a rule the 95 % interval.
        hint: what the value rests on, shown on hovering.
    """

    text: str
    below: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Table:
    """A titled table with named rows.

    Attributes:
        title, caption: what the table shows, and how to read it.
        headers: the headings of the columns, without that of the names.
        names: the names of the rows.
        rows: the cells of each row, one per heading.
        corner: the heading of the names.
        groups: headings over neighbouring columns, each with the number of columns; empty if there are none.
        tested: which rows are of policies under test, and stand out; empty if none does.

    Raises:
        UsageError: the numbers of names, cells or headings differ.
    """

    title: str
    caption: str
    headers: tuple[str, ...]
    names: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    corner: str = ""
    groups: tuple[tuple[str, int], ...] = ()
    tested: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        width, height = len(self.headers), len(self.rows)
        if len(self.names) != height or (self.tested and len(self.tested) != height):
            raise UsageError(
                f"The table {self.title!r} has {height} rows, {len(self.names)} names and "
                f"{len(self.tested)} marks: give one name to each row, and one mark or none."
            )
        for name, row in zip(self.names, self.rows, strict=True):
            if len(row) != width:
                raise UsageError(
                    f"The row {name!r} of the table {self.title!r} has {len(row)} cells for {width} "
                    "headings: give one for each."
                )
        if self.groups and sum(span for _, span in self.groups) != width:
            raise UsageError(f"The groups of the table {self.title!r} do not cover its {width} columns.")

    @classmethod
    def of(
        cls,
        title: str,
        caption: str,
        headers: Sequence[str | Header],
        rows: Iterable[tuple[str, Sequence[Cell | str]]],
        *,
        corner: str = "",
        tested: Sequence[bool] = (),
    ) -> Table:
        """Return a table from its rows.

        Args:
            title: what the table shows.
            caption: how to read it.
            headers: one per column; equal groups of neighbours become one heading.
            rows: the name and the cells of each; a plain text is a cell of its own.
            corner: the heading of the names.
            tested: which rows are of policies under test.

        Raises:
            UsageError: a row has more or fewer cells than there are headings.
        """
        named = list(rows)
        pairs = [("", header) if isinstance(header, str) else header for header in headers]
        groups = tuple((name, len(list(same))) for name, same in groupby(group for group, _ in pairs))
        return cls(
            title,
            caption,
            tuple(header for _, header in pairs),
            tuple(name for name, _ in named),
            tuple(
                tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in cells) for _, cells in named
            ),
            corner,
            groups if any(name for name, _ in groups) else (),
            tuple(tested),
        )

    @property
    def headings(self) -> tuple[str, ...]:
        """The headings of the columns in one line each, with that of their group before it."""
        over = [name for name, span in self.groups or (("", len(self.headers)),) for _ in range(span)]
        pairs = zip(over, self.headers, strict=True)
        return tuple(" ".join(f"{group}: {name}".split()) if group else _line(name) for group, name in pairs)

    def to_markdown(self) -> str:
        """Return the table in Markdown, intervals in brackets."""
        head = [self.corner, *self.headings]
        lines = [_row(head), _row(["---", *["---:"] * len(self.headers)], plain=False)]
        for name, row in zip(self.names, self.rows, strict=True):
            lines.append(_row([name, *(_with_below(cell) for cell in row)]))
        return "\n".join(lines) + "\n"

    def to_csv(self) -> str:
        """Return the table as CSV; what stands below the values of a column has a column of its own.

        Minus signs are those of programming languages, and a text that a spreadsheet would take for a formula
        begins with an apostrophe.
        """
        small = [any(row[place].below for row in self.rows) for place in range(len(self.headers))]
        head = [_line(self.corner)]
        for heading, wide in zip(self.headings, small, strict=True):
            head += [heading, f"{heading} (below)"] if wide else [heading]
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([_field(each) for each in head])
        for name, row in zip(self.names, self.rows, strict=True):
            fields = [name]
            for cell, wide in zip(row, small, strict=True):
                fields += [cell.text, cell.below] if wide else [cell.text]
            writer.writerow([_field(each) for each in fields])
        return text.getvalue()


def _with_below(cell: Cell) -> str:
    return f"{cell.text} ({cell.below})" if cell.below else cell.text


def _row(texts: Sequence[str], *, plain: bool = True) -> str:
    cells = [_escaped(_line(text)) if plain else text for text in texts]
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Keep Markdown from reading a name as markup."""
    return re.sub(r"([\\|`*_<>&~\[\]])", r"\\\1", text)


def _line(text: str) -> str:
    return printable(" ".join(text.split()))


def _field(text: str) -> str:
    return harmless(re.sub(r"−(?=[\d.])", "-", _line(text)))
