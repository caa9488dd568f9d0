"""The parts of figures: inks, styles of policies, axes, bars, cells, curves and estimates, and files."""

from __future__ import annotations

import math
import os
import statistics
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ludens.display.svg import INK, MUTED, PAPER, RULE, to_svg
from ludens.errors import UsageError
from ludens.experiments.measures.intervals import Estimate
from ludens.experiments.report.names import policy_name, shortened
from ludens.experiments.runs.database import StoreError, reason
from ludens.experiments.runs.files import draft_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe & Ito's palette, told apart by colour-blind readers too."""

ENDINGS = (".png", ".svg")
"""Of files in which figures are written."""

_GREYS = ("#8a909b", "#5d6470", "#a3a8b1", "#757c88")
_BAR = "#a3a8b1"
_MARKERS = "osD^vPX*"
_DASHES = ((0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (2, 2)), (0, (8, 2)))
_ABOUT = {"share": " of subjects", "noise": "  noise, points", "precision": "  precision, per point"}
_REACH = 2.0  # intervals are cut at so many times the range of the estimates, or the usual interval
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


@dataclass(frozen=True)
class Policies:
    """The policies of a figure, in the order of its rows.

    Attributes:
        labels: of all of them, those under test first.
        tested: of those under test.
    """

    labels: tuple[str, ...]
    tested: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Their names, over-long ones without their middle."""
        return [shortened(policy_name(label)) for label in self.labels]

    @property
    def margin(self) -> float:
        """The room that the names need at the left, in inches."""
        return margin(self.names)

    @property
    def styles(self) -> dict[str, Style]:
        """How each of them is drawn, by label."""
        chosen: dict[str, Style] = {}
        references = 0
        for place, label in enumerate(self.labels):
            marker = _MARKERS[place % len(_MARKERS)]
            if label in self.tested:
                colour = COLOURS[len(chosen) % len(COLOURS)]
                chosen[label] = Style(colour, colour, marker, "solid", 2.0)
            else:
                grey, dashes = _GREYS[references % len(_GREYS)], _DASHES[references % len(_DASHES)]
                chosen[label] = Style(grey, _BAR, marker, dashes, 1.2)
                references += 1
        return chosen


@contextmanager
def new_figure(width: float, height: float, layout: Literal["constrained"] | None = None) -> Iterator[Figure]:
    """Yield a figure of that size in inches, in the page's inks, apart from pyplot's global state."""
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
        yield Figure(figsize=(width, height), layout=layout)


def axes_at(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Return axes at a place in inches, without a frame."""
    across, down = figure.get_size_inches()
    axes: Axes = figure.add_axes((left / across, bottom / down, width / across, height / down))
    axes.spines[:].set_visible(False)
    return axes


def margin(names: Iterable[str]) -> float:
    """Return the room that names need at the left, in inches."""
    return 0.3 + 0.083 * max(map(len, names))


def wrapped(*lines: str) -> str:
    """Break the lines of a title to the width of a panel."""
    return "\n".join(part for line in lines for part in textwrap.wrap(line, 21))


def scale() -> Colormap:
    """Return the colours of shares from 0 to 1."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("shares", _SCALE)


def cell(axes: Axes, column: float, row: int, value: float | None, colours: Colormap) -> None:
    """Draw a share as a coloured square with its percentage; hatched where it is unknown."""
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
    """Draw a share as a bar with its interval, or the words "not measured"."""
    if estimate is None or estimate.value is None:
        axes.text(0.02, row, "not measured", fontsize=7, color=MUTED, va="center")
        return
    axes.barh(row, estimate.value, height=0.62, color=style.bar, alpha=0.85, linewidth=0)
    if estimate.low is not None and estimate.high is not None:
        ends = [estimate.low, estimate.high]
        axes.plot(ends, [row, row], color=INK, linewidth=1.3, solid_capstyle="butt")


def curve(axes: Axes, points: Mapping[float, Sequence[float]], style: Style) -> None:
    """Draw all points, and a line through their means at each place."""
    places = sorted(points)
    means = [sum(points[place]) / len(points[place]) for place in places]
    axes.plot(places, means, zorder=2 + style.width, **style.line)
    spread = [(place, value) for place in places for value in points[place]]
    dots: Any = {"marker": style.marker, "markersize": 3.6, "markeredgecolor": PAPER, "markeredgewidth": 0.4}
    x, y = zip(*spread, strict=True)
    axes.plot(x, y, linestyle="none", color=style.colour, zorder=3 + style.width, **dots)


def percent_axis(axes: Axes) -> None:
    """Let the horizontal axis show shares."""
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "50", "100 %"])
    quiet(axes)
    first, _, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")


def policy_rows(axes: Axes, policies: Policies, *further: str) -> None:
    """Give each policy a row, the first at the top, and further names rows below."""
    names = [*policies.names, *further]
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names, fontsize=8.5)
    axes.grid(visible=False, axis="y")
    embolden(axes, policies)


def embolden(axes: Axes, policies: Policies) -> None:
    """Print the names of policies under test in bold; panels that share their axis have no names."""
    for text, label in zip(axes.get_yticklabels(), policies.labels, strict=False):
        text.set_fontweight("bold" if label in policies.tested else "normal")


def quiet(axes: Axes) -> None:
    """Draw thin grid lines instead of a frame."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(visible=True, color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=7.5)


def whole_periods(axes: Axes) -> None:
    """Put ticks of the x-axis, on which periods are, at whole numbers alone."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))


def legend(figure: Figure, policies: Policies) -> None:
    """Print lines and names of all policies above the panels."""
    from matplotlib.lines import Line2D

    drawn = policies.styles.values()
    handles = [Line2D([], [], marker=style.marker, markersize=4, **style.line) for style in drawn]
    labels = policies.names
    across = max(1, min(len(labels), 5, 110 // max(map(len, labels))))
    look: Any = {"frameon": False, "fontsize": 8, "borderaxespad": 0.1}
    figure.legend(handles, labels, loc="upper left", ncols=across, **look)


def frame(axes: Axes, name: str, symbol: str, estimates: Sequence[Estimate]) -> None:
    """Prepare a panel for one parameter, wide enough for its estimates.

    Args:
        axes: the panel.
        name: of the parameter; shares, noise and precision cannot be negative.
        symbol: its letter.
        estimates: what will be drawn.
    """
    axes.set_title(f"{symbol}{_ABOUT.get(name, '')}", fontsize=9, loc="left")
    quiet(axes)
    low, high = _range(estimates)
    # The ends of a normal interval may lie where a scale cannot be.
    axes.set_xlim(max(low, -0.04 * high) if name in _ABOUT and high > 0 else low, high)
    if low < 0 < high:
        axes.axvline(0, color=RULE, linewidth=1.2)
    axes.locator_params(axis="x", nbins=4)


def point(axes: Axes, row: int, estimate: Estimate, colour: str, *, ours: bool = True) -> None:
    """Draw an estimate with its interval, or say that there is none; those of others are hollow.

    An interval that is open on one side is dashed, and reaches the edge. A range without a best value has no
    point.
    """
    if estimate.value is None and estimate.low is None and estimate.high is None:
        middle: Any = {"transform": axes.get_yaxis_transform(), "fontsize": 7, "color": MUTED, "va": "center"}
        middle["bbox"] = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.5, "alpha": 0.9}
        if ours:
            axes.text(0.03, row, "not identified", **middle)
        return
    if _bounded(estimate):
        ends: Any = [estimate.low, estimate.high]
        axes.plot(ends, [row, row], color=colour, linewidth=1.6, solid_capstyle="butt")
    elif estimate.low is not None or estimate.high is not None:
        edges = axes.get_xlim()
        ends = [
            edge if end is None else end
            for end, edge in zip((estimate.low, estimate.high), edges, strict=True)
        ]
        axes.plot(ends, [row, row], color=colour, linewidth=1.6, linestyle=(0, (3, 1)))
    if estimate.value is None:
        return
    face = colour if ours else PAPER
    axes.plot([estimate.value], [row], marker="o", markersize=5, color=colour, markerfacecolor=face)


def _bounded(estimate: Estimate) -> bool:
    return all(end is not None and math.isfinite(end) for end in (estimate.low, estimate.high))


def _range(estimates: Sequence[Estimate]) -> tuple[float, float]:
    """Return the ends of an axis with all estimates, 0, and all but very long intervals."""
    inner = [each.value for each in estimates if each.value is not None and math.isfinite(each.value)] + [0.0]
    pairs = [(each.low, each.high) for each in estimates if each.low is not None and each.high is not None]
    ends = [end for pair in pairs for end in pair if math.isfinite(end)]
    lengths = [high - low for low, high in pairs if math.isfinite(high - low)]
    usual = statistics.median(lengths) if lengths else 0.0
    reach = _REACH * max(max(inner) - min(inner), usual, 1e-6)
    low = max(min([*inner, *ends]), min(inner) - reach)
    high = min(max([*inner, *ends]), max(inner) + reach)
    edge = 0.06 * (high - low) or 1.0
    return low - edge, high + edge


def check_figure(path: str | os.PathLike[str], endings: Sequence[str] = ENDINGS) -> None:
    """Refuse a file that is not a figure before anything is computed.

    Raises:
        UsageError: the file has none of the endings.
    """
    if Path(path).suffix.lower() not in endings:
        allowed = f"{', '.join(endings[:-1])} or {endings[-1]}"
        raise UsageError(f"A figure is written as {allowed}; got {str(path)!r}.")


def save_figure(figure: Figure, path: str | os.PathLike[str], endings: Sequence[str] = ENDINGS) -> Path:
    """Write a figure in the format of the file's ending, on white, whole or not at all; folders are made.

    Args:
        figure: what to write.
        path: the file.
        endings: of the formats that are allowed, of ``.png``, ``.svg`` and ``.pdf``.

    Raises:
        UsageError: the ending is another.
        StoreError: it cannot be written.
    """
    check_figure(path, endings)
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with draft_of(target) as draft:
            if target.suffix.lower() == ".svg":
                paper = '<rect width="100%" height="100%" fill="white"/>'
                text = to_svg(figure, "ludens").replace("<defs>", f"{paper}<defs>", 1)
                draft.write_text(text, encoding="utf-8")
            else:
                # Without these the file says when it was made, and with which program.
                unsaid = {".png": {"Software": None}, ".pdf": {"CreationDate": None}}[target.suffix.lower()]
                look: Any = {"dpi": 200, "facecolor": "white", "metadata": unsaid}
                figure.savefig(draft, format=target.suffix.lower()[1:], **look)
    except OSError as error:
        raise StoreError(
            f"The figure cannot be written to {target} ({reason(error)}): name another file."
        ) from None
    return target


def save_twice(figure: Figure, path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write a figure as PNG and as SVG, under `path` with the endings ``.png`` and ``.svg``.

    Raises:
        StoreError: they cannot be written.
    """
    target = Path(path)
    return save_figure(figure, target.with_suffix(".png")), save_figure(figure, target.with_suffix(".svg"))


def margins(figure: Figure, left: float, top: float, bottom: float = 0.3, *, gap: float = 0.13) -> None:
    """Leave room in inches around the panels, and between them as a share of a panel."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(left / width, bottom / height, 0.985, 1 - top / height, gap, 0.6)
