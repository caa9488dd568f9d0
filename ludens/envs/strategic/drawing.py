"""Pictures of a simultaneous game: its payoff matrix, best replies, or the payoff against what others do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ludens.display.notebook import View
from ludens.display.svg import Picture
from ludens.envs.strategic.game import Floats, StrategicGame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

MOST_ACTIONS = 8
"""Payoff matrices are drawn for two players with at most this many actions."""


def is_matrix(game: StrategicGame) -> bool:
    """Return whether a game is shown as a payoff matrix: two players with few actions."""
    return (
        len(game.seats) == 2
        and not game.continuous
        and max(len(game.finite[role]) for role in game.roles) <= MOST_ACTIONS
    )


def text(game: StrategicGame, profile: Sequence[float] = (), caption: str = "") -> str:
    """Return a game as lines of text: the payoff matrix with the profile marked, or the players and
    actions.
    """
    lines = [title(game), *([caption] if caption else []), ""]
    if is_matrix(game):
        rows, columns = (game.finite[role] for role in game.seats)
        cells = [
            [_cell(game, (row, column), profile) for column in range(len(columns))]
            for row in range(len(rows))
        ]
        head = max(map(len, rows.names))
        wide = max(len(each) for each in (*columns.names, *(cell for row in cells for cell in row)))
        lines.append(" " * head + "".join(f"  {name:>{wide}}" for name in columns.names))
        for name, row in zip(rows.names, cells, strict=True):
            lines.append(f"{name:<{head}}" + "".join(f"  {cell:>{wide}}" for cell in row))
    else:
        for role, count in game.players.items():
            actions = game.finite[role].names
            shown = ", ".join(actions) if len(actions) <= MOST_ACTIONS else f"{actions[0]} … {actions[-1]}"
            lines.append(f"{count} × {role}: {shown}")
        if len(profile):
            paid = game.payoffs_of(np.array(profile))
            lines.append("actions: " + _numbers(np.array(profile)))
            lines.append("payoffs: " + _numbers(paid))
    return "\n".join(lines)


def title(game: StrategicGame) -> str:
    """Return the name for display, with the protocol."""
    name = game.name.replace("_", " ").capitalize()
    return f"{name} ({game.protocol})" if game.protocol else name


def figure(game: StrategicGame, profile: Sequence[float] = (), caption: str = "") -> Figure:
    """Draw a game in a new figure: the payoff matrix of two players with few actions; else, for the first
    player of every role, the best replies to what all others do alike.
    """
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(5.2, 4.0), dpi=100)
    axes = drawn.subplots()
    if is_matrix(game):
        _draw_matrix(axes, game, profile)
    else:
        _draw_replies(axes, game, profile)
    axes.set_title(title(game) + (f"\n{caption}" if caption else ""), fontsize=10, loc="left")
    drawn.set_layout_engine("tight")
    return drawn


def view(game: StrategicGame) -> View:
    """Return what a notebook shows of a game."""
    facts = {role: f"{count} players" if count > 1 else "1 player" for role, count in game.players.items()}
    said = "Payoffs in points." if is_matrix(game) else "Best replies to what all others do alike."
    return View("", "game", pictures=[Picture("game", "", said, figure(game))], facts=facts)


def _cell(game: StrategicGame, place: tuple[int, int], profile: Sequence[float]) -> str:
    paid = ", ".join(f"{value:g}" for value in game.payoffs[place])
    values = tuple(game.finite[role].values[at] for role, at in zip(game.seats, place, strict=True))
    return f"[{paid}]" if tuple(profile) == values else paid


def _numbers(values: Floats) -> str:
    listed = [f"{value:g}" for value in values[:MOST_ACTIONS]]
    return ", ".join(listed) + (" …" if len(values) > MOST_ACTIONS else "")


def _draw_matrix(axes: Axes, game: StrategicGame, profile: Sequence[float]) -> None:
    rows, columns = (game.finite[role] for role in game.seats)
    own = game.payoffs[..., 0] == game.payoffs[..., 0].max(axis=0, keepdims=True)
    other = game.payoffs[..., 1] == game.payoffs[..., 1].max(axis=1, keepdims=True)
    axes.set_xlim(0, len(columns))
    axes.set_ylim(len(rows), 0)
    for row in range(len(rows)):
        for column in range(len(columns)):
            first, second = game.payoffs[row, column]
            marked = _cell(game, (row, column), profile).startswith("[")
            axes.add_patch(_square(column, row, marked))
            for value, at, best in ((first, 0.3, own[row, column]), (second, 0.7, other[row, column])):
                weight = "bold" if best else "normal"
                axes.text(column + at, row + 0.5, f"{value:g}", ha="center", va="center", weight=weight)
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns.names)
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows.names)
    axes.tick_params(length=0)
    axes.xaxis.tick_top()
    axes.set_xlabel("bold: best replies", fontsize=8)


def _square(column: int, row: int, marked: bool) -> Rectangle:
    from matplotlib import patches

    return patches.Rectangle((column, row), 1, 1, facecolor="0.9" if marked else "none", edgecolor="0.6")


def _draw_replies(axes: Axes, game: StrategicGame, profile: Sequence[float]) -> None:
    from ludens.envs.strategic.solutions import replies_to_all

    for role in game.roles:
        others, best = replies_to_all(game, role)
        if len(others):
            axes.step(others, best, where="mid", label=f"best reply of {role}")
    low, high = axes.get_xlim()
    axes.plot([low, high], [low, high], color="0.7", linewidth=0.8)
    if len(profile):
        axes.plot(profile[1:] or profile, [profile[0]] * max(1, len(profile) - 1), "k.", label="played")
    axes.set_xlabel("what every other player does")
    axes.set_ylabel("action")
    axes.legend(fontsize=8)
