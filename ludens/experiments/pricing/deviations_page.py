"""The report of forced deviations: the path with every branch beside it, the mean response, and the "
"tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ludens.display.svg import MUTED, RULE
from ludens.display.table import Cell, Table
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.experiments.pricing.deviations import (
    NOBODY,
    DeviateResult,
    Deviation,
    Response,
    market_of,
)
from ludens.experiments.pricing.figures import impulse_responses
from ludens.experiments.report import drawing, provenance
from ludens.experiments.report.cells import measured, share
from ludens.experiments.report.names import DASH, number, policy_name, shortened
from ludens.experiments.report.page import Page, Picture
from ludens.experiments.report.terminal import print_closing, print_table, say
from ludens.experiments.report.transcripts import Entry, Transcripts
from ludens.experiments.runs.records import DecisionRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

MOST = 12
"""Branches that are drawn one by one; the table has all."""

NOTES = (
    "The test is that of Calvano, Calzolari, Denicolò & Pastorello (2020), for firms of any kind: their "
    "strategies answer a forced static best reply with a price cut of 12.7 % in the next period, 93.6 % of "
    "such deviations are unprofitable, and prices are back after 5 to 7 periods.",
    "That a deviation does not pay shows that high prices are sustained by what follows. Rivals that cut "
    "their prices after any change, or that always do, punish nothing: look at the path beside the branch.",
)

_WIDTH = 8.6


def page(result: DeviateResult) -> Page:
    """Return what the report of forced deviations shows."""
    config = result.manifest["config"]
    names = [policy_name(name) for name in config["played"]["firms"]]
    length = config["length"]
    forced = "one period" if length == 1 else f"{length} periods"
    first = min((point["period"] for point in config["points"]), default=1)
    return Page(
        title=" against ".join(names),
        lead=f"One firm was forced to {target_name(config['to'])} for {forced}; then all firms went on as "
        "themselves. Do the others punish it, and does the deviation pay?",
        kind="forced deviation",
        warnings=(*provenance.unfinished(result.ended, result.planned, result.run_path), *_warnings(result)),
        pictures=pictures(result),
        tables=[responses_table(result.responses, config), branches_table(result.deviations)],
        transcripts=Transcripts(
            [record for record in result.decisions if _shown(record)],
            _entry,
            start="period",
            caption="Every decision from the first forced period on. Those of the policy repeated stand in "
            "the source, and nobody was asked again.",
        ),
        notes=NOTES,
        facts=provenance.facts(
            result.manifest,
            result.run_path,
            {
                "source": Path(config["source"]).name,
                "forced": f"to {target_name(config['to'])}, from period {first} on, for {forced}",
                "then": f"{config['after']} periods",
                "replicates": str(config["replicates"]),
                "discount factor δ": f"{_discount(config):g}",
                "tolerance": f"{100 * config['tolerance']:g} %",
            },
        ),
    )


def pictures(result: DeviateResult) -> list[Picture]:
    """Return the mean response and the branches one by one; one without anything to show has no figure."""
    some = [each for each in result.deviations if each.differs]
    more = f" The first {MOST} of {len(some)}; the table has all." if len(some) > MOST else ""
    return [
        Picture(
            "branches",
            "The path, and what the deviation made of it",
            "Prices divided by α. Thin and dashed: the path, on which nobody was forced. Shaded: the "
            "periods in which the firm was forced. Grey: the Nash price (dotted) and the joint-profit "
            f"price (dashed) of each firm.{more}",
            branches(some[:MOST], result.manifest["config"]) if some else None,
        ),
        Picture(
            "responses",
            "How do prices change against the path?",
            "Price of the same period against the path's, in per cent, means over all deviations; thin: "
            "the rivals in each of the first hundred.",
            _mean_response(some),
        ),
    ]


def branches(found: Sequence[Deviation], config: dict[str, Any]) -> Figure:
    """Draw every branch beside its path, a panel for each."""
    from matplotlib.ticker import MaxNLocator

    across = min(len(found), 2)
    down = -(-len(found) // across)
    market = market_of(config).scaled(1.0)
    benchmarks = ((nash_prices(market), (0, (1, 1.5))), (monopoly_prices(market), (0, (4, 2))))
    with drawing.new_figure(_WIDTH, 0.8 + 2.3 * down) as figure:
        grid = figure.subplots(down, across, sharey=True, squeeze=False).ravel().tolist()
        for axes in grid[len(found) :]:
            axes.set_visible(False)
        for axes, each in zip(grid, found, strict=False):
            periods = each.start + np.arange(len(each.prices))
            axes.axvspan(each.period - 0.5, each.period - 0.5 + config["length"], color=RULE, zorder=0.5)
            for prices, dashes in benchmarks:
                for price in sorted({round(float(price), 6) for price in prices}):
                    axes.axhline(price, color=MUTED, linewidth=0.8, linestyle=dashes, zorder=1)
            for firm in range(each.prices.shape[1]):
                colour = drawing.COLOURS[firm % len(drawing.COLOURS)]
                axes.plot(periods, each.path[:, firm], color=colour, linewidth=0.9, linestyle=(0, (3, 2)))
                line: Any = {"linewidth": 1.5, "marker": "o", "markersize": 2.6}
                axes.plot(periods, each.prices[:, firm], color=colour, label=f"firm {firm}", **line)
            title = f"run {each.source}, period {each.period}: firm {each.firm} is forced"
            gain = "" if each.gain is None else f", gain {number(100 * each.gain, 1)} %"
            axes.set_title(title + gain, fontsize=8, loc="left")
            drawing.quiet(axes)
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes.set_xlabel("period", fontsize=8, color=MUTED)
        grid[0].set_ylabel("price / α", fontsize=8, color=MUTED)
        handles, _ = grid[0].get_legend_handles_labels()
        names = [
            f"firm {firm}: {shortened(policy_name(name), 34)}" for firm, name in enumerate(found[0].policies)
        ]
        figure.legend(handles, names, loc="upper left", ncols=2, frameon=False, fontsize=8)
        rows = -(-len(names) // 2)
        width, height = figure.get_size_inches()
        figure.subplots_adjust(0.56 / width, 0.45 / height, 0.985, 1 - (0.3 + 0.2 * rows) / height, 0.1, 0.55)
    return figure


def responses_table(found: Sequence[Response], config: dict[str, Any]) -> Table:
    """Return the means of all deviations and of those of each firm."""
    rows = [
        (
            Cell(str(each.deviations), "", f"{each.same} changed no price, {each.failed} gave none"),
            measured(each.forced, 1, 100),
            measured(each.answer, 1, 100),
            measured(each.cut, 1, 100),
            measured(each.gain, 1, 100),
            measured(each.forever, 1, 100),
            share(each.unprofitable),
            share(each.returned),
            measured(each.back, 1),
        )
        for each in found
    ]
    caption = (
        "Price changes against the path, in per cent: of the firm that was forced, in its first forced "
        "period; of its rivals, in the period after that and where their mean price lies lowest. Gain: the "
        f"deviator's discounted profits against those of the path (δ = {_discount(config):g}), over the "
        "periods played, and if the last half of them went on for ever. Back: all prices within "
        f"{100 * config['tolerance']:g} % of the path, for the rest of the periods played; periods are "
        "counted from the last forced one. 95 % intervals from resampling runs of the source."
    )
    headers = (
        "deviations",
        ("price change, %", "forced"),
        ("price change, %", "rivals next"),
        ("price change, %", "rivals lowest"),
        ("gain, %", "played"),
        ("gain, %", "for ever"),
        "unprofitable, %",
        ("back", "%"),
        ("back", "in period"),
    )
    names = [_response_name(each.name) for each in found]
    return Table.of("Does a deviation pay?", caption, headers, zip(names, rows, strict=True))


def branches_table(found: Sequence[Deviation]) -> Table:
    """Return every branch."""
    rows = []
    for each in found:
        cells = (each.forced, each.answer, each.cut, each.gain, each.forever)
        back = DASH if not each.differs else "not" if each.back is None else str(each.back)
        rows.append(
            (
                Cell(str(each.period)),
                Cell(str(each.firm), "", policy_name(each.policies[each.firm])),
                Cell(str(each.replicate)),
                *(Cell(number(None if value is None else 100 * value, 1)) for value in cells),
                Cell(back),
            )
        )
    caption = (
        "Every branch by itself, in per cent. A dash: the forced price is the one that the path has in that "
        "period, so that nothing deviates. Back: after how many periods prices are at the path again."
    )
    headers = (
        "period",
        "firm",
        "replicate",
        "forced",
        "rivals next",
        "rivals lowest",
        "gain",
        "gain for ever",
        "back",
    )
    names = [str(each.source) for each in found]
    return Table.of("Branches", caption, headers, zip(names, rows, strict=True), corner="run")


def print_responses(result: DeviateResult, console: Console) -> None:
    """Print the means of all deviations and of those of each firm."""
    config = result.manifest["config"]
    whole = responses_table(result.responses, config)
    kept = (2, 4, 6, 8)
    short = ("n", "forced %", "rivals %", "gain %", "unprof. %", "back")
    rows = [[Cell(row[0].text), Cell(row[1].text), *(row[place] for place in kept)] for row in whole.rows]
    names = [each.name.partition(":")[0] for each in result.responses]
    for firm, policy in enumerate(config["played"]["firms"]):
        say(console, f"firm {firm}: {policy_name(policy)}", "bold")
    print_table(Table.of(whole.title, "", short, zip(names, rows, strict=True)), console)
    for sentence in _warnings(result):
        say(console, sentence, "yellow")
    say(
        console,
        f"Forced to {target_name(config['to'])}; then {config['after']} periods. Price changes against the "
        "path, the deviator's and its rivals' one period later; gain over these periods at δ = "
        f"{_discount(config):g}; back within {100 * config['tolerance']:g} % after so many periods.",
        "dim",
    )
    unfinished = result.ended < result.planned
    print_closing(console, result.run_path, result.report_path, unfinished=unfinished)


def target_name(to: str) -> str:
    """Return what a firm is forced to, in words."""
    if to == "best-reply":
        return "its static best reply"
    if to.endswith("%"):
        return f"a price of {100 + float(to[:-1]):g} % of the path's"
    if to.startswith("step:"):
        steps = int(to[5:])
        return f"the price {abs(steps)} points {'below' if steps < 0 else 'above'} the path's"
    return f"the price {to}"


def _warnings(result: DeviateResult) -> tuple[str, ...]:
    same = result.responses[0].same
    lines = []
    if same:
        lines.append(
            f"{same} of {len(result.deviations)} forced prices are the path's own: there, nothing deviates, "
            "and they are left out of all means."
        )
    if result.failed:
        lines.append(
            f"{result.failed} branches have no measure, because a firm gave no price in them or in their "
            "path."
        )
    return tuple(lines)


def _mean_response(found: Sequence[Deviation]) -> Figure | None:
    if not found:
        return None
    changes = [each.changes for each in found]
    deviator = np.stack([change[each.firm] for each, change in zip(found, changes, strict=True)])
    others = [np.delete(change, each.firm, axis=0) for each, change in zip(found, changes, strict=True)]
    if not len(others[0]):
        return None
    return impulse_responses(deviator, np.stack([np.nanmean(each, axis=0) for each in others]))


def _discount(config: dict[str, Any]) -> float:
    return float(config["played"]["discount"] if config["discount"] is None else config["discount"])


def _response_name(name: str) -> str:
    firm, colon, policy = name.partition(": ")
    return f"{firm}: {policy_name(policy)}" if colon else name


def _shown(record: DecisionRecord) -> bool:
    return bool(record.round + 1 >= record.labels["period"])


def _entry(record: DecisionRecord) -> Entry:
    labels, firm = record.labels, record.agent.replace("_", " ")
    deviator = str(labels["deviator"]).replace("_", " ")
    which = "path" if labels["deviator"] == NOBODY else f"{deviator} forced"
    period = record.round + 1
    return Entry(
        title=f"Run {labels['source']}, {which}, period {period}, {firm}",
        labels={
            "run": labels["source"],
            "branch": which,
            "firm": firm,
            "policy": policy_name(record.policy),
            "status": record.decision.status,
            "period": period,
        },
        brief=policy_name(record.policy),
        about=policy_name(record.policy),
        outcome="" if record.choice is None else f"price {record.choice}",
        taken="Price set",
    )
