"""The beliefs under which answers in games are explained: given for all subjects, or stated by each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.envs import AnyGame, InformationSet, Strategy, uniform_strategy
from ludens.errors import UsageError
from ludens.preferences.beliefs import resolve_belief
from ludens.preferences.estimation.data.columns import Codes, Table, combined
from ludens.preferences.estimation.data.game_rows import GameRows
from ludens.preferences.preference import HOMO_ECONOMICUS

Floats = NDArray[np.float64]


def read_beliefs(
    read: GameRows, beliefs: str | Mapping[str, Any], *, whole_rows: bool
) -> tuple[Codes, list[Strategy]]:
    """Return the number of each row's belief, and the beliefs.

    Args:
        read: the rows.
        beliefs: ``"uniform"``, ``"equilibrium"`` (of homo economicus), ``"stated"``, or a mapping from games'
            names to beliefs.
        whole_rows: whether a row of the table is a whole strategy.

    Raises:
        UsageError: a belief is missing or wrong.
    """
    if isinstance(beliefs, str) and beliefs == "stated":
        return _stated(read, whole_rows)
    return read.game, [_given(game, beliefs) for game in read.games]


def _given(game: AnyGame, beliefs: str | Mapping[str, Any]) -> Strategy:
    """Return the belief that all subjects are assumed to hold in a game."""
    if isinstance(beliefs, Mapping):
        name = game.protocol or game.name
        if name not in beliefs:
            raise UsageError(f"The beliefs say nothing of {name!r}; add it, or give beliefs='uniform'.")
        return resolve_belief(game, HOMO_ECONOMICUS, beliefs[name])
    if beliefs == "equilibrium":
        return resolve_belief(game, HOMO_ECONOMICUS, beliefs)
    if beliefs != "uniform":
        raise UsageError(
            f"Beliefs are 'uniform', 'equilibrium', 'stated' (a column of the table) or a mapping from games "
            f"to beliefs; got {beliefs!r}."
        )
    return uniform_strategy(game)


def _stated(read: GameRows, whole_rows: bool) -> tuple[Codes, list[Strategy]]:
    """Return the number of each row's belief, and the distinct beliefs, as stated in each play."""
    table = read.table
    nodes, labels = (np.zeros(0, dtype=np.intp), []) if whole_rows else table.keys("node")
    of_play = np.zeros(len(read.starts), dtype=np.intp)
    beliefs: list[Strategy] = []
    for number, game in enumerate(read.games):
        plays = np.flatnonzero(read.game[read.starts] == number)
        place = np.zeros(len(read.starts), dtype=np.intp)
        place[plays] = np.arange(len(plays))
        stated = np.full((len(plays), game.width), np.nan)
        rows = np.flatnonzero(read.game == number)
        for node in game.information_sets:
            column = f"belief {node.label}" if whole_rows else "belief"
            here = rows
            if not whole_rows:
                here = rows[nodes[rows] == labels.index(node.label)] if node.label in labels else rows[:0]
            if len(here):
                _state(table, here, place[read.plays[here]], node, stated, column=column)
        _check_complete(read, game, plays, stated)
        codes, firsts = combined(*stated.T) if game.width else combined(np.zeros(len(plays)))
        of_play[plays] = len(beliefs) + codes
        beliefs += list(stated[firsts])
    return of_play[read.plays], beliefs


def _state(
    table: Table, rows: Codes, places: Codes, node: InformationSet, stated: Floats, *, column: str
) -> None:
    """Write down what rows state of a node: in `stated` (plays, width), at the place of each row's play."""
    if len(node.options) != 2:
        raise table.error(
            rows[0],
            column,
            f"is one number, and {node.label!r} has {len(node.options)} options; give a mapping of beliefs",
        )
    shares = table.shares(column)[rows]
    # Of rows of one play the first counts, and the others may say nothing else.
    stated[places[::-1], node.columns.start] = shares[::-1]
    said = stated[places, node.columns.start]
    apart = np.flatnonzero(said != shares)
    if len(apart):
        raise table.error(
            rows[apart[0]],
            column,
            f"states {shares[apart[0]]:g} where the same subject stated {said[apart[0]]:g} of the same node",
        )
    stated[places, node.columns.start + 1] = 1 - shares


def _check_complete(read: GameRows, game: AnyGame, plays: Codes, stated: Floats) -> None:
    unsaid = np.isnan(stated)
    if unsaid.any():
        play = int(np.argmax(unsaid.any(axis=1)))
        missing = next(node.label for node in game.information_sets if unsaid[play, node.columns].any())
        reason = (
            f"has no counterpart at {missing!r} of {game!r}: what others do there was not stated by this "
            "subject; add it, or give beliefs='uniform'"
        )
        raise read.table.error(read.starts[plays[play]], "belief", reason)
