"""From a turn to the text that a language model is shown.

A *framing* is a folder of templates in ``ludens/agents/llm/prompts/wordings``: one file per game family,
and ``any.j2``, which words every game tree from the tree alone. Each number in a text is read from the
turn's game. In a text the options of an information set carry the framing's labels in the order shown: the
order with number k shows the game's options rotated by k, at every information set alike, so that the k-th
option stands first and carries the first label.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ludens.agents.llm.prompts.tree import LabelledTree, rotation
from ludens.agents.policy import Wording
from ludens.envs import GameTree, InformationSet, Turn
from ludens.errors import UsageError

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

Format = Literal["letter", "json"]

FOLDER = Path(__file__).parent / "wordings"
ANY = "any.j2"
PARAPHRASES = "paraphrases"


class WordingError(UsageError):
    """There is no such framing, or it cannot word this game."""


@dataclass(frozen=True)
class Prompt:
    """A turn in words.

    Attributes:
        messages: in OpenAI's shape.
        labels: the label of each option shown, in the order shown.
        order: the numbers of the turn's options in the order shown; ``order[0]`` carries ``labels[0]``.
        words: what the options are called beside their labels, in the order shown; empty where labels are
            all.
        reread: what is said after a reply that could not be read, a function of the reason.
        wording: framing, template, content hash, and this order.
    """

    messages: tuple[Mapping[str, str], ...]
    labels: tuple[str, ...]
    order: tuple[int, ...]
    words: tuple[str, ...]
    reread: Callable[[str], str]
    wording: Wording


def framings() -> tuple[str, ...]:
    """The names of all framings."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob(f"*/{ANY}")))


def paraphrases() -> tuple[str, ...]:
    """The names of the paraphrases of the neutral framing: framings too, which no benchmark asks in."""
    found = sorted(path.parent.name for path in FOLDER.glob(f"{PARAPHRASES}/*/{ANY}"))
    return tuple(f"{PARAPHRASES}/{name}" for name in found)


def personas() -> tuple[str, ...]:
    """The names of the personas that come with ludens; any other text is a persona of its own."""
    return tuple(sorted(path.stem for path in (FOLDER / "personas").glob("*.j2")))


def check_framing(framing: str) -> str:
    """The framing's name, if it exists.

    Raises:
        WordingError: it does not; the message lists those that do.
    """
    if framing not in framings() and framing not in paraphrases():
        raise WordingError(f"There is no framing {framing!r}; choose one of {', '.join(framings())}.")
    return framing


def orders(turn: Turn) -> tuple[int, ...]:
    """The numbers of all orders in which the turn's options can be shown."""
    return tuple(range(len(turn.options)))


def render(
    turn: Turn,
    framing: str = "neutral",
    order: int = 0,
    *,
    persona: str | None = None,
    reasoning: bool = False,
    format: Format = "letter",  # the word for it
    belief: bool = False,
) -> Prompt:
    """The text for a turn.

    Args:
        turn: what the agent may know.
        framing: a name from `framings` or `paraphrases`.
        order: the number of the order in which options are shown, see the module's text.
        persona: a name from `personas`, or a text, put into the system message.
        reasoning: ask for thoughts before the answer.
        format: ``"letter"`` asks for a bare label, ``"json"`` for a JSON object.
        belief: ask how many of 100 others choose each option, in place of asking for a choice.

    Raises:
        WordingError: the framing is unknown, or cannot word this game.
    """
    name = _template_name(check_framing(framing), turn)
    letters = _letters(framing)
    most = max((len(node.options) for node in _sets(turn)), default=len(turn.options))
    if max(most, len(turn.options)) > len(letters):
        raise WordingError(
            f"Framing {framing!r} has labels for {len(letters)} options, and {turn.game.name} offers {most}: "
            f"add labels to wordings/{framing}/labels.txt."
        )
    shown = rotation(len(turn.options), order)
    labels = letters[: len(shown)]
    answering = {"labels": labels, "reasoning": reasoning, "format": format, "belief": belief}
    context = answering | _context(turn, order, letters)
    module = _environment().get_template(name).make_module(context)
    phrases = getattr(module, "phrases", {}).get(turn.node, {})
    words = tuple(phrases[turn.options[place].name] for place in shown if turn.options[place].name in phrases)
    named = f"personas/{persona}.j2" if persona in personas() else None
    spoken = _environment().get_template(named).render() if named else persona
    system = _environment().get_template("system.j2").render(persona=spoken).strip()
    return Prompt(
        messages=({"role": "system", "content": system}, {"role": "user", "content": str(module).strip()}),
        labels=labels,
        order=shown,
        words=words if len(words) == len(shown) else (),
        reread=lambda reason: (
            _environment().get_template("again.j2").render(reason=reason, **answering).strip()
        ),
        wording=Wording(framing, name, _hash((name, named), framing, None if named else persona), (shown,)),
    )


def render_scale(
    turn: Turn,
    framing: str = "neutral",
    order: int = 0,
    *,
    persona: str | None = None,
    reasoning: bool = False,
    format: Format = "letter",  # the word for it
) -> Prompt:
    """The text for a turn that asks for points of a scale: ``turn.facts["scale"]`` is ``"rating"``, or
    ``"allocation"`` where 100 points are shared out over two things, each with a label.

    Args:
        turn: what the agent may know.
        framing: a name from `framings`.
        persona: a name from `personas`, or a text.
        reasoning: ask for thoughts before the answer.
        order: 0 tells of the two cases in the game's own order, 1 the other way round.
        format: ``"letter"`` asks for bare numbers, ``"json"`` for a JSON object.

    Raises:
        WordingError: the framing is unknown, or has no wording for this game.
    """
    name = _template_name(check_framing(framing), turn)
    letters = _letters(framing)
    shown = rotation(2, order)
    labels = letters[:2] if turn.facts["scale"] == "allocation" else ()
    answering = {"labels": labels, "reasoning": reasoning, "format": format, "scale": turn.facts["scale"]}
    things = ("stay", "swerve")
    programs = [{"label": letters[place], "name": things[number]} for place, number in enumerate(shown)]
    plain = _context(replace(turn, options=()), order, letters)
    text = (
        _environment().get_template(name).render(plain | answering | {"shown": shown, "programs": programs})
    )
    named = f"personas/{persona}.j2" if persona in personas() else None
    spoken = _environment().get_template(named).render() if named else persona
    system = _environment().get_template("system.j2").render(persona=spoken).strip()
    return Prompt(
        messages=({"role": "system", "content": system}, {"role": "user", "content": text.strip()}),
        labels=labels,
        order=shown,
        words=(),
        reread=lambda reason: (
            _environment().get_template("again_scale.j2").render(reason=reason, **answering).strip()
        ),
        wording=Wording(framing, name, _hash((name, named), framing, None if named else persona), (shown,)),
    )


def _template_name(framing: str, turn: Turn) -> str:
    own = f"{framing}/{turn.game.name}.j2"
    if (FOLDER / own).is_file():
        return own
    if isinstance(turn.game, GameTree):
        return f"{framing}/{ANY}"
    raise WordingError(f"Framing {framing!r} has no wording for {turn.game.name}: add wordings/{own}.")


@lru_cache(maxsize=64)
def _letters(framing: str) -> tuple[str, ...]:
    return tuple((FOLDER / framing / "labels.txt").read_text(encoding="utf-8").split())


@lru_cache(maxsize=1)
def _environment() -> SandboxedEnvironment:
    # Jinja2 costs 40 ms to import; a run without language models never needs it.
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # the text goes to a model, not to a browser
    )
    environment.filters |= {
        "number": lambda value: f"{value:.10g}",
        "alternatives": partial(_join, last="or"),
        "alternatives_each": ", and how many ".join,
        "series": partial(_join, last="and"),
    }
    return environment


def _join(items: Sequence[str], last: str) -> str:
    return f"{', '.join(items[:-1])} {last} {items[-1]}" if len(items) > 1 else "".join(items)


@lru_cache(maxsize=256)
def _hash(names: tuple[str | None, ...], framing: str, persona: str | None) -> str:
    """Twelve hex digits of the content of all files that a text is made of, and of the persona's own text."""
    from jinja2 import meta

    environment = _environment()
    found: dict[str, str] = {}
    open_names = [name for name in (*names, "system.j2", "again.j2") if name]
    while open_names:
        name = open_names.pop()
        if name not in found:
            found[name] = (FOLDER / name).read_text(encoding="utf-8")
            open_names += [
                other for other in meta.find_referenced_templates(environment.parse(found[name])) if other
            ]
    parts = [f"{name}\0{found[name]}\0" for name in sorted(found)]
    text = "".join([*parts, " ".join(_letters(framing)), "\0", persona or ""])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _sets(turn: Turn) -> tuple[InformationSet, ...]:
    return turn.game.information_sets if isinstance(turn.game, GameTree) else ()


def _context(turn: Turn, order: int, letters: Sequence[str]) -> dict[str, Any]:
    """What templates may speak of. For a game that is no tree: the turn itself, and its options."""
    roles = list(turn.game.roles)
    shown = rotation(len(turn.options), order)
    plain = {
        "turn": turn,
        "game": turn.game,
        "parameters": turn.game.parameters,
        "facts": turn.facts,
        "redrawn": turn.facts.get("roles") == "random" and len(roles) > 1,
        "roles": roles,
        "me": roles.index(turn.role) + 1,
        "round": turn.round + 1,
        "rounds": turn.rounds,
        "method": turn.method,
        "names": lambda macro: [str(macro(number + 1)) for number in range(len(roles))],
        "shown": shown,
        "programs": [],
        "options": [
            {"label": letters[place], "option": turn.options[number].name, "node": turn.node}
            for place, number in enumerate(shown)
        ],
    }
    return (
        plain | LabelledTree(turn.game, order, letters).facts(turn)
        if isinstance(turn.game, GameTree)
        else plain
    )
