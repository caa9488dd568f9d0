"""Tables of estimates for the terminal, as LaTeX and as CSV."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from statistics import mean, quantiles, stdev
from typing import TYPE_CHECKING

from ludens.display.printable import harmless, printable
from ludens.display.table import Table
from ludens.errors import UsageError
from ludens.experiments.estimates.table import EstimateTable, Fact, Value
from ludens.experiments.report import terminal
from ludens.experiments.report.names import DASH, finite, joined_names
from ludens.experiments.report.names import number as number_text
from ludens.experiments.report.terminal import say

if TYPE_CHECKING:
    from rich.console import Console

_SIDE_BY_SIDE = 5  # more columns than this are turned into rows
_SUMMED = 20  # more subjects than this are summed up; CSV and JSON hold them all
_LABEL = re.compile(r"[A-Za-z0-9:._/-]+")
_NUMBER = re.compile(r"\(?[−-]?\d+(\.\d+)?\)?\**")
_STARS = ((0.01, "***"), (0.05, "**"), (0.1, "*"))
_LETTERS = {
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "κ": r"$\kappa$",
    "λ": r"$\lambda$", "ρ": r"$\rho$", "σ": r"$\sigma$", "θ": r"$\theta$",
    "∞": r"$\infty$", "≤": r"$\leq$", "≥": r"$\geq$",
    "−": "$-$", "–": "--", "×": r"$\times$", "·": r"$\cdot$",
}  # fmt: skip
_SPECIAL = {character: "\\" + character for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def transposed(table: EstimateTable) -> bool:
    """Return whether columns are shown as rows, because there are many or they have long names."""
    return table.unit in {"policy", "subject"} or len(table.columns) > _SIDE_BY_SIDE


def print_table(table: EstimateTable, console: Console, *, stars: bool = False) -> None:
    """Print a table and its notes, 80 characters wide for up to five columns or any number of rows."""
    say(console, table.title, "bold")
    say(console, table.source, "dim")
    header, body = _cells(table, stars)
    rows = [(row[0], row[1:]) for group in body for row in group]
    ends = set(accumulate(len(group) for group in body))
    terminal.print_table(
        Table.of(table.title, table.source, header[1:], rows, corner=header[0]),
        console,
        names=28,
        wrap=transposed(table),
        sections={end - 1 for end in ends},
    )
    for line in _below(table, stars):
        say(console, line, "dim")
    for note in table.notes:
        say(console, f"• {note}")


def to_latex(
    table: EstimateTable, *, stars: bool = False, label: str | None = None, caption: str | None = None
) -> str:
    r"""Return a LaTeX table in the style of ``booktabs``, with numbers aligned at their decimal points by
    ``dcolumn``.

    Text of users and models is escaped.

    Args:
        table: the table.
        stars: mark significance.
        label: what ``\ref`` names the table by; None for no label.
        caption: None for the table's title and source.

    Raises:
        UsageError: the label holds characters that LaTeX does not take in one.
    """
    if label is not None and not _LABEL.fullmatch(label):
        raise UsageError(f"A label of LaTeX has letters, digits and -:._/ alone; got {label!r}.")
    header, body = _cells(table, stars)
    groups = [
        " \\\\\n".join(" & ".join([_latex(row[0]), *map(_aligned, row[1:])]) for row in group) + " \\\\"
        for group in body
    ]
    notes = [*_below(table, stars), *(printable(note) for note in table.notes)]
    titles = [_latex(header[0]), *(rf"\multicolumn{{1}}{{c}}{{{_latex(title)}}}" for title in header[1:])]
    text = f"{table.title} ({table.source})" if caption is None else caption
    return "\n".join(
        [
            r"% needs \usepackage{booktabs,dcolumn}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex(text)}}}",
            *([rf"\label{{{label}}}"] if label else []),
            rf"\begin{{tabular}}{{l{'D{.}{.}{-1}' * (len(header) - 1)}}}",
            r"\toprule",
            " & ".join(titles) + r" \\",
            r"\midrule",
            "\n\\midrule\n".join(groups),
            r"\bottomrule",
            r"\end{tabular}",
            r"\par\smallskip\footnotesize",
            "\n".join(_latex(note) + r"\par" for note in notes),
            r"\end{table}",
            "",
        ]
    )


def _aligned(cell: str) -> str:
    """Return a cell of a column that is aligned at the decimal point, where LaTeX is in math mode."""
    if _NUMBER.fullmatch(cell):
        return cell.replace("−", "-")
    return rf"\multicolumn{{1}}{{r}}{{{_latex(cell)}}}" if cell else ""


def to_csv(tables: Sequence[EstimateTable]) -> str:
    """Return CSV text with a row for each estimate and each fact of the tables.

    Its columns are table, column, name, symbol, estimate, se, low, high, p and errors.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["table", "column", "name", "symbol", "estimate", "se", "low", "high", "p", "errors"])
    for number, table in enumerate(tables, 1):
        writer.writerows([number, *map(harmless, row)] for row in _csv_rows(table))
    return buffer.getvalue()


def _csv_rows(table: EstimateTable) -> Iterator[list[str]]:
    for column in table.columns:
        for value in column.values:
            numbers = [value.estimate, value.se, value.low, value.high, value.p]
            texts = ["" if math.isnan(number) else repr(number) for number in numbers]
            yield [column.title, value.name, value.symbol, *texts, table.errors]
    for fact in table.facts:
        titles = [column.title for column in table.columns] if len(fact.numbers) > 1 else ["all"]
        if len(table.columns) == 1:
            titles = [table.columns[0].title]
        for title, number in zip(titles, fact.numbers, strict=True):
            text = "" if math.isnan(number) else repr(float(number))
            yield [title, fact.name, "", text, *[""] * 5]


def figure_text(number: float, digits: int = 3) -> str:
    """Format a number with a true minus sign, and NaN as a dash."""
    return number_text(finite(number), digits)


def _cells(table: EstimateTable, stars: bool) -> tuple[list[str], list[list[list[str]]]]:
    """Return the header and the groups of rows."""
    titles = [
        joined_names(column.title) if table.unit == "policy" else printable(column.title)
        for column in table.columns
    ]
    if len(table.columns) > _SUMMED and table.unit == "subject":
        return _summary(table)
    if transposed(table):
        varying = [
            fact for fact in table.facts if len(fact.numbers) == len(table.columns) and fact.name == "choices"
        ]
        header = [
            table.unit,
            *(value.symbol for value in table.parameters),
            *(fact.label.lower() for fact in varying),
        ]
        groups = []
        for place, (title, column) in enumerate(zip(titles, table.columns, strict=True)):
            numbers = [figure_text(fact.numbers[place], fact.digits) for fact in varying]
            above = [title, *(_estimate(value, stars) for value in column.values), *numbers]
            below = ["", *(_error(value) for value in column.values), *[""] * len(varying)]
            groups.append([above, below] if any(below) else [above])
        return header, [[row for group in groups for row in group]]
    rows = []
    for place, value in enumerate(table.parameters):
        rows.append([value.symbol, *(_estimate(column.values[place], stars) for column in table.columns)])
        rows.append(["", *(_error(column.values[place]) for column in table.columns)])
    facts = [_fact(fact, len(table.columns)) for fact in table.facts]
    return ["", *titles], [group for group in (rows, facts) if group]


def _summary(table: EstimateTable) -> tuple[list[str], list[list[list[str]]]]:
    """Summarise many subjects: for how many each parameter is identified, and its distribution over them."""
    rows = []
    for place, parameter in enumerate(table.parameters):
        known = [column.values[place].estimate for column in table.columns]
        known = [number for number in known if not math.isnan(number)]
        spread = (
            [mean(known), stdev(known), *quantiles(known, method="inclusive")]
            if len(known) > 1
            else [math.nan] * 5
        )
        rows.append([parameter.symbol, str(len(known)), *map(figure_text, spread)])
    header = [f"{len(table.columns)} {table.unit}s", "identified", "mean", "sd", "25 %", "median", "75 %"]
    return header, [rows]


def _estimate(value: Value, stars: bool) -> str:
    mark = next((mark for level, mark in _STARS if value.p < level), "") if stars else ""
    return figure_text(value.estimate) + mark


def _error(value: Value) -> str:
    if value.fixed:
        return "fixed"
    if not math.isnan(value.se):
        return f"({figure_text(value.se)})"
    if math.isinf(value.low) or math.isinf(value.high):
        if math.isinf(value.low) and math.isinf(value.high):
            return "[∞]" if value.low == value.high else "[any]"
        return f"[≥ {figure_text(value.low)}]" if math.isinf(value.high) else f"[≤ {figure_text(value.high)}]"
    return "" if math.isnan(value.low) else f"[{figure_text(value.low)}, {figure_text(value.high)}]"


def _fact(fact: Fact, columns: int) -> list[str]:
    texts = [figure_text(number, fact.digits) for number in fact.numbers]
    return [fact.label, *texts, *[""] * (columns - len(texts))]


def _below(table: EstimateTable, stars: bool) -> Sequence[str]:
    about = "; ".join(f"{value.symbol} {value.about}" for value in table.parameters if value.about)
    lines = [f"{about}."] if about else []
    if len(table.columns) > _SUMMED and table.unit == "subject":
        lines.append("Over the subjects for whom a parameter is identified; CSV and JSON hold every subject.")
    elif table.parameters:
        lines.append(f"In brackets: {table.errors}. {DASH}: not identified, see the notes.")
    shared = [fact for fact in table.facts if len(fact.numbers) == 1]
    if transposed(table) and shared:
        totals = ", ".join(
            f"{fact.label.lower()} {figure_text(fact.numbers[0], fact.digits)}" for fact in shared
        )
        lines.append(f"In all: {totals}.")
    if stars:
        lines.append("*** p < 0.01, ** p < 0.05, * p < 0.1, of the hypothesis that the parameter is 0.")
    return lines


def _latex(text: str) -> str:
    return "".join(
        _LETTERS.get(character) or _SPECIAL.get(character, character) for character in printable(text)
    )
