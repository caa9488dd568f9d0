"""The comparison of treatments: its tables, its picture, its page, and what a terminal shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ludens.display.svg import INK, MUTED, PAPER
from ludens.display.table import Cell, Header, Table
from ludens.experiments.measures.intervals import Estimate
from ludens.experiments.pricing.dynamics import THRESHOLD
from ludens.experiments.pricing.treatments import Comparison
from ludens.experiments.report import drawing
from ludens.experiments.report.cells import measured, share
from ludens.experiments.report.names import DASH, shortened
from ludens.experiments.report.page import Page, Picture
from ludens.experiments.report.terminal import print_table, say

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

_WIDTH = 8.6
_METHOD = {"Welch's t": "Welch", "paired t": "paired"}


def page(found: Comparison) -> Page:
    """Return what the report of a comparison shows."""
    return Page(
        title=" against ".join(each.name for each in found.treatments),
        lead="Runs of a repeated pricing market under several treatments: do prices, profits and the "
        "profit gain differ?",
        kind="comparison of treatments",
        warnings=warnings(found),
        pictures=[
            Picture(
                "treatments",
                "Do the treatments differ?",
                "One dot for each run that is done; black: means with 95 % intervals.",
                _dots(found),
            )
        ],
        tables=[treatments_table(found), differences_table(found)],
        notes=(
            "Runs are the units of observation. Treatments that played the same market from the same seeds "
            "are compared run by run; others by Welch's interval, which lets variances differ.",
        ),
        facts={each.name: ", ".join(each.files) for each in found.treatments},
    )


def treatments_table(found: Comparison) -> Table:
    """Return the means of every treatment."""
    rows = []
    for each in found.treatments:
        means = each.measures
        done = means.runs - means.aborted - means.unfinished
        rows.append(
            (
                Cell(DASH if each.firms is None else str(each.firms)),
                Cell(str(done), "", f"{means.aborted} aborted, {means.unfinished} unfinished"),
                measured(means.price, 3),
                measured(means.gain, 2),
                measured(means.profit, 2),
                share(means.converged),
                share(each.developed.colluding),
                measured(each.developed.collusion, 0),
                share(each.developed.cycling),
            )
        )
    caption = (
        "Means over the last periods of the runs that are done, money divided by α, with 95 % intervals from "
        "resampling runs; profit of all firms in a period. Collusive: Δ stays at or above "
        f"{THRESHOLD:g} to the end of a run, for its last quarter or longer."
    )
    headers: tuple[str | Header, ...] = (
        "firms",
        "runs done",
        "mean price / α",
        "profit gain Δ",
        "profit / α",
        "converged, %",
    )
    headers += (("collusive", "runs, %"), ("collusive", "from period"), "Edgeworth cycles, %")
    names = [each.name for each in found.treatments]
    return Table.of("Treatments", caption, headers, zip(names, rows, strict=True), corner="treatment")


def differences_table(found: Comparison) -> Table:
    """Return every treatment against the baseline."""
    rows = [
        (
            measured(each.price, 3),
            measured(each.gain, 2),
            measured(each.profit, 2),
            Cell(_method(each.gain, each.price)),
        )
        for each in found.differences
    ]
    against = found.differences[0].against
    caption = (
        f"Each treatment less {against}, with 95 % intervals over runs. Paired: both played the same market "
        "from the same seeds. A dash below Δ: it is not defined with one firm."
    )
    headers = ("mean price / α", "profit gain Δ", "profit / α", "interval")
    names = [each.name for each in found.differences]
    return Table.of(
        f"Differences from {against}", caption, headers, zip(names, rows, strict=True), corner="treatment"
    )


def print_comparison(found: Comparison, console: Console) -> None:
    """Print the treatments and their differences."""
    whole, differences = treatments_table(found), differences_table(found)
    kept, short = slice(0, 5), ("firms", "runs", "price / α", "Δ", "profit / α")
    rows = [row[kept] for row in whole.rows]
    brief = Table.of(whole.title, "", short, zip(whole.names, rows, strict=True), corner=whole.corner)
    for table, caption in (
        (brief, whole.caption.partition(" Collusive:")[0]),
        (differences, differences.caption),
    ):
        say(console, table.title, "bold")
        print_table(table, console, names=20)
        say(console, caption, "dim")
    for sentence in warnings(found):
        say(console, sentence, "yellow")


def warnings(found: Comparison) -> tuple[str, ...]:
    """Return what limits a comparison, in sentences."""
    lost = [(each, each.measures.aborted + each.measures.unfinished) for each in found.treatments]
    lines = [
        f"{count} of {each.measures.runs} runs of {each.name} are not done and enter no mean."
        for each, count in lost
        if count
    ]
    scales = {frozenset(run.scale for run in each.runs) for each in found.treatments}
    if found.by != "scale" and len(scales) > 1:
        lines.append("The treatments were played at different price scales.")
    windows = {run.window for each in found.treatments for run in each.runs if run.status == "done"}
    if len(windows) > 1:
        lines.append("The runs are averaged over different numbers of periods, since they are not as long.")
    return tuple(lines)


def _method(*estimates: Estimate) -> str:
    """Return how the first estimate that has an interval was made."""
    known = (_METHOD[each.method] for each in estimates if each.method in _METHOD)
    return next(known, DASH)


def _dots(found: Comparison) -> Figure | None:
    values = {
        name: [_known(found, place, name) for place in range(len(found.treatments))]
        for name in ("price", "gain")
    }
    shown = {name: each for name, each in values.items() if any(len(runs) for runs in each)}
    if not shown:
        return None
    titles = {"price": "mean price / α", "gain": "profit gain Δ"}
    names = [shortened(each.name, 28) for each in found.treatments]
    left = 0.35 + 0.083 * max(map(len, names))
    with drawing.new_figure(_WIDTH, 0.9 + 0.5 * len(names)) as figure:
        grid = figure.subplots(1, len(shown), sharey=True, squeeze=False).ravel().tolist()
        for axes, (name, runs) in zip(grid, shown.items(), strict=True):
            for row, known in enumerate(runs):
                # Neighbours on the axis stand apart across it.
                places = row + 0.4 * ((0.618034 * np.arange(len(known)) + 0.5) % 1 - 0.5)
                dots: Any = {"markersize": 5, "markeredgecolor": PAPER, "markeredgewidth": 0.6}
                colour = drawing.COLOURS[row % len(drawing.COLOURS)]
                axes.plot(known, places, linestyle="none", marker="o", color=colour, **dots)
                estimate = getattr(found.treatments[row].measures, name)
                if estimate.value is not None:
                    axes.plot([estimate.value] * 2, [row - 0.3, row + 0.3], color=INK, linewidth=1.6)
                    if estimate.low is not None:
                        axes.plot([estimate.low, estimate.high], [row, row], color=INK, linewidth=1.2)
            axes.set_title(titles[name], fontsize=8.5, loc="left")
            axes.set_ylim(len(names) - 0.5, -0.5)
            axes.set_yticks(range(len(names)), names)
            drawing.quiet(axes)
            axes.grid(visible=False, axis="y")
            axes.tick_params(labelsize=8.5, colors=MUTED)
        width, height = figure.get_size_inches()
        figure.subplots_adjust(left / width, 0.35 / height, 0.985, 1 - 0.35 / height, 0.08)
    return figure


def _known(found: Comparison, place: int, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    runs = [getattr(run, name) for run in found.treatments[place].runs if run.status == "done"]
    values = np.array([value for value in runs if value is not None], dtype=np.float64)
    return np.sort(values[np.isfinite(values)])
