"""The picture of a game tree: from left to right, payoffs in a table on the right.

Everything is laid out in inches from the measured widths of the texts, so that nothing overlaps or is cut
off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch
from matplotlib.textpath import text_to_path

from ludens.display.svg import INK, MUTED
from ludens.envs.tree.labels import Marks, edge_label, title
from ludens.envs.tree.nodes import ChanceNode, DecisionNode, Node, PayoffNode, children
from ludens.envs.tree.tree import GameTree
from ludens.envs.turn import Step

DPI = 100

_SIZE = 10.0
_ROW, _BOX, _FAN, _PAD, _MARGIN, _HEAD = 0.5, 0.42, 0.3, 0.12, 0.25, 0.75
# Okabe & Ito's palette, which colour-blind readers can tell apart; black text reads on these tints of it.
_TINTS = ("#cfe8f7", "#fbe3b5", "#cfeee1", "#f6d5e6", "#fdf6bf", "#e3d7f0")
_CHANCE, _FAINT, _TAKEN = "#e8e8e8", "#9a9a9a", "#d55e00"
# Boxes keep their tints where a notebook turns the ink light, and their text stays dark.
_BOXED = "#1a1a1a"


@dataclass
class _Spot:
    """A node with its place: its row, counted in leaves from the top, and its left edge in inches."""

    node: Node
    reached: tuple[Step, ...]
    below: list[_Spot]
    depth: int
    row: float = 0.0
    x: float = 0.0


@dataclass(frozen=True)
class _Layout:
    spots: list[_Spot]
    widths: list[float]
    columns: list[float]
    width: float
    height: float

    def y(self, spot: _Spot) -> float:
        return self.height - _HEAD - _ROW * (spot.row + 1)


def tree_figure(game: GameTree, path: Sequence[Step] = (), caption: str = "") -> Figure:
    """Draw the tree in a figure of its own (no pyplot); its size depends on the game alone."""
    layout = _lay_out(game)
    figure = Figure(figsize=(layout.width, layout.height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, layout.width), ylim=(0, layout.height))
    axes.set_axis_off()
    marks = Marks(game, path)
    _write(axes, _MARGIN, layout.height - 0.28, title(game), size=_SIZE + 2, weight="bold")
    # A caption may be longer than the tree is wide: it is printed smaller then.
    fit = min(1.0, (layout.width - 2 * _MARGIN) / _text_width(caption))
    _write(axes, _MARGIN, layout.height - 0.52, caption, size=_SIZE * fit, colour=MUTED)
    for place, role in zip(layout.columns, game.roles, strict=True):
        _write(axes, place, layout.height - _HEAD - 0.12, role, align="right", size=_SIZE - 1, colour=MUTED)
    _join_sets(axes, layout, marks)
    for spot in layout.spots:
        _draw_edges(axes, layout, marks, spot)
        _draw_spot(axes, layout, game, marks, spot)
    return figure


def _lay_out(game: GameTree) -> _Layout:
    spots: list[_Spot] = []
    leaves = 0

    def place(node: Node, reached: tuple[Step, ...]) -> _Spot:
        nonlocal leaves
        spot = _Spot(node, reached, [], len(reached))
        spots.append(spot)
        spot.below = [place(child, (*reached, step)) for step, child in children(node)]
        if spot.below:
            spot.row = (spot.below[0].row + spot.below[-1].row) / 2
        else:
            spot.row = leaves
            leaves += 1
        return spot

    place(game.root, ())
    inner = [spot for spot in spots if spot.below]
    depths = 1 + max((spot.depth for spot in inner), default=-1)
    widths = [0.0] * depths
    gaps = [0.0] * depths
    for spot in inner:
        widths[spot.depth] = max(widths[spot.depth], _box_width(spot.node))
        names = [edge_label(spot.node, step) for step, _ in children(spot.node)]
        gaps[spot.depth] = max(gaps[spot.depth], *map(_text_width, names))
    starts = [_MARGIN]
    for box, gap in zip(widths, gaps, strict=True):
        starts.append(starts[-1] + box + _FAN + gap + 2 * _PAD)
    for spot in spots:
        spot.x = starts[min(spot.depth, depths)] if spot.below else starts[-1]
    right, columns = starts[-1] + _PAD, []
    for number, role in enumerate(game.roles):
        cells = [role, *(f"{leaf.payoffs[number]:g}" for leaf in game.leaves)]
        right += max(map(_text_width, cells)) + 2 * _PAD
        columns.append(right)
    width = max(right, _text_width(title(game), _SIZE + 2, "bold") + _MARGIN, 4.0) + _MARGIN
    return _Layout(spots, widths, columns, width, _HEAD + _ROW * (leaves + 0.5) + _MARGIN)


def _draw_edges(axes: Axes, layout: _Layout, marks: Marks, spot: _Spot) -> None:
    if not spot.below:
        return
    corner, start = spot.x + layout.widths[spot.depth], layout.y(spot)
    for (step, _), below in zip(children(spot.node), spot.below, strict=True):
        taken, end = marks.taken(spot.reached, step), layout.y(below)
        (line,) = axes.plot([corner, corner + _FAN, below.x], [start, end, end], solid_joinstyle="round")
        line.set(color=_TAKEN if taken else _FAINT, lw=3.0 if taken else 1.2, zorder=2.5 if taken else 2)
        weight = "bold" if taken else "normal"
        _write(axes, corner + _FAN + _PAD, end + 0.11, edge_label(spot.node, step), weight=weight)


def _draw_spot(axes: Axes, layout: _Layout, game: GameTree, marks: Marks, spot: _Spot) -> None:
    y, node = layout.y(spot), spot.node
    if isinstance(node, PayoffNode):
        reached = bool(spot.reached) and marks.taken(spot.reached[:-1], spot.reached[-1])
        for place, value in zip(layout.columns, node.payoffs, strict=True):
            _write(axes, place, y, f"{value:g}", align="right", weight="bold" if reached else "normal")
        return
    width = layout.widths[spot.depth]
    tint = _TINTS[game.roles.index(node.role) % len(_TINTS)] if isinstance(node, DecisionNode) else _CHANCE
    shape = f"round,pad=0,rounding_size={0.08 if isinstance(node, DecisionNode) else 0.2}"
    axes.add_patch(
        FancyBboxPatch((spot.x, y - _BOX / 2), width, _BOX, shape, fc=tint, ec=_BOXED, lw=0.8, zorder=3)
    )
    middle = spot.x + width / 2
    head, line = _box_lines(node)
    _write(axes, middle, y + 0.085, head, align="center", weight="bold", size=_SIZE - 1, colour=_BOXED)
    _write(axes, middle, y - 0.085, line, align="center", size=_SIZE - 1, colour=_BOXED)


def _join_sets(axes: Axes, layout: _Layout, marks: Marks) -> None:
    spots = {spot.reached: spot for spot in layout.spots}
    for places in marks.sets().values():
        members = [spots[reached] for reached in places]
        across = [spot.x + layout.widths[spot.depth] * 0.5 for spot in members]
        axes.plot(across, [layout.y(spot) for spot in members], ls=(0, (4, 3)), color=INK, lw=1.4, zorder=1)


def _box_lines(node: Node) -> tuple[str, str]:
    return (
        (node.role, node.label) if isinstance(node, DecisionNode) else ("chance", getattr(node, "label", ""))
    )


def _box_width(node: ChanceNode | DecisionNode | PayoffNode) -> float:
    head, line = _box_lines(node)
    return max(_text_width(head, _SIZE - 1, "bold"), _text_width(line, _SIZE - 1)) + 2 * _PAD


def _text_width(words: str, size: float = _SIZE, weight: str = "bold") -> float:
    """Return a text's width in inches; bold by default, because any label may be printed bold."""
    font = FontProperties(size=size, weight=weight)
    width, _, _ = text_to_path.get_text_width_height_descent(words or " ", font, ismath=False)
    return float(width) / 72


def _write(
    axes: Axes,
    x: float,
    y: float,
    words: str,
    *,
    align: str = "left",
    size: float = _SIZE,
    weight: str = "normal",
    colour: str = INK,
) -> None:
    axes.text(
        x, y, words, ha=align, va="center", size=size, weight=weight, color=colour, parse_math=False, zorder=4
    )
