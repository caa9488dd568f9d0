"""Gambit's mixed equilibria of two-player games in which both move at once, recorded in
`golden/gambit_mixed.json`.

``make golden-mixed`` runs this file, which writes the record; it needs no compiler, because the versions of
pygambit from 17 on have wheels (`tests.gambit` is written for older ones). Each entry is one game:

    name           a published game, or a drawn one
    first, second  the payoffs of both players, tables of rows and columns
    equilibria     the extreme Nash equilibria that Gambit enumerates: two mixtures of exact fractions
    gambit         the version that was asked
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ludens.envs import LIBRARY, StrategicGame, find_game

GOLDEN = Path(__file__).parent / "golden" / "gambit_mixed.json"

Record = dict[str, Any]


def records() -> list[Record]:
    """The recorded answers, in the order of the file."""
    found: list[Record] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


def games() -> Iterator[tuple[str, Any, Any]]:
    """The published games of two players with few actions, and drawn ones, the last with many ties."""
    for name in (name for family in LIBRARY.values() for name in family.protocols):
        game = find_game(name)
        if isinstance(game, StrategicGame) and len(game.seats) == 2 and max(game.payoffs.shape[:2]) <= 10:
            yield name, game.payoffs[..., 0], game.payoffs[..., 1]
    rng = np.random.default_rng(7)
    for number in range(60):
        high = 100 if number < 45 else 3
        size = rng.integers(2, 6, 2)
        yield f"drawn {number}", rng.integers(0, high, size), rng.integers(0, high, size)


def answers() -> Iterator[Record]:
    """What Gambit says of each game."""
    import pygambit

    for name, first, second in games():
        rows, columns = first.shape
        names = [" ".join(f'"{place}"' for place in range(count)) for count in (rows, columns)]
        text = f'NFG 1 R "game" {{ "first" "second" }} {{ {{ {names[0]} }} {{ {names[1]} }} }} ""\n'
        outcomes = "\n".join(
            f'{{ "" {_exact(first[row, column])}, {_exact(second[row, column])} }}'
            for column in range(columns)
            for row in range(rows)
        )
        numbers = " ".join(str(place + 1) for place in range(rows * columns))
        there = pygambit.read_nfg(io.StringIO(f"{text}{{\n{outcomes}\n}}\n{numbers}\n"))
        found = pygambit.nash.enummixed_solve(there, rational=True).equilibria
        yield {
            "name": name,
            "first": first.tolist(),
            "second": second.tolist(),
            "equilibria": [
                [
                    [str(profile[player][str(place)]) for place in range(count)]
                    for player, count in (("first", rows), ("second", columns))
                ]
                for profile in found
            ],
            "gambit": version("pygambit"),
        }


def _exact(number: float) -> str:
    return str(Fraction(str(float(number))))


def main() -> None:
    """Write the record, a line per game."""
    lines = ",\n".join(json.dumps(record) for record in answers())
    GOLDEN.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
