"""The report of a sweep: its cells as a table and a picture, beside published numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ludens.display.svg import INK, MUTED, RULE
from ludens.experiments.measures.intervals import wilson
from ludens.experiments.pricing.cells import MEASURES, SHARES
from ludens.experiments.pricing.page import KIND
from ludens.experiments.pricing.sweep_result import CellResult, SweepResult
from ludens.experiments.report import drawing, provenance
from ludens.experiments.report.cells import share
from ludens.experiments.report.names import number
from ludens.experiments.report.page import Cell, Page, Picture, Table
from ludens.experiments.report.terminal import print_places, print_table, say

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

_DIGITS = {"periods": 0, "cycle": 1, "back": 2, "converged": 2} | dict.fromkeys(
    ("profit", "consumer_surplus", "deadweight_loss"), 4
)
_TERMINAL = ("gain", "price", "periods")
_ON_PAGE = (
    *("gain", "price", "profit", "consumer_surplus", "deadweight_loss"),
    *("periods", "cycle", "one_shot"),
)
_TWO = 1.96


def page(result: SweepResult) -> Page:
    """Return what the report of a sweep shows."""
    config = result.config
    shown = _shown(result.cells)
    tables = [
        Table.of(
            "Cells",
            "Means over sessions, with 95 % intervals from their standard errors below. Δ is 0 at the "
            "one-shot Nash profit and 1 at the joint-profit one; in a one-shot equilibrium no firm gains by "
            "deviating once. The exported table has further measures.",
            [_heading(name) for name in shown],
            [(cell.name, [_cell(cell, name, config.sessions) for name in shown]) for cell in result.cells],
            corner="cell",
        )
    ]
    if beside := published_table(result.cells):
        tables.insert(0, beside)
    learners = ", ".join(f"{name} {value}" for name, value in config.settings.items())
    return Page(
        title="Q-learners at many parameters",
        lead=f"{len(result.cells)} markets, in each of which Q-learners met in {config.sessions} sessions "
        f"until their strategies stood still{_or_not(result.cells)}.",
        kind=KIND,
        warnings=provenance.unfinished(result.ended, result.planned, result.run_path),
        pictures=pictures(result),
        tables=tables,
        facts=provenance.facts(
            result.manifest,
            result.run_path,
            {
                "every cell": learners or "the published baseline",
                "sessions": f"{config.sessions} in each cell",
            },
        ),
        notes=[
            "All cells are trained with the same random numbers, so that differences between them are more "
            "precise than their intervals say.",
        ],
    )


def published_table(cells: Sequence[CellResult]) -> Table | None:
    """Return our numbers beside the published ones; None where none is given."""
    rows = []
    for cell in cells:
        for name, known in cell.published.items():
            value, error = cell.measures[name]
            digits = _DIGITS.get(name, 3)
            ours = Cell(_number(value, digits), _interval(value, error, digits))
            apart = None if value is None else value - known
            far = "–" if apart is None or not error else number(abs(apart) / error, 1)
            cells_of: list[Cell | str] = [ours, _number(known, digits), _number(apart, digits), far]
            rows.append((f"{cell.name}: {MEASURES[name]}", cells_of))
    if not rows:
        return None
    return Table.of(
        "Beside the published numbers",
        "Ours with a 95 % interval below; the last column is the distance in standard errors of ours. Chance "
        "alone makes it exceed 2 in one of twenty.",
        ["ours", "published", "difference", "in s.e."],
        rows,
        corner="cell and measure",
    )


def pictures(result: SweepResult) -> list[Picture]:
    """Return the map, the curve or the points of the cells, by how many settings vary."""
    vary, cells = result.config.vary, result.cells
    measure = "gain" if any(cell.measures["gain"][0] is not None for cell in cells) else "price"
    if not any(cell.measures[measure][0] is not None for cell in cells):
        return []
    title = f"Mean {MEASURES[measure]} of each cell"
    if len(vary) == 2 and not result.config.cells:
        caption = "A square for each cell; hatched ones are not trained yet."
        return [Picture("map", title, caption, heat_map(vary, cells, measure))]
    caption = "With 95 % intervals over sessions"
    known = any(measure in cell.published for cell in cells)
    caption += "; a cross is the published number." if known else "."
    return [Picture("cells", title, caption, points(cells, measure))]


def heat_map(vary: Mapping[str, Sequence[Any]], cells: Sequence[CellResult], measure: str) -> Figure:
    """Draw a measure over two settings, the first to the right and the second upwards."""
    (across, columns), (up, rows) = vary.items()
    values = np.full((len(rows), len(columns)), np.nan)
    for cell in cells:
        value = cell.measures[measure][0]
        at = list(rows).index(cell.labels[up]), list(columns).index(cell.labels[across])
        values[at] = math.nan if value is None else value
    with drawing.new_figure(6.8, 4.8, layout="constrained") as figure:
        axes = figure.add_subplot()
        axes.patch.set_hatch("////")
        axes.patch.set_edgecolor(RULE)
        # Drawn as squares and not as an image, which a page could not show.
        colours: Any = {"cmap": drawing.scale(), "edgecolors": "face", "linewidth": 0.3}
        image = axes.pcolormesh(np.ma.masked_invalid(values), **colours)
        for axis, texts in ((axes.xaxis, columns), (axes.yaxis, rows)):
            # About eight labels at most, or they would overlap.
            places = range(0, len(texts), -(-len(texts) // 8))
            axis.set_ticks([place + 0.5 for place in places], [_value(texts[place]) for place in places])
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelsize=8)
        axes.set_xlabel(across, fontsize=9)
        axes.set_ylabel(up, fontsize=9)
        bar = figure.colorbar(image, label=MEASURES[measure])
        if bar.solids is not None:
            bar.solids.set(rasterized=False, edgecolor="face")
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=8)
    return figure


def points(cells: Sequence[CellResult], measure: str) -> Figure:
    """Draw a measure of every cell as a point with its interval, and the published number."""
    names = [cell.name for cell in cells]
    left = min(drawing.margin(names), 3.6)
    height = 0.24 * len(cells) + 0.7
    with drawing.new_figure(left + 5.2, height) as figure:
        axes = drawing.axes_at(figure, left, 0.5, 4.9, height - 0.6)
        drawing.quiet(axes)
        for row, cell in enumerate(cells):
            value, error = cell.measures[measure]
            if value is None:
                continue
            reach = _TWO * (error or 0.0)
            axes.plot([value - reach, value + reach], [row, row], color=drawing.COLOURS[0], linewidth=1.4)
            axes.plot([value], [row], marker="o", markersize=4, color=drawing.COLOURS[0])
            if measure in cell.published:
                axes.plot([cell.published[measure]], [row], marker="x", markersize=5, color=INK)
        axes.set_yticks(range(len(cells)), names, fontsize=8)
        axes.set_ylim(len(cells) - 0.4, -0.6)
        axes.set_xlabel(MEASURES[measure], fontsize=8, color=MUTED)
    return figure


def print_sweep(result: SweepResult, console: Console) -> None:
    """Print the cells, with published numbers beside ours, and where everything lies."""
    known = {name for cell in result.cells for name in cell.published}
    # A terminal has room for the published measures, or for those that say most.
    wanted = [name for name in MEASURES if name in (known or _TERMINAL)][:3]
    shown = [name for name in wanted if any(cell.measures[name][0] is not None for cell in result.cells)]
    headers: list[str] = []
    for name in shown:
        title = "Δ" if name == "gain" else MEASURES[name].replace(" ", "\n")
        headers += [title, "published"] if name in known else [title]
    rows = []
    for cell in result.cells:
        texts = []
        for name in shown:
            texts.append(_text(cell, name))
            if name in known:
                texts.append(number(cell.published.get(name), _DIGITS.get(name, 3)))
        rows.append((cell.name, texts))
    print_table(Table.of("Cells", "", headers, rows, corner="cell"), console, names=32)
    say(console, "Means over sessions, ± their standard errors.", "dim")
    console.print()
    places = (("Report", result.report_path or "not written yet"), ("Run", result.run_path))
    print_places(console, places)


def _shown(cells: Sequence[CellResult]) -> list[str]:
    """Return the measures of the page's table: those that say most, and any that warns."""
    known = [name for name in _ON_PAGE if any(cell.measures[name][0] is not None for cell in cells)]
    return [*known, "converged"] if _stuck(cells) else known


def _stuck(cells: Sequence[CellResult]) -> bool:
    return any(cell.measures["converged"][0] not in {None, 1.0} for cell in cells)


def _or_not(cells: Sequence[CellResult]) -> str:
    return " or as many periods were played as the configuration allows" if _stuck(cells) else ""


def _cell(cell: CellResult, name: str, sessions: int) -> Cell:
    value, error = cell.measures[name]
    if value is not None and name in SHARES:
        return share(wilson(round(value * sessions), sessions))
    digits = _DIGITS.get(name, 3)
    return Cell(_number(value, digits), _interval(value, error, digits))


def _heading(name: str) -> str:
    return f"{MEASURES[name]}, %" if name in SHARES else MEASURES[name]


def _interval(value: float | None, error: float | None, digits: int) -> str:
    if value is None or error is None:
        return ""
    return f"{_number(value - _TWO * error, digits)} to {_number(value + _TWO * error, digits)}"


def _number(value: float | None, digits: int) -> str:
    """Return a number, in groups of three digits where it is a whole one."""
    if value is None or digits:
        return number(value, digits)
    return f"{value:,.0f}".replace(",", " ").replace("-", "−")


def _text(cell: CellResult, name: str) -> str:
    value, error = cell.measures[name]
    digits = _DIGITS.get(name, 3)
    if value is None:
        return number(None)
    if name == "periods" or error is None:
        return _number(value, digits)
    return f"{number(value, digits)} ± {number(error, digits)}"


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
