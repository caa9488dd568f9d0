"""The results of the dilemma on a terminal, 80 columns wide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ludens.display.table import Cell, Table
from ludens.experiments.av.measures import DilemmaMeasures
from ludens.experiments.report.answering import remarks
from ludens.experiments.report.cells import share
from ludens.experiments.report.names import DASH, number, percent, policy_name
from ludens.experiments.report.terminal import print_closing, print_table, say, say_time

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.av.result import DilemmaResult

SHOWN = (1, 10, 100)
"""Numbers of pedestrians for which the table shows approval."""

_READING = (
    "Per cent, with 95 % intervals: would sacrifice the passenger for so many pedestrians. κ: from the curve "
    "over all numbers, or between which thresholds answers switch. Moral, buys: ratings of the utilitarian "
    "program where both were asked; the gap is their difference. Unread: unreadable or refused."
)


def print_result(result: DilemmaResult, console: Console) -> None:
    """Print the main measures of all policies, and where the report lies."""
    shown = [n for n in SHOWN if any(n in each.approval for each in result.measures)]
    shown = shown or _spread(sorted({n for each in result.measures for n in each.approval}))
    table = Table.of(
        "The dilemma",
        _READING,
        (*(f"for\n{n}" for n in shown), "κ", "moral", "buys", "gap", "un-\nread"),
        [(policy_name(each.policy), _cells(each, shown)) for each in result.measures],
        corner="policy",
        tested=[each.policy in result.tested for each in result.measures],
    )
    print_table(table, console, names=24)
    say(console, _READING, "dim")
    for each in result.measures:
        if each.incomplete and each.policy in result.tested:
            line = (
                f"{policy_name(each.policy)}: {each.incomplete} of {each.asked} questions were not read in "
                "both orders, and enter nothing."
            )
            say(console, line, "yellow")
    for sentence in remarks(result.decisions):
        say(console, sentence, "yellow")
    unfinished = result.ended < result.planned
    if unfinished:
        say(console, f"Unfinished: {result.ended} of {result.planned} questions asked.", "bold")
    costs = result.costs.values()
    calls, cost = sum(each.calls for each in costs), sum(each.cost for each in costs)
    say_time(console, result.manifest["seconds"], calls, cost)
    print_closing(console, result.run_path, result.report_path, unfinished=unfinished)


def kappa(found: DilemmaMeasures) -> str:
    """Return κ of the approval curve as text: a number, or the thresholds between which it lies."""
    curve = found.curve
    if curve.kappa is not None:
        between = curve.kappa_interval
        ends = f"\n{number(between[0], 2)}–{number(between[1], 2)}" if between is not None else ""
        return number(curve.kappa, 2) + ends
    if curve.bounds is None:
        return DASH
    low, high = curve.bounds
    if low == high:
        return number(low, 2)
    return f"≥{low:.2g}" if high == float("inf") else f"≤{high:.2g}" if low == 0 else f"{low:.2g}–{high:.2g}"


def _spread(numbers: list[int]) -> list[int]:
    """Return the least, the middle and the largest of the numbers."""
    return sorted({numbers[0], numbers[len(numbers) // 2], numbers[-1]}) if numbers else []


def _cells(found: DilemmaMeasures, shown: Sequence[int]) -> list[Cell]:
    value, _, below = kappa(found).partition("\n")
    gap = found.all_gaps.value
    lost = [each["all"].value for each in (found.invalid, found.refused, found.low_mass)]
    return [
        *(share(found.approval.get(n)) for n in shown),
        Cell(value, below),
        *(share(each) for each in (found.moral, found.buys)),
        Cell(number(None if gap is None else 100 * gap, 0)),
        Cell(percent(None if None in lost else sum(each or 0 for each in lost))),
    ]
