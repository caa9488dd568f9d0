"""A pricing run in the terminal: the table of runs, 80 columns wide, and progress with current prices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ludens.experiments.measures.intervals import Estimate
from ludens.experiments.pricing.analysis import Analysis
from ludens.experiments.pricing.measures import RunMeasures
from ludens.experiments.pricing.regression import Coefficient
from ludens.experiments.report.names import DASH, number, number_range, policy_name
from ludens.experiments.runs.printable import printable
from ludens.experiments.runs.progress import dollars
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.runs.recorder import Progress as Standing

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from ludens.experiments.pricing.implant import Effect
    from ludens.experiments.pricing.play import PeriodNews
    from ludens.experiments.pricing.result import PricingResult
    from ludens.experiments.runs.run import Run

MOST_RUNS = 24
_READING = (
    "T periods; means over the last ones, prices divided by α. Δ: 0 at the Nash profit, 1 at the "
    "joint-profit one. Aborted runs enter no mean."
)


def print_result(result: PricingResult, console: Console) -> None:
    """Print the runs, their means, the regression, and where the report lies. Names are never markup."""
    print_analysis(result.analysis, console)
    for verdict in result.judged:
        by_model = f"{verdict.by_model} of {verdict.read} by the judge"
        told = f"{verdict.rule.title}: {by_model}, {verdict.by_rule} by words"
        _line(console, told, "dim")
    found = result.analysis.groups[0]
    if found.aborted:
        for each in result.analysis.measures:
            if each.status == "aborted":
                console.print(f"Run {each.run}: {printable(each.detail)}", style="yellow", markup=False)
    if found.unfinished:
        _line(console, f"Unfinished: {found.unfinished} of {found.runs} runs are still to be played.", "bold")
    spent = sum(each.cost for each in result.costs)
    calls = f" {result.calls} calls to models, {dollars(spent)}." if result.calls else ""
    _line(console, f"Took {result.manifest['seconds']:.0f} s.{calls}", "dim")
    console.print()
    lines = [("Report", str(result.report_path or "not written yet")), ("Run", str(result.run_path))]
    if found.unfinished:
        lines.append(("Go on", f"ludens resume {result.run_path}"))
    for what, text in lines:
        # A path is never broken: it must survive being copied.
        console.print(f"{what:<13}{text}", markup=False, highlight=False, soft_wrap=True)


def print_analysis(found: Analysis, console: Console) -> None:
    """The tables of what was measured."""
    from rich.text import Text

    for seat in found.firms:
        _line(console, f"firm {seat.firm}: {policy_name(seat.name)}", "bold")
    if found.measures:
        nash, joint = found.measures[0].nash, found.measures[0].joint
        _line(console, f"Nash price {nash:.3f}, joint-profit price {joint:.3f} (at α = 1)", "dim")
    console.print(_runs(found.measures))
    more = len(found.measures) - MOST_RUNS
    if more > 0:
        _line(console, f"… and {more} more (the report has all)", "dim")
    for each in found.groups:
        console.print(
            Text.assemble(
                (f"{each.name}: ", "bold"),
                f"price {_estimate(each.price, 3)}, Δ {_estimate(each.gain, 2)}; "
                f"{each.runs - each.aborted - each.unfinished} of {each.runs} played to the end",
            )
        )
    regression, null = found.regression, found.null
    if regression.own.value is not None:
        console.print(f"lagged prices: own {_slope(regression.own)}, rival's {_slope(regression.rival)}")
        if null is not None:
            told = f"own {_slope(null.own)}, rival's {_slope(null.rival)}"
            _line(console, f"myopic best replies would give: {told}", "dim")
    for counted in found.sentences:
        if counted.share.value is not None:
            _line(console, f"{counted.rule.title}: {counted.found} of {counted.sentences} sentences", "dim")
    console.print(_READING, style="dim", highlight=False)


def print_effects(found: Sequence[Effect], run: Run, console: Console) -> None:
    """What implanted sentences did to prices: a line for each group, below it its sentences."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("plans replaced by", overflow="fold", max_width=42)
    for name in ("price change", "95 % interval", "n", "unread"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in found:
        told = Text(each.group, style="bold") if each.sentence is None else Text(f"  {each.sentence}")
        between = number_range(each.change, 3) or DASH
        table.add_row(told, number(each.change.value, 3), between, str(each.change.n), str(each.invalid))
    console.print(table)
    reading = (
        "Against the same place with empty plans, prices divided by α; intervals over runs of the market."
    )
    console.print(reading, style="dim", highlight=False)
    console.print(f"{'Run':<13}{run.path}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def live(
    console: Console, title: str, *, periods: int
) -> Iterator[tuple[OnProgress | None, OnPeriod | None]]:
    """A bar over all periods of all runs, with the cost so far and each open run's current prices, while the
    block runs; nothing where `console` is no terminal.
    """
    if not console.is_terminal:
        yield None, None
        return
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[spent]}"),
        TimeElapsedColumn(),
        console=console,
    )
    task = bar.add_task(title, total=None, spent="")
    standing: dict[int, PeriodNews] = {}
    with Live(_screen(bar, standing), console=console, transient=True, refresh_per_second=4) as screen:

        def report(now: Standing) -> None:
            spent = f"{now.calls} calls · {dollars(now.cost)}" if now.calls else ""
            bar.update(task, total=now.total * periods, spent=spent)

        def heard(news: PeriodNews) -> None:
            standing[news.episode] = news
            bar.advance(task)
            if news.period + 1 == news.periods:
                del standing[news.episode]
            screen.update(_screen(bar, standing))

        yield report, heard


OnPeriod = Callable[["PeriodNews"], None]


def _screen(bar: Any, standing: dict[int, PeriodNews]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    lines = [Text(_news(standing[episode]), style="dim") for episode in sorted(standing)[:8]]
    return Group(bar, *lines)


def _news(news: PeriodNews) -> str:
    scale = float(news.labels.get("scale", 1.0))
    prices = ", ".join(f"{price / scale:.3f}" for price in news.prices.values())
    return f"run {news.episode}, α = {scale:g}, period {news.period + 1} of {news.periods}: {prices}"


def _runs(measures: Sequence[RunMeasures]) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("run", "α"):
        table.add_column(name, justify="right", no_wrap=True, min_width=len(str(len(measures))))
    table.add_column("status", no_wrap=True, min_width=7)
    for name in ("T", "price", "each firm's", "Δ", "each firm's", "settled"):
        table.add_column(name, justify="right", no_wrap=True, overflow="ellipsis")
    for found in measures[:MOST_RUNS]:
        settled = found.all_converged
        row = [
            *(str(found.run), f"{found.scale:g}", found.status, str(found.played)),
            *(number(found.price, 3), _each(found.prices), number(found.gain, 2), _each(found.gains)),
            DASH if settled is None else "yes" if settled else "no",
        ]
        table.add_row(*map(Text, row), style="yellow" if found.status == "aborted" else None)
    return table


def _each(values: tuple[float, ...] | None) -> str:
    if values is None:
        return DASH
    shown = [number(value if value == value else None, 2) for value in values]  # noqa: PLR0124 (NaN)
    return " ".join(shown[:4]) + (" …" if len(shown) > 4 else "")


def _estimate(estimate: Estimate, digits: int) -> str:
    between = number_range(estimate, digits)
    return number(estimate.value, digits) + (f" ({between})" if between else "")


def _slope(slope: Coefficient) -> str:
    if slope.low is None or slope.high is None:
        return number(slope.value, 2)
    return f"{number(slope.value, 2)} ({number(slope.low, 2)} to {number(slope.high, 2)})"


def _line(console: Console, text: str, style: str) -> None:
    console.print(text, style=style, markup=False, highlight=False)
