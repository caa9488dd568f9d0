"""The report of a pricing run as one HTML page without any request to elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

from ludens.experiments.pricing.tables import Table
from ludens.experiments.pricing.texts import Counted
from ludens.experiments.pricing.transcripts import transcripts
from ludens.experiments.report.page import inlined, template
from ludens.experiments.runs.printable import printable
from ludens.experiments.runs.records import DecisionRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure


Drawn = tuple[str, str, str, "Figure"]
"""A picture: its short name, title, caption, and figure."""


@dataclass(frozen=True)
class Contents:
    """What a page shows.

    Attributes:
        title, lead: who played, and in one sentence what.
        figures, tables: in their order.
        warnings: above everything.
        facts: how it came about, by name.
        decisions: for the transcripts; empty for no transcripts.
        sentences: kinds of sentences whose rules are explained.
        notes: further sentences for the reader.
    """

    title: str
    lead: str
    figures: Sequence[Drawn]
    tables: Sequence[Table]
    warnings: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    decisions: Sequence[DecisionRecord] = ()
    sentences: Sequence[Counted] = ()
    notes: Sequence[str] = ()


def page(contents: Contents) -> str:
    """The page's text."""
    from markupsafe import Markup

    figures = [inlined(*each) for each in contents.figures]
    return template("ludens.experiments.pricing").render(
        shown=printable,
        title=contents.title,
        lead=contents.lead,
        warnings=contents.warnings,
        extra_notes=contents.notes,
        facts=contents.facts,
        figures=[{**figure, "svg": Markup(figure["svg"])} for figure in figures],
        tables=contents.tables,
        sentences=contents.sentences,
        has_transcripts=bool(contents.decisions),
        # These three are ours, or escaped for their place.
        style=Markup(files("ludens.experiments.report").joinpath("page.css").read_text(encoding="utf-8")),
        script=Markup(files("ludens.experiments.pricing").joinpath("page.js").read_text(encoding="utf-8")),
        transcripts=Markup(transcripts(contents.decisions)),
    )
