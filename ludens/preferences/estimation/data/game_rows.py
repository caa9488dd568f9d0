"""Who sat down to which game, from the columns of a table: the frame in which its answers stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ludens.envs import FAMILIES, PROTOCOLS, GameTree
from ludens.errors import UsageError
from ludens.preferences.estimation.data.columns import Codes, Table, combined


@dataclass(frozen=True, eq=False)
class GameRows:
    """What every row says: subject, game, and the sitting (one subject in one round of one game) it belongs
    to.
    """

    table: Table
    subjects: Codes
    names: list[str]
    games: list[GameTree]
    game: Codes
    plays: Codes
    starts: Codes


def read_game_rows(table: Table, known: Mapping[str, GameTree]) -> GameRows:
    """The sittings of a table; `known` are games by name, beside the published protocols.

    Raises:
        UsageError: there is no such game, or a column is missing.
    """
    subjects, names = table.keys("subject")
    game, games = _games(table, known)
    rounds = table.keys("round")[0] if "round" in table else np.zeros(len(table), dtype=np.intp)
    plays, starts = combined(subjects, game, rounds)
    return GameRows(table, subjects, names, games, game, plays, starts)


def _games(table: Table, known: Mapping[str, GameTree]) -> tuple[Codes, list[GameTree]]:
    if "protocol" in table:
        codes, called = table.keys("protocol")
        there = {**PROTOCOLS, **known}
        for number, name in enumerate(called):
            if name not in there:
                row = int(np.argmax(codes == number))
                raise table.error(row, "protocol", f"names {name}, and there are only {', '.join(there)}")
        return codes, [there[name] for name in called]
    families, called = table.keys("game")
    for number, name in enumerate(called):
        if name not in FAMILIES:
            row = int(np.argmax(families == number))
            raise table.error(row, "game", f"names {name}, and there are only {', '.join(FAMILIES)}")
    numbers = {name: table.numbers(name) for family in called for name in FAMILIES[family].parameters}
    codes, firsts = combined(families, *numbers.values())
    games = []
    for row in firsts:
        family = FAMILIES[called[families[row]]]
        try:
            games.append(family.game(payoffs=[float(numbers[name][row]) for name in family.parameters]))
        except UsageError as error:
            raise table.error(row, "game", f"is {family.name}, but {str(error).rstrip('.')}") from None
    return codes, games
