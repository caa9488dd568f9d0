"""A sheet of estimates as a terminal table, as LaTeX and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from statistics import mean, quantiles, stdev
from typing import TYPE_CHECKING

from ludens.experiments.estimates.table import EstimateTable, Fact, Value
from ludens.experiments.report.names import DASH, policy_name
from ludens.experiments.runs.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

_SIDE_BY_SIDE = 5  # more columns than this are turned into rows
_SUMMED = 20  # more subjects than this are summed up; CSV and JSON hold them all
_STARS = ((0.01, "***"), (0.05, "**"), (0.1, "*"))
_LETTERS = {
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "κ": r"$\kappa$",
    "λ": r"$\lambda$", "ρ": r"$\rho$", "σ": r"$\sigma$", "θ": r"$\theta$",
    "−": "$-$", "–": "--", "×": r"$\times$", "·": r"$\cdot$",
}  # fmt: skip
_SPECIAL = {character: "\\" + character for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def turned(sheet: EstimateTable) -> bool:
    """Whether columns are shown as rows: where they are many, or have long names."""
    return sheet.unit in {"policy", "subject"} or len(sheet.columns) > _SIDE_BY_SIDE


def print_sheet(sheet: EstimateTable, console: Console, *, stars: bool = False) -> None:
    """Print the table and its notes; fits 80 columns where it has up to five columns, or any number of
    rows.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console.print(Text(sheet.title, style="bold"))
    console.print(Text(sheet.source, style="dim"))
    header, body = _cells(sheet, stars)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(Text(header[0]), overflow="fold", max_width=28)
    for name in header[1:]:
        table.add_column(Text(name), justify="right", no_wrap=not turned(sheet), overflow="fold")
    for group in body:
        for row in group:
            table.add_row(*(Text(cell) for cell in row), end_section=row is group[-1])
    console.print(table)
    for line in _below(sheet, stars):
        console.print(Text(line, style="dim"))
    for note in sheet.notes:
        console.print(Text(f"• {printable(note)}"))


def to_latex(sheet: EstimateTable, *, stars: bool = False) -> str:
    r"""A LaTeX table in the style of ``booktabs``; needs nothing else in the preamble.

    What users and models write is escaped.
    """
    header, body = _cells(sheet, stars)
    groups = [" \\\\\n".join(" & ".join(map(_latex, row)) for row in group) + " \\\\" for group in body]
    notes = [*_below(sheet, stars), *(printable(note) for note in sheet.notes)]
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex(sheet.title)} ({_latex(sheet.source)})}}",
            rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
            r"\toprule",
            " & ".join(map(_latex, header)) + r" \\",
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


def to_csv(sheets: Sequence[EstimateTable]) -> str:
    """A row for each estimate and for each fact: table, column, name, symbol, estimate, se, low, high, p,
    errors.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["table", "column", "name", "symbol", "estimate", "se", "low", "high", "p", "errors"])
    for number, sheet in enumerate(sheets, 1):
        writer.writerows([number, *row] for row in _csv_rows(sheet))
    return buffer.getvalue()


def _csv_rows(sheet: EstimateTable) -> Iterator[list[str]]:
    for column in sheet.columns:
        for value in column.values:
            numbers = [value.estimate, value.se, value.low, value.high, value.p]
            texts = ["" if math.isnan(number) else repr(number) for number in numbers]
            yield [column.title, value.name, value.symbol, *texts, sheet.errors]
    for fact in sheet.facts:
        titles = [column.title for column in sheet.columns] if len(fact.numbers) > 1 else ["all"]
        if len(sheet.columns) == 1:
            titles = [sheet.columns[0].title]
        for title, number in zip(titles, fact.numbers, strict=True):
            text = "" if math.isnan(number) else repr(float(number))
            yield [title, fact.name, "", text, *[""] * 5]


def figure_text(number: float, digits: int = 3) -> str:
    """A number with a true minus sign, a dash for none."""
    if math.isnan(number):
        return DASH
    text = f"{number:.{digits}f}"
    return text.replace("-", "") if float(text) == 0 else text.replace("-", "−")


def _cells(sheet: EstimateTable, stars: bool) -> tuple[list[str], list[list[list[str]]]]:
    """Header and groups of rows."""
    titles = [
        policy_name(column.title) if sheet.unit == "policy" else printable(column.title)
        for column in sheet.columns
    ]
    if len(sheet.columns) > _SUMMED and sheet.unit == "subject":
        return _summary(sheet)
    if turned(sheet):
        varying = [
            fact for fact in sheet.facts if len(fact.numbers) == len(sheet.columns) and fact.name == "choices"
        ]
        header = [
            sheet.unit,
            *(value.symbol for value in sheet.parameters),
            *(fact.label.lower() for fact in varying),
        ]
        groups = []
        for place, (title, column) in enumerate(zip(titles, sheet.columns, strict=True)):
            numbers = [figure_text(fact.numbers[place], fact.digits) for fact in varying]
            above = [title, *(_estimate(value, stars) for value in column.values), *numbers]
            below = ["", *(_error(value) for value in column.values), *[""] * len(varying)]
            groups.append([above, below] if any(below) else [above])
        return header, [[row for group in groups for row in group]]
    rows = []
    for place, value in enumerate(sheet.parameters):
        rows.append([value.symbol, *(_estimate(column.values[place], stars) for column in sheet.columns)])
        rows.append(["", *(_error(column.values[place]) for column in sheet.columns)])
    facts = [_fact(fact, len(sheet.columns)) for fact in sheet.facts]
    return ["", *titles], [group for group in (rows, facts) if group]


def _summary(sheet: EstimateTable) -> tuple[list[str], list[list[list[str]]]]:
    """Of many subjects: in how many a parameter is identified, and how it is spread over them."""
    rows = []
    for place, parameter in enumerate(sheet.parameters):
        known = [column.values[place].estimate for column in sheet.columns]
        known = [number for number in known if not math.isnan(number)]
        spread = (
            [mean(known), stdev(known), *quantiles(known, method="inclusive")]
            if len(known) > 1
            else [math.nan] * 5
        )
        rows.append([parameter.symbol, str(len(known)), *map(figure_text, spread)])
    header = [f"{len(sheet.columns)} {sheet.unit}s", "identified", "mean", "sd", "25 %", "median", "75 %"]
    return header, [rows]


def _estimate(value: Value, stars: bool) -> str:
    mark = next((mark for level, mark in _STARS if value.p < level), "") if stars else ""
    return figure_text(value.estimate) + mark


def _error(value: Value) -> str:
    if value.fixed:
        return "fixed"
    return "" if math.isnan(value.se) else f"({figure_text(value.se)})"


def _fact(fact: Fact, columns: int) -> list[str]:
    texts = [figure_text(number, fact.digits) for number in fact.numbers]
    return [fact.label, *texts, *[""] * (columns - len(texts))]


def _below(sheet: EstimateTable, stars: bool) -> Sequence[str]:
    about = "; ".join(f"{value.symbol} {value.about}" for value in sheet.parameters if value.about)
    lines = [f"{about}."] if about else []
    if len(sheet.columns) > _SUMMED and sheet.unit == "subject":
        lines.append("Over the subjects for whom a parameter is identified; CSV and JSON hold every subject.")
    elif sheet.parameters:
        lines.append(f"In brackets: {sheet.errors}. {DASH}: not identified, see the notes.")
    shared = [fact for fact in sheet.facts if len(fact.numbers) == 1]
    if turned(sheet) and shared:
        told = ", ".join(
            f"{fact.label.lower()} {figure_text(fact.numbers[0], fact.digits)}" for fact in shared
        )
        lines.append(f"In all: {told}.")
    if stars:
        lines.append("*** p < 0.01, ** p < 0.05, * p < 0.1, of the hypothesis that the parameter is 0.")
    return lines


def _latex(text: str) -> str:
    return "".join(
        _LETTERS.get(character) or _SPECIAL.get(character, character) for character in printable(text)
    )
