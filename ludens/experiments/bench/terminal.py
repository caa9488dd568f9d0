"""The summary of a benchmark in the terminal: one table, 80 columns wide, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ludens.experiments.measures.intervals import Estimate
from ludens.experiments.report.names import (
    DASH,
    PREFERENCES,
    number,
    number_range,
    percent,
    policy_name,
    share_range,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

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

_PREFERENCES = (
    "Preferences that explain the choices best: dislike of being behind (α) and ahead (β), weight on what "
    "would follow if everybody chose alike (κ), noise in points (λ); "
)

_WIDE, _FOR_WIDE = 72, (3, 6)  # narrower terminals have no room for regret and dollars beside the names
_FORCED = 0.5
_ENDLESS = 20_000  # an interval of preferences this long says nothing


def print_summary(result: BenchResult, console: Console) -> None:
    """Print it. Names are shown as they are, never as markup."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = [place for place in range(len(_HEADERS)) if console.width >= _WIDE or place not in _FOR_WIDE]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("policy", overflow="fold", max_width=27)
    for place in shown:
        table.add_column(_HEADERS[place], justify="right", no_wrap=True)
    for found in result.measures:
        tested = found.policy in result.models
        name = Text(policy_name(found.policy), style="bold" if tested else "")
        cells = _cells(found)
        end = found.policy == result.models[-1]
        table.add_row(name, *(cells[place] for place in shown), end_section=end)
    console.print(table)
    console.print(_READING, style="dim", highlight=False)
    print_preferences(result, console)
    for found in result.measures:
        mass = found.answer_mass.value
        if mass is not None and mass < _FORCED:
            console.print(_forced(found.policy, mass), style="yellow", markup=False, highlight=False)
    if result.ended < result.planned:
        console.print(f"Unfinished: {result.ended} of {result.planned} questions asked.", style="bold")
    console.print(f"Took {result.manifest['seconds']:.0f} s.", style="dim", highlight=False)
    console.print()
    for what, text in (
        ("Report", str(result.report_path or "not written yet")),
        ("Run", str(result.run_path)),
        ("Next model", "OPENAI_API_KEY=… ludens bench openai/gpt-5-mini"),
        ("", "ludens models  (what can run here)"),
        ("Report again", f"ludens report {result.run_path}"),
    ):
        # A path is never broken: it must survive being copied.
        console.print(f"{what:<13}{text}", markup=False, highlight=False, soft_wrap=True)


def print_preferences(result: BenchResult, console: Console) -> None:
    """Print what each policy's choices reveal: α, β, κ and λ with their intervals, or why there are none."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("preferences", overflow="fold", max_width=27)
    for symbol in PREFERENCES.values():
        table.add_column(symbol, justify="right", no_wrap=True)
    reasons: dict[str, list[str]] = {}
    wide = console.width >= _WIDE
    for found in result.measures:
        revealed = found.revealed[0]
        if revealed.reason:
            reasons.setdefault(revealed.reason, []).append(policy_name(found.policy))
        numbers = [revealed.parameters[name] for name in PREFERENCES]
        cells = [
            _two(number(each.value, _digits(each, digits)), _ends(each, digits) if wide else "")
            for each, digits in zip(numbers, (2, 2, 2, 1), strict=True)
        ]
        name = Text(policy_name(found.policy), style="bold" if found.policy in result.models else "")
        table.add_row(name, *cells, end_section=found.policy == result.models[-1])
    console.print(table)
    intervals = "with 95 % intervals." if wide else "the report has their intervals."
    console.print(_PREFERENCES + intervals, style="dim", highlight=False)
    for reason, policies in reasons.items():
        told = f"{', '.join(policies)}: {reason}."
        console.print(told, style="dim", markup=False, highlight=False)


def _digits(estimate: Estimate, digits: int) -> int:
    """Fewer digits where an interval is long, so that four of them fit the line."""
    longest = max(
        abs(each) for each in (estimate.value, estimate.low, estimate.high, 0.0) if each is not None
    )
    return digits if longest < 10 else min(digits, 1) if longest < 100 else 0


def _ends(estimate: Estimate, digits: int) -> str:
    if estimate.low is not None and estimate.high is not None and estimate.high - estimate.low >= _ENDLESS:
        return "any number"
    return number_range(estimate, _digits(estimate, digits)).replace(" to ", " … ")


def _forced(policy: str, mass: float) -> str:
    return (
        f"{policy_name(policy)} put {percent(mass)} per cent of its probability on the options it was "
        "offered, and the rest on other words: its choices were forced."
    )


def _cells(found: Measures) -> list[Text]:
    economicus, moralis = found.comparison(0.0), found.comparison(0.5)
    assert economicus is not None
    assert moralis is not None
    regret = economicus.regret
    unread = None
    if found.invalid.value is not None and found.refused.value is not None:
        unread = found.invalid.value + found.refused.value
    return [
        _share(found.overall),
        _share(economicus.agreement),
        _share(moralis.agreement),
        _two(number(regret.value), number_range(regret).replace(" to ", "–")),
        _share(found.first_shown),
        _two(percent(unread)),
        _two(f"{found.costs.cost:.2f}" if found.costs.calls else DASH),
    ]


def _share(estimate: Estimate) -> Text:
    return _two(percent(estimate.value), share_range(estimate))


def _two(value: str, below: str = "") -> Text:
    from rich.text import Text

    return Text.assemble(value, ("\n" + below, "dim") if below else "")
