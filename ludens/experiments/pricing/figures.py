"""The figures of a market: prices of every run, reactions to the rival's price, profit gains, welfare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ludens.display.svg import INK, MUTED, PAPER
from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.experiments.pricing.events import Event, events_of
from ludens.experiments.pricing.measures import RunMeasures
from ludens.experiments.pricing.null import Replies
from ludens.experiments.pricing.panels import Panel
from ludens.experiments.pricing.regression import first_explained
from ludens.experiments.report import drawing
from ludens.experiments.report.names import number, policy_name, shortened

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
_FINE = "#b3261e"


def price_paths(panel: Panel, measures: Sequence[RunMeasures]) -> Figure:
    """Draw prices by period, divided by the scale, in a panel for each run, and every regime's benchmarks.

    Events are marked by letters, and fines that were paid by triangles. Runs that have not begun are left
    out, and those past the first 42 that have.
    """
    shown = drawn_runs(panel)
    across = min(len(shown), 3) if len(shown) != 4 else 2
    down = -(-len(shown) // max(across, 1)) or 1
    tall = 2.6 if across <= 2 else 1.75
    prices, marked = panel.relative_prices, events_of(panel)
    low, high = _limits(panel, shown)
    if marked:
        high += 0.1 * (high - low)  # room for the letters
    with drawing.new_figure(_WIDTH, 0.75 + (tall + 0.28) * down) as figure:
        grid = figure.subplots(down, max(across, 1), sharex=True, sharey=True, squeeze=False).ravel().tolist()
        for axes in grid[len(shown) :]:
            axes.set_visible(False)
        for place, run in enumerate(shown):
            axes = grid[place]
            _benchmarks(axes, panel, run)
            _mark(axes, marked, 0.014 * panel.periods * across)
            for firm in range(prices.shape[2]):
                known = np.isfinite(prices[run, :, firm])
                periods = np.flatnonzero(known) + 1
                axes.plot(periods, prices[run, known, firm], **_line(firm, panel.periods))
                _mark_fines(axes, panel, run, firm)
            found = measures[run]
            if found.status == "aborted":
                axes.axvline(found.played + 0.5, color=_FINE, linewidth=1.2)
            axes.set_title(run_title(found), fontsize=8, loc="left")
            axes.set_ylim(low, high)
            axes.set_xlim(0.5, panel.periods + 0.5)
            drawing.whole_periods(axes)
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
            for benchmark, name in ((panel.nash_prices, "N"), (panel.joint_prices, "M")):
                last = benchmark[run, panel.played[run] - 1] / panel.scale[run]
                others = np.delete(last, firm)
                if not (np.isfinite(last[firm]) and np.isfinite(others).any()):
                    continue
                at, own_price = float(np.nanmean(others)), float(last[firm])
                axes.plot([at], [own_price], marker="s", markersize=4.5, color=INK, markerfacecolor=PAPER)
                axes.annotate(name, (at, own_price), (5, -9), textcoords="offset points", fontsize=8)
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
    """Draw Δ in every run that is done as a dot, and the mean over runs: that of total profit, and below each
    firm's own where it has one. More than 60 runs are a histogram. None where no gain is defined.
    """
    done = [found for found in measures if found.gains is not None]
    if not any(found.gain is not None for found in done):
        return None
    firms = done[0].firms
    values = [np.array([np.nan if found.gain is None else found.gain for found in done])]
    values += [np.array([found.gains[firm] for found in done if found.gains]) for firm in range(len(firms))]
    labels = ["all firms"]
    labels += [f"firm {seat}: {shortened(policy_name(name), 34)}" for seat, name in enumerate(firms)]
    rows = len(values)
    everything = np.concatenate(values)
    low, high = _padded([*everything[np.isfinite(everything)], 0.0, 1.0])
    with drawing.new_figure(_WIDTH, 0.85 + 0.62 * rows) as figure:
        axes = figure.subplots()
        for value, name in ((0.0, "Nash"), (1.0, "joint profit")):
            axes.axvline(value, color=INK, linewidth=1, linestyle=_NASH if value == 0 else _JOINT, zorder=1)
            axes.annotate(name, (value, -0.55), ha="center", va="bottom", fontsize=7.5, color=MUTED,
                          annotation_clip=False)  # fmt: skip
        for row, found in enumerate(values):
            known, colour = found[np.isfinite(found)], INK if row == 0 else _colour(row - 1)
            if len(known) > 60:
                _histogram(axes, known, row, (low, high), colour)
            else:
                # Neighbours on the axis stand apart across it: steps of the golden ratio never pile up.
                ranks = np.argsort(np.argsort(known, kind="stable"), kind="stable")
                places = row + 0.46 * ((0.618034 * ranks + 0.5) % 1 - 0.5)
                dots: Any = {"markersize": 5, "markeredgecolor": PAPER, "markeredgewidth": 0.6}
                axes.plot(known, places, linestyle="none", marker="o", color=colour, **dots)
            if len(known):
                axes.plot([known.mean()] * 2, [row - 0.34, row + 0.34], color=INK, linewidth=1.6)
            else:
                said = "no gain of its own: it has left, or joint pricing pays it no more than Nash"
                box: Any = {"facecolor": PAPER, "edgecolor": "none", "pad": 1}
                axes.annotate(said, (low, row), (4, 0), textcoords="offset points", va="center", fontsize=7.5,
                              color=MUTED, bbox=box)  # fmt: skip
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


def welfare_bars(rows: Sequence[tuple[str, float, Sequence[float], float]]) -> Figure | None:
    """Draw consumer surplus, each firm's profit and deadweight loss as stacked bars.

    Args:
        rows: per bar its name, consumer surplus, the firms' profits (NaN where absent), deadweight loss.

    Returns:
        None without rows.
    """
    if not rows:
        return None
    with drawing.new_figure(_WIDTH, 1.0 + 0.36 * len(rows)) as figure:
        axes = figure.subplots()
        for row, (_, consumer, profits, lost) in enumerate(rows):
            parts: list[tuple[float, str, str | None]] = [
                (consumer, "#d9d9d9", None),
                *((each, _colour(f), None) for f, each in enumerate(profits)),
            ]
            parts.append((lost, PAPER, "////"))
            start = 0.0
            below = 0.0
            for value, colour, hatch in parts:
                if not np.isfinite(value) or value == 0:
                    continue
                # A loss of a firm stands on the other side of 0.
                left = start if value > 0 else below
                axes.barh(
                    row,
                    value,
                    left=left,
                    height=0.62,
                    color=colour,
                    edgecolor=INK,
                    linewidth=0.5,
                    hatch=hatch,
                )
                start, below = (start + value, below) if value > 0 else (start, below + value)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
        drawing.quiet(axes)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", labelsize=8.5)
        axes.set_xlabel("money per period / α", fontsize=8, color=MUTED)
        _welfare_legend(figure, len(rows[0][2]))
        _space(figure, left=0.35 + 0.083 * max(len(name) for name, *_ in rows), top=0.42, bottom=0.5)
    return figure


def _welfare_legend(figure: Figure, firms: int) -> None:
    from matplotlib.patches import Patch

    edge: Any = {"edgecolor": INK, "linewidth": 0.5}
    handles = [Patch(facecolor="#d9d9d9", **edge)]
    handles += [Patch(facecolor=_colour(firm), **edge) for firm in range(min(firms, 6))]
    handles.append(Patch(facecolor=PAPER, hatch="////", **edge))
    names = ["consumer surplus", *(f"firm {firm}" for firm in range(min(firms, 6))), "deadweight loss"]
    look: Any = {"frameon": False, "fontsize": 8, "borderaxespad": 0.1, "handlelength": 1.6}
    figure.legend(handles, names, loc="upper left", ncols=len(names), **look)


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
        drawing.whole_periods(axes)
        axes.set_xlabel("periods since the deviation", fontsize=8, color=MUTED)
        axes.set_ylabel("price change, %", fontsize=8, color=MUTED)
        # Above the lines, which may run anywhere.
        axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderpad=0)
        _space(figure, left=0.6, top=0.35, bottom=0.45)
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
    return title if found.gain is None else f"{title}: Δ = {number(found.gain, 2)}"


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


def shows_replies(panel: Panel) -> bool:
    """Return whether the phase plot has best replies: in a market that does not change meanwhile."""
    done = np.flatnonzero(panel.complete)
    return len(done) > 0 and _reply_curve(panel, int(done[0]), 0, 0.0, 1.0) is not None


def _reply_curve(panel: Panel, run: int, firm: int, low: float, high: float) -> tuple[Floats, Floats] | None:
    played = int(panel.played[run])
    market = panel.steady_market(run, first_explained(played) - 1, played)
    if market is None:
        return None
    grid = np.linspace(low, high, 61)
    prices = np.repeat(grid[:, None], panel.prices.shape[2], axis=1)
    try:
        replies = Replies(market, float(panel.scale[run]))
    except EquilibriumError:  # a market without benchmarks
        return None
    return grid, replies(prices)[:, firm]


def _benchmarks(axes: Axes, panel: Panel, run: int) -> None:
    """Draw the benchmark prices of every firm in every period; firms that are alike share their lines."""
    edges = np.arange(0.5, panel.periods + 1)
    for prices, dashes in ((panel.nash_prices, _NASH), (panel.joint_prices, _JOINT)):
        for path in _distinct(np.round(prices[run] / panel.scale[run], 6)):
            axes.stairs(path, edges, baseline=None, color=INK, linewidth=0.9, linestyle=dashes, zorder=1.5)


def _distinct(paths: Floats) -> list[Floats]:
    """Return the different columns of (T, F); those that agree wherever both are known are one."""
    lines: list[Floats] = []
    for path in paths.T:
        for place, line in enumerate(lines):
            if not (np.isfinite(path) & np.isfinite(line) & (path != line)).any():
                lines[place] = np.where(np.isfinite(line), line, path)
                break
        else:
            lines.append(path)
    return lines


def _mark(axes: Axes, marked: Sequence[Event], apart: float) -> None:
    """Mark events by vertical lines with letters; those of fewer than `apart` periods between them stand one
    below the other.
    """
    row = 0
    for place, event in enumerate(marked):
        near = place > 0 and event.period - marked[place - 1].period < apart
        row = (row + 1) % 3 if near else 0
        axes.axvline(event.period - 0.5, color=MUTED, linewidth=0.8, zorder=1)
        axes.annotate(
            event_letter(place), (event.period - 0.5, 1.0), (2, -2 - 8 * row),
            xycoords=("data", "axes fraction"), textcoords="offset points", ha="left", va="top",
            fontsize=7.5, color=MUTED,
        )  # fmt: skip


def event_letter(place: int) -> str:
    """Return the letter that marks an event in pictures: A, B, …, Z, AA and so on."""
    first, last = divmod(place, 26)
    return (event_letter(first - 1) if first else "") + chr(ord("A") + last)


def _mark_fines(axes: Axes, panel: Panel, run: int, firm: int) -> None:
    fined = np.flatnonzero(np.nan_to_num(panel.fines[run, :, firm]) > 0)
    paid = panel.relative_prices[run, fined, firm]
    look: Any = {"markersize": 4, "markeredgecolor": PAPER, "markeredgewidth": 0.4, "zorder": 4}
    axes.plot(fined + 1, paid, linestyle="none", marker="v", color=_FINE, **look)


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
    scale = panel.scale[:, None, None]
    marked = np.concatenate([(each / scale).ravel() for each in (panel.nash_prices, panel.joint_prices)])
    marked = marked[np.isfinite(marked)]
    prices = panel.relative_prices[shown]
    prices = prices[np.isfinite(prices)]
    if not len(prices) or not len(marked):
        return _padded([*marked, *prices] or [0.0, 1.0])
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
