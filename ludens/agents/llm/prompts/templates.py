"""What all prompts share: folders of templates, personas, and the prompt that comes of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ludens.agents.policy import Wording
from ludens.checks import half_character
from ludens.errors import UsageError

if TYPE_CHECKING:
    from jinja2 import Environment


_MOST_LISTED = 26


class WordingError(UsageError):
    """An error for a framing or prefix that does not exist, or that cannot word this game."""


@dataclass(frozen=True)
class Prompt:
    """A turn in words.

    Attributes:
        messages: the chat messages, in OpenAI's format.
        labels: the label of each option shown, in the order shown.
        order: the numbers of the turn's options in the order shown; ``order[0]`` carries ``labels[0]``.
        words: the names of the options beside their labels, in the order shown; empty where there are only
            labels.
        reread: a function from the reason why a reply could not be read to the text that asks again.
        wording: framing, template, content hash, and this order.
        letters: the labels that options of this and of other nodes may have, in order.
        phrases: what options of game trees are called, by node and name; empty where they are letters.

    Raises:
        UsageError: a message cannot be written in UTF-8, and so not be sent.
    """

    messages: tuple[Mapping[str, str], ...]
    labels: tuple[str, ...]
    order: tuple[int, ...]
    words: tuple[str, ...]
    reread: Callable[[str], str]
    wording: Wording
    letters: tuple[str, ...] = ()
    phrases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for message in self.messages:
            if half := half_character(message["content"]):
                raise UsageError(
                    f"The {message['role']} message of {self.wording.template} holds {half}, which no model "
                    "takes: write the texts of the game and of the policies in UTF-8."
                )

    def in_game_order(self, values: Sequence[float]) -> tuple[float, ...]:
        """Return values per label as values per option of the game."""
        return tuple(values[self.order.index(number)] for number in range(len(values)))


@dataclass(frozen=True)
class Persona:
    """A persona as a prompt uses it.

    Attributes:
        text: what stands in the system message; None for the plain one.
        template: the template that the text comes from; None for a text of the user's own.
    """

    text: str | None = None
    template: str | None = None


@dataclass(frozen=True)
class TemplateFolder:
    """A folder of Jinja2 templates, with its personas in ``personas`` and its system message in
    ``system.j2``.

    Attributes:
        path: the folder.
    """

    path: Path

    @cached_property
    def environment(self) -> Environment:
        """The Jinja2 environment of the templates in this folder."""
        # Jinja2 costs 40 ms to import; a run without language models never needs it.
        from jinja2 import Environment

        return self._made(Environment)

    @cached_property
    def sandbox(self) -> Environment:
        """The environment of templates of the user's own, which may include those in this folder."""
        from ludens.agents.llm.prompts.sandbox import PromptEnvironment

        return self._made(PromptEnvironment)

    def _made(self, kind: type[Environment]) -> Environment:
        from jinja2 import FileSystemLoader, StrictUndefined

        environment = kind(
            loader=FileSystemLoader(self.path),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,  # the text goes to a model, not to a browser
            auto_reload=False,  # or every rendering asks the file system when each template was changed
        )
        environment.filters |= {
            "number": _number,
            "fraction": _fraction,
            "amount": _amount,
            "alternatives": _alternatives,
            "alternatives_each": ", and how many ".join,
            "kind": lambda labels: "number" if labels[0].isdigit() else "letter",
            "series": partial(_join, last="and"),
        }
        return environment

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the names of the templates in a folder inside this one, sorted and without their ending."""
        return tuple(sorted(path.stem for path in (self.path / folder).glob("*.j2")))

    def render(self, template: str, context: Mapping[str, Any] | None = None) -> str:
        """Return the text of a template, without blanks around it."""
        return self.environment.get_template(template).render(context or {}).strip()

    def persona(self, persona: str | None) -> Persona:
        """Return the persona of a name, or a text of the user's own as it is."""
        if persona is None or persona not in self.names("personas"):
            return Persona(persona)
        template = f"personas/{persona}.j2"
        return Persona(self.environment.get_template(template).render(), template)

    def system(self, persona: Persona) -> dict[str, str]:
        """Return the system message of a persona."""
        return {"role": "system", "content": self.render("system.j2", {"persona": persona.text})}

    def hash(self, templates: Sequence[str], *texts: str) -> str:
        """Return twelve hex digits of the content of all files and texts that a prompt is made of.

        Args:
            templates: the templates by name, together with those that they include or extend; a name without
                the ending ``.j2`` is a text of the user's own in the place of a template.
            texts: what else determines the prompt.
        """
        return _hash(self, tuple(templates), texts)

    def read(self, name: str) -> str:
        """Return the content of a file in the folder."""
        return (self.path / name).read_text(encoding="utf-8")


WORDINGS = TemplateFolder(Path(__file__).parent / "wordings")
"""The templates of games, one folder for each framing."""


def personas() -> tuple[str, ...]:
    """Return the names of the personas that come with ludens; any other text is a persona too."""
    return WORDINGS.names("personas")


@lru_cache(maxsize=256)
def _hash(folder: TemplateFolder, templates: tuple[str, ...], texts: tuple[str, ...]) -> str:
    from jinja2 import meta

    contents: dict[str, str] = {}
    waiting = list(templates)
    while waiting:
        name = waiting.pop()
        if name not in contents:
            contents[name] = folder.read(name) if name.endswith(".j2") else ""
            included = meta.find_referenced_templates(folder.environment.parse(contents[name]))
            waiting += [other for other in included if other]
    parts = [f"{name}\0{contents[name]}\0" for name in sorted(contents)]
    return hashlib.sha256("".join([*parts, "\0".join(texts)]).encode("utf-8", "surrogatepass")).hexdigest()[
        :12
    ]


def _number(value: float) -> str:
    return f"{value:.10g}"


def _fraction(value: float) -> str:
    """Return a number with at most two decimals as it is, and others as a fraction of small numbers if they
    are one: 0.5, and 2/3.
    """
    if round(value, 2) == value:
        return _number(value)
    near = Fraction(value).limit_denominator(12)
    return str(near) if abs(float(near) - value) < 1e-9 else f"{value:.4g}"


def _amount(value: float, word: Mapping[str, str]) -> str:
    """Return a number with its unit, ``word["point"]`` for 1 and ``word["points"]`` for all others."""
    return f"{_number(value)} {word['point' if abs(value) == 1 else 'points']}"


def _alternatives(items: Sequence[str]) -> str:
    return "any of the list" if len(items) > _MOST_LISTED else _join(items, "or")


def _join(items: Sequence[str], last: str) -> str:
    return f"{', '.join(items[:-1])} {last} {items[-1]}" if len(items) > 1 else "".join(items)
