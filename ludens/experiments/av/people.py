"""People's answers to the Moral Machine, from files in the public layout SharedResponses (Awad et al., Nature
563, 2018; osf.io/3hvt2).

Such a file has a row for each of the two groups of a scenario; both have the same ``ResponseID``:

* ``Intervention``: 1 where the group dies if the vehicle swerves, so that inaction spares it;
* ``Barrier``: 1 where it sits in the vehicle; ``PedPed``: 1 where both groups are pedestrians;
* ``CrossingSignal``: 0 without a signal, 1 where it crosses lawfully, 2 unlawfully;
* ``AttributeLevel``: its level of the attribute in which the groups differ; ``Saved``: whether it was spared.

Effects come from `ludens.experiments.av.amce`, as those of models do, with errors clustered by ``UserID``; a
row is weighted by the inverse of the published probability of its cell. The difference to the published
effects is that a response enters whole or not at all: of passengers, *relation* takes only those
who were set against pedestrians without a signal.
"""

from __future__ import annotations

import csv
import os
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.envs.av.moral_machine.scenarios import CHARACTERS, TYPES, Scenarios
from ludens.errors import UsageError
from ludens.experiments.av.amce import Effect, effects
from ludens.preferences.estimation.data.files import UNREADABLE, open_text

_COUNTS = (
    "Man", "Woman", "Pregnant", "Stroller", "OldMan", "OldWoman", "Boy", "Girl", "Homeless", "LargeWoman",
    "LargeMan", "Criminal", "MaleExecutive", "FemaleExecutive", "FemaleAthlete", "MaleAthlete",
    "FemaleDoctor", "MaleDoctor", "Dog", "Cat",
)  # fmt: skip
_CODES = ("Intervention", "PedPed", "Barrier", "CrossingSignal", "Saved", *_COUNTS)
_TEXTS = ("ResponseID", "UserID", "AttributeLevel", "ScenarioType", "ScenarioTypeStrict")
_NUMBERS = {text: number for number in range(10) for text in (str(number), f"{number}.0")}
_KINDS = {
    "Species": "species", "Social Status": "social status", "Social Value": "social status",
    "Gender": "gender", "Age": "age", "Fitness": "fitness", "Utilitarian": "number", "Random": "random",
}  # fmt: skip
_TYPES = {name: TYPES.index(kind) for name, kind in _KINDS.items()}
_LEVELS = {
    **dict.fromkeys(("Hoomans", "Humans", "High", "Female", "Young", "Fit", "More"), 1),
    **dict.fromkeys(("Pets", "Low", "Male", "Old", "Fat", "Less"), 0),
}
_OF_TWO = re.compile(r"(res_\d+)_[12]")  # answers of models that others published name both rows apart
_ROWS = 50_000  # rows read at once


@dataclass(frozen=True, eq=False)
class PeoplesAnswers:
    """People's answers to scenarios of the Moral Machine, n of them.

    Attributes:
        scenarios: the scenarios; the group named first is that of a response's first row.
        spared: (n,) 1 where the first group was spared, otherwise 0.
        people: (n,) the number of who answered; answers without a ``UserID`` have a number each.
        cells: (n, 2) the published probability of each row's cell of structural factors.
        notes: what was read and what was left out, in sentences.
    """

    scenarios: Scenarios
    spared: NDArray[np.float64]
    people: NDArray[np.int64]
    cells: NDArray[np.float64]
    notes: tuple[str, ...]

    def effects(self) -> dict[str, Effect]:
        """Estimate the nine AMCEs, with errors clustered by person."""
        return effects(self.scenarios, self.spared, clusters=self.people, cells=self.cells)


def read_answers(path: str | os.PathLike[str], *, country: str | None = None) -> PeoplesAnswers:
    """Read a file in the layout SharedResponses, row by row; some 100 bytes of each stay in memory.

    Args:
        path: CSV, plain or compressed (.gz, .tar.gz, .bz2, .xz, .zip).
        country: the ``UserCountry3`` of the answers to take, such as ``"USA"``; None for all.

    Raises:
        UsageError: the file cannot be read, lacks a column, or holds no whole answer.
    """
    place = Path(path)
    codes, texts = _Rows(), _Pairs()
    try:
        with open_text(place) as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            wanted = [*_CODES, *_TEXTS, *(["UserCountry3"] if country else [])]
            missing = [name for name in wanted if name not in header]
            if missing:
                raise UsageError(
                    f"{place} has no column {missing[0]!r}: people's answers to the Moral Machine need the "
                    "columns of SharedResponses."
                )
            twice = [name for name, count in Counter(header).items() if count > 1]
            if twice:
                raise UsageError(f"{place} has two columns called {twice[0]!r}; rename one.")
            for block in _blocks(reader, place, len(header)):
                columns = dict(zip(header, zip(*block, strict=True), strict=True))
                taken = None
                if country:
                    taken = np.array([cell == country for cell in columns["UserCountry3"]])
                texts.add(columns, codes.add(columns, taken))
    except (*UNREADABLE, UnicodeDecodeError) as why:
        raise UsageError(f"The file {place} cannot be read ({why}): name another file.") from None
    if not any(map(len, codes.parts)) and not codes.unreadable:
        asked = f" from the country {country!r}" if country else ""
        raise UsageError(f"{place} holds no row{asked}: name another file{' or country' if country else ''}.")
    return _answers(codes, texts, place)


def _blocks(reader: Any, place: Path, width: int) -> Iterator[list[list[str]]]:
    while block := list(islice(reader, _ROWS)):
        rows = [row for row in block if row]
        for row in rows:
            if len(row) != width:
                raise UsageError(
                    f"A row of {place}, near line {reader.line_num}, has {len(row)} cells and its header "
                    f"{width}: correct it."
                )
        if rows:
            yield rows


class _Rows:
    """The coded columns of the rows that were read, one byte a cell."""

    def __init__(self) -> None:
        self.parts: list[NDArray[np.int8]] = []
        self.unreadable = 0

    def add(self, columns: Mapping[str, tuple[str, ...]], taken: NDArray[np.bool_] | None) -> list[int]:
        """Keep the readable rows of a block, and return their places in it."""
        size = len(columns["ResponseID"])
        names = {"AttributeLevel": _LEVELS, "ScenarioType": _TYPES, "ScenarioTypeStrict": _TYPES}
        coded = np.empty((size, len(_CODES) + len(names)), dtype=np.int8)
        for at, (name, meaning) in enumerate({**dict.fromkeys(_CODES, _NUMBERS), **names}.items()):
            coded[:, at] = [meaning.get(cell, -1) for cell in columns[name]]
        known = np.all(coded[:, : len(_CODES)] >= 0, axis=1) & np.all(coded[:, :5] <= (1, 1, 1, 2, 1), axis=1)
        known &= np.array([cell != "" for cell in columns["ResponseID"]])
        taken = np.ones(size, dtype=np.bool_) if taken is None else taken
        self.unreadable += int((taken & ~known).sum())
        kept = np.flatnonzero(taken & known)
        self.parts.append(coded[kept])
        return [int(row) for row in kept]


class _Pairs:
    """The rows that belong together, and who answered."""

    def __init__(self) -> None:
        self.waiting: dict[str, int] = {}
        self.first, self.second, self.person = array("q"), array("q"), array("q")
        self.people: dict[str, int] = {}
        self.rows = 0

    def add(self, columns: Mapping[str, tuple[str, ...]], kept: list[int]) -> None:
        """Pair the kept rows of a block with each other and with those that wait for their other row."""
        names, users = columns["ResponseID"], columns["UserID"]
        for row in kept:
            name = names[row]
            if two := _OF_TWO.fullmatch(name):
                name = two[1]
            before = self.waiting.pop(name, None)
            if before is None:
                self.waiting[name] = self.rows
            else:
                self.first.append(before)
                self.second.append(self.rows)
                self.person.append(self.people.setdefault(users[row], len(self.people)) if users[row] else -1)
            self.rows += 1


def _answers(rows: _Rows, pairs: _Pairs, place: Path) -> PeoplesAnswers:
    coded = np.concatenate(rows.parts) if rows.parts else np.zeros((0, len(_CODES) + 3), dtype=np.int8)
    both = np.stack(
        [np.asarray(pairs.first, dtype=np.int64), np.asarray(pairs.second, dtype=np.int64)], axis=1
    )
    intervention, walking, aboard, _, saved = (coded[:, at][both] for at in range(5))
    whole = (saved.sum(axis=1) == 1) & (intervention.sum(axis=1) == 1)
    whole &= (walking[:, 0] == walking[:, 1]) & (aboard.sum(axis=1) == 1 - walking[:, 0])
    both, person = both[whole], np.asarray(pairs.person, dtype=np.int64)[whole]
    notes = [
        f"{len(both)} answers of {len(np.unique(person[person >= 0]))} people"
        + (f", and {int((person < 0).sum())} of them without a name." if np.any(person < 0) else ".")
    ]
    for number, why in (
        (rows.unreadable, "with cells that are empty or no code of the layout"),
        (len(pairs.waiting), "without the other row of their response"),
        (2 * int((~whole).sum()), "of responses whose two rows contradict each other"),
    ):
        if number:
            notes.append(f"Left out: {number} rows {why}.")
    if not len(both):
        raise UsageError(f"{place} holds no whole answer. {' '.join(notes[1:])}".rstrip())
    person[person < 0] = len(pairs.people) + np.arange((person < 0).sum())
    intervention, walking, aboard, signal, saved = (coded[:, at][both] for at in range(5))
    level, kind, strict = (coded[:, len(_CODES) + at][both] for at in range(3))
    # An attribute is at stake where both rows name it and one of the groups has it.
    differ = np.all((kind == kind[:, :1]) & (strict == kind[:, :1]) & (level >= 0), axis=1)
    differ &= level[:, 0] != level[:, 1]
    differ &= (kind[:, 0] >= 0) & (kind[:, 0] != TYPES.index("random"))
    cells = _cells(intervention, walking, aboard, signal)
    scenarios = Scenarios(
        type=np.where(differ, kind[:, 0], TYPES.index("random")).astype(np.int64),
        counts=coded[:, 5 : 5 + len(CHARACTERS)][both],
        level=np.where(differ[:, None], level, -1).astype(np.int64),
        passengers=aboard == 1,
        legality=np.array([0, 1, -1])[np.where(aboard == 1, 0, signal)],
        signal=np.any((signal > 0) & (aboard == 0), axis=1),
        inaction=intervention == 1,
        probability=cells.min(axis=1),
    )
    return PeoplesAnswers(scenarios, saved[:, 0].astype(np.float64), person, cells, tuple(notes))


def _cells(
    intervention: NDArray[np.int8],
    walking: NDArray[np.int8],
    aboard: NDArray[np.int8],
    signal: NDArray[np.int8],
) -> NDArray[np.float64]:
    """Return the probability of each row's cell, as in the published analysis: those of passengers do not
    depend on the signal.
    """
    swerving, lawful = intervention == 1, signal == 1
    # Of two groups of pedestrians, the one in the vehicle's way crosses lawfully less often.
    likelier = np.where(walking == 1, swerving == lawful, ~lawful)
    signals = np.where(signal == 0, 0.48, np.where(likelier, 0.32, 0.2))
    sides = np.where(walking == 1, 0.48, np.where(swerving, 0.2, 0.32))
    return np.where(aboard == 1, np.where(swerving, 0.32, 0.2), sides * signals)
