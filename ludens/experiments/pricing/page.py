"""The report of a pricing run as one HTML page without any request to elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

from ludens.experiments.costs import Costs
from ludens.experiments.pricing import figures
from ludens.experiments.pricing.analysis import Analysis
from ludens.experiments.pricing.panels import Panel
from ludens.experiments.pricing.tables import Table, tables
from ludens.experiments.pricing.transcripts import transcripts
from ludens.experiments.printable import printable
from ludens.experiments.records import DecisionRecord
from ludens.experiments.report.page import inlined, template

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Contents:
    """What a page shows beside the panel and its analysis.

    Attributes:
        title, lead: who played, and in one sentence what.
        warnings: above everything.
        facts: how it came about, by name.
        costs: per run; empty where no language model played.
        decisions: for the transcripts; empty for no transcripts.
        notes: further sentences for the reader.
        figures: further pictures, as (name, title, caption, figure).
        tables: further tables, first on the page.
    """

    title: str
    lead: str
    warnings: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    costs: Sequence[Costs] = ()
    decisions: Sequence[DecisionRecord] = ()
    notes: Sequence[str] = ()
    figures: Sequence[tuple[str, str, str, Figure]] = ()
    tables: Sequence[Table] = ()


def page(panel: Panel, found: Analysis, contents: Contents) -> str:
    """The page's text."""
    from markupsafe import Markup

    drawn = [*_figures(panel, found), *contents.figures]
    shown = [inlined(*each) for each in drawn]
    return template("ludens.experiments.pricing").render(
        shown=printable,
        title=contents.title,
        lead=contents.lead,
        warnings=contents.warnings,
        extra_notes=contents.notes,
        facts=contents.facts,
        figures=[{**figure, "svg": Markup(figure["svg"])} for figure in shown],
        tables=[*contents.tables, *tables(found, panel, contents.costs)],
        sentences=found.sentences,
        has_transcripts=bool(contents.decisions),
        # These three are ours, or escaped for their place.
        style=Markup(files("ludens.experiments.report").joinpath("page.css").read_text(encoding="utf-8")),
        script=Markup(files("ludens.experiments.pricing").joinpath("page.js").read_text(encoding="utf-8")),
        transcripts=Markup(transcripts(contents.decisions)),
    )


def _figures(panel: Panel, found: Analysis) -> list[tuple[str, str, str, Figure]]:
    drawn: list[tuple[str, str, str, Figure | None]] = []
    runs = figures.drawn_runs(panel)
    if runs:
        begun = int((panel.played > 0).sum())
        more = "" if len(runs) == begun else f" The first {len(runs)} of {begun} runs; the table has all."
        wild = " Prices far outside are cut off." if figures.cut_off(panel) else ""
        paths = (
            "Every run by itself, prices divided by α. A red line ends a run in which a reply could not be "
            f"read after all tries.{wild}{more}"
        )
        drawn.append(("paths", "Prices", paths, figures.price_paths(panel, found.measures)))
    phase = (
        "Each firm's price against the other's price one period before, over the last two thirds of the "
        "periods of the runs that are done. Dashed: what a firm that looks no further than this period would "
        "answer. N and M: the Nash and the joint-profit price. A firm on the grey line matches what it saw."
    )
    if figures.thinned(panel):
        phase += f" At most about {figures.MOST_POINTS} points are drawn, evenly picked."
    drawn.append(("phase", "What does a firm answer?", phase, figures.phase_plot(panel)))
    gains = (
        "The profit gain over the last periods: 0 is the one-shot Nash profit, 1 a share in the largest "
        "joint profit. Black: means over runs."
    )
    drawn.append(
        ("gains", "How much of the collusive profit?", gains, figures.gain_distribution(found.measures))
    )
    return [(name, title, caption, figure) for name, title, caption, figure in drawn if figure is not None]
