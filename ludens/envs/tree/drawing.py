"""Pictures of a game tree: text for the terminal, a matplotlib figure, Graphviz source.

They show the whole game, for spectators: what a seat knows stands in its turn.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ludens.display.notebook import View
from ludens.display.svg import Picture
from ludens.envs.pixels import figure_pixels
from ludens.envs.tree.labels import Marks, Path, edge_label, title
from ludens.envs.tree.nodes import (
    ChanceNode,
    DecisionNode,
    GameError,
    Node,
    PayoffNode,
    children,
    walk,
)
from ludens.envs.tree.tree import GameTree
from ludens.envs.turn import Step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LEAVES = 64
"""A notebook draws a tree with so many ends; of a larger one it lists the moves."""

_BOLD, _RESET = "\x1b[1m", "\x1b[0m"


def draw(game: GameTree, path: Sequence[str | Step] = (), caption: str = "") -> Figure:
    """Draw the tree as a matplotlib figure, with the path taken marked.

    Args:
        game: the game to draw.
        path: moves from the root on, nature's among them: names of options, or steps.
        caption: a line under the title.

    Raises:
        GameError: the path leads out of the tree; the message names the place.
    """
    return figure(game, _steps(game, path), caption)


def figure(game: GameTree, path: Path = (), caption: str = "") -> Figure:
    """Draw the tree as a matplotlib figure; the edges whose steps are in `path` are marked."""
    from ludens.envs.tree.figures import tree_figure

    return tree_figure(game, path, caption)


def picture(game: GameTree, path: Path = (), caption: str = "") -> NDArray[np.uint8]:
    """Return the tree as pixels, shape (height, width, 3), uint8; the shape depends on the game alone."""
    return figure_pixels(figure(game, path, caption))


def text(
    game: GameTree, path: Path = (), caption: str = "", *, here: str | None = None, bold: bool = False
) -> str:
    """Return the tree as lines of text.

    Args:
        game: the game to draw.
        path: the steps taken, or those known; their edges carry an arrow head, and the end reached is marked.
        caption: a line under the title.
        here: an information set to point at.
        bold: print what was taken in bold (ANSI codes); else the text is plain.
    """
    marks = Marks(game, path)
    lines = [title(game), *([caption] if caption else []), "", _node(marks, game.root, here)]
    for line, taken in _branches(marks, game.root, (), "", here):
        lines.append(f"{_BOLD}{line}{_RESET}" if bold and taken else line)
    return "\n".join(lines)


def show(game: GameTree, path: Path = (), caption: str = "") -> None:
    """Print the tree, in bold where the terminal can."""
    sys.stdout.write(text(game, path, caption, bold=sys.stdout.isatty()) + "\n")


def view(game: GameTree) -> View:
    """Return what a notebook shows of a game: its tree, with the title on it, or the moves of a large one."""
    blind = any(places for places in Marks(game, ()).sets().values())
    dashed = " A dashed line joins moves that the mover cannot tell apart." if blind else ""
    if len(game.leaves) <= MOST_LEAVES:
        return View("", "game", pictures=[Picture("tree", "", f"Payoffs in points.{dashed}", figure(game))])
    moves = {node.label: f"{node.role}: {', '.join(node.options)}" for node in game.information_sets[:20]}
    return View(
        title(game), "game", f"{len(game.leaves)} ends, {len(game.information_sets)} moves.", facts=moves
    )


def graphviz(game: GameTree, path: Path = ()) -> str:
    """Return the tree as DOT source for Graphviz; dashed lines join nodes of one information set."""
    marks = Marks(game, path)
    names = {reached: f"n{number}" for number, (reached, _) in enumerate(walk(game.root))}
    lines = ["digraph game {", "  rankdir=LR;", f"  label={_quoted(title(game))};"]
    for reached, node in walk(game.root):
        shape = {PayoffNode: "plaintext", ChanceNode: "diamond", DecisionNode: "box"}[type(node)]
        lines.append(f"  {names[reached]} [shape={shape}, label={_quoted(_label(game, node))}];")
        for step, _ in children(node):
            below = names[(*reached, step)]
            look = ", penwidth=3" if marks.taken(reached, step) else ""
            lines.append(f"  {names[reached]} -> {below} [label={_quoted(edge_label(node, step))}{look}];")
    for places in marks.sets().values():
        for left, right in itertools.pairwise(places):
            joined = f"{names[left]} -> {names[right]}"
            lines.append(f"  {joined} [style=dashed, dir=none, constraint=false];")
    return "\n".join([*lines, "}", ""])


def _steps(game: GameTree, path: Sequence[str | Step]) -> list[Step]:
    node: Node = game.root
    steps: list[Step] = []
    for entry in path:
        name = entry.option if isinstance(entry, Step) else entry
        below = {step.option: (step, child) for step, child in children(node)}
        if name not in below:
            place = " > ".join(step.option for step in steps) or "the root"
            known = ", ".join(below) or "nothing, the game ends there"
            raise GameError(f"The path of {game!r} has no {name!r} after {place}; it has {known}.")
        step, node = below[name]
        steps.append(step)
    return steps


def _branches(
    marks: Marks, node: Node, reached: tuple[Step, ...], stem: str, here: str | None
) -> Iterator[tuple[str, bool]]:
    below = children(node)
    for place, (step, child) in enumerate(below):
        last = place == len(below) - 1
        taken = marks.taken(reached, step)
        branch = ("└" if last else "├") + ("─▶ " if taken else "── ")
        if isinstance(child, PayoffNode):
            end = f": {_payoffs(marks.game, child)}{'  ◀' if taken else ''}"
        else:
            end = f" → {_node(marks, child, here)}"
        yield stem + branch + edge_label(node, step) + end, taken
        yield from _branches(marks, child, (*reached, step), stem + ("    " if last else "│   "), here)


def _node(marks: Marks, node: Node, here: str | None) -> str:
    if isinstance(node, PayoffNode):
        return _payoffs(marks.game, node)
    if isinstance(node, ChanceNode):
        return f"{node.label} (chance)"
    blind = "" if marks.is_distinct(node) else f", not told apart within {node.information!r}"
    return f"{node.label} ({node.role}{blind}){'  ◀ you are here' if node.information == here else ''}"


def _payoffs(game: GameTree, node: PayoffNode) -> str:
    return ", ".join(f"{role} {value:g}" for role, value in zip(game.roles, node.payoffs, strict=True))


def _label(game: GameTree, node: Node) -> str:
    if isinstance(node, PayoffNode):
        return _payoffs(game, node)
    return node.label if isinstance(node, ChanceNode) else f"{node.role}\n{node.label}"


def _quoted(label: str) -> str:
    escaped = label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
