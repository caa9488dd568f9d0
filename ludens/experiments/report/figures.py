"""The pictures of a benchmark. Every one shows models in colour, reference policies in grey."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ludens.envs import FAMILIES, PROTOCOLS
from ludens.experiments.intervals import Estimate
from ludens.experiments.report.names import oracle_name, policy_name
from ludens.experiments.report.svg import INK, MUTED, PAPER, RULE, to_svg
from ludens.experiments.store import StoreError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ludens.experiments.bench import BenchResult
    from ludens.experiments.metrics import Measures

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe & Ito's palette, told apart by colour-blind readers too."""

_GREYS = ("#8a909b", "#5d6470", "#a3a8b1", "#757c88")
_MARKERS = "osD^vPX*"
_DASHES = ((0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (2, 2)))
_SCALE = ("#f5f1e8", "#a9c9c5", "#4f93a8", "#0b4a6f")  # even steps of lightness, warm to blue


@dataclass(frozen=True)
class Style:
    """How one policy is drawn everywhere."""

    colour: str
    marker: str
    dashes: Any
    width: float


def styles(result: BenchResult) -> dict[str, Style]:
    """A style for every policy: colours for models, dashed greys for references."""
    chosen: dict[str, Style] = {}
    references = 0
    for place, found in enumerate(result.measures):
        marker = _MARKERS[place % len(_MARKERS)]
        if found.policy in result.models:
            chosen[found.policy] = Style(COLOURS[len(chosen) % len(COLOURS)], marker, "solid", 2.0)
        else:
            grey, dashes = _GREYS[references % len(_GREYS)], _DASHES[references % len(_DASHES)]
            chosen[found.policy] = Style(grey, marker, dashes, 1.2)
            references += 1
    return chosen


def heat_map(result: BenchResult) -> Figure:
    """Cooperation by protocol (column) and node (block of columns) for every policy (row), one band per
    family.
    """
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("cooperation", _SCALE)
    policies = result.measures
    asked = {protocol for found in policies for protocol, _ in found.cells}
    bands = {
        name: [protocol for protocol in family.protocols if protocol in asked]
        for name, family in FAMILIES.items()
    }
    bands = {name: protocols for name, protocols in bands.items() if protocols}
    cell_width, cell_height, left, gap = 0.37, 0.29, 1.75, 0.35
    columns = {name: _columns(name, protocols, gap) for name, protocols in bands.items()}
    width = left + cell_width * max((max(row.values()) + 1 for row in columns.values()), default=1) + 0.1
    heights = [0.62 + cell_height * len(policies) + 0.3 for _ in bands]
    with _figure(width, max(sum(heights), 1.0)) as figure:
        top = sum(heights)
        for (family, places), height in zip(columns.items(), heights, strict=True):
            span = max(places.values()) + 1
            box = (
                left,
                top - 0.62 - cell_height * len(policies),
                cell_width * span,
                cell_height * len(policies),
            )
            axes = _axes(figure, box)
            axes.set_xlim(0, span)
            axes.set_ylim(len(policies), 0)
            for row, found in enumerate(policies):
                for (protocol, node), column in places.items():
                    _cell(axes, column, row, found.cells.get((protocol, node)), colours)
            axes.set_yticks(np.arange(len(policies)) + 0.5, [policy_name(found.policy) for found in policies])
            axes.set_xticks([place + 0.5 for place in places.values()], [protocol for protocol, _ in places])
            axes.tick_params(length=0, labelsize=7)
            axes.tick_params(axis="y", labelsize=8)
            longest = max(len(protocol) for protocol, _ in places)
            if longest > 5:
                axes.tick_params(axis="x", rotation=60)
            _embolden(axes, [found.policy in result.models for found in policies])
            for node, option in FAMILIES[family].prosocial.items():
                start = min(place for (_, name), place in places.items() if name == node)
                axes.text(start, -0.25, f"{node}: {option}", fontsize=7.5, color=MUTED, va="bottom")
            axes.text(0, -1.15, FAMILIES[family].title, fontsize=9.5, fontweight="bold", va="bottom")
            top -= height
    return figure


def sensitivity(result: BenchResult) -> Figure | None:
    """Cooperation against the temptation T − R, one panel per family and node; None if no family has them."""
    panels = [
        (name, node)
        for name, family in FAMILIES.items()
        for node in family.prosocial
        if {"T", "R"} <= set(family.parameters)
        and any((name, node) in _asked(found) for found in result.measures)
    ]
    if not panels:
        return None
    across = min(4, len(panels))
    down = -(-len(panels) // across)
    drawn = styles(result)
    with _figure(8.6, 0.75 + 2.25 * down) as figure:
        grid = figure.subplots(down, across, sharey=True, squeeze=False)
        for place, axes in enumerate(grid.flat):
            if place >= len(panels):
                axes.set_visible(False)
                continue
            family, node = panels[place]
            for found in reversed(result.measures):
                _curve(axes, found, family, node, drawn[found.policy])
            axes.set_title(f"{FAMILIES[family].title}\n{node}", fontsize=8, loc="left")
            axes.set_ylim(-0.04, 1.04)
            axes.set_yticks([0, 0.5, 1], ["0", "50", "100 %"])
            _quiet(axes)
            if place + across >= len(panels):
                axes.set_xlabel("temptation T − R, points", fontsize=8, color=MUTED)
        _legend(figure, result, drawn)
        figure.subplots_adjust(
            left=0.065,
            right=0.985,
            top=1 - 0.85 / (0.75 + 2.25 * down),
            bottom=0.5 / (0.75 + 2.25 * down),
            hspace=0.55,
        )
    return figure


def agreement(result: BenchResult) -> Figure:
    """Agreement with every oracle under uniform beliefs, one panel per κ, bars with 95 % intervals."""
    kappas = [entry.kappa for entry in result.measures[0].comparisons if entry.beliefs == "uniform"]
    drawn = styles(result)
    height = 0.75 + 0.3 * len(result.measures)
    with _figure(8.6, height) as figure:
        (grid,) = figure.subplots(1, len(kappas), sharey=True, squeeze=False)
        for axes, kappa in zip(grid, kappas, strict=True):
            for row, found in enumerate(result.measures):
                entry = found.comparison(kappa)
                if entry is not None:
                    _bar(axes, row, entry.agreement, drawn[found.policy])
            axes.set_title(oracle_name(kappa), fontsize=8.5, loc="left")
            _percent_axis(axes)
            _rows(axes, result)
        figure.subplots_adjust(
            left=1.75 / 8.6, right=0.985, top=1 - 0.35 / height, bottom=0.3 / height, wspace=0.12
        )
    return figure


def picture(result: BenchResult) -> Figure:
    """One compact figure: cooperation by family, and agreement with homo economicus and homo moralis κ =
    0.5.
    """
    families = [name for name in FAMILIES if any(name in found.by_family for found in result.measures)]
    drawn = styles(result)
    height = 0.95 + 0.3 * len(result.measures)
    with _figure(9.0, height) as figure:
        (grid,) = figure.subplots(1, len(families) + 2, sharey=True, squeeze=False)
        columns = [(f"cooperates:\n{FAMILIES[name].title.lower()}", name, None) for name in families]
        columns += [(f"agrees with\n{oracle_name(kappa)}", None, kappa) for kappa in (0.0, 0.5)]
        for axes, (title, family, kappa) in zip(grid, columns, strict=True):
            for row, found in enumerate(result.measures):
                estimate = found.by_family.get(family) if family else None
                comparison = None if kappa is None else found.comparison(kappa)
                _bar(axes, row, comparison.agreement if comparison else estimate, drawn[found.policy])
            axes.set_title(title, fontsize=8, loc="left")
            _percent_axis(axes)
            _rows(axes, result)
        figure.subplots_adjust(
            left=1.75 / 9, right=0.985, top=1 - 0.55 / height, bottom=0.3 / height, wspace=0.14
        )
    return figure


def save_picture(result: BenchResult, path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write `picture` as PNG and as SVG, on white, under `path` with the endings ``.png`` and ``.svg``.

    Raises:
        StoreError: they cannot be written.
    """
    target = Path(path)
    png, svg = target.with_suffix(".png"), target.with_suffix(".svg")
    figure = picture(result)
    drafts = {png: png.with_name(png.name + ".part"), svg: svg.with_name(svg.name + ".part")}
    try:
        png.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(drafts[png], format="png", dpi=200, facecolor="white", metadata={"Software": None})
        text = to_svg(figure, "ludens").replace(
            "<defs>", '<rect width="100%" height="100%" fill="white"/>\n <defs>', 1
        )
        drafts[svg].write_text(text, encoding="utf-8")
        for final, draft in drafts.items():
            draft.replace(final)
    except OSError as error:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
        raise StoreError(f"The picture cannot be written to {target} ({error.strerror}).") from None
    return png, svg


@contextmanager
def _figure(width: float, height: float) -> Iterator[Figure]:
    """A figure of that size in inches, drawn in the page's inks, apart from pyplot's global state."""
    import matplotlib
    from matplotlib.figure import Figure

    inks = {
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
    }
    with matplotlib.rc_context(inks):
        yield Figure(figsize=(width, height))


def _axes(figure: Figure, box: tuple[float, float, float, float]) -> Axes:
    """Axes at a place in inches, without a frame."""
    width, height = figure.get_size_inches()
    axes: Axes = figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height))
    axes.spines[:].set_visible(False)
    return axes


def _columns(family: str, protocols: Sequence[str], gap: float) -> dict[tuple[str, str], float]:
    places: dict[tuple[str, str], float] = {}
    place = 0.0
    for node in FAMILIES[family].prosocial:
        for protocol in protocols:
            places[protocol, node] = place
            place += 1
        place += gap
    return places


def _cell(axes: Axes, column: float, row: int, value: float | None, colours: Any) -> None:
    from matplotlib.patches import Rectangle

    if value is None:
        axes.add_patch(
            Rectangle((column, row), 1, 1, facecolor="none", edgecolor=RULE, hatch="////", linewidth=0)
        )
        return
    axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colours(value), edgecolor=PAPER, linewidth=0.8))
    ink = "#ffffff" if value > 0.55 else "#1a1a1a"
    axes.text(column + 0.5, row + 0.52, f"{100 * value:.0f}", color=ink, fontsize=7, ha="center", va="center")


def _asked(found: Measures) -> set[tuple[str, str]]:
    return {(PROTOCOLS[protocol].name, node) for protocol, node in found.cells}


def _curve(axes: Axes, found: Measures, family: str, node: str, style: Style) -> None:
    points: dict[float, list[float]] = {}
    for (protocol, place), value in found.cells.items():
        game = PROTOCOLS[protocol]
        if game.name == family and place == node:
            points.setdefault(game.parameters["T"] - game.parameters["R"], []).append(value)
    if not points:
        return
    x = sorted(points)
    means = [float(np.mean(points[temptation])) for temptation in x]
    axes.plot(
        x, means, color=style.colour, linestyle=style.dashes, linewidth=style.width, zorder=2 + style.width
    )
    scattered = [(temptation, value) for temptation in x for value in points[temptation]]
    axes.plot(
        *zip(*scattered, strict=True),
        linestyle="none",
        marker=style.marker,
        markersize=3.6,
        color=style.colour,
        markeredgecolor=PAPER,
        markeredgewidth=0.4,
        zorder=3 + style.width,
    )


def _legend(figure: Figure, result: BenchResult, drawn: dict[str, Style]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            color=style.colour,
            linestyle=style.dashes,
            linewidth=style.width,
            marker=style.marker,
            markersize=4,
        )
        for style in drawn.values()
    ]
    names = [policy_name(found.policy) for found in result.measures]
    figure.legend(
        handles,
        names,
        loc="upper left",
        ncols=min(5, len(names)),
        frameon=False,
        fontsize=8,
        borderaxespad=0.1,
    )


def _bar(axes: Axes, row: int, estimate: Estimate | None, style: Style) -> None:
    if estimate is None or estimate.value is None:
        axes.text(0.02, row, "not measured", fontsize=7, color=MUTED, va="center")
        return
    axes.barh(row, estimate.value, height=0.62, color=style.colour, alpha=0.85, linewidth=0)
    if estimate.low is not None and estimate.high is not None:
        axes.plot([estimate.low, estimate.high], [row, row], color=INK, linewidth=1.3, solid_capstyle="butt")


def _percent_axis(axes: Axes) -> None:
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "50", "100 %"])
    _quiet(axes)
    for label, side in zip(axes.get_xticklabels(), ("left", "center", "right"), strict=True):
        label.set_horizontalalignment(side)


def _rows(axes: Axes, result: BenchResult) -> None:
    axes.set_ylim(len(result.measures) - 0.5, -0.5)
    names = [policy_name(found.policy) for found in result.measures]
    axes.set_yticks(range(len(names)), names, fontsize=8.5)
    axes.grid(visible=False, axis="y")
    _embolden(axes, [found.policy in result.models for found in result.measures])


def _embolden(axes: Axes, rows: Sequence[bool]) -> None:
    for label, bold in zip(axes.get_yticklabels(), rows, strict=False):  # inner panels have no labels
        label.set_fontweight("bold" if bold else "normal")


def _quiet(axes: Axes) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(visible=True, color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=7.5)
