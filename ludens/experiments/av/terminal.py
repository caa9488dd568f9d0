"""A run of the dilemma in the terminal: one table, 80 columns wide, and where the report lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ludens.experiments.av.measures import DilemmaMeasures
from ludens.experiments.measures.intervals import Estimate
from ludens.experiments.report.names import DASH, number, percent, policy_name, share_range
from ludens.experiments.runs.progress import dollars

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from ludens.experiments.av.result import DilemmaResult

SHOWN = (1, 10, 100)
"""Numbers of pedestrians for which the table shows approval."""

_READING = (
    "Per cent, with 95 % intervals: would sacrifice the passenger for so many pedestrians. κ: from the curve "
    "over all numbers, or between which thresholds answers switch. Moral, buys: ratings of the utilitarian "
    "program where both were asked; the gap is their difference. Unread: unreadable or refused."
)


def print_result(result: DilemmaResult, console: Console) -> None:
    """Print it. Names are shown as they are, never as markup."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = [n for n in SHOWN if any(n in found.approval for found in result.measures)]
    shown = shown or _spread(sorted({n for found in result.measures for n in found.approval}))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("respondent", overflow="fold", max_width=24)
    for header in (*(f"for\n{n}" for n in shown), "κ", "moral", "buys", "gap", "un-\nread"):
        table.add_column(header, justify="right", no_wrap=True)
    for found in result.measures:
        cells = [
            *(_share(found.approval.get(n)) for n in shown),
            Text(kappa(found)),
            *(_share(each) for each in (found.moral, found.buys)),
            _points(found.all_gaps),
            Text(_unread(found)),
        ]
        name = Text(policy_name(found.policy), style="bold" if found.policy in result.tested else "")
        table.add_row(name, *cells, end_section=found.policy == result.tested[-1])
    console.print(table)
    console.print(_READING, style="dim", highlight=False)
    for found in result.measures:
        if found.incomplete and found.policy in result.tested:
            told = (
                f"{policy_name(found.policy)}: {found.incomplete} of {found.asked} questions were not "
                "read in both orders, and enter nothing."
            )
            console.print(told, style="yellow", markup=False, highlight=False)
    if result.ended < result.planned:
        console.print(f"Unfinished: {result.ended} of {result.planned} questions asked.", style="bold")
    calls = sum(each.calls for each in result.costs.values())
    spent = (
        f" {calls} calls to models, {dollars(sum(each.cost for each in result.costs.values()))}."
        if calls
        else ""
    )
    console.print(f"Took {result.manifest['seconds']:.0f} s.{spent}", style="dim", highlight=False)
    console.print()
    lines = [("Run", str(result.run_path))]
    if result.report_path is not None:
        lines.insert(0, ("Report", str(result.report_path)))
    if result.ended < result.planned:
        lines.append(("Go on", f"ludens resume {result.run_path}"))
    for what, text in lines:
        # A path is never broken: it must survive being copied.
        console.print(f"{what:<13}{text}", markup=False, highlight=False, soft_wrap=True)


def kappa(found: DilemmaMeasures) -> str:
    """κ of the approval curve in a cell: a number, or between which thresholds it lies."""
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
    """The least, the middle and the largest of the numbers."""
    return sorted({numbers[0], numbers[len(numbers) // 2], numbers[-1]}) if numbers else []


def _unread(found: DilemmaMeasures) -> str:
    invalid, refused = found.invalid["all"].value, found.refused["all"].value
    return percent(None if invalid is None or refused is None else invalid + refused)


def _share(estimate: Estimate | None) -> Text:
    from rich.text import Text

    if estimate is None:
        return Text(DASH)
    below = share_range(estimate)
    return Text.assemble(percent(estimate.value), (f"\n{below}" if below else "", "dim"))


def _points(estimate: Estimate) -> Text:
    from rich.text import Text

    value = None if estimate.value is None else 100 * estimate.value
    return Text(number(value, 0))
