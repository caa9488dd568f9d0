"""A report on dilemmas as one HTML page without any request to elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

from ludens.experiments.bench.tables import Table
from ludens.experiments.report.page import inlined, template
from ludens.experiments.report.transcripts import transcripts
from ludens.experiments.runs.records import DecisionRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Drawn = tuple[str, str, str, "Figure"]
"""A picture: its short name, title, caption, and figure."""


@dataclass(frozen=True)
class Contents:
    """What a page shows.

    Attributes:
        title, lead: who was asked, and in one sentence what.
        figures, tables: in their order.
        reading, notes: sentences for the reader.
        warnings: above everything.
        facts: how it came about, by name.
        decisions: for the transcripts.
    """

    title: str
    lead: str
    figures: Sequence[Drawn]
    tables: Sequence[Table]
    reading: Sequence[str] = ()
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    decisions: Sequence[DecisionRecord] = ()


def page(contents: Contents) -> str:
    """The page's text."""
    from markupsafe import Markup

    report = files("ludens.experiments.report")
    figures = [inlined(*each) for each in contents.figures]
    return template("ludens.experiments.av").render(
        contents=contents,
        figures=[{**figure, "svg": Markup(figure["svg"])} for figure in figures],
        # These three are ours, or escaped for their place.
        style=Markup(report.joinpath("page.css").read_text(encoding="utf-8")),
        script=Markup(report.joinpath("page.js").read_text(encoding="utf-8")),
        transcripts=Markup(transcripts(contents.decisions)),
    )
