"""The subject, the game and the play that each row of a table of answers in games belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ludens.envs import LIBRARY, AnyGame, find_game, protocols
from ludens.envs.games import is_protocol
from ludens.errors import UsageError
from ludens.preferences.estimation.data.columns import Codes, Table, combined


@dataclass(frozen=True, eq=False)
class GameRows:
    """The rows of a table of answers in games; a *play* is one subject in one round of one game.

    Attributes:
        table: the table.
        subjects: the number of each row's subject, shape (rows,).
        names: the subjects' names.
        games: the games that occur.
        game: the number of each row's game, shape (rows,).
        plays: the number of each row's play, shape (rows,).
        starts: the first row of each play, shape (plays,).
    """

    table: Table
    subjects: Codes
    names: list[str]
    games: list[AnyGame]
    game: Codes
    plays: Codes
    starts: Codes


def read_game_rows(table: Table, known: Mapping[str, AnyGame]) -> GameRows:
    """Read subjects, games and plays from a table; `known` holds games by name, beside the published
    protocols.

    Raises:
        UsageError: there is no game of a name in the table, or a column is missing.
    """
    subjects, names = table.keys("subject")
    game, games = _games(table, known)
    rounds = table.keys("round")[0] if "round" in table else np.zeros(len(table), dtype=np.intp)
    plays, starts = combined(subjects, game, rounds)
    return GameRows(table, subjects, names, games, game, plays, starts)


def _games(table: Table, known: Mapping[str, AnyGame]) -> tuple[Codes, list[AnyGame]]:
    if "protocol" in table:
        codes, called = table.keys("protocol")
        for number, name in enumerate(called):
            if name not in known and not is_protocol(name):
                row = int(np.argmax(codes == number))
                raise table.error(
                    row, "protocol", f"names {name!r}, and there are only {', '.join([*protocols(), *known])}"
                )
        return codes, [known[name] if name in known else find_game(name) for name in called]
    families, called = table.keys("game")
    for number, name in enumerate(called):
        if name not in LIBRARY:
            row = int(np.argmax(families == number))
            raise table.error(row, "game", f"names {name!r}, and there are only {', '.join(LIBRARY)}")
    numbers = {name: table.numbers(name) for family in called for name in LIBRARY[family].parameters}
    codes, firsts = combined(families, *numbers.values())
    games = []
    for row in firsts:
        family = LIBRARY[called[families[row]]]
        try:
            games.append(family.game(payoffs=[float(numbers[name][row]) for name in family.parameters]))
        except UsageError as error:
            raise table.error(row, "game", f"is {family.name}, but {str(error).rstrip('.')}") from None
    return codes, games
