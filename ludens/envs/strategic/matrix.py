"""Games of two players from their payoff matrices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from ludens.envs.strategic.actions import named
from ludens.envs.strategic.game import Floats, StrategicGame
from ludens.envs.tree.nodes import GameError


def symmetric_game(name: str, role: str, actions: Sequence[str], payoffs: ArrayLike) -> StrategicGame:
    """Return the game of two exchangeable players.

    Args:
        name: the game's family.
        role: what both of them are.
        actions: their names.
        payoffs: one's own points by own action (rows) and the other's (columns).

    Raises:
        GameError: the table does not have one row and one column for each action.
    """
    table = _table(name, payoffs, (len(actions), len(actions)))
    return StrategicGame(name, {role: 2}, {role: named(*actions)}, partial(_both, table, table.T))


def bimatrix_game(
    name: str, roles: tuple[str, str], actions: tuple[Sequence[str], Sequence[str]], payoffs: ArrayLike
) -> StrategicGame:
    """Return the game of two players in different roles.

    Args:
        name: the game's family.
        roles: of the two players.
        actions: their names, for each role.
        payoffs: points of both, shape (actions of the first, actions of the second, 2).

    Raises:
        GameError: the table has another shape.
    """
    table = _table(name, payoffs, (*map(len, actions), 2))
    choices = {role: named(*names) for role, names in zip(roles, actions, strict=True)}
    return StrategicGame(name, dict.fromkeys(roles, 1), choices, partial(_both, table[..., 0], table[..., 1]))


def _both(first: Floats, second: Floats, profiles: Floats) -> Floats:
    row, column = profiles[..., 0].astype(np.intp), profiles[..., 1].astype(np.intp)
    return np.stack([first[row, column], second[row, column]], axis=-1)


def _table(name: str, payoffs: ArrayLike, shape: tuple[int, ...]) -> Floats:
    table = np.asarray(payoffs, dtype=np.float64)
    if table.shape != shape:
        raise GameError(f"The payoffs of {name!r} have shape {table.shape}, and its actions need {shape}.")
    return table
