"""Write the report of a pricing run beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ludens.experiments.bench.result import report_path
from ludens.experiments.pricing import figures
from ludens.experiments.pricing.analysis import Analysis
from ludens.experiments.pricing.page import Contents, Drawn, page
from ludens.experiments.pricing.panels import Panel
from ludens.experiments.pricing.result import PricingResult
from ludens.experiments.pricing.tables import judged_table, tables
from ludens.experiments.report import write_page
from ludens.experiments.report.names import policy_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_report(result: PricingResult, path: str | os.PathLike[str] | None = None) -> PricingResult:
    """Write the report as one self-contained HTML file; returns the result with its `report_path`.

    Args:
        result: what was measured.
        path: the file; None for the run's own name with the ending ``.html``. An existing one is replaced,
            whole or not at all.

    Raises:
        StoreError: it cannot be written; a report that was there before still is.
    """
    target = report_path(result.run_path) if path is None else Path(path)
    again = f"`ludens report {result.run_path}` writes it; what was played is kept."
    write_page(page(contents(result)), target, again)
    return replace(result, report_path=target)


def title(result: PricingResult) -> str:
    """Who met in the market."""
    return " against ".join(policy_name(name) for name in result.panel.firms[0])


def contents(result: PricingResult) -> Contents:
    """What the page shows beside the numbers."""
    config = result.manifest["config"]
    runs, periods = result.panel.runs, config["periods"]
    lead = (
        f"{_count(len(result.panel.firms[0]), 'firm')} in one market over {_count(periods, 'period')}, "
        f"{_count(runs, 'run')}. The one-shot Nash price and the price that maximises joint profit are the "
        "two lines to hold their prices against."
    )
    shown = tables(result.analysis, result.panel, result.costs if result.calls else ())
    if result.judged:
        shown.insert(-1, judged_table(result.judged))
    return Contents(
        title=title(result),
        lead=lead,
        figures=pictures(result.panel, result.analysis),
        tables=shown,
        warnings=tuple(_warnings(result)),
        facts=_facts(result),
        decisions=result.decisions,
        sentences=result.analysis.sentences,
        notes=tuple(_notes(result)),
    )


def pictures(panel: Panel, found: Analysis) -> list[Drawn]:
    """Price paths, phase plot and gains, those that there is something to show in."""
    drawn: list[tuple[str, str, str, Figure | None]] = []
    runs = figures.drawn_runs(panel)
    if runs:
        begun = int((panel.played > 0).sum())
        more = "" if len(runs) == begun else f" The first {len(runs)} of {begun} runs; the table has all."
        wild = " Prices far outside are cut off." if figures.cut_off(panel) else ""
        paths = (
            "Every run by itself, prices divided by α. A red line ends a run in which a firm gave no usable "
            f"price after all tries.{wild}{more}"
        )
        drawn.append(("paths", "Prices", paths, figures.price_paths(panel, found.measures)))
    phase = (
        "Each firm's price against the other's price one period before, over the last two thirds of the "
        "periods of the runs that are done. Dashed: what a firm that looks no further than this period would "
        "answer. N and M: the Nash and the joint-profit price. A firm on the grey line matches what it saw."
    )
    if panel.prices.shape[2] > 2:
        phase += " The dashed line is for rivals that all charge the same."
    if figures.thinned(panel):
        phase += f" At most about {figures.MOST_POINTS} points are drawn, evenly picked."
    drawn.append(("phase", "What does a firm answer?", phase, figures.phase_plot(panel)))
    gains = (
        "The profit gain over the last periods: 0 is the one-shot Nash profit, 1 a share in the largest "
        "joint profit. Black: means over runs."
    )
    distribution = figures.gain_distribution(found.measures)
    drawn.append(("gains", "How much of the collusive profit?", gains, distribution))
    return [(name, title, caption, figure) for name, title, caption, figure in drawn if figure is not None]


def _warnings(result: PricingResult) -> Iterator[str]:
    whole = result.analysis.groups[0]
    if whole.unfinished:
        yield (
            f"This run is unfinished: {whole.unfinished} of {whole.runs} runs of the market are still to be "
            f"played to their end; `ludens resume {result.run_path}` goes on."
        )
    if whole.aborted:
        yield (
            f"{whole.aborted} of {whole.runs} runs were aborted, since a firm gave no usable price after all "
            "tries. They are shown, and enter no mean."
        )


def _notes(result: PricingResult) -> Iterator[str]:
    names = {name for firms in result.panel.firms for name in firms}
    if result.manifest["config"]["interventions"]:
        yield (
            "Nash and joint-profit prices, and the null, are those of the market with all its firms and "
            "without what came from outside."
        )
    if any("smollm2-135m" in name for name in names):
        yield (
            "SmolLM2-135M is a very small model, far too small to calculate: what its prices come to is no "
            "sign of a strategy. It is here so that everything runs without a key or a network."
        )
    if any("/" in name for name in names):
        yield (
            "A language model's prices depend on the wording. Compare prefixes and wordings before any "
            "conclusion about its intentions."
        )


def _facts(result: PricingResult) -> dict[str, str]:
    manifest = result.manifest
    config = manifest["config"]
    market = ", ".join(f"{name} {value}" for name, value in config["market"].items())
    interventions = "; ".join(
        ", ".join(f"{name} {value}" for name, value in each.items()) for each in config["interventions"]
    )
    facts = {
        "firms": ", ".join(result.panel.firms[0]),
        "market at α = 1": market,
        "scales α": ", ".join(f"{scale:g}" for scale in config["scales"]),
        "runs per scale": str(config["runs"]),
        "periods": str(config["periods"]),
        "prefix": config["prefix"],
        "interventions": interventions or "none",
        "seed": str(manifest["seed"]),
        "started": str(manifest["started"]),
        "took": f"{manifest['seconds']:.0f} seconds",
        "versions": ", ".join(f"{name} {version}" for name, version in manifest["versions"].items()),
        "run": result.run_path.name,
    }
    if manifest.get("git"):
        facts["commit"] = manifest["git"]
    return facts


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
