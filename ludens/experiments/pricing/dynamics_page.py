"""The parts of a page on the dynamics of a market: learning paths, times to collusion, Edgeworth cycles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ludens.display.svg import INK, MUTED
from ludens.display.table import Cell, Table
from ludens.experiments.pricing.dynamics import MOVEMENT, Dynamics, RunDynamics, moving_gains_of
from ludens.experiments.pricing.panels import Panel
from ludens.experiments.report import drawing
from ludens.experiments.report.cells import measured, share
from ludens.experiments.report.names import DASH, number
from ludens.experiments.report.page import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH = 8.6


def dynamics_tables(found: Dynamics) -> list[Table]:
    """Return the learning paths, and what they lead to; none where no run is done."""
    return [_paths(found), _outcomes(found)] if found.runs else []


def dynamics_picture(panel: Panel, found: Dynamics) -> Picture:
    """Return how the profit gain develops in every run."""
    return Picture(
        "development",
        "How does the profit gain develop?",
        f"Δ over {found.span} periods from each period on: every run thin, the mean of all thick. Dotted: "
        f"Nash; dashed: joint profit; grey: Δ = {found.threshold:g}, the threshold of the time to collusion.",
        _development(panel, found),
    )


def _paths(found: Dynamics) -> Table:
    rows = [(each.name, [measured(gain, 2) for gain in each.gains]) for each in found.paths]
    caption = (
        "The profit gain Δ in windows of equal length, means over the runs that are done with 95 % "
        "intervals from resampling runs; of a firm its own gain."
    )
    headers = [
        ("periods", f"{first}" if first == last else f"{first}–{last}") for first, last in found.windows
    ]
    return Table.of("Learning path", caption, headers, rows)


def _outcomes(found: Dynamics) -> Table:
    whole = (
        share(found.colluding),
        measured(found.collusion, 0),
        share(found.cycling),
        measured(found.length, 1),
        measured(found.amplitude, 3),
        measured(found.share, 0, 100),
    )
    rows = [("all runs", whole), *((f"run {each.run}", _outcome(each)) for each in found.runs)]
    caption = (
        f"Collusive: whether Δ, over {found.span} periods from each period on, stays at or above "
        f"{found.threshold:g} to the end, for the last quarter of the run or longer, and from which period "
        "(all three numbers are ours; prices at random on the usual grid lead to 0.497 on average). "
        "Edgeworth cycles of the firms' mean price: repeated, with many small cuts and then a jump that is "
        f"larger than any cut and takes at most half as long. Movements below {100 * MOVEMENT:g} % of the "
        "distance from the Nash to the joint-profit price do not count, and at least half of the periods "
        "lie in such cycles. Length in periods from trough to trough, height over the troughs in prices "
        "divided by α."
    )
    headers = (
        ("collusive", "runs, %"),
        ("collusive", "from period"),
        ("Edgeworth cycles", "runs, %"),
        ("Edgeworth cycles", "length"),
        ("Edgeworth cycles", "height"),
        ("Edgeworth cycles", "periods, %"),
    )
    marked = (True, *(False for _ in found.runs))
    return Table.of("Collusion and cycles", caption, headers, rows, tested=marked)


def _outcome(run: RunDynamics) -> tuple[Cell, ...]:
    cycles = run.cycles if run.cycles is not None and run.cycles.cycling else None
    defined = any(gain is not None for gain in run.gains)
    return (
        Cell(DASH if not defined else "no" if run.collusion is None else "yes"),
        Cell(DASH if run.collusion is None else str(run.collusion)),
        Cell(DASH if run.cycles is None else "no" if cycles is None else "yes"),
        Cell(number(cycles.length, 1) if cycles else DASH),
        Cell(number(cycles.amplitude, 3) if cycles else DASH),
        Cell(number(100 * cycles.share, 0) if cycles else DASH),
    )


def _development(panel: Panel, found: Dynamics) -> Figure | None:
    paths = [moving_gains_of(panel, each.run, found.span) for each in found.runs]
    longest = max(map(len, paths), default=0)
    if longest < 2 or not any(np.isfinite(path).any() for path in paths):
        return None
    every = np.full((len(paths), longest), np.nan)
    for place, path in enumerate(paths):
        every[place, : len(path)] = path
    known = np.isfinite(every)
    counts = known.sum(axis=0)
    mean = np.where(known, every, 0.0).sum(axis=0) / np.maximum(counts, 1)
    with drawing.new_figure(_WIDTH, 3.0) as figure:
        axes = figure.subplots()
        periods = np.arange(1, longest + 1)
        axes.axhline(found.threshold, color=MUTED, linewidth=0.9)
        for height, dashes in ((0.0, (0, (1, 1.5))), (1.0, (0, (4, 2)))):
            axes.axhline(height, color=INK, linewidth=0.9, linestyle=dashes)
        for path in every:
            axes.plot(periods, path, color=drawing.COLOURS[0], linewidth=0.7, alpha=0.4)
        axes.plot(
            periods, np.where(counts == len(paths), mean, np.nan), color=drawing.COLOURS[0], linewidth=2.0
        )
        low, high = np.nanquantile(every, [0.01, 0.99])
        axes.set_ylim(min(-0.1, float(low) - 0.05), max(1.1, float(high) + 0.05))
        drawing.quiet(axes)
        drawing.whole_periods(axes)
        axes.set_xlabel("period", fontsize=8, color=MUTED)
        axes.set_ylabel("profit gain Δ", fontsize=8, color=MUTED)
        width, height = figure.get_size_inches()
        figure.subplots_adjust(0.6 / width, 0.45 / height, 0.985, 1 - 0.15 / height)
    return figure


def dynamics_lines(found: Dynamics) -> tuple[str, ...]:
    """Return what a terminal says of the dynamics, in sentences; nothing where no run is done."""
    if not found.runs:
        return ()
    lines = []
    if found.colluding.value is not None:
        since = (
            ""
            if found.collusion.value is None
            else f", on average from period {found.collusion.value:.0f} on"
        )
        count = sum(each.collusion is not None for each in found.runs)
        lines.append(
            f"Δ stays at or above {found.threshold:g} in {count} of {len(found.runs)} runs{since} (over "
            f"{found.span} periods, for the last quarter or longer)"
        )
    if found.cycling.value:
        assert found.length.value is not None
        count = sum(each.cycles is not None and each.cycles.cycling for each in found.runs)
        lines.append(
            f"Edgeworth cycles in {count} of {len(found.runs)} runs, {found.length.value:.1f} periods long"
        )
    return tuple(lines)
