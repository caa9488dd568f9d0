"""A run of the market on a terminal: results, 80 columns wide, and progress with current prices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ludens.experiments.measures.intervals import Estimate
from ludens.experiments.pricing.analysis import Analysis
from ludens.experiments.pricing.measures import RunMeasures
from ludens.experiments.pricing.regression import Coefficient
from ludens.experiments.report.names import DASH, finite, number, number_range, policy_name
from ludens.experiments.report.table import Table
from ludens.experiments.report.terminal import print_closing, print_places, print_table, say, say_time
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
    """Print the runs, their means, the regression, and where the report lies."""
    print_analysis(result.analysis, console)
    for judged in result.judged:
        by_model = f"{judged.by_model} of {judged.read} by the judge"
        say(console, f"{judged.rule.title}: {by_model}, {judged.by_rule} by words", "dim")
    found = result.analysis.groups[0]
    for each in result.analysis.measures:
        if each.status == "aborted":
            say(console, f"Run {each.run}: {each.detail}", "yellow")
    if found.unfinished:
        told = f"Unfinished: {found.unfinished} of {found.runs} runs are still to be played."
        say(console, told, "bold")
    say_time(console, result.manifest["seconds"], result.calls, sum(each.cost for each in result.costs))
    print_closing(console, result.run_path, result.report_path, unfinished=bool(found.unfinished))


def print_analysis(found: Analysis, console: Console) -> None:
    """Print what was measured."""
    from rich.text import Text

    for seat in found.firms:
        say(console, f"firm {seat.firm}: {policy_name(seat.name)}", "bold")
    if found.measures:
        nash, joint = found.measures[0].nash, found.measures[0].joint
        say(console, f"Nash price {nash:.3f}, joint-profit price {joint:.3f} (at α = 1)", "dim")
    print_table(
        _runs(found.measures),
        console,
        left={"status"},
        styles=["yellow" if each.status == "aborted" else "" for each in found.measures[:MOST_RUNS]],
    )
    more = len(found.measures) - MOST_RUNS
    if more > 0:
        say(console, f"… and {more} more (the report has all)", "dim")
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
        say(console, f"lagged prices: own {_slope(regression.own)}, rival's {_slope(regression.rival)}")
        if null is not None:
            told = f"own {_slope(null.own)}, rival's {_slope(null.rival)}"
            say(console, f"myopic best replies would give: {told}", "dim")
    for counted in found.sentences:
        if counted.share.value is not None:
            say(console, f"{counted.rule.title}: {counted.found} of {counted.sentences} sentences", "dim")
    say(console, _READING, "dim")


def print_effects(found: Sequence[Effect], run: Run, console: Console) -> None:
    """Print the effects of implanted sentences on prices: each group, and below it its sentences."""
    rows = [
        (
            each.group if each.sentence is None else f"  {each.sentence}",
            [
                number(each.change.value, 3),
                number_range(each.change, 3) or DASH,
                str(each.change.n),
                str(each.invalid),
            ],
        )
        for each in found
    ]
    headers = ("price change", "95 % interval", "n", "unread")
    caption = (
        "Against the same place with empty plans, prices divided by α; intervals over runs of the market."
    )
    table = Table.of("Effects", caption, headers, rows, corner="plans replaced by")
    styles = ["bold" if each.sentence is None else "" for each in found]
    print_table(table, console, names=42, styles=styles)
    say(console, caption, "dim")
    print_places(console, [("Run", run.path)])


@contextmanager
def live(
    console: Console, title: str, *, periods: int
) -> Iterator[tuple[OnProgress | None, OnPeriod | None]]:
    """Show a bar over all periods of all runs, the cost so far and the current prices of open runs while the
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


def _runs(measures: Sequence[RunMeasures]) -> Table:
    rows = [
        (
            str(each.run),
            (
                *(f"{each.scale:g}", each.status, str(each.played)),
                *(number(each.price, 3), _each(each.prices), number(each.gain, 2), _each(each.gains)),
                DASH if each.all_converged is None else "yes" if each.all_converged else "no",
            ),
        )
        for each in measures[:MOST_RUNS]
    ]
    headers = ("α", "status", "T", "price", "each firm's", "Δ", "each firm's", "settled")
    return Table.of("Runs", "", headers, rows, corner="run")


def _each(values: tuple[float, ...] | None) -> str:
    if values is None:
        return DASH
    shown = [number(finite(value), 2) for value in values]
    return " ".join(shown[:4]) + (" …" if len(shown) > 4 else "")


def _estimate(estimate: Estimate, digits: int) -> str:
    between = number_range(estimate, digits)
    return number(estimate.value, digits) + (f" ({between})" if between else "")


def _slope(slope: Coefficient) -> str:
    if slope.low is None or slope.high is None:
        return number(slope.value, 2)
    return f"{number(slope.value, 2)} ({number(slope.low, 2)} to {number(slope.high, 2)})"
