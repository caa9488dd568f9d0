"""Figures of estimates: a panel for each parameter, with intervals, and people for comparison."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ludens.display.printable import printable
from ludens.display.svg import INK, MUTED
from ludens.experiments.estimates.table import Column, EstimateTable, Value, people
from ludens.experiments.measures.intervals import Estimate
from ludens.experiments.report import drawing
from ludens.experiments.report.names import finite, joined_names, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MANY = 12  # subjects beyond which they are drawn as a distribution, without names
_ROW = 0.3  # inches


def parameters(table: EstimateTable) -> Figure:
    """Draw every parameter of every column with its 95 % interval, with people in grey below where known.

    People's types stand next to the fitted type that is nearest to them, whatever their numbers. Parameters
    that are not identified are labelled as such. With more than twelve columns (subjects), each
    panel shows them in the order of their estimates.
    """
    others = people(table.model)
    if len(table.columns) > _MANY and table.unit == "subject":
        return _caterpillars(table, others)
    rows = _beside_types(table.columns, others) if table.unit == "type" else [*table.columns, *others]
    colours = dict(zip(map(id, table.columns), itertools.cycle(drawing.COLOURS), strict=False))
    names = [_name(one, table.unit if id(one) in colours else "") for one in rows]
    left = drawing.margin(names)
    panels = len(table.parameters)
    with drawing.new_figure(max(6.0, left + 1.75 * panels), 0.95 + _ROW * len(rows)) as figure:
        grid = figure.subplots(1, panels, sharey=True, squeeze=False).ravel().tolist()
        for axes, parameter in zip(grid, table.parameters, strict=True):
            values = [_of(column, parameter.name) for column in rows]
            drawing.frame(axes, parameter.name, parameter.symbol, list(map(_estimate, values)))
            for row, (one, value) in enumerate(zip(rows, values, strict=True)):
                ours = id(one) in colours
                drawing.point(axes, row, _estimate(value), colours.get(id(one), MUTED), ours=ours)
            axes.set_ylim(len(rows) - 0.4, -0.6)
            axes.set_yticks(range(len(rows)), names, fontsize=8.5)
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", labelsize=8.5)
            # Panels but the first have no labels.
            for one, label in zip(rows, axes.get_yticklabels(), strict=False):
                label.set_color(INK if id(one) in colours else MUTED)
        drawing.margins(figure, left, 0.45, 0.42)
    return figure


def _beside_types(types: Sequence[Column], others: Sequence[Column]) -> list[Column]:
    """Return fitted types, each followed by the groups of people that are nearest to it, then people who are
    no type.

    Distances are Euclidean over the parameters that both have, in units of each parameter's range over all.
    """
    names = [value.name for value in types[0].values if value.name != "share"]
    table = np.array([[_of(one, name).estimate for name in names] for one in (*types, *others)])
    known = (
        np.where(np.isnan(table), -np.inf, table).max(axis=0),
        np.where(np.isnan(table), np.inf, table).min(axis=0),
    )
    width = np.where(known[0] > known[1], known[0] - known[1], 1.0)
    groups: list[list[Column]] = [[one] for one in types]
    rest = []
    for one, row in zip(others, table[len(types) :], strict=True):
        gaps = ((table[: len(types)] - row) / width) ** 2
        compared = ~np.isnan(gaps).all(axis=1)
        if math.isnan(_of(one, "share").estimate) or not compared.any():
            rest.append(one)
            continue
        means = np.where(
            compared, np.nansum(gaps, axis=1) / np.maximum((~np.isnan(gaps)).sum(axis=1), 1), np.inf
        )
        groups[int(means.argmin())].append(one)
    return [*itertools.chain.from_iterable(groups), *rest]


def save_figure(table: EstimateTable, path: str | os.PathLike[str]) -> Path:
    """Write the figure of `parameters` as PNG or SVG, by the file's suffix, on white; whole or not at all.

    Raises:
        UsageError: the suffix is neither ``.png`` nor ``.svg``.
        StoreError: the file cannot be written.
    """
    return drawing.save_figure(parameters(table), path)


def _caterpillars(table: EstimateTable, others: Sequence[Column]) -> Figure:
    panels = len(table.parameters)
    with drawing.new_figure(max(6.0, 2.0 * panels), 4.2) as figure:
        grid = figure.subplots(1, panels, sharey=True, squeeze=False).ravel().tolist()
        for axes, parameter in zip(grid, table.parameters, strict=True):
            values = [_of(column, parameter.name) for column in table.columns]
            known = sorted(
                (value for value in values if not math.isnan(value.estimate)), key=lambda v: v.estimate
            )
            estimates = np.array([value.estimate for value in known])
            places = (np.arange(len(known)) + 0.5) / max(len(known), 1)
            drawing.frame(axes, parameter.name, parameter.symbol, list(map(_estimate, known)))
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
            legend = "dashed: " + "; ".join(column.title for column in others)
            figure.text(0.99, 0.012, legend, fontsize=7, color=MUTED, ha="right", va="bottom")
        drawing.margins(figure, 0.75, 0.45, 0.68)
    return figure


def _of(column: Column, name: str) -> Value:
    found = (value for value in column.values if value.name == name)
    return next(found, Value(name, name, math.nan))


def _estimate(value: Value) -> Estimate:
    """Return a value as an estimate, without the numbers that are NaN."""
    return Estimate(finite(value.estimate), finite(value.low), finite(value.high))


def _name(column: Column, unit: str) -> str:
    name = joined_names(column.title) if unit == "policy" else " ".join(printable(column.title).split())
    return shortened(name)
