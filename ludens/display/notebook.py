"""What a notebook shows of a game, a policy, a fit, a run or a result: words, a picture, tables.

A class inherits `Shown` and names the function that says what is shown; whatever can show HTML (Jupyter and
everything built on it) then shows it at the end of a cell::

    class Recipe(Shown):
        shown_by = "kitchen.pictures:view"

    def view(recipe):
        return View(title=recipe.name, facts={"minutes": "30"})

The colours are those of the notebook's theme, light or dark.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ludens.display.svg import Picture
from ludens.display.table import Table
from ludens.display.templates import HERE, fragment, text_of
from ludens.errors import LudensError


@dataclass(frozen=True)
class View:
    """What is shown, in this order.

    Attributes:
        title: its name.
        kind: what it is, above the title.
        lead: one sentence.
        warnings: what limits everything below.
        pictures: those without a figure are left out.
        tables: those that are seen at once.
        folded: tables that are seen when they are opened.
        facts: settings and circumstances, by name.
    """

    title: str
    kind: str = ""
    lead: str = ""
    warnings: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    folded: Sequence[Table] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


class Shown:
    """What shows itself in notebooks.

    `shown_by` names the function that returns the `View`, as ``module:object``: its module knows the class,
    and so the class cannot import it.
    """

    shown_by: ClassVar[str]

    def _repr_html_(self) -> str:
        module, _, name = self.shown_by.partition(":")
        view: Callable[[Any], View] = getattr(importlib.import_module(module), name)
        try:
            shown = view(self)
        except LudensError as error:  # a run that was removed, say
            shown = View(title=repr(self), warnings=[str(error)])
        return to_html(shown)


def to_html(view: View) -> str:
    """Return a view as HTML for a cell of a notebook; the same view gives the same text."""
    pictures = [
        (picture, picture.free(), picture.figure.get_size_inches()[0])
        for picture in view.pictures
        if picture.figure is not None
    ]
    style = text_of(HERE, "notebook.css")
    return str(fragment(HERE, "notebook.html.j2", view=view, pictures=pictures, style=style))


def clipped(text: object, most: int = 300) -> str:
    """Return a text for a view, cut off where it is longer than `most` characters."""
    whole = str(text)
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"
