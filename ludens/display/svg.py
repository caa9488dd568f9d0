"""Matplotlib figures as SVG for pages with several of them, in the page's own font and inks."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from ludens.display.printable import printable

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

INK, MUTED, RULE, PAPER = "#1f2430", "#68707d", "#d5d9e0", "#fefefe"
"""Drawn in these colours, a figure follows the page between light and dark: each becomes a CSS variable."""

_VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)", PAPER: "var(--paper)"}
_FONT = re.compile(
    r"(font: [^;\"]*? |font-family: )'DejaVu Sans'[^;\"]*"
)  # one line of it, or property by property
_SIZE = re.compile(r' (?:width|height)="[\d.]+pt"')


@dataclass(frozen=True)
class Picture:
    """A figure with its words.

    Attributes:
        name: a short name without spaces, used once on a page.
        title: as a rule the question that the figure answers.
        caption: how to read it.
        figure: None where there is nothing to draw; the picture is then left out.
    """

    name: str
    title: str
    caption: str
    figure: Figure | None

    def inline(self) -> Markup:
        """Return the figure as an ``<svg>`` element whose ids begin with the name."""
        from markupsafe import Markup

        assert self.figure is not None
        return Markup(inline(self.figure, self.name, f"{self.title} {self.caption}"))

    def free(self) -> Markup:
        """Return the figure as an ``<svg>`` element for a place that holds others' pictures too: its ids are
        made from its content, so that equal ids are of equal pictures.
        """
        from markupsafe import Markup

        assert self.figure is not None
        drawn = to_svg(self.figure, self.name)
        name = f"ludens-{hashlib.sha256(drawn.encode('utf-8', 'replace')).hexdigest()[:12]}"
        return Markup(_inlined(drawn, name, f"{self.title} {self.caption}"))


def to_svg(figure: Figure, salt: str) -> str:
    """Return a figure as an SVG file, text kept as text; the same figure and salt give the same bytes."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}), warnings.catch_warnings():
        # Names may be in any script: the text is kept as text, and the reader's fonts show it.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        # Without these the file says when it was made, and with which program at which address.
        metadata = {"Creator": None, "Date": None, "Format": None, "Type": None}
        figure.savefig(buffer, format="svg", metadata=metadata, transparent=True)
    return _FONT.sub(r"\1'DejaVu Sans', Verdana, sans-serif", buffer.getvalue())


def inline(figure: Figure, name: str, title: str) -> str:
    """Return a figure as an ``<svg>`` element for a page.

    Ids are prefixed by `name`, since all inline SVGs of a page share one space of ids; `title` is what a
    screen reader says.
    """
    return _inlined(to_svg(figure, name), name, title)


def _inlined(text: str, name: str, title: str) -> str:
    text = text[text.index("<svg") :]
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    text = _FONT.sub(r"\1var(--sans)", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    opening, rest = text.split(">", 1)
    opening = _SIZE.sub("", opening).replace(
        "<svg", f'<svg role="img" aria-label="{escape(printable(title))}"'
    )
    return f"{opening}>{rest}".strip()
