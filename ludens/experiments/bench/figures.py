"""The figures of a benchmark: models in colour, reference policies in grey."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ludens.display.svg import MUTED
from ludens.envs import LIBRARY, AnyGame, find_game
from ludens.envs.strategic.mechanisms.families import WITH
from ludens.experiments.report import drawing
from ludens.experiments.report.names import PREFERENCES, oracle_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ludens.experiments.bench.metrics import Measures
    from ludens.experiments.bench.result import BenchResult

_CELL = (0.37, 0.29)  # inches across and down
_LETTER = 0.065  # inches of a title's letter
_WIDTH = 8.6  # inches
_SLANTED = 0.075  # inches that a letter at a slant is high
_ABOVE, _BELOW = 0.62, 0.3  # inches for a band's titles and for its protocols' names


def heat_map(result: BenchResult) -> Figure:
    """Draw cooperation by protocol (column) and node (block of columns) of every policy (row), a band per
    family.
    """
    asked = {protocol for found in result.measures for protocol, _ in found.cells}
    bands = [(name, _columns(name, asked)) for name in _families(asked)]
    bands = [(name, columns) for name, columns in bands if columns]
    tall, left = _CELL[1] * len(result.measures), policies(result).margin
    widest = max((max(columns.values()) + 1 for _, columns in bands), default=1.0)
    # Numbers stand under each other at a slant.
    longest = max((len(_column_name(protocol)) for _, columns in bands for protocol, _ in columns), default=0)
    band, colours = _ABOVE + tall + _BELOW + max(longest - 5, 0) * _SLANTED, drawing.scale()
    # As wide as the page's other figures, lest a page enlarge a small one.
    with drawing.new_figure(max(_WIDTH, left + _CELL[0] * widest + 0.1), band * max(len(bands), 1)) as figure:
        for place, (family, columns) in enumerate(bands):
            span = max(columns.values()) + 1
            bottom = band * (len(bands) - place) - _ABOVE - tall
            axes = drawing.axes_at(figure, left, bottom, _CELL[0] * span, tall)
            axes.set_xlim(0, span)
            axes.set_ylim(len(result.measures), 0)
            for row, found in enumerate(result.measures):
                for question, column in columns.items():
                    drawing.cell(axes, column, row, found.cells.get(question), colours)
            protocols = [protocol for protocol, _ in columns]
            named = list(map(_column_name, protocols))
            axes.set_xticks([column + 0.5 for column in columns.values()], named)
            axes.tick_params(length=0, labelsize=7)
            if max(map(len, named)) > 5:
                axes.tick_params(axis="x", labelrotation=60)
            axes.set_yticks(np.arange(len(result.measures)) + 0.5, policies(result).names)
            axes.tick_params(axis="y", labelsize=8)
            drawing.embolden(axes, policies(result))
            for node, option in LIBRARY[family].prosocial.items():
                start = min((column for (_, name), column in columns.items() if name == node), default=None)
                if start is not None:
                    axes.text(start, -0.25, _title(node, option), fontsize=7.5, color=MUTED, va="bottom")
            axes.text(0, -1.15, LIBRARY[family].title, fontsize=9.5, fontweight="bold", va="bottom")
    return figure


def sensitivity(result: BenchResult) -> Figure | None:
    """Draw cooperation against the temptation T − R by family and node; None where no family has it."""
    asked = {(find_game(protocol).name, node) for found in result.measures for protocol, node in found.cells}
    panels = [
        (name, node)
        for name in _families({protocol for found in result.measures for protocol, _ in found.cells})
        for family in [LIBRARY[name]]
        for node in family.prosocial
        if {"T", "R"} <= set(family.parameters) and (name, node) in asked
    ]
    if not panels:
        return None
    across = min(4, len(panels))
    down = -(-len(panels) // across)
    drawn = policies(result).styles
    with drawing.new_figure(_WIDTH, 0.75 + 2.25 * down) as figure:
        grid = figure.subplots(down, across, sharey=True, squeeze=False).ravel().tolist()
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        for place, (family, node) in enumerate(panels):
            axes = grid[place]
            for found in reversed(result.measures):
                points = _by_temptation(found, family, node)
                if points:
                    drawing.curve(axes, points, drawn[found.policy])
            axes.set_title(f"{LIBRARY[family].title}\n{node}", fontsize=8, loc="left")
            axes.set_ylim(-0.04, 1.04)
            axes.set_yticks([0, 0.5, 1], ["0", "50", "100 %"])
            drawing.quiet(axes)
            if place + across >= len(panels):
                axes.set_xlabel("temptation T − R, points", fontsize=8, color=MUTED)
        drawing.legend(figure, policies(result))
        drawing.margins(figure, 0.56, 0.85, 0.5, gap=0.2)
    return figure


def agreement(result: BenchResult) -> Figure:
    """Draw agreement with every oracle under uniform beliefs, with 95 % intervals, one panel per κ."""
    kappas = [entry.kappa for entry in result.measures[0].comparisons if entry.beliefs == "uniform"]
    with drawing.new_figure(_WIDTH, 0.75 + 0.3 * len(result.measures)) as figure:
        grid = figure.subplots(1, len(kappas), sharey=True, squeeze=False).ravel().tolist()
        _agreement_panels(grid, result, kappas, "")
        drawing.margins(figure, policies(result).margin, 0.35)
    return figure


def preferences(result: BenchResult) -> Figure:
    """Draw α, β, κ and λ of every policy under uniform beliefs, with 95 % intervals."""
    drawn = policies(result).styles
    with drawing.new_figure(_WIDTH, 0.85 + 0.3 * len(result.measures)) as figure:
        grid = figure.subplots(1, len(PREFERENCES), sharey=True, squeeze=False).ravel().tolist()
        for axes, (name, letter) in zip(grid, PREFERENCES.items(), strict=True):
            found = [(each.policy, each.revealed[0].parameters[name]) for each in result.measures]
            drawing.frame(axes, name, letter, [estimate for _, estimate in found])
            for row, (policy, estimate) in enumerate(found):
                drawing.point(axes, row, estimate, drawn[policy].colour)
            drawing.policy_rows(axes, policies(result))
        drawing.margins(figure, policies(result).margin, 0.4, 0.4)
    return figure


def picture(result: BenchResult) -> Figure:
    """Draw one compact figure: cooperation by family, and agreement with homo economicus and homo moralis κ =
    0.5.
    """
    families = [name for name in LIBRARY if any(name in found.by_family for found in result.measures)]
    drawn = policies(result).styles
    with drawing.new_figure(9.0, 1.12 + 0.3 * len(result.measures)) as figure:
        grid = figure.subplots(1, len(families) + 2, sharey=True, squeeze=False).ravel().tolist()
        for axes, family in zip(grid, families, strict=False):
            for row, found in enumerate(result.measures):
                drawing.bar(axes, row, found.by_family.get(family), drawn[found.policy])
            axes.set_title(
                drawing.wrapped("cooperates:", LIBRARY[family].title.lower()), fontsize=8, loc="left"
            )
            drawing.percent_axis(axes)
            drawing.policy_rows(axes, policies(result))
        _agreement_panels(grid[len(families) :], result, (0.0, 0.5), "agrees with")
        drawing.margins(figure, policies(result).margin, 0.72)
    return figure


def save_picture(result: BenchResult, path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write `picture` as PNG and as SVG, on white, under `path` with the endings ``.png`` and ``.svg``.

    Raises:
        StoreError: they cannot be written.
    """
    return drawing.save_twice(picture(result), path)


def policies(result: BenchResult) -> drawing.Policies:
    """Return the policies of a benchmark's figures."""
    return drawing.Policies(tuple(each.policy for each in result.measures), result.models)


def _agreement_panels(
    grid: Sequence[object], result: BenchResult, kappas: Sequence[float], what: str
) -> None:
    from matplotlib.axes import Axes

    drawn = policies(result).styles
    for axes, kappa in zip(grid, kappas, strict=True):
        assert isinstance(axes, Axes)
        for row, found in enumerate(result.measures):
            entry = found.comparison(kappa)
            drawing.bar(axes, row, entry.agreement if entry else None, drawn[found.policy])
        axes.set_title(drawing.wrapped(*filter(None, (what, oracle_name(kappa)))), fontsize=8, loc="left")
        drawing.percent_axis(axes)
        drawing.policy_rows(axes, policies(result))


def _column_name(protocol: str) -> str:
    """Return a protocol's name without its family, mechanism and stage, which stand above."""
    return protocol.removeprefix(f"{find_game(protocol).name} ").partition(WITH)[0]


def _title(node: str, option: str) -> str:
    return f"{node}: {option}"


def _columns(family: str, asked: set[str]) -> dict[tuple[str, str], float]:
    """Return where each question of a family stands, in cells from the left; nodes stand a little apart."""
    published = [name for name in LIBRARY[family].protocols if name in asked]
    own = [name for name in sorted(asked - set(published)) if find_game(name).name == family]
    protocols = [*published, *own]
    nodes = LIBRARY[family].prosocial
    # A title stands above its block, and may be wider than a few cells are.
    title = _LETTER * max((len(_title(node, option)) for node, option in nodes.items()), default=0) / _CELL[0]
    columns: dict[tuple[str, str], float] = {}
    left = 0.0
    for node in nodes:
        # A stage of a round is a game of its own, with its own node.
        there = [name for name in protocols if node in _nodes_of(find_game(name))]
        columns |= {(protocol, node): left + place for place, protocol in enumerate(there)}
        left += max(len(there) + 0.35, title) if there else 0.0
    return columns


def _nodes_of(game: AnyGame) -> set[str]:
    return {each.label for each in game.information_sets}


def _families(asked: Iterable[str]) -> Iterable[str]:
    """Return the families of these protocols, and all of the library, which does not list those of games with
    mechanisms.
    """
    return dict.fromkeys((*LIBRARY, *(find_game(protocol).name for protocol in sorted(asked))))


def _by_temptation(found: Measures, family: str, node: str) -> Mapping[float, Sequence[float]]:
    points: dict[float, list[float]] = {}
    for (protocol, place), value in found.cells.items():
        game = find_game(protocol)
        if game.name == family and place == node:
            points.setdefault(game.parameters["T"] - game.parameters["R"], []).append(value)
    return points
