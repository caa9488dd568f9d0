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

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ludens.experiments.report.table import Table
from ludens.experiments.report.transcripts import Transcripts, page_data
from ludens.experiments.runs.printable import printable

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup
    from matplotlib.figure import Figure

HERE = "ludens.experiments.report"


@dataclass(frozen=True)
class Picture:
    """A figure with its words.

    Attributes:
        name: a short name without spaces, used once on a page.
        title: as a rule the question that the figure answers.
        caption: how to read it.
        figure: None where there is nothing to draw; the page then leaves the picture out.
    """

    name: str
    title: str
    caption: str
    figure: Figure | None


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


@dataclass(frozen=True)
class Page:
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


def render(page: Page) -> str:
    """Return the HTML of a page; the same page gives the same text."""
    from markupsafe import Markup

    here = files(HERE)
    return str(
        fragment(
            HERE,
            "page.html.j2",
            page=page,
            pictures=[(each, _inlined(each)) for each in page.pictures if each.figure is not None],
            # These three are ours, or escaped for their place.
            style=Markup(here.joinpath("page.css").read_text(encoding="utf-8")),
            script=Markup(here.joinpath("page.js").read_text(encoding="utf-8")),
            transcripts=page.transcripts is not None and bool(page.transcripts.records),
            data=Markup(page_data(page.tables, page.transcripts)),
        )
    )


def fragment(package: str, name: str, **values: Any) -> Markup:
    """Return the HTML of a Jinja template in a package; all values but `markupsafe.Markup` are escaped."""
    from markupsafe import Markup

    return Markup(_environment(package).get_template(name).render(**values))


@cache
def _environment(package: str) -> jinja2.Environment:
    import jinja2

    here = files(package)
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: here.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters["prose"] = _prose
    return environment


def _visible(value: Any) -> Any:
    from markupsafe import Markup

    return value if isinstance(value, Markup) or not isinstance(value, str) else printable(value)


def _prose(text: str) -> Markup:
    """Return a sentence as HTML, in which backquotes mark what is typed."""
    from markupsafe import Markup, escape

    if isinstance(text, Markup):
        return text
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(printable(text)))))


def _inlined(picture: Picture) -> Markup:
    from markupsafe import Markup

    from ludens.experiments.report.svg import inline

    assert picture.figure is not None
    return Markup(inline(picture.figure, picture.name, f"{picture.title} {picture.caption}"))
