"""The page of every report: one HTML file that asks nothing of the network.

A study says what its page shows, and `render` does the rest::

    def page(self, result):
        return Page(
            title=result.policy,
            lead="How it answers ten questions.",
            pictures=[Picture("shares", "How often?", "One bar per question.", bars(result))],
            tables=[Table.of("Answers", "Counts.", ["yes", "no"], [(result.policy, ["7", "3"])])],
            facts={"questions": "10"},
            transcripts=Transcripts(result.decisions),
        )

All text is escaped, and characters that would hide or reorder it are written out; `markupsafe.Markup` alone
keeps its tags. In warnings, paragraphs and notes, backquotes mark what is typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ludens.display.notebook import Shown, View
from ludens.display.svg import Picture
from ludens.display.table import Cell, Table
from ludens.display.templates import fragment, text_of
from ludens.experiments.report.transcripts import Transcripts, page_data

if TYPE_CHECKING:
    from markupsafe import Markup

# Cells, tables, pictures and fragments are the display's: studies take all of them from the report kit.
__all__ = ["Block", "Cell", "Page", "Picture", "Table", "fragment", "render"]

HERE = "ludens.experiments.report"


@dataclass(frozen=True)
class Block:
    """A section of a page between the tables and the transcripts.

    Attributes:
        name: a short name without spaces, used once on a page.
        title: its heading, also in the list of sections.
        body: paragraphs, or HTML as `fragment` returns it.
    """

    name: str
    title: str
    body: Sequence[str] | Markup


@dataclass(frozen=True, repr=False)
class Page(Shown):
    """What a report shows, in the order of the page.

    Attributes:
        title: as a rule the policies.
        lead: one sentence on what was done.
        kind: the kind of study, above the title.
        warnings: what limits everything below.
        pictures, tables, blocks: the results.
        transcripts: the decisions that can be read one by one; None for no such section.
        reading: how to read the numbers: paragraphs, or HTML as `fragment` returns it.
        notes: remarks, one list item each.
        appendix: HTML below the notes, as `fragment` returns it.
        facts: how the results came about, by name.
    """

    shown_by: ClassVar[str] = "ludens.experiments.report.page:view"

    title: str
    lead: str
    kind: str = ""
    warnings: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    blocks: Sequence[Block] = ()
    transcripts: Transcripts | None = None
    reading: Sequence[str] | Markup = ()
    notes: Sequence[str] = ()
    appendix: Markup | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Page({self.title!r}: {len(self.pictures)} pictures, {len(self.tables)} tables)"


def render(page: Page) -> str:
    """Return the HTML of a page; the same page gives the same text."""
    from markupsafe import Markup

    return str(
        fragment(
            HERE,
            "page.html.j2",
            page=page,
            pictures=[(each, each.inline()) for each in page.pictures if each.figure is not None],
            # These three are ours, or escaped for their place.
            style=text_of(HERE, "page.css"),
            script=text_of(HERE, "page.js"),
            transcripts=page.transcripts is not None and bool(page.transcripts.records),
            data=Markup(page_data(page.tables, page.transcripts)),
        )
    )


def view(page: Page) -> View:
    """Return what a notebook shows of a page: its first picture and its tables; the report has the rest."""
    drawn = [picture for picture in page.pictures if picture.figure is not None]
    return View(page.title, page.kind, page.lead, page.warnings, drawn[:1], page.tables[:1], page.tables[1:])
