"""The page of a run of the market."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ludens.agents.pricing.oversight import REVIEW, REVISION
from ludens.agents.registry import is_model_id
from ludens.experiments.pricing import figures
from ludens.experiments.pricing.analysis import Analysis
from ludens.experiments.pricing.dynamics_page import dynamics_picture
from ludens.experiments.pricing.events import events_of
from ludens.experiments.pricing.measures import RunMeasures
from ludens.experiments.pricing.panels import Panel
from ludens.experiments.pricing.result import PricingResult
from ludens.experiments.pricing.tables import benchmark_welfare, judged_table, oversight_table, tables
from ludens.experiments.report import provenance
from ludens.experiments.report.names import policy_name
from ludens.experiments.report.page import Page, Picture, fragment
from ludens.experiments.report.transcripts import Entry, Transcripts
from ludens.experiments.runs.records import DecisionRecord

if TYPE_CHECKING:
    from markupsafe import Markup

KIND = "repeated pricing market"
NOTES = (
    "The market is that of Calvano, Calzolari, Denicolò & Pastorello (2020); windows, convergence rule "
    "and regression are those of Fish, Gonczarowski & Shorrer (2024). Runs of fewer than 100 periods "
    "are averaged over their last half (ours).",
    "Ours, and not taken from any paper: the wordings of all prompts and prefixes, the keyword lists "
    "below, and the null of myopic best replies with its noise.",
    "One constant per firm and run beside a lagged price biases γ downwards a little in short runs. The null "
    "suffers from it alike.",
)

_CAPTION = (
    "Every decision of every period, with what the policy wrote down, what it was asked and what came back."
)


def title(result: PricingResult) -> str:
    """Return the title: the policies in the market."""
    return " against ".join(policy_name(name) for name in result.panel.firms[0])


def page(result: PricingResult) -> Page:
    """Return what the report of a run of the market shows."""
    config = result.manifest["config"]
    runs, periods = result.panel.runs, config["periods"]
    lead = (
        f"{_count(len(result.panel.firms[0]), 'firm')} in one market over {_count(periods, 'period')}, "
        f"{_count(runs, 'run')}. Their prices are compared with the one-shot Nash prices and with those that "
        "maximise joint profit."
    )
    shown = tables(result.analysis, result.panel, result.costs if result.calls else ())
    if result.reviews:
        shown.insert(-1, oversight_table(result.reviews))
    if result.judged:
        shown.insert(-1, judged_table(result.judged))
    return Page(
        title=title(result),
        lead=lead,
        kind=KIND,
        pictures=pictures(result.panel, result.analysis),
        tables=shown,
        warnings=tuple(_warnings(result)),
        facts=_facts(result),
        transcripts=Transcripts(result.decisions, _entry, start="period", caption=_CAPTION),
        reading=reading(),
        notes=(*NOTES, *_notes(result)),
        appendix=fragment("ludens.experiments.pricing", "rules.html.j2", sentences=result.analysis.sentences),
    )


def reading() -> Markup:
    """Return how to read prices and gains, in HTML."""
    return fragment("ludens.experiments.pricing", "reading.html.j2")


def _entry(record: DecisionRecord) -> Entry:
    """Name a decision by its run, period and firm."""
    firm, policy = record.agent.replace("_", " "), policy_name(record.policy)
    period, price = record.round + 1, record.choice
    if record.node == REVIEW:
        return Entry(
            title=f"Run {record.episode}, period {period}, overseer of {firm}",
            labels={
                "run": record.episode,
                "firm": f"overseer of {firm}",
                "policy": policy,
                "status": record.decision.status,
                "period": period,
            },
            brief=policy,
            about=policy,
            outcome=price or "",
            taken="Verdict",
        )
    again = " (sent back)" if record.node == REVISION else ""
    return Entry(
        title=f"Run {record.episode}, period {period}, {firm}{again}",
        labels={
            "run": record.episode,
            "firm": firm,
            "policy": policy,
            "status": record.decision.status,
            "period": period,
        },
        brief=policy,
        about=policy,
        outcome="" if price is None else f"price {price}",
        taken="Price set",
    )


def pictures(panel: Panel, found: Analysis) -> list[Picture]:
    """Return price paths, phase plot and gains; one that would show nothing is left out or has no figure."""
    drawn: list[Picture] = []
    runs = figures.drawn_runs(panel)
    if runs:
        begun = int((panel.played > 0).sum())
        more = "" if len(runs) == begun else f" The first {len(runs)} of {begun} runs; the table has all."
        several = "" if panel.product_prices is None else " A firm's price is the mean over its products."
        wild = " Prices far outside are cut off." if figures.cut_off(panel) else ""
        said = f"{several}{_ended(panel)}{_events(panel)}{wild}{more}"
        paths = f"Every run by itself, prices divided by α.{said}"
        drawn.append(Picture("paths", "Prices", paths, figures.price_paths(panel, found.measures)))
    drawn.append(dynamics_picture(panel, found.dynamics))
    phase = (
        "Each firm's price against the other's price one period before, over the last two thirds of the "
        "periods of the runs that are done. N and M: the Nash and the joint-profit price. A firm on the grey "
        "line matches what it saw."
    )
    if figures.shows_replies(panel):
        phase += " Dashed: what a firm that looks no further than this period would answer"
        phase += " to rivals that all charge the same." if panel.prices.shape[2] > 2 else "."
    if figures.thinned(panel):
        phase += f" At most about {figures.MOST_POINTS} points are drawn, evenly picked."
    drawn.append(Picture("phase", "What does a firm answer?", phase, figures.phase_plot(panel)))
    gains = (
        "The profit gain over the last periods, of total profit and of each firm by itself: 0 is the "
        "one-shot Nash profit, 1 the largest joint profit, or the firm's part of it. Bars: means over runs."
    )
    distribution = figures.gain_distribution(found.measures)
    drawn.append(Picture("gains", "How much of the collusive profit?", gains, distribution))
    welfare = (
        "Money per period divided by α, over the last periods of the runs that are done. Hatched: the total "
        "surplus that is lost against the largest that there can be. Left of 0: losses."
    )
    drawn.append(
        Picture("welfare", "Who gets the surplus?", welfare, figures.welfare_bars(_bars(panel, found)))
    )
    return drawn


def _ended(panel: Panel) -> str:
    """Return the sentence on runs that were aborted, after a space; "" without any."""
    if "aborted" not in panel.status:
        return ""
    return " A red line ends a run in which a firm gave no usable price after all tries."


def _events(panel: Panel) -> str:
    """Return what the letters and triangles in a picture mean."""
    said = [
        f"{figures.event_letter(place)} (from period {event.period}): {event.text}"
        for place, event in enumerate(events_of(panel))
    ]
    fined = " Red triangles: fines that were paid." if np.nansum(panel.fines) > 0 else ""
    return (f" {'; '.join(said)}." if said else "") + fined


def _bars(panel: Panel, found: Analysis) -> list[tuple[str, float, Sequence[float], float]]:
    sets = [("all runs", found.measures)]
    if found.regimes:
        sets = [(each.group.name, each.runs) for each in found.regimes]
    return surplus_bars(sets, panel)


def surplus_bars(
    sets: Sequence[tuple[str, Sequence[RunMeasures]]], panel: Panel
) -> list[tuple[str, float, Sequence[float], float]]:
    """Return the rows of `figures.welfare_bars`: means of sets of runs by name, then benchmark prices."""
    rows: list[tuple[str, float, Sequence[float], float]] = []
    for name, measures in sets:
        # The bars are shares of what could be gained, which is not known everywhere.
        done = [each for each in measures if each.deadweight_loss is not None and each.profits is not None]
        if done:
            firms = np.array([each.profits for each in done])
            consumer, lost = (
                float(np.mean([getattr(each, of) for each in done]))
                for of in ("consumer_surplus", "deadweight_loss")
            )
            rows.append((name, consumer, firms.mean(axis=0).tolist(), lost))
    return rows + list(benchmark_welfare(panel)) if rows else []


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
    if result.analysis.products:
        yield "Prices of firms with several products are means over them; the table of products has each."
    if result.manifest["config"]["interventions"]:
        yield (
            "Nash and joint-profit prices, Δ and welfare are those of each period's own regime: of the firms "
            "in the market, under the demand and costs of that period, without fines and steering. The null "
            "of myopic firms is shown only if the market does not change in the periods of the regression."
        )
    if any("smollm2-135m" in name for name in names):
        yield (
            "SmolLM2-135M is a very small model, far too small to calculate: what its prices come to is no "
            "sign of a strategy. It is here so that everything runs without a key or a network."
        )
    if any(map(is_model_id, names)):
        yield (
            "A language model's prices depend on the wording. Compare prefixes and wordings before any "
            "conclusion about its intentions."
        )


def _facts(result: PricingResult) -> dict[str, str]:
    config = result.manifest["config"]
    market = ", ".join(f"{name} {value}" for name, value in config["market"].items())
    interventions = "; ".join(
        ", ".join(f"{name} {value}" for name, value in each.items()) for each in config["interventions"]
    )
    own = {
        "firms": ", ".join(result.panel.firms[0]),
        "market at α = 1": market,
        "scales α": ", ".join(f"{scale:g}" for scale in config["scales"]),
        "runs per scale": str(config["runs"]),
        "periods": str(config["periods"]),
        "prefix": config["prefix"],
        "interventions": interventions or "none",
    }
    return provenance.facts(result.manifest, result.run_path, own)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
