"""The beliefs under which answers in games are explained: given for all subjects, or stated by each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.envs import GameTree, InformationSet, Strategy, uniform_strategy
from ludens.errors import UsageError
from ludens.preferences.beliefs import resolve_belief
from ludens.preferences.estimation.data.columns import Codes, Table
from ludens.preferences.estimation.data.game_rows import GameRows
from ludens.preferences.preference import HOMO_ECONOMICUS

Floats = NDArray[np.float64]


def read_beliefs(
    read: GameRows, beliefs: str | Mapping[str, Any], *, whole_rows: bool
) -> tuple[Codes, list[Strategy]]:
    """Return the number of each row's belief, and the beliefs.

    Args:
        read: the rows.
        beliefs: ``"uniform"``, ``"stated"``, or a mapping from games' names to beliefs.
        whole_rows: whether a row of the table is a whole strategy.

    Raises:
        UsageError: a belief is missing or wrong.
    """
    if isinstance(beliefs, str) and beliefs == "stated":
        return _stated(read, whole_rows)
    return read.game, [_given(game, beliefs) for game in read.games]


def _given(game: GameTree, beliefs: str | Mapping[str, Any]) -> Strategy:
    """Return the belief that all subjects are assumed to hold in a game."""
    if isinstance(beliefs, Mapping):
        name = game.protocol or game.name
        if name not in beliefs:
            raise UsageError(f"The beliefs say nothing of {name!r}; add it, or give beliefs='uniform'.")
        return resolve_belief(game, HOMO_ECONOMICUS, beliefs[name])
    if beliefs != "uniform":
        raise UsageError(
            f"Beliefs are 'uniform', 'stated' (a column of the table) or a mapping from games to beliefs; "
            f"got {beliefs!r}."
        )
    return uniform_strategy(game)


def _stated(read: GameRows, whole_rows: bool) -> tuple[Codes, list[Strategy]]:
    """Return the number of each row's belief, and the beliefs: one per play, as stated in it."""
    table = read.table
    vectors = [np.full(read.games[read.game[row]].width, np.nan) for row in read.starts]
    if whole_rows:
        for play, row in enumerate(read.starts):
            for node in read.games[read.game[row]].information_sets:
                column = f"belief {node.label}"
                _state(table, row, node, table.shares(column), vectors[play], column=column)
    else:
        shares = table.shares("belief")
        nodes, labels = table.keys("node")
        for row, play in enumerate(read.plays):
            node = read.games[read.game[row]].information_set(labels[nodes[row]])
            _state(table, row, node, shares, vectors[play])
    for vector, row in zip(vectors, read.starts, strict=True):
        if np.isnan(vector).any():
            game = read.games[read.game[row]]
            missing = next(
                node.label for node in game.information_sets if np.isnan(vector[node.columns]).any()
            )
            reason = (
                f"has no counterpart at {missing!r} of {game!r}: what others do there was not stated by this "
                "subject; add it, or give beliefs='uniform'"
            )
            raise table.error(row, "belief", reason)
    return read.plays, vectors


def _state(
    table: Table, row: int, node: InformationSet, shares: Floats, vector: Floats, *, column: str = "belief"
) -> None:
    share = float(shares[row])
    if len(node.options) != 2:
        raise table.error(
            row,
            column,
            f"is one number, and {node.label!r} has {len(node.options)} options; give a mapping of beliefs",
        )
    said = vector[node.columns.start]
    if not np.isnan(said) and said != share:
        raise table.error(
            row, column, f"states {share:g} where the same subject stated {said:g} of the same node"
        )
    vector[node.columns] = share, 1 - share
