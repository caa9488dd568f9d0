"""The summary of a benchmark on a terminal, 80 columns wide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ludens.display.table import Cell, Table
from ludens.experiments.bench.rationality import remarks_on, variance_shares
from ludens.experiments.bench.tables import policy_table
from ludens.experiments.measures.intervals import Estimate
from ludens.experiments.report.answering import remarks
from ludens.experiments.report.cells import share
from ludens.experiments.report.names import (
    DASH,
    PREFERENCES,
    number,
    number_range,
    percent,
    policy_name,
)
from ludens.experiments.report.terminal import print_closing, print_table, say, say_time

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.bench.metrics import Measures
    from ludens.experiments.bench.result import BenchResult

_HEADERS = (
    *("coop-\nerates", "econo-\nmicus", "moralis\nκ=0.5", "regret\necon."),
    *("first\nshown", "un-\nread", "US $"),
)
_READING = (
    "Per cent, with 95 % intervals: cooperates; agrees with homo economicus and with homo moralis; takes the "
    "option shown first (50: no bias); unreadable or refused. Regret: points per game."
)

_SHORT = {
    "wording": "word-\ning",
    "together": "toge-\nther",
    "repetition": "repeti-\ntion",
    "reasoning": "reason-\ning",
}
_RATIONALITY = (
    "First of all: do answers repeat (1: always)? Per cent of their variance that games, wordings and orders "
    "make, and that repetition leaves; per cent of games that some (α, β, κ) explain."
)

_PREFERENCES = (
    "Preferences that explain the choices best: dislike of being behind (α) and ahead (β), weight on what "
    "would follow if everybody chose alike (κ), noise in points (λ); "
)

_DIFFERENCES = (
    "Preferences of one model less those of another, with 95 % intervals from the errors of both, clustered "
    "by game; and the p-value of the hypothesis that all are the same (Wald)."
)

_WIDE, _FOR_WIDE = 72, (3, 6)  # narrower terminals have no room for regret and dollars beside the names
_ENDLESS = 20_000  # an interval of preferences this long says nothing


def print_summary(result: BenchResult, console: Console) -> None:
    """Print the main measures of all policies, what their choices reveal, and what to do next."""
    shown = [place for place in range(len(_HEADERS)) if console.width >= _WIDE or place not in _FOR_WIDE]
    rows = [_cells(each) for each in result.measures]
    headers = [_HEADERS[place] for place in shown]
    _print(result, "policy", headers, [[row[place] for place in shown] for row in rows], console)
    say(console, _READING, "dim")
    print_rationality(result, console)
    print_preferences(result, console)
    print_differences(result, console)
    for sentence in remarks(result.decisions, result.manifest["config"].get("persona")):
        say(console, sentence, "yellow")
    unfinished = result.ended < result.planned
    if unfinished:
        say(console, f"Unfinished: {result.ended} of {result.planned} questions asked.", "bold")
    costs = [each.costs for each in result.measures]
    calls, cost = sum(each.calls for each in costs), sum(each.cost for each in costs)
    say_time(console, result.manifest["seconds"], calls, cost)
    print_closing(
        console,
        result.run_path,
        result.report_path,
        unfinished=unfinished,
        further=[
            ("Next model", "OPENAI_API_KEY=… ludens bench openai/gpt-5-mini"),
            ("", "ludens models  (what can run here)"),
            ("Report again", f"ludens report {result.run_path}"),
        ],
    )


def print_rationality(result: BenchResult, console: Console) -> None:
    """Print whether answers repeat, what moves them and what preferences explain, and what that means for
    estimates.
    """
    parts = {name: None for each in result.reliabilities.values() for name in variance_shares(each)}
    headers = ["test–\nretest", *(_SHORT.get(name, name) for name in parts), "ex-\nplained"]
    explained = {each.policy: each.rationality.rationalised.value for each in result.measures}
    rows = []
    for policy, found in result.reliabilities.items():
        shares = variance_shares(found)
        row = [Cell(number(found.icc.value, 2)), *(Cell(percent(shares.get(name))) for name in parts)]
        rows.append([*row, Cell(percent(explained.get(policy)))])
    _print(result, "rationality", headers, rows, console, further=list(result.over_settings))
    say(console, _RATIONALITY, "dim")
    for each in result.measures:
        if each.policy in result.models:
            for sentence in remarks_on(each.policy, each.rationality):
                say(console, sentence, "yellow")


def print_preferences(result: BenchResult, console: Console) -> None:
    """Print what each policy's choices reveal: α, β, κ and λ with their intervals, or why there are none."""
    reasons: dict[str, list[str]] = {}
    wide, rows = console.width >= _WIDE, []
    for each in result.measures:
        revealed = each.revealed[0]
        if revealed.reason:
            reasons.setdefault(revealed.reason, []).append(policy_name(each.policy))
        estimates = [revealed.parameters[name] for name in PREFERENCES]
        rows.append(
            [
                Cell(number(one.value, _digits(one, digits)), _ends(one, digits) if wide else "")
                for one, digits in zip(estimates, (2, 2, 2, 1), strict=True)
            ]
        )
    _print(result, "preferences", list(PREFERENCES.values()), rows, console)
    intervals = "with 95 % intervals." if wide else "the report has their intervals."
    say(console, _PREFERENCES + intervals, "dim")
    for reason, policies in reasons.items():
        say(console, f"{', '.join(policies)}: {reason}.", "dim")


def print_differences(result: BenchResult, console: Console) -> None:
    """Print how the preferences of the models under test differ; nothing of fewer than two."""
    differences = [each for each in result.differences if each.beliefs == "uniform"]
    if not differences:
        return
    wide, rows = console.width >= _WIDE, []
    for each in differences:
        gaps = [each.estimate(name) for name in PREFERENCES]
        cells = [
            Cell(number(gap.value, _digits(gap, digits)), _ends(gap, digits) if wide else "")
            for gap, digits in zip(gaps, (2, 2, 2, 1), strict=True)
        ]
        equal = DASH if each.test is None else "<.001" if each.test.p < 0.001 else f"{each.test.p:.3f}"
        rows.append((f"{policy_name(each.policy)} − {policy_name(each.other)}", [*cells, Cell(equal)]))
    headers = [*PREFERENCES.values(), "p, all\nsame"]
    print_table(Table.of("", "", headers, rows, corner="differences"), console, names=27)
    say(console, _DIFFERENCES, "dim")


def _print(
    result: BenchResult,
    corner: str,
    headers: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    console: Console,
    *,
    further: Sequence[str] = (),
) -> None:
    table = policy_table(result, "", "", headers, rows, corner=corner, further=further)
    print_table(table, console, names=27)


def _digits(estimate: Estimate, digits: int) -> int:
    """Return fewer digits where an interval is long, so that four of them fit a line."""
    longest = max(
        abs(each) for each in (estimate.value, estimate.low, estimate.high, 0.0) if each is not None
    )
    return digits if longest < 10 else min(digits, 1) if longest < 100 else 0


def _ends(estimate: Estimate, digits: int) -> str:
    if estimate.low is not None and estimate.high is not None and estimate.high - estimate.low >= _ENDLESS:
        return "any number"
    return number_range(estimate, _digits(estimate, digits)).replace(" to ", " … ")


def _cells(found: Measures) -> list[Cell]:
    economicus, moralis = found.comparison(0.0), found.comparison(0.5)
    assert economicus is not None
    assert moralis is not None
    regret = economicus.regret
    unread = None
    lost = [each.value for each in (found.invalid, found.refused, found.low_mass) if each.value is not None]
    if lost:
        unread = sum(lost)
    return [
        share(found.overall),
        share(economicus.agreement),
        share(moralis.agreement),
        Cell(number(regret.value), number_range(regret).replace(" to ", "–")),
        share(found.first_shown),
        Cell(percent(unread)),
        Cell(f"{found.costs.cost:.2f}" if found.costs.calls else DASH),
    ]
