"""Effects of the Moral Machine on a terminal: one row per attribute, people beside the policies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ludens.display.table import Cell, Table
from ludens.experiments.av.amce import ATTRIBUTES, PEOPLE, Effect, distance
from ludens.experiments.av.moral_result import MoralResult
from ludens.experiments.report.answering import remarks
from ludens.experiments.report.names import DASH, policy_name
from ludens.experiments.report.terminal import print_closing, print_table, say

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.av.people import PeoplesAnswers

_WIDTH = 11
_SHORT = {"higher status": "high status"}
_READING = (
    "How much more often a group is spared if it has the attribute, in percentage points, with 95 % "
    "intervals; people: Awad et al. (2018). Distance: Euclidean over the nine, people at 0. First place: per "
    "cent of scenarios in which the first group was spared; 50 unless the place mattered."
)

_PEOPLE = (
    "How much more often a group is spared if it has the attribute, in percentage points, with 95 % "
    "intervals clustered by person; people, 2018: as published (Awad et al. 2018). Distance: Euclidean over "
    "the nine."
)


def print_result(result: MoralResult, console: Console) -> None:
    """Print the nine effects of every policy, how answers were read, and the path of the report."""
    found = result.measures
    rows = _rows([each.effects for each in found])
    rows += [
        ("distance", ["0", *(_plain(each.distance, 2) for each in found)]),
        ("first place", [DASH, *(_plain(100 * (each.first.value or math.nan), 0) for each in found)]),
        ("unreadable", [DASH, *(str(each.invalid) for each in found)]),
        ("refused", [DASH, *(str(each.refused) for each in found)]),
    ]
    if any(each.low_mass for each in found):
        rows.append(("low answer mass", [DASH, *(str(each.low_mass) for each in found)]))
    headers = ["people", *(policy_name(each.policy) for each in found)]
    table = Table.of("Effects", _READING, headers, rows, corner="favours")
    # As wide as the longest interval, so that five policies fit into 80 columns.
    print_table(table, console, width=_WIDTH, sections={len(ATTRIBUTES) - 1})
    say(console, _READING, "dim")
    for sentence in remarks(result.decisions):
        say(console, sentence, "yellow")
    unfinished = result.ended < result.planned
    if unfinished:
        say(console, f"Unfinished: {result.ended} of {result.planned} questions asked.", "bold")
    print_closing(console, result.run_path, result.report_path, unfinished=unfinished)


def print_people(name: str, answers: PeoplesAnswers, console: Console) -> None:
    """Print the nine effects of people's answers beside the published ones, and what was left out."""
    found = answers.effects()
    rows = _rows([found])
    apart = distance({attribute: effect.value for attribute, effect in found.items()})
    rows.append(("distance", ["0", _plain(apart, 2)]))
    table = Table.of("Effects", _PEOPLE, ["people, 2018", name], rows, corner="favours")
    print_table(table, console, width=_WIDTH, sections={len(ATTRIBUTES) - 1})
    say(console, _PEOPLE, "dim")
    for sentence in answers.notes:
        say(console, sentence)


def _rows(found: Sequence[Mapping[str, Effect]]) -> list[tuple[str, list[Cell | str]]]:
    return [
        (
            _SHORT.get(favoured, favoured),
            [f"{100 * PEOPLE[name]:+.0f}", *(_effect(each[name]) for each in found)],
        )
        for name, favoured in ATTRIBUTES.items()
    ]


def _effect(effect: Effect) -> Cell:
    if math.isnan(effect.value):
        return Cell(DASH)
    # Rounded before it is shown, so that no zero has a sign.
    value = round(100 * effect.value) + 0
    if math.isnan(effect.error):
        return Cell(f"{value:+d}")
    low, high = (round(100 * end) + 0 for end in effect.interval)
    return Cell(f"{value:+d}", f"{low} to {high}")


def _plain(value: float, digits: int) -> str:
    return DASH if math.isnan(value) else f"{value:.{digits}f}"
