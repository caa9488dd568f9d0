"""Results on a terminal of 80 columns: the same tables as on the page, remarks, and where everything lies.

Names and texts are shown as they are: no markup and no control code in them takes effect.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from ludens.display.printable import printable
from ludens.display.table import Cell, Table
from ludens.experiments.runs.budget import dollars

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


def print_table(
    table: Table,
    console: Console,
    *,
    names: int | None = None,
    left: Collection[str] = (),
    width: int | None = None,
    wrap: bool = False,
    styles: Sequence[str] = (),
    sections: Collection[int] = (),
) -> None:
    """Print a table without its title and caption; small text stands below its value.

    Args:
        table: what to print; row names under test are bold, and a gap follows the last of them.
        console: where to.
        names: the most columns of the terminal that row names take; None for as many as they need.
        left: headings of columns of words.
        width: of each column; None for as wide as its cells. Columns of a given width stand without a gap.
        wrap: whether cells are broken rather than cut off where a line is too long.
        styles: of the rows; empty for plain ones.
        sections: places of rows that a gap follows.
    """
    from rich import box
    from rich.table import Table as Grid

    grid = Grid(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0) if width is None else 0,
        pad_edge=False,
        show_edge=width is None,
    )
    numbered = bool(table.names) and all(name.isdigit() for name in table.names)
    grid.add_column(
        plain(table.corner),
        overflow="fold",
        max_width=names,
        no_wrap=names is None,
        justify="right" if numbered else "left",
    )
    for place, header in enumerate(table.headings if table.groups else table.headers):
        longest = max((len(row[place].text) for row in table.rows), default=0)
        grid.add_column(
            plain(header),
            justify="left" if header in left else "right",
            # What is short, or a word, is not the place to save columns at.
            min_width=None if width is not None else longest if header in left else min(longest, 3),
            overflow="ellipsis" if width is None and not wrap else "fold",
            no_wrap=width is None and not wrap,
            width=width,
        )
    tested = table.tested or (False,) * len(table.rows)
    last = max((place for place, marked in enumerate(tested) if marked), default=-1)
    for place, (name, row) in enumerate(zip(table.names, table.rows, strict=True)):
        grid.add_row(
            plain(name, "bold" if tested[place] else ""),
            *map(_two, row),
            style=styles[place] if styles else None,
            end_section=place == last or place in sections,
        )
    console.print(grid)


def say(console: Console, text: str, style: str = "") -> None:
    """Print a sentence or more."""
    console.print(plain(text, style))


def say_time(console: Console, seconds: float, calls: int = 0, cost: float = 0.0) -> None:
    """Print how long a run took and what its calls to models cost."""
    spent = f" {calls} calls to models, {dollars(cost)}." if calls else ""
    say(console, f"Took {seconds:.0f} s.{spent}", "dim")


def print_places(console: Console, places: Iterable[tuple[str, object]]) -> None:
    """Print where things lie and which commands go on, one line each.

    A path is never broken, so that it survives being copied.
    """
    for name, place in places:
        console.print(plain(f"{name:<13}{place}"), soft_wrap=True)


def print_closing(
    console: Console,
    run: str | os.PathLike[str],
    report: str | os.PathLike[str] | None,
    *,
    unfinished: bool = False,
    further: Iterable[tuple[str, object]] = (),
) -> None:
    """Print where report and run lie and, of an unfinished one, how to go on.

    Args:
        console: where to.
        run: the run's file.
        report: the report's; None where it is not written.
        unfinished: whether the run can be resumed.
        further: more such lines.
    """
    console.print()
    places: list[tuple[str, object]] = [("Report", report or "not written yet"), ("Run", run)]
    if unfinished:
        places.append(("Go on", f"ludens resume {run}"))
    print_places(console, [*places, *further])


def plain(text: str, style: str = "") -> Text:
    """Return a text of which nothing is markup or a control code."""
    from rich.text import Text

    return Text(printable(text), style=style)


def _two(cell: Cell) -> Text:
    from rich.text import Text

    below = f"\n{printable(cell.below)}" if cell.below else ""
    return Text.assemble(printable(cell.text), (below, "dim"))
