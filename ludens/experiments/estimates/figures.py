"""Parameters with their intervals, a panel each: types against each other, a model beside people."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ludens.errors import UsageError
from ludens.experiments.estimates.table import Column, EstimateTable, Value, people
from ludens.experiments.report import drawing
from ludens.experiments.report.names import policy_name
from ludens.experiments.report.svg import INK, MUTED, PAPER, RULE, to_svg
from ludens.experiments.runs.database import StoreError, reason
from ludens.experiments.runs.files import draft_of
from ludens.experiments.runs.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MANY = 12  # columns beyond which they are drawn as a distribution, without names
_ROW = 0.3  # inches
_ABOUT = {"share": " of subjects", "noise": "  noise, points", "precision": "  precision, per point"}
_REACH = 2.0  # intervals are cut at so many times the range of the estimates, or the usual interval


def parameters(table: EstimateTable) -> Figure:
    """Every parameter of every column with its 95 % interval, people in grey below where their numbers exist.

    What is not identified is said in words. Above twelve columns (subjects) each panel shows them in the
    order of their estimates.
    """
    others = people(table.model)
    if len(table.columns) > _MANY:
        return _caterpillars(table, others)
    rows = [*table.columns, *others]
    names = [_name(column, table.unit) for column in table.columns] + [_name(one, "") for one in others]
    left = 0.3 + 0.083 * max(map(len, names))
    panels = len(table.parameters)
    with drawing.sheet(max(6.0, left + 1.75 * panels), 0.95 + _ROW * len(rows)) as figure:
        grid = figure.subplots(1, panels, sharey=True, squeeze=False).ravel().tolist()
        for axes, parameter in zip(grid, table.parameters, strict=True):
            values = [_of(column, parameter.name) for column in rows]
            frame(axes, parameter, values)
            for row, value in enumerate(values):
                ours = row < len(table.columns)
                colour = drawing.COLOURS[row % len(drawing.COLOURS)] if ours else MUTED
                point(axes, row, value, colour, ours=ours)
            axes.set_ylim(len(rows) - 0.4, -0.6)
            axes.set_yticks(range(len(rows)), names, fontsize=8.5)
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", labelsize=8.5)
            for place, label in enumerate(axes.get_yticklabels()):
                label.set_color(INK if place < len(table.columns) else MUTED)
        drawing.margins(figure, left, 0.45, 0.42)
    return figure


def check_picture(path: str | os.PathLike[str]) -> None:
    """Refuse a file that is no picture before anything is computed.

    Raises:
        UsageError: the ending is neither ``.png`` nor ``.svg``.
    """
    if Path(path).suffix.lower() not in {".png", ".svg"}:
        raise UsageError(f"A figure is written as .png or .svg; got {str(path)!r}.")


def save_figure(table: EstimateTable, path: str | os.PathLike[str]) -> Path:
    """Write `parameters` as PNG or SVG by the file's ending, on white, whole or not at all.

    Raises:
        UsageError: the ending is another.
        StoreError: it cannot be written.
    """
    check_picture(path)
    target = Path(path)
    figure = parameters(table)
    try:
        with draft_of(target) as draft:
            if target.suffix.lower() == ".png":
                figure.savefig(draft, format="png", dpi=200, facecolor="white", metadata={"Software": None})
            else:
                paper = '<rect width="100%" height="100%" fill="white"/>'
                text = to_svg(figure, "ludens").replace("<defs>", f"{paper}<defs>", 1)
                draft.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"The figure cannot be written to {target} ({reason(error)}): name another file."
        ) from None
    return target


def _caterpillars(table: EstimateTable, others: Sequence[Column]) -> Figure:
    panels = len(table.parameters)
    with drawing.sheet(max(6.0, 2.0 * panels), 4.2) as figure:
        grid = figure.subplots(1, panels, sharey=True, squeeze=False).ravel().tolist()
        for axes, parameter in zip(grid, table.parameters, strict=True):
            values = [_of(column, parameter.name) for column in table.columns]
            known = sorted(
                (value for value in values if not math.isnan(value.estimate)), key=lambda v: v.estimate
            )
            estimates = np.array([value.estimate for value in known])
            places = (np.arange(len(known)) + 0.5) / max(len(known), 1)
            frame(axes, parameter, known)
            axes.set_xlabel(f"{len(known)} of {len(values)} identified", fontsize=7.5, color=MUTED)
            ends = np.array([[value.low, value.high] for value in known]).reshape(-1, 2)
            axes.hlines(places, ends[:, 0], ends[:, 1], color=drawing.COLOURS[0], linewidth=0.6, alpha=0.35)
            axes.plot(
                estimates, places, linestyle="none", marker="o", markersize=2.2, color=drawing.COLOURS[0]
            )
            for column in others:
                axes.axvline(
                    _of(column, parameter.name).estimate, color=MUTED, linewidth=0.8, linestyle=(0, (3, 2))
                )
            axes.set_ylim(0, 1)
            axes.set_yticks([0, 0.5, 1], ["lowest", "middle", "highest"], fontsize=8)
        if others:
            told = "dashed: " + "; ".join(column.title for column in others)
            figure.text(0.99, 0.012, told, fontsize=7, color=MUTED, ha="right", va="bottom")
        drawing.margins(figure, 0.75, 0.45, 0.68)
    return figure


def frame(axes: Axes, parameter: Value, values: Sequence[Value]) -> None:
    """A panel for one parameter, wide enough for these values."""
    axes.set_title(f"{parameter.symbol}{_ABOUT.get(parameter.name, '')}", fontsize=9, loc="left")
    drawing.quiet(axes)
    low, high = _range(values)
    # The ends of a normal interval may lie where a scale cannot be.
    axes.set_xlim(max(low, -0.04 * high) if parameter.name in _ABOUT and high > 0 else low, high)
    if low < 0 < high:
        axes.axvline(0, color=RULE, linewidth=1.2)
    axes.locator_params(axis="x", nbins=4)


def _range(values: Sequence[Value]) -> tuple[float, float]:
    """The axis' ends: all estimates, 0, and intervals unless they are far longer than others."""
    inner = [value.estimate for value in values if math.isfinite(value.estimate)] + [0.0]
    ends = [end for value in values for end in (value.low, value.high) if math.isfinite(end)]
    usual = float(np.median(np.abs(np.diff(np.reshape(ends, (-1, 2)))))) if ends else 0.0
    reach = _REACH * max(max(inner) - min(inner), usual, 1e-6)
    low = max(min([*inner, *ends]), min(inner) - reach)
    high = min(max([*inner, *ends]), max(inner) + reach)
    edge = 0.06 * (high - low) or 1.0
    return low - edge, high + edge


def point(axes: Axes, row: int, value: Value, colour: str, *, ours: bool = True) -> None:
    """An estimate with its interval, or the words that there is none; people's are hollow."""
    if math.isnan(value.estimate):
        middle: Any = {"transform": axes.get_yaxis_transform(), "fontsize": 7, "color": MUTED, "va": "center"}
        middle["bbox"] = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.5, "alpha": 0.9}
        if ours:
            axes.text(0.03, row, "not identified", **middle)
        return
    if math.isfinite(value.low) and math.isfinite(value.high):
        axes.plot([value.low, value.high], [row, row], color=colour, linewidth=1.6, solid_capstyle="butt")
    face = colour if ours else PAPER
    axes.plot([value.estimate], [row], marker="o", markersize=5, color=colour, markerfacecolor=face)


def _of(column: Column, name: str) -> Value:
    found = (value for value in column.values if value.name == name)
    return next(found, Value(name, name, math.nan))


def _name(column: Column, unit: str) -> str:
    name = policy_name(column.title) if unit == "policy" else " ".join(printable(column.title).split())
    return name if len(name) <= 40 else f"{name[:19]}…{name[-20:]}"
