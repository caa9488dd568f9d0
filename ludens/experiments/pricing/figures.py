"""The figures of a market: the prices of every run, reactions to the rival's price, and profit gains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ludens.display.svg import INK, MUTED, PAPER
from ludens.experiments.pricing.measures import RunMeasures
from ludens.experiments.pricing.null import Replies
from ludens.experiments.pricing.panels import Panel
from ludens.experiments.pricing.regression import first_explained
from ludens.experiments.report import drawing
from ludens.experiments.report.names import policy_name, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

MOST_RUNS = 42
"""Runs whose paths are drawn; the table has all."""

MOST_POINTS = 3000
"""Points of a phase plot: of more, every second, third and so on is drawn."""

_WIDTH = 8.6
_DASHES: tuple[Any, ...] = ("solid", (0, (5, 1.2)), (0, (1.5, 1)), (0, (6, 1.5, 1, 1.5)))
_JOINT, _NASH = (0, (4, 2)), (0, (1, 1.5))


def price_paths(panel: Panel, measures: Sequence[RunMeasures]) -> Figure:
    """Draw prices by period, divided by the scale, in a panel for each run, and the benchmark prices.

    Runs that have not begun are left out, and those past the first 42 that have.
    """
    shown = drawn_runs(panel)
    across = min(len(shown), 3) if len(shown) != 4 else 2
    down = -(-len(shown) // max(across, 1)) or 1
    tall = 2.6 if across <= 2 else 1.75
    prices = panel.relative_prices
    low, high = _limits(panel, shown)
    with drawing.new_figure(_WIDTH, 0.75 + (tall + 0.28) * down) as figure:
        grid = figure.subplots(down, max(across, 1), sharex=True, sharey=True, squeeze=False).ravel().tolist()
        for axes in grid[len(shown) :]:
            axes.set_visible(False)
        for place, run in enumerate(shown):
            axes = grid[place]
            _benchmarks(axes, panel, run)
            for firm in range(prices.shape[2]):
                known = np.isfinite(prices[run, :, firm])
                periods = np.flatnonzero(known) + 1
                axes.plot(periods, prices[run, known, firm], **_line(firm, panel.periods))
            found = measures[run]
            if found.status == "aborted":
                axes.axvline(found.played + 0.5, color="#b3261e", linewidth=1.2)
            axes.set_title(run_title(found), fontsize=8, loc="left")
            axes.set_ylim(low, high)
            axes.set_xlim(0.5, panel.periods + 0.5)
            drawing.quiet(axes)
            axes.tick_params(labelbottom=place + across >= len(shown))
            if place + across >= len(shown):
                axes.set_xlabel("period", fontsize=8, color=MUTED)
            if place % across == 0:
                axes.set_ylabel("price / α", fontsize=8, color=MUTED)
        rows = _legend(figure, panel, benchmarks=True)
        _space(figure, left=0.56, top=0.42 + 0.2 * rows, bottom=0.42)
    return figure


def phase_plot(panel: Panel) -> Figure | None:
    """Draw every firm's price against its rivals' mean price one period earlier, in the last two thirds of
    the runs that are done; with the 45° line, and the best reply in the run's market. None without runs.
    """
    firms = panel.prices.shape[2]
    points = [_pairs(panel, firm) for firm in range(firms)] if firms > 1 else []
    if not any(len(own) for own, _ in points):
        return None
    across = min(firms, 3)
    down = -(-firms // across)
    run = int(np.flatnonzero(panel.complete)[0])
    nash = float(panel.nash_prices[run].mean() / panel.scale[run])
    joint = float(panel.joint_prices[run].mean() / panel.scale[run])
    low, high = _limits(panel, np.flatnonzero(panel.complete).tolist())
    with drawing.new_figure(_WIDTH, 0.9 + (2.4 if across > 2 else 3.3) * down) as figure:
        grid = figure.subplots(down, across, sharey=True, squeeze=False).ravel().tolist()
        for axes in grid[firms:]:
            axes.set_visible(False)
        for firm in range(firms):
            axes, (own, rivals) = grid[firm], points[firm]
            axes.plot([low, high], [low, high], color=MUTED, linewidth=0.7)
            reply = _reply_curve(panel, run, firm, low, high)
            if reply is not None:
                axes.plot(*reply, color=INK, linewidth=1.1, linestyle=_JOINT)
            dots: Any = {"markersize": 3.4, "markeredgewidth": 0, "alpha": _alpha(len(own))}
            axes.plot(
                rivals, own, linestyle="none", marker="o", color=_colour(firm), rasterized=False, **dots
            )
            for value, name in ((nash, "N"), (joint, "M")):
                axes.plot([value], [value], marker="s", markersize=4.5, color=INK, markerfacecolor=PAPER)
                axes.annotate(name, (value, value), (5, -9), textcoords="offset points", fontsize=8)
            axes.set_title(_firm_name(panel, firm), fontsize=8, loc="left")
            axes.set_xlim(low, high)
            axes.set_ylim(low, high)
            axes.set_aspect("equal")
            drawing.quiet(axes)
            axes.set_xlabel("rival's last price / α" if firms == 2 else "rivals' mean last price / α",
                            fontsize=8, color=MUTED)  # fmt: skip
        grid[0].set_ylabel("own price / α", fontsize=8, color=MUTED)
        _space(figure, left=0.56, top=0.35, bottom=0.55, wide=0.16)
    return figure


def gain_distribution(measures: Sequence[RunMeasures]) -> Figure | None:
    """Draw the profit gain of every firm in every run that is done as a dot, and the mean over runs; as
    a histogram where there are more than 60 runs. None where no run is done.
    """
    done = [found for found in measures if found.gains is not None]
    if not done:
        return None
    firms = done[0].firms
    values = [np.array([found.gains[firm] for found in done if found.gains]) for firm in range(len(firms))]
    rows = len(firms)
    labels = [f"firm {seat}: {shortened(policy_name(name), 34)}" for seat, name in enumerate(firms)]
    everything = np.concatenate(values)
    low, high = _padded([*everything[np.isfinite(everything)], 0.0, 1.0])
    with drawing.new_figure(_WIDTH, 0.85 + 0.62 * rows) as figure:
        axes = figure.subplots()
        for value, name in ((0.0, "Nash"), (1.0, "joint profit")):
            axes.axvline(value, color=INK, linewidth=1, linestyle=_NASH if value == 0 else _JOINT, zorder=1)
            axes.annotate(name, (value, -0.55), ha="center", va="bottom", fontsize=7.5, color=MUTED,
                          annotation_clip=False)  # fmt: skip
        for row, found in enumerate(values):
            known = found[np.isfinite(found)]
            if len(known) > 60:
                _histogram(axes, known, row, (low, high), _colour(row))
            else:
                # Neighbours on the axis stand apart across it: steps of the golden ratio never pile up.
                ranks = np.argsort(np.argsort(known, kind="stable"), kind="stable")
                places = row + 0.46 * ((0.618034 * ranks + 0.5) % 1 - 0.5)
                dots: Any = {"markersize": 5, "markeredgecolor": PAPER, "markeredgewidth": 0.6}
                axes.plot(known, places, linestyle="none", marker="o", color=_colour(row), **dots)
            if len(known):
                axes.plot([known.mean()] * 2, [row - 0.34, row + 0.34], color=INK, linewidth=1.6)
        axes.set_ylim(rows - 0.5, -0.5)
        axes.set_yticks(range(rows), labels)
        axes.set_xlim(low, high)
        drawing.quiet(axes)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", labelsize=8.5)
        axes.set_xlabel("profit gain Δ, one dot per run", fontsize=8, color=MUTED)
        left = 0.35 + 0.083 * max(map(len, labels))
        _space(figure, left=left, top=0.35, bottom=0.5)
    return figure


def impulse_responses(deviator: Floats, rivals: Floats) -> Figure:
    """Draw relative price changes after a forced deviation, (sessions, horizon): means thick, and the first
    hundred sessions' others thin.
    """
    with drawing.new_figure(_WIDTH, 3.0) as figure:
        axes = figure.subplots()
        periods = np.arange(deviator.shape[1])
        for each in rivals[:100]:
            axes.plot(periods, 100 * each, color=MUTED, linewidth=0.5, alpha=0.25)
        for values, name, seat in ((deviator, "the firm that was forced", 0), (rivals, "the others", 1)):
            mean = 100 * values.mean(axis=0)
            axes.plot(periods, mean, label=name, marker="o", markersize=3.5, **_line(seat, 1))
        axes.axhline(0, color=INK, linewidth=0.9, linestyle=_NASH)
        drawing.quiet(axes)
        axes.set_xlabel("periods since the deviation", fontsize=8, color=MUTED)
        axes.set_ylabel("price change, %", fontsize=8, color=MUTED)
        axes.legend(frameon=False, fontsize=8, loc="lower right")
        _space(figure, left=0.6, top=0.15, bottom=0.45)
    return figure


def drawn_runs(panel: Panel) -> list[int]:
    """Return the runs whose paths are drawn."""
    return [run for run in range(panel.runs) if panel.played[run]][:MOST_RUNS]


def cut_off(panel: Panel) -> bool:
    """Return whether some prices lie outside the drawn range."""
    low, high = _limits(panel, drawn_runs(panel))
    prices = panel.relative_prices
    return bool((prices < low).any() or (prices > high).any())


def thinned(panel: Panel) -> bool:
    """Return whether the phase plot leaves out points."""
    done = panel.complete
    return int((panel.played[done] * 2 // 3).sum()) > MOST_POINTS


def run_title(found: RunMeasures) -> str:
    """Return the title of a run's panel: its number, its scale, and its status if it is not done."""
    title = f"run {found.run}, α = {found.scale:g}"
    if found.status == "aborted":
        return f"{title}: aborted in period {found.played + 1}"
    if found.status != "done":
        return f"{title}: {found.status}, {found.played} periods"
    return title if found.gain is None else f"{title}: Δ = {found.gain:.2f}".replace("-", "−")


def _pairs(panel: Panel, firm: int) -> tuple[Floats, Floats]:
    """Return a firm's prices and its rivals' mean price one period earlier, over runs that are done."""
    own, rivals = [np.empty(0)], [np.empty(0)]
    for run in np.flatnonzero(panel.complete):
        prices = panel.relative_prices[run, : panel.played[run]]
        first = first_explained(len(prices))
        others = np.delete(prices[first - 1 : -1], firm, axis=1).mean(axis=1)
        known = np.isfinite(others) & np.isfinite(prices[first:, firm])
        own.append(prices[first:, firm][known])
        rivals.append(others[known])
    return np.concatenate(own), np.concatenate(rivals)


def _reply_curve(panel: Panel, run: int, firm: int, low: float, high: float) -> tuple[Floats, Floats] | None:
    if not panel.markets:
        return None
    grid = np.linspace(low, high, 61)
    prices = np.repeat(grid[:, None], panel.prices.shape[2], axis=1)
    return grid, Replies(panel.markets[run], float(panel.scale[run]))(prices)[:, firm]


def _benchmarks(axes: Axes, panel: Panel, run: int) -> None:
    for prices, dashes in ((panel.nash_prices, _NASH), (panel.joint_prices, _JOINT)):
        for price in sorted({round(float(each / panel.scale[run]), 6) for each in prices[run]}):
            axes.axhline(price, color=INK, linewidth=0.9, linestyle=dashes, zorder=1.5)


def _legend(figure: Figure, panel: Panel, *, benchmarks: bool) -> int:
    """Print names above the panels; return how many rows they take."""
    from matplotlib.lines import Line2D

    firms = range(panel.prices.shape[2])
    handles = [Line2D([], [], **_line(firm, 1)) for firm in firms]
    names = [_firm_name(panel, firm) for firm in firms]
    if benchmarks:
        handles += [Line2D([], [], color=INK, linewidth=0.9, linestyle=dashes) for dashes in (_JOINT, _NASH)]
        names += ["joint-profit price", "Nash price"]
    look: Any = {"frameon": False, "fontsize": 8, "borderaxespad": 0.1, "handlelength": 2.4}
    across = max(1, min(len(names), 100 // (8 + max(map(len, names)))))
    figure.legend(handles, names, loc="upper left", ncols=across, **look)
    return -(-len(names) // across)


def _line(firm: int, periods: int) -> dict[str, Any]:
    return {
        "color": _colour(firm),
        "linewidth": 1.6 if periods <= 60 else 1.1,
        "linestyle": _DASHES[firm % len(_DASHES)],
        "zorder": 3,
    }


def _colour(firm: int) -> str:
    return drawing.COLOURS[firm % len(drawing.COLOURS)]


def _firm_name(panel: Panel, firm: int) -> str:
    """Return a firm's policy if all runs have the same, with its seat's number, since two may be alike."""
    names = {run[firm] for run in panel.firms}
    name = policy_name(names.pop()) if len(names) == 1 else "several"
    return f"firm {firm}: {shortened(name, 34)}"


def _limits(panel: Panel, shown: Sequence[int]) -> tuple[float, float]:
    """Return a range for all but extreme prices: one price of 1,000 must not flatten every other line."""
    scale = panel.scale[:, None]
    marked = np.concatenate([(panel.nash_prices / scale).ravel(), (panel.joint_prices / scale).ravel()])
    prices = panel.relative_prices[shown]
    prices = prices[np.isfinite(prices)]
    if not len(prices):
        return _padded(marked)
    room = 2.5 * (marked.max() - min(marked.min(), 1.0)) + 0.5
    near = prices[(prices >= marked.min() - room) & (prices <= marked.max() + room)]
    return _padded([*marked, *near])


def _padded(values: Sequence[float] | Floats) -> tuple[float, float]:
    low, high = float(np.min(values)), float(np.max(values))
    pad = 0.06 * max(high - low, 0.1)
    return low - pad, high + pad


def _histogram(axes: Axes, values: Floats, row: int, limits: tuple[float, float], colour: str) -> None:
    counts, edges = np.histogram(values, bins=48, range=limits)
    tall = 0.68 * counts / max(counts.max(), 1)
    axes.bar(edges[:-1], -tall, np.diff(edges), bottom=row + 0.34, align="edge", color=colour, linewidth=0)


def _alpha(count: int) -> float:
    return float(np.clip(60 / max(count, 1), 0.15, 0.7))


def _space(figure: Figure, *, left: float, top: float, bottom: float, wide: float = 0.08) -> None:
    width, height = figure.get_size_inches()
    figure.subplots_adjust(left / width, bottom / height, 0.985, 1 - top / height, wide, 0.3)
