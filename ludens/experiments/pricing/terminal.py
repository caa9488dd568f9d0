"""A run of the market on a terminal: results, 80 columns wide, and progress with current prices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ludens.display.table import Table
from ludens.experiments.measures.intervals import Estimate
from ludens.experiments.pricing.analysis import Analysis
from ludens.experiments.pricing.dynamics_page import dynamics_lines
from ludens.experiments.pricing.regression import Coefficient
from ludens.experiments.pricing.tables import effects_table, has_fines, oversight_table, sessions_of
from ludens.experiments.report.names import DASH, finite, number, number_range, policy_name
from ludens.experiments.report.terminal import print_closing, print_table, say, say_time
from ludens.experiments.runs.progress import is_live, spent
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.runs.recorder import Progress as Standing

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from ludens.experiments.pricing.effects import ImplantResult
    from ludens.experiments.pricing.result import PricingResult
    from ludens.experiments.pricing.session import OnPeriod, PeriodNews
    from ludens.experiments.pricing.verdicts import Judged, JudgeResult

MOST_RUNS = 24
_READING = (
    "T periods; means over the last ones, money per period divided by α; the price of a run is the mean over "
    "its firms. Δ of total profit: 0 at Nash, 1 at the largest joint profit; a firm's own Δ is a dash where "
    "joint pricing pays it no more than Nash. CS consumer surplus, DWL deadweight loss against the largest "
    "total surplus. Aborted runs enter no mean."
)
_FINES = "Profits and Δ are before fines."


def print_result(result: PricingResult, console: Console) -> None:
    """Print the runs, their means, the regression, and the path of the report."""
    print_analysis(result.analysis, console)
    _say_judged(result.judged, console, "dim")
    if result.reviews:
        print_table(oversight_table(result.reviews), console, names=30)
    found = result.analysis.groups[0]
    for each in result.analysis.measures:
        if each.status == "aborted":
            say(console, f"Run {each.run}: {each.detail}", "yellow")
    if found.unfinished:
        line = f"Unfinished: {found.unfinished} of {found.runs} runs are still to be played."
        say(console, line, "bold")
    say_time(console, result.manifest["seconds"], result.calls, sum(each.cost for each in result.costs))
    print_closing(console, result.run_path, result.report_path, unfinished=bool(found.unfinished))


def _say_judged(found: Sequence[Judged], console: Console, style: str = "") -> None:
    for each in found:
        by_model = f"{each.by_model} of {each.read} by the judge"
        say(console, f"{each.rule.title}: {by_model}, {each.by_rule} by words", style)


def print_analysis(found: Analysis, console: Console) -> None:
    """Print the measures."""
    from rich.text import Text

    print_table(_firms(found), console, names=30)
    if found.products:
        print_table(_products(found), console)
    if found.regimes:
        print_table(_regimes(found), console)
    print_table(
        _runs(found),
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
                f"mean price {_estimate(each.price, 3)}, Δ {_estimate(each.gain, 2)}; "
                f"{each.runs - each.aborted - each.unfinished} of {each.runs} played to the end",
            )
        )
    for line in dynamics_lines(found.dynamics):
        say(console, line)
    regression, null = found.regression, found.null
    if regression.own.value is not None:
        say(console, f"lagged prices: own {_slope(regression.own)}, rival's {_slope(regression.rival)}")
        if null is not None:
            line = f"own {_slope(null.own)}, rival's {_slope(null.rival)}"
            say(console, f"myopic best replies would give: {line}", "dim")
    for counted in found.sentences:
        if counted.share.value is not None:
            say(console, f"{counted.rule.title}: {counted.found} of {counted.sentences} sentences", "dim")
    if found.products:
        say(console, "The prices of a firm are means over its products.", "dim")
    say(console, f"{_READING} {_FINES}" if has_fines(found) else _READING, "dim")


def print_effects(result: ImplantResult, console: Console) -> None:
    """Print the effects of implanted sentences on prices: a line for each group, then its sentences."""
    table = effects_table(result.effects)
    styles = ["bold" if each.sentence is None else "" for each in result.effects]
    print_table(table, console, names=42, styles=styles)
    say(console, table.caption, "dim")
    unfinished = result.ended < result.planned
    print_closing(console, result.run_path, result.report_path, unfinished=unfinished)


def print_verdicts(result: JudgeResult, console: Console) -> None:
    """Print how many sentences of each kind a model and the keyword rules see."""
    _say_judged(result.judged, console)
    unfinished = result.ended < result.planned
    print_closing(console, result.run_path, result.report_path, unfinished=unfinished)


@contextmanager
def live(
    console: Console, title: str, *, periods: int, hidden: bool = False
) -> Iterator[tuple[OnProgress | None, OnPeriod | None]]:
    """Show a bar over all periods of all runs, the cost so far and the current prices of open runs while the
    block runs; nothing where nothing can be overwritten.
    """
    if hidden or not is_live(console):
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
            played = now.done * periods + sum(news.period + 1 for news in standing.values())
            bar.update(task, completed=played, total=now.total * periods, spent=spent(now))

        def heard(news: PeriodNews) -> None:
            standing[news.episode] = news
            if news.period + 1 == news.periods:
                del standing[news.episode]
            screen.update(_screen(bar, standing))

        yield report, heard


def _screen(bar: Any, standing: dict[int, PeriodNews]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    lines = [Text(_news(standing[episode]), style="dim") for episode in sorted(standing)[:8]]
    return Group(bar, *lines)


def _news(news: PeriodNews) -> str:
    scale = float(news.labels.get("scale", 1.0))
    prices = ", ".join(f"{price / scale:.3f}" for price in news.prices.values())
    return f"run {news.episode}, α = {scale:g}, period {news.period + 1} of {news.periods}: {prices}"


def _firms(found: Analysis) -> Table:
    fined, rows = has_fines(found), []
    led = any(each.led is not None for each in found.firms)
    for each in found.firms:
        cells = [number(each.nash, 3), *([number(each.led, 3)] if led else [])]
        cells += [number(each.joint, 3), number(each.price.value, 3)]
        cells += [number(each.gain.value, 2), number(each.profit.value, 2)]
        cells += [number(each.fine.value, 2)] if fined else []
        rows.append((f"firm {each.firm}: {policy_name(each.name)}", cells))
    headers = (
        "Nash",
        *(("leader",) if led else ()),
        "joint",
        "price",
        "own Δ",
        "profit",
        *(("fines",) if fined else ()),
    )
    return Table.of("Each firm", "", headers, rows)


def _products(found: Analysis) -> Table:
    rows = []
    for each in found.products:
        cells = [DASH if each.firm is None else str(each.firm)]
        cells += [number(price, 3) for price in (each.nash, each.joint, each.price.value)]
        rows.append((f"product {each.product}", [*cells, number(each.quantity.value, 2)]))
    return Table.of("Each product", "", ("firm", "Nash", "joint", "price", "quantity"), rows)


def _regimes(found: Analysis) -> Table:
    rows = []
    for each in found.regimes:
        group = each.group
        cells = [
            ",".join(map(str, each.present)) if len(each.present) < 8 else str(len(each.present)),
            _span(each.nash),
            _span(each.joint),
            *(number(of.value, 3) for of in (group.price, group.gain)),
            *(number(of.value, 2) for of in (group.profit, group.consumer_surplus, group.deadweight_loss)),
        ]
        rows.append((f"{each.first}–{each.last}", cells))
    headers = ("firms", "Nash", "joint", "price", "Δ", "profits", "CS", "DWL")
    return Table.of("Before and after", "", headers, rows, corner="periods")


def _span(prices: Sequence[float]) -> str:
    """Return the lowest and the highest of firms' prices, or the one that all have."""
    known = [price for price in prices if finite(price) is not None]
    low, high = (number(end(known), 2) for end in (min, max)) if known else (DASH, DASH)
    return low if low == high else f"{low}–{high}"


def _runs(found: Analysis) -> Table:
    fined, trained = has_fines(found), any(each.sessions for each in found.measures)
    rows = [
        (
            str(each.run),
            (
                *(f"{each.scale:g}", each.status, str(each.played)),
                *(number(each.price, 3), number(each.gain, 2), number(each.profit, 2)),
                *((number(each.fine, 2),) if fined else ()),
                *(number(each.consumer_surplus, 2), number(each.deadweight_loss, 2)),
                DASH if each.all_converged is None else "yes" if each.all_converged else "no",
                *((sessions_of(each),) if trained else ()),
            ),
        )
        for each in found.measures[:MOST_RUNS]
    ]
    headers = (
        "α",
        "status",
        "T",
        "price",
        "Δ",
        "profits",
        *(("fines",) if fined else ()),
        "CS",
        "DWL",
        "settled",
        *(("session",) if trained else ()),
    )
    return Table.of("Runs", "", headers, rows, corner="run")


def _estimate(estimate: Estimate, digits: int) -> str:
    between = number_range(estimate, digits)
    return number(estimate.value, digits) + (f" ({between})" if between else "")


def _slope(slope: Coefficient) -> str:
    if slope.low is None or slope.high is None:
        return number(slope.value, 2)
    return f"{number(slope.value, 2)} ({number(slope.low, 2)} to {number(slope.high, 2)})"
