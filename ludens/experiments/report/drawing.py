"""What the report's figures are drawn with: inks, styles of policies, axes, bars, cells and curves."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ludens.experiments.measures.intervals import Estimate
from ludens.experiments.report.names import policy_name
from ludens.experiments.report.svg import INK, MUTED, PAPER, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

    from ludens.experiments.bench.result import BenchResult

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe & Ito's palette, told apart by colour-blind readers too."""

_GREYS = ("#8a909b", "#5d6470", "#a3a8b1", "#757c88")
_BAR = "#a3a8b1"
_MARKERS = "osD^vPX*"
_DASHES = ((0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (2, 2)))
_SCALE = ("#f5f1e8", "#a9c9c5", "#4f93a8", "#0b4a6f")  # even steps of lightness, warm to blue


@dataclass(frozen=True)
class Style:
    """How one policy is drawn everywhere: models in colour, reference policies in grey."""

    colour: str
    bar: str
    marker: str
    dashes: Any
    width: float

    @property
    def line(self) -> dict[str, Any]:
        """The style of its line, as matplotlib's arguments."""
        return {"color": self.colour, "linestyle": self.dashes, "linewidth": self.width}


def styles(result: BenchResult) -> dict[str, Style]:
    """A style for every policy, by its label."""
    chosen: dict[str, Style] = {}
    references = 0
    for place, found in enumerate(result.measures):
        marker = _MARKERS[place % len(_MARKERS)]
        if found.policy in result.models:
            colour = COLOURS[len(chosen) % len(COLOURS)]
            chosen[found.policy] = Style(colour, colour, marker, "solid", 2.0)
        else:
            grey, dashes = _GREYS[references % len(_GREYS)], _DASHES[references % len(_DASHES)]
            chosen[found.policy] = Style(grey, _BAR, marker, dashes, 1.2)
            references += 1
    return chosen


@contextmanager
def sheet(width: float, height: float) -> Iterator[Figure]:
    """A figure of that size in inches, in the page's inks, apart from pyplot's global state."""
    import matplotlib
    from matplotlib.figure import Figure

    inks: Any = {
        "font.family": "DejaVu Sans",
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.titlecolor": INK,
        "axes.edgecolor": RULE,
        "xtick.color": RULE,
        "ytick.color": RULE,
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": INK,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "hatch.linewidth": 0.6,
        "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    }
    with matplotlib.rc_context(inks):
        yield Figure(figsize=(width, height))


def axes_at(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place in inches, without a frame."""
    across, down = figure.get_size_inches()
    axes: Axes = figure.add_axes((left / across, bottom / down, width / across, height / down))
    axes.spines[:].set_visible(False)
    return axes


def names(result: BenchResult) -> list[str]:
    """The policies' names, over-long ones without their middle."""
    found = [policy_name(measures.policy) for measures in result.measures]
    return [name if len(name) <= 40 else f"{name[:19]}…{name[-20:]}" for name in found]


def margin(result: BenchResult) -> float:
    """Room for the names at the left, in inches."""
    return 0.3 + 0.083 * max(map(len, names(result)))


def wrapped(*lines: str) -> str:
    """Lines of a title, broken to the width of a panel."""
    return "\n".join(part for line in lines for part in textwrap.wrap(line, 21))


def scale() -> Colormap:
    """The colours of shares from 0 to 1."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("shares", _SCALE)


def cell(axes: Axes, column: float, row: int, value: float | None, colours: Colormap) -> None:
    """A share as a coloured square with its percentage; hatched where it is unknown."""
    from matplotlib.patches import Rectangle

    if value is None:
        unknown: Any = {"facecolor": "none", "edgecolor": RULE, "hatch": "////", "linewidth": 0}
        axes.add_patch(Rectangle((column, row), 1, 1, **unknown))
        return
    axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colours(value), edgecolor=PAPER, linewidth=0.8))
    ink = "#ffffff" if value > 0.75 else "#1a1a1a"
    text = f"{100 * value:.0f}"
    axes.text(column + 0.5, row + 0.52, text, color=ink, fontsize=7, ha="center", va="center")


def bar(axes: Axes, row: int, estimate: Estimate | None, style: Style) -> None:
    """A share as a bar with its interval, or the words that there is none."""
    if estimate is None or estimate.value is None:
        axes.text(0.02, row, "not measured", fontsize=7, color=MUTED, va="center")
        return
    axes.barh(row, estimate.value, height=0.62, color=style.bar, alpha=0.85, linewidth=0)
    if estimate.low is not None and estimate.high is not None:
        ends = [estimate.low, estimate.high]
        axes.plot(ends, [row, row], color=INK, linewidth=1.3, solid_capstyle="butt")


def curve(axes: Axes, points: Mapping[float, Sequence[float]], style: Style) -> None:
    """All points, and a line through their means at each place."""
    places = sorted(points)
    means = [sum(points[place]) / len(points[place]) for place in places]
    axes.plot(places, means, zorder=2 + style.width, **style.line)
    spread = [(place, value) for place in places for value in points[place]]
    dots: Any = {"marker": style.marker, "markersize": 3.6, "markeredgecolor": PAPER, "markeredgewidth": 0.4}
    x, y = zip(*spread, strict=True)
    axes.plot(x, y, linestyle="none", color=style.colour, zorder=3 + style.width, **dots)


def percent_axis(axes: Axes) -> None:
    """Shares from left to right."""
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "50", "100 %"])
    quiet(axes)
    first, _, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")


def policy_rows(axes: Axes, result: BenchResult) -> None:
    """One row per policy, the first at the top."""
    axes.set_ylim(len(result.measures) - 0.5, -0.5)
    axes.set_yticks(range(len(result.measures)), names(result), fontsize=8.5)
    axes.grid(visible=False, axis="y")
    embolden(axes, result)


def embolden(axes: Axes, result: BenchResult) -> None:
    """Models' names in bold (panels that share their axis with another have no names)."""
    for label, found in zip(axes.get_yticklabels(), result.measures, strict=False):
        label.set_fontweight("bold" if found.policy in result.models else "normal")


def quiet(axes: Axes) -> None:
    """Thin grid lines instead of a frame."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(visible=True, color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=7.5)


def legend(figure: Figure, result: BenchResult) -> None:
    """Lines and names of all policies, above the panels."""
    from matplotlib.lines import Line2D

    drawn = styles(result).values()
    handles = [Line2D([], [], marker=style.marker, markersize=4, **style.line) for style in drawn]
    labels = names(result)
    across = max(1, min(len(labels), 5, 110 // max(map(len, labels))))
    look: Any = {"frameon": False, "fontsize": 8, "borderaxespad": 0.1}
    figure.legend(handles, labels, loc="upper left", ncols=across, **look)


def margins(figure: Figure, left: float, top: float, bottom: float = 0.3, *, gap: float = 0.13) -> None:
    """Room in inches around the panels, and between them as a share of a panel."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(left / width, bottom / height, 0.985, 1 - top / height, gap, 0.6)
