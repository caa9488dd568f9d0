"""Answers in games, from a table with a row for each answer at a node or for each whole strategy.

*Nodes*: ``subject, protocol, node, choice``; with a column `probability`, a row for each option and the
probability that the subject takes it. A column `round` distinguishes answers to the same question.
*Strategies*: ``subject, protocol, strategy``, the options at all nodes in the game's order, as in ``trust /
reciprocate``; with `probability`, a row for each strategy.

For other games, a column `game` with the family's name and columns with its payoffs (T, R, P, S) replace
`protocol`. Stated beliefs are a column `belief` beside each answer at a node, or ``belief <node>`` beside a
strategy: the probability that others take the node's first option.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.envs import AnyGame, pure_strategies
from ludens.errors import UsageError
from ludens.preferences.estimation.data.beliefs import read_beliefs
from ludens.preferences.estimation.data.choices import Choices, read_clusters
from ludens.preferences.estimation.data.columns import Codes, Table, combined
from ludens.preferences.estimation.data.game_rows import GameRows, read_game_rows
from ludens.preferences.estimation.data.games import Answers, game_choices
from ludens.preferences.estimation.models.linear import Model

Floats = NDArray[np.float64]

_TOLERANCE = 1e-6


def read_games(
    table: Table, model: Model, *, beliefs: str | Mapping[str, Any], whole: str, games: Mapping[str, AnyGame]
) -> Choices:
    """Read answers in games; see `ludens.preferences.estimation.read_choices`.

    Raises:
        UsageError: a column is missing or a cell wrong.
    """
    read = read_game_rows(table, games)
    whole_rows = "strategy" in table
    if whole_rows and whole == "nodes":
        raise UsageError(
            "The table holds whole strategies, which whole='nodes' cannot take apart: leave that out."
        )
    answers = _strategies(read) if whole_rows else _moves(read, whole)
    believed, vectors = read_beliefs(read, beliefs, whole_rows=whole_rows)
    # A situation is a game with a belief: equal ones are counted together.
    situation, firsts = combined(read.game, believed)
    situations = [(read.games[read.game[row]], vectors[believed[row]]) for row in firsts]
    rows = answers.situations  # until here these are rows of the table
    found = Answers(answers.subjects, situation[rows], answers.whole, answers.events, answers.weights)
    clusters = read_clusters(table, read.subjects, len(read.names))
    return game_choices(found, situations, model, subjects=read.names, clusters=clusters, rows=rows)


def _moves(read: GameRows, whole: str) -> Answers:
    table = read.table
    columns, sets = _columns(read)
    fractional = "probability" in table
    shares = table.shares("probability") if fractional else np.ones(len(table))
    # A question is a node in a sitting; each is answered once, or by probabilities that sum to 1.
    questions, starts = combined(read.plays, sets)
    asked, first = combined(questions, columns) if fractional else (questions, starts)
    if len(first) < len(table):
        second = int(np.argmax(first[asked] != np.arange(len(table))))
        earlier = f"{table.row_word} {table.rows[first[asked[second]]]}"
        what = "gives this option a second time" if fractional else "answers this node a second time"
        reason = f"{what}, after {earlier}; a column round distinguishes answers to the same question"
        raise table.error(second, "node", reason)
    if fractional:
        sums = np.bincount(questions, shares)
        wrong = np.flatnonzero(np.abs(sums - 1) > _TOLERANCE)
        if len(wrong):
            raise table.error(
                starts[wrong[0]],
                "probability",
                f"sums to {sums[wrong[0]]:g} over the options given at this node, where probabilities sum "
                f"to 1",
            )
    rows = np.arange(len(table))
    if fractional or whole == "nodes":
        if whole == "strategies":
            raise UsageError(
                "Probabilities at single nodes do not tell those of whole strategies: leave "
                "whole='strategies' out."
            )
        return Answers(read.subjects, rows, np.zeros(len(table), dtype=bool), columns, shares)
    return _put_together(read, columns, whole)


def _put_together(read: GameRows, columns: Codes, whole: str) -> Answers:
    """Return whole strategies for plays that are answered at every node, and single moves for the others."""
    needed = np.array([len(game.information_sets) for game in read.games])[read.game[read.starts]]
    given = np.bincount(read.plays, minlength=len(read.starts))
    complete = given == needed
    if whole == "strategies" and not complete.all():
        row = read.starts[np.argmin(complete)]
        reason = (
            f"begins a strategy in {read.games[read.game[row]]!r} of which nodes are missing; add them, or "
            "take answers node by node with whole='auto'"
        )
        raise read.table.error(row, None, reason)
    # Every pure strategy's number is a sum over its options, since the first node varies slowest.
    worth = np.zeros(len(columns), dtype=np.intp)
    for number, game in enumerate(read.games):
        of_game = read.game == number
        worth[of_game] = _worths(game)[columns[of_game]]
    strategies = np.bincount(read.plays, worth, len(read.starts)).astype(np.intp)
    alone = ~complete[read.plays]
    wholes, singles = read.starts[complete], np.flatnonzero(alone)
    rows = np.concatenate([wholes, singles])
    return Answers(
        read.subjects[rows],
        rows,
        np.repeat([True, False], [len(wholes), len(singles)]),
        np.concatenate([strategies[complete], columns[singles]]),
        np.ones(len(rows)),
    )


def _worths(game: AnyGame) -> Codes:
    """Return what each column of a strategy vector adds to the number of a pure strategy."""
    sizes = [len(node.options) for node in game.information_sets]
    strides = np.append(np.cumprod(sizes[::-1])[::-1][1:], 1) if sizes else np.zeros(0)
    return np.concatenate(
        [np.arange(size) * stride for size, stride in zip(sizes, strides, strict=True)]
    ).astype(np.intp)


def _columns(read: GameRows) -> tuple[Codes, Codes]:
    """Return each row's column in its game's strategy vector, and the number of its node in the game."""
    table = read.table
    nodes, labels = table.keys("node")
    choices, options = table.answers("choice")
    asked, firsts = combined(read.game, nodes, choices)
    columns, sets = np.zeros(len(firsts), dtype=np.intp), np.zeros(len(firsts), dtype=np.intp)
    for place, row in enumerate(firsts):
        game, label, option = read.games[read.game[row]], labels[nodes[row]], options[choices[row]]
        known = [node.label for node in game.information_sets]
        if label not in known:
            raise table.error(row, "node", f"names {label!r}, and {game!r} has only {', '.join(known)}")
        node = game.information_set(label)
        if option not in node.options:
            raise table.error(
                row,
                "choice",
                f"holds {option!r}, where {game!r} offers {', '.join(node.options)} at {label!r}",
            )
        columns[place], sets[place] = node.columns.start + node.options.index(option), known.index(label)
    return columns[asked], sets[asked]


def _strategies(read: GameRows) -> Answers:
    table = read.table
    codes, texts = table.keys("strategy")
    asked, firsts = combined(read.game, codes)
    numbers = np.zeros(len(firsts), dtype=np.intp)
    for place, row in enumerate(firsts):
        numbers[place] = _strategy(table, row, read.games[read.game[row]], texts[codes[row]])
    fractional = "probability" in table
    shares = table.shares("probability") if fractional else np.ones(len(table))
    events = numbers[asked]
    again, first = combined(read.plays, events) if fractional else (read.plays, read.starts)
    if len(first) < len(table):
        second = int(np.argmax(first[again] != np.arange(len(table))))
        raise table.error(
            second,
            "strategy",
            "is a second one of this subject in this game; a column round tells them apart",
        )
    if fractional:
        sums = np.bincount(read.plays, shares)
        wrong = np.flatnonzero(np.abs(sums - 1) > _TOLERANCE)
        if len(wrong):
            what = f"sums to {sums[wrong[0]]:g} over the strategies given, where probabilities sum to 1"
            raise table.error(read.starts[wrong[0]], "probability", what)
    return Answers(read.subjects, np.arange(len(table)), np.ones(len(table), dtype=bool), events, shares)


def _strategy(table: Table, row: int, game: AnyGame, text: str) -> int:
    parts = [part.strip() for part in text.split("/")]
    sets = game.information_sets
    if len(parts) != len(sets):
        wanted = " / ".join(node.label for node in sets)
        raise table.error(
            row, "strategy", f"names {len(parts)} options, where {game!r} has {len(sets)} nodes ({wanted})"
        )
    number = 0
    for part, node in zip(parts, sets, strict=True):
        if part not in node.options:
            raise table.error(
                row,
                "strategy",
                f"holds {part!r}, where {game!r} offers {', '.join(node.options)} at {node.label!r}",
            )
        number = number * len(node.options) + node.options.index(part)
    return number


def strategy_text(game: AnyGame, number: int) -> str:
    """Return a pure strategy, by its number, as tables write it: ``"trust / reciprocate"``."""
    row = pure_strategies(game)[number]
    return " / ".join(node.options[int(np.argmax(row[node.columns]))] for node in game.information_sets)
