"""Rounds of repeated games with two actions, as tables and runs hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError
from ludens.preferences.estimation.data.columns import Table, combined
from ludens.preferences.estimation.data.files import open_table
from ludens.preferences.estimation.strategies.automata import Actions

_WORDS = dict.fromkeys(("c", "coop", "cooperate", "1", "true"), 1) | dict.fromkeys(
    ("d", "defect", "0", "false"), 0
)


@dataclass(frozen=True)
class Rounds:
    """Matches of repeated games, each seen by one of its players.

    Attributes:
        own, other: what the player and the other did, shape (matches, rounds).
        subjects: the number of the subject of each match, shape (matches,).
        names: of the subjects.
    """

    own: Actions
    other: Actions
    subjects: NDArray[np.intp]
    names: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many choices there are."""
        return int((self.own >= 0).sum())


def rounds_of(
    subjects: Sequence[Any], matches: Sequence[Any], rounds: Sequence[int], own: Sequence[int],
    other: Sequence[int],
) -> Rounds:  # fmt: skip
    """Return rounds from one row for each choice, in any order.

    Args:
        subjects: whose choice it is.
        matches: the repeated game within the subject's.
        rounds: the round's number; a match begins with its lowest and skips none.
        own: what the subject did, 1 to cooperate and 0 to defect.
        other: what the other one did.

    Raises:
        UsageError: there is no row, or a match lacks a round or has one twice.
    """
    if not len(own):
        raise UsageError("There are no rounds of a repeated game to estimate strategies from.")
    names = tuple(dict.fromkeys(map(str, subjects)))
    numbers = {name: place for place, name in enumerate(names)}
    whose = np.array([numbers[str(each)] for each in subjects])
    places = {each: place for place, each in enumerate(dict.fromkeys(matches))}
    games, _ = combined(whose, np.array([places[each] for each in matches]))
    when = np.asarray(rounds)
    first = np.full(games.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, games, when)
    at = when - first[games]
    counts = np.bincount(games)
    table = np.full((2, len(counts), int(counts.max())), -1, dtype=np.int8)
    if np.any(at >= counts[games]):
        row = int(np.flatnonzero(at >= counts[games])[0])
        raise UsageError(
            f"The match {matches[row]!r} of subject {subjects[row]!r} has round {when[row]} and lacks one "
            "before it: give every round once."
        )
    table[0, games, at], table[1, games, at] = own, other
    if np.any((table[0] >= 0).sum(axis=1) != counts):
        game = int(np.flatnonzero((table[0] >= 0).sum(axis=1) != counts)[0])
        row = int(np.flatnonzero(games == game)[0])
        raise UsageError(
            f"The match {matches[row]!r} of subject {subjects[row]!r} has a round twice: give every "
            "round once."
        )
    owner = np.zeros(len(counts), dtype=np.intp)
    owner[games] = whose
    return Rounds(table[0], table[1], owner, names)


def read_rounds(
    table: Any,
    columns: Mapping[str, str] | None = None,
    *,
    codes: Mapping[str, str] | None = None,
    **reading: Any,
) -> Rounds:
    """Read a table with one row for each subject and round.

    Args:
        table: a data frame, a mapping of columns, or a file.
        columns: the table's names of ``subject``, ``match``, ``round``, ``own`` and ``other``.
        codes: meaning of other words for what was done, as in ``{"1": "defect", "2": "cooperate"}``; without
            them C, cooperate and 1 are to cooperate, and D, defect and 0 to defect.
        reading: ``delimiter``, ``decimal`` or ``sheet`` of a file.

    Raises:
        UsageError: a column is missing, or a cell cannot be read.
    """
    names = dict(columns or {})
    if unknown := sorted(set(names) - {"subject", "match", "round", "own", "other"}):
        raise UsageError(
            f"A table of rounds has the columns subject, match, round, own and other, not {unknown[0]!r}."
        )
    opened = open_table(table, names, **reading)
    whose, subjects = opened.keys("subject")
    matches, games = opened.keys("match")
    return rounds_of(
        [subjects[code] for code in whose.tolist()],
        [games[code] for code in matches.tolist()],
        _whole(opened).tolist(),
        _actions(opened, "own", codes or {}).tolist(),
        _actions(opened, "other", codes or {}).tolist(),
    )


def _whole(table: Table) -> NDArray[np.int64]:
    values = table.numbers("round")
    wrong = np.flatnonzero(values != np.round(values))
    if len(wrong):
        raise table.error(int(wrong[0]), "round", "holds no whole number: number the rounds of each match")
    return values.astype(np.int64)


def _actions(table: Table, column: str, codes: Mapping[str, str]) -> NDArray[np.int8]:
    found, texts = table.keys(column)
    values = [_WORDS.get(codes.get(text, text).strip().lower().removesuffix(".0"), -1) for text in texts]
    actions = np.array(values, dtype=np.int8)[found]
    wrong = np.flatnonzero(actions < 0)
    if len(wrong):
        held = f"holds {texts[found[wrong[0]]]!r}: write cooperate or defect, C or D, 1 or 0, or give codes"
        raise table.error(int(wrong[0]), column, held)
    return actions
