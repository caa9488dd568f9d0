"""Templates of the user's own, in the place of a framing.

What such a template leaves to say follows its text: the list of options with their labels, unless it names
``options`` or ``labels`` itself; how to answer, unless it includes ``answer.j2``; and what others are
believed to choose, where that is asked and it does not look at ``belief``. It may include and extend the
templates of ludens, and no others, so that its text is all of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ludens.agents.llm.prompts.templates import WORDINGS, WordingError
from ludens.envs import Turn

if TYPE_CHECKING:
    from jinja2 import Template

FRAMING = "own"
"""What records and reports call the framing of such a template."""

ENDINGS = (".j2", ".jinja", ".jinja2", ".txt", ".md")
"""How the names of files end that are taken for files where they are given as texts."""

MOST_OPTIONS = 1000
"""The most options that a prompt lists and the readers of replies tell apart."""

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # without I and O, which are words and look like numbers
_ANSWERS = frozenset({"answer.j2", "answer_scale.j2"})
_SHOWING = frozenset({"options", "labels", "programs"})


def template_text(given: object) -> str:
    """Return the text of a template that is given as a text or as a file.

    Args:
        given: a `Path` is a file, and so is a text of one line that ends as one of `ENDINGS`; any other text
            is the template itself.

    Raises:
        WordingError: the file cannot be read, or the text is no template.
    """
    if not isinstance(given, str | Path) or not str(given).strip():
        raise WordingError(f"A template is a text or a file; got {given!r}.")
    path = Path(given) if isinstance(given, Path) or names_file(given) else None
    text, called = str(given), "The template"
    if path is not None:
        called = f"The template {path.name}"
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no text in UTF-8"
            raise WordingError(
                f"The template {str(path)!r} cannot be read ({why}): name a file that is there, or give the "
                "template as a text."
            ) from None
        # So that what runs keep, the text, is never taken for the name of a file.
        text = f"{text}\n" if names_file(text) else text
        if not text.strip():
            raise WordingError(f"{called} is empty: write what the model is to read.")
    _check(text, called)
    return text


def own_labels(names: Sequence[str], most: int | None = None) -> tuple[str, ...]:
    """Return labels for options of these names: letters where there are enough, else numbers.

    A label that is a word of a name is left out: in "B: take A", a reply "A" would not say which is meant.

    Args:
        names: of all options that a prompt speaks of.
        most: how many labels are needed; None for one per name.

    Raises:
        WordingError: there are more options than `MOST_OPTIONS`.
    """
    wanted = len(names) if most is None else most
    if wanted > MOST_OPTIONS:
        raise WordingError(
            f"A prompt lists {MOST_OPTIONS} options at most, and there are {wanted}: offer fewer, for "
            "example by asking in two steps."
        )
    words = {word for name in names for word in re.findall(r"\w+", name.casefold())}
    for letters in (WORDINGS.read("neutral/labels.txt").split(), _LETTERS):
        free = [letter for letter in letters if letter.casefold() not in words]
        if len(free) >= wanted:
            return tuple(free[:wanted])
    return tuple(islice((str(number) for number in count(1) if str(number) not in words), wanted))


@dataclass(frozen=True)
class OwnTemplate:
    """A template of the user's own.

    Attributes:
        text: as the user wrote it.
        scale: whether points are asked for.
    """

    text: str
    scale: bool = False

    @property
    def templates(self) -> tuple[str, ...]:
        """The templates of ludens that its prompts are made of beside its text."""
        parts = _parts(self.text, self.scale)
        return (*parts.references, *parts.rest)

    def render(self, turn: Turn, context: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """Return the text for a turn, with what the template leaves to say, and the phrases that it sets.

        Raises:
            WordingError: it uses what the turn does not give, or fails.
        """
        from jinja2.exceptions import SecurityError

        parts = _parts(self.text, self.scale)
        try:
            module = parts.template.make_module(dict(context))
        except Exception as error:  # whatever a template does wrong
            why = _plain(str(error)) or type(error).__name__
            if isinstance(error, SecurityError):
                why = "it calls what a template may not call: methods of other things than texts and lists"
            known = ", ".join(sorted(map(str, turn.facts))) or "none"
            raise WordingError(
                f"The template cannot be rendered at {turn.node!r} of {turn.environment}"
                f"{_line(error, parts.template)}: {why}; the facts of this turn are: {known}."
            ) from error
        said = [str(module).strip(), *(WORDINGS.render(name, context) for name in parts.rest)]
        phrases = getattr(module, "phrases", {})
        if not isinstance(phrases, Mapping) or not all(map(_names_options, phrases.values())):
            raise WordingError(
                f"The template sets phrases to {phrases!r}; write what options are called as "
                f'{{"{turn.node}": {{"{turn.options[0].name if turn.options else ""}": "…"}}}}.'
            )
        return "\n".join(filter(None, said)), phrases


@dataclass(frozen=True)
class _Parts:
    """A compiled template, the templates of ludens that it refers to, and those that follow it."""

    template: Template
    references: tuple[str, ...]
    rest: tuple[str, ...]


def _names_options(phrases: object) -> bool:
    return isinstance(phrases, Mapping) and all(isinstance(phrase, str) for phrase in phrases.values())


def names_file(text: str) -> bool:
    """Return whether a text is taken for the name of a file."""
    return "\n" not in text and "{" not in text and text.rstrip().endswith(ENDINGS)


def _check(text: str, called: str) -> None:
    """Raise WordingError unless a text is a template that needs no other files than those of ludens."""
    from jinja2 import TemplateSyntaxError, meta

    try:
        tree = WORDINGS.sandbox.parse(text)
        # Found by the compiler and not by the parser: a filter that there is not.
        WORDINGS.sandbox.from_string(text)
    except TemplateSyntaxError as error:
        raise WordingError(
            f"{called} cannot be read at line {error.lineno}: {_plain(error.message or 'it is no template')}."
        ) from None
    except RecursionError:
        raise WordingError(f"{called} cannot be read: it is nested too deeply.") from None
    known = {path.relative_to(WORDINGS.path).as_posix() for path in WORDINGS.path.glob("**/*.j2")}
    for name in meta.find_referenced_templates(tree):
        if name not in known:
            what = "a template that is named by a variable" if name is None else repr(name)
            raise WordingError(
                f"{called} includes {what}; it can include those of ludens alone, such as answer.j2, "
                "options.j2 and neutral/any.j2: put the text itself into it."
            )


@lru_cache(maxsize=64)
def _parts(text: str, scale: bool) -> _Parts:
    from jinja2 import meta

    environment = WORDINGS.sandbox
    answer = "answer_scale.j2" if scale else "answer.j2"
    trees = {"": environment.parse(text)}
    waiting = [name for name in meta.find_referenced_templates(trees[""]) if name]
    while waiting:
        name = waiting.pop()
        if name not in trees:
            trees[name] = environment.parse(WORDINGS.read(name))
            waiting += [other for other in meta.find_referenced_templates(trees[name]) if other]
    said = [meta.find_undeclared_variables(tree) for name, tree in trees.items() if name not in _ANSWERS]
    used = {name for names in said for name in names}
    rest = [] if scale or "belief" in used else ["belief.j2"]
    rest += [] if used & _SHOWING else ["options.j2"]
    rest += [] if answer in trees else [answer]
    return _Parts(environment.from_string(text), tuple(sorted(set(trees) - {""})), tuple(rest))


def _line(error: Exception, template: Template) -> str:
    """Return in which line of a template an error arose, after a comma; empty if it is not known."""
    lines = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            lines.append(template.get_corresponding_lineno(trace.tb_lineno))
        trace = trace.tb_next
    return f", line {lines[-1]}" if lines else ""


def _plain(message: str) -> str:
    return " ".join(message.split()).rstrip(".")
