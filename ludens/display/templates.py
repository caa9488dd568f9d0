"""HTML from Jinja templates, in which every text of others is escaped.

Characters that would hide or reorder what is read are written out; `markupsafe.Markup` alone keeps its tags.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ludens.display.printable import printable

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

HERE = "ludens.display"


def fragment(package: str, name: str, **values: Any) -> Markup:
    """Return the HTML of a Jinja template in a package; all values but `markupsafe.Markup` are escaped.

    A template can import those of this package, ``{% from "table.html.j2" import grid %}``. In texts that are
    filtered by ``prose``, backquotes mark what is typed.
    """
    from markupsafe import Markup

    return Markup(_environment(package).get_template(name).render(**values))


def text_of(package: str, name: str) -> Markup:
    """Return a file of a package as it is; it must be our own."""
    from markupsafe import Markup

    return Markup(files(package).joinpath(name).read_text(encoding="utf-8"))


@cache
def _environment(package: str) -> jinja2.Environment:
    import jinja2

    def load(name: str) -> str | None:
        for place in (package, HERE):
            file = files(place).joinpath(name)
            if file.is_file():
                return file.read_text(encoding="utf-8")
        return None

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(load),
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
