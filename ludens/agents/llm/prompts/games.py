"""From a turn of a game to the text that a language model is shown.

A *framing* is a folder of templates in ``ludens/agents/llm/prompts/wordings``: one file per game family,
and ``any.j2``, which words every game tree from the tree alone. Each number in a text is read from the
turn's game. In a text the options of an information set carry the framing's labels in the order shown: the
order with number k shows the game's options rotated by k, at every information set alike, so that the k-th
option stands first and carries the first label.

The framing ``table`` and its surfaces (``table/17``) are no folder of templates: they show what each option
leads to in numbers (`ludens.agents.llm.prompts.tables`), in every domain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache, partial
from typing import Any, Literal

from ludens.agents.llm.prompts.mechanisms import FOLDER, Mechanical, around
from ludens.agents.llm.prompts.own import FRAMING, OwnTemplate, own_labels
from ludens.agents.llm.prompts.surfaces import (
    PAYOFFS,
    TABLE,
    VARIED,
    is_table,
    is_varied,
    neutral_words,
    shows_others,
    surface,
)
from ludens.agents.llm.prompts.tables import PROGRAMS, Table, show, table_of
from ludens.agents.llm.prompts.templates import WORDINGS, Prompt, WordingError
from ludens.agents.llm.prompts.tree import LabelledTree, rotation
from ludens.agents.policy import Wording
from ludens.envs import GameTree, InformationSet, PastRound, Scale, Step, StrategicGame, Turn
from ludens.envs.strategic.turns import as_tree

Format = Literal["letter", "json"]

ANY = "any.j2"
NEUTRAL = "neutral"
SIMULTANEOUS = "simultaneous.j2"
RULES = "rules"
MORE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Labels of games with more options than a framing has labels for; not I and O, which look like numbers."""
PARAPHRASES = "paraphrases"
# The templates that ask for points name this range.
LOWEST, HIGHEST = 0, 100


@cache
def framings() -> tuple[str, ...]:
    """Return the names of all framings."""
    return tuple(sorted(path.parent.name for path in WORDINGS.path.glob(f"*/{ANY}")))


@cache
def paraphrases() -> tuple[str, ...]:
    """Return the names of the paraphrases of the neutral framing: framings too, which no benchmark uses."""
    names = sorted(path.parent.name for path in WORDINGS.path.glob(f"{PARAPHRASES}/*/{ANY}"))
    return tuple(f"{PARAPHRASES}/{name}" for name in names)


def check_framing(framing: str) -> str:
    """Return the framing's name.

    Raises:
        WordingError: there is no such framing; the message lists those there are.
    """
    drawn = isinstance(framing, str) and (is_table(framing) or is_varied(framing))
    if not drawn and framing not in framings() and framing not in paraphrases():
        known = ", ".join((*framings(), TABLE, PAYOFFS))
        raise WordingError(f"There is no framing {framing!r}; choose one of {known}.")
    return framing


def orders(turn: Turn) -> tuple[int, ...]:
    """Return the numbers of all orders in which the turn's options can be shown."""
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
    template: str | None = None,
) -> Prompt:
    """Word a turn at which one of several options is chosen.

    Args:
        turn: what the agent may know.
        framing: a name from `framings` or `paraphrases`.
        order: the number of the order in which options are shown, see the top of this module.
        persona: a name from `personas`, or a text, put into the system message.
        reasoning: ask for thoughts before the answer.
        format: ``"letter"`` asks for a bare label, ``"json"`` for a JSON object.
        belief: ask how many of 100 others choose each option, instead of asking for a choice.
        template: the text of a template of the user's own in the place of the framing
            (`ludens.agents.llm.prompts.own`).

    Raises:
        WordingError: the framing is unknown, or it or the template cannot word this game.
    """
    return _rendered(
        _Same(turn),
        framing,
        order,
        persona=persona,
        reasoning=reasoning,
        format=format,
        belief=belief,
        template=template,
    )


class _Same:
    """A turn as a key: equal to itself alone, since what it knows cannot be hashed."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.turn is self.turn

    def __hash__(self) -> int:
        return id(self.turn)


# A question that is asked again and again, by every replicate, is worded once.
@lru_cache(maxsize=256)
def _rendered(
    asked: _Same,
    framing: str,
    order: int,
    *,
    persona: str | None,
    reasoning: bool,
    format: Format,  # the word for it
    belief: bool,
    template: str | None,
) -> Prompt:
    if template is None and is_table(framing):
        asking = {"reasoning": reasoning, "format": format, "belief": belief}
        table = table_of(asked.turn, order, others=shows_others(framing))
        return render_table(table, framing, order, persona=persona, asking=asking)
    turn = worded(asked.turn)
    source = _framed(framing, turn) if template is None else _own(OwnTemplate(template), turn)
    most = max(len(turn.options), *(len(node.options) for node in _sets(turn)), 0)
    source = _lettered(source, turn, most)
    shown = rotation(len(turn.options), order)
    labels = source.letters[: len(shown)]
    answering = {"labels": labels, "reasoning": reasoning, "format": format, "belief": belief}
    said, phrased = source.render(answering | _context(turn, order, source.letters))
    names = tuple(turn.options[place].name for place in shown)
    phrases = phrased.get(turn.node, {} if template is None else dict(zip(names, names, strict=True)))
    words = tuple(phrases[name] for name in names if name in phrases)
    return _prompt(
        said,
        _Asked(source, persona, "again.j2", answering, phrased),
        labels,
        shown,
        words if len(words) == len(shown) and _differ(words) else (),
    )


def _lettered(source: _Source, turn: Turn, most: int) -> _Source:
    """Return the source with labels for `most` options: its own, more letters, or numbers.

    Raises:
        WordingError: there are more options than a prompt can list.
    """
    if most <= len(source.letters):
        return source
    letters = source.letters + tuple(each for each in MORE_LETTERS if each not in source.letters)
    if most > len(letters):
        rows = [[option.name for option in turn.options], *(node.options for node in _sets(turn))]
        letters = own_labels([name for names in rows for name in names], most)
    return replace(source, letters=letters)


def render_scale(
    turn: Turn,
    framing: str = "neutral",
    order: int = 0,
    *,
    persona: str | None = None,
    reasoning: bool = False,
    format: Format = "letter",  # the word for it
    template: str | None = None,
) -> Prompt:
    """Word a turn that asks for points on its scale (``turn.scale``): a rating, an amount, or points shared
    out over several things, each of which has a label.

    Args:
        turn: what the agent may know.
        framing: a name from `framings`.
        order: 0 describes the things in the game's own order, 1 the second of them first, and so on.
        persona: a name from `personas`, or a text.
        reasoning: ask for thoughts before the answer.
        format: ``"letter"`` asks for bare numbers, ``"json"`` for a JSON object.
        template: as for `render`.

    Raises:
        WordingError: the framing is unknown or has no wording for this game, the template cannot word it, or
            the scale of a vignette is not one from 0 to 100.
    """
    turn = worded(turn)
    scale = turn.scale
    if template is None and is_table(framing) and scale is not None and scale.kind == "message":
        raise WordingError(
            f"The framing {framing!r} shows numbers, and {turn.environment} asks for a message at "
            f"{turn.node!r}: use another framing, such as neutral."
        )
    if template is None and is_table(framing) and scale is not None:
        return _tabled_scale(
            turn,
            framing,
            order,
            persona,
            {"reasoning": reasoning, "format": format, "scale": scale.kind, "total": _total(scale)}
            | {"lowest": scale.lowest, "highest": scale.highest, "step": scale.step},
        )
    source = _framed(framing, turn) if template is None else _own(OwnTemplate(template, scale=True), turn)
    of_game = scale is not None and scale.kind == "allocation" and isinstance(turn.game, StrategicGame)
    if scale is None or (
        not of_game
        and scale.kind not in ("number", "message")
        and (scale.lowest, scale.highest) != (LOWEST, HIGHEST)
    ):
        asks = "asks for none" if scale is None else f"has a scale from {scale.lowest} to {scale.highest}"
        raise WordingError(
            f"Framing {source.framing!r} words points from {LOWEST} to {HIGHEST} alone, and {turn.game.name} "
            f"{asks} at {turn.node!r}."
        )
    several = len(scale.things) if scale.kind == "allocation" else 0
    letters = _lettered(source, turn, several).letters
    shown = rotation(several or 2, order)
    labels = letters[:several]
    answering = {"labels": labels, "reasoning": reasoning, "format": format, "scale": scale.kind}
    answering |= {"lowest": scale.lowest, "highest": scale.highest, "step": scale.step}
    answering |= {"total": _total(scale)}
    things = [
        {"label": letters[place], "name": scale.things[number]}
        for place, number in enumerate(shown)
        if number < len(scale.things)
    ]
    plain = _context(replace(turn, options=()), order, letters)
    said, _ = source.render(plain | answering | {"shown": shown, "programs": things})
    return _prompt(said, _Asked(source, persona, "again_scale.j2", answering), labels, shown, ())


def _total(scale: Scale) -> str:
    """Return what the numbers of an allocation sum to, in words."""
    steps = f", each in steps of {scale.step}" if scale.step > 1 else ""
    return f"{'' if scale.exact else 'at most '}{scale.highest:.10g}{steps}"


def render_table(
    table: Table, framing: str, order: int = 0, *, persona: str | None, asking: Mapping[str, Any]
) -> Prompt:
    """Word a table from which one option is chosen.

    Args:
        table: the turn.
        framing: ``table`` or one of its surfaces.
        order: the number of the order in which options are labelled.
        persona: as for `render`.
        asking: `reasoning` and `format`, and `belief` where that is asked, as for `render`.

    Raises:
        WordingError: there are more options than labels.
    """
    how = surface(framing)
    labels = how.letters[: len(table.options)]
    answering = {"labels": labels, "belief": False, **asking}
    if answering["belief"]:
        table = replace(table, question=WORDINGS.render("belief.j2", answering))
    shown = show(table, how, order)
    text = f"{shown.text}\n{WORDINGS.render('answer.j2', answering)}"
    asked = _Asked(_of_table(framing, labels), persona, "again.j2", answering)
    return _prompt(text, asked, shown.labels, shown.order, ())


def _tabled_scale(
    turn: Turn, framing: str, order: int, persona: str | None, asking: Mapping[str, Any]
) -> Prompt:
    """Word a turn that asks for points as a table."""
    how = surface(framing)
    labels = PROGRAMS if asking["scale"] == "allocation" else ()
    answering = {"labels": labels, **asking}
    shown = show(table_of(turn, order, others=shows_others(framing)), how)
    text = f"{shown.text}\n{WORDINGS.render('answer_scale.j2', answering)}"
    asked = _Asked(_of_table(framing, labels), persona, "again_scale.j2", answering)
    return _prompt(text, asked, labels, rotation(2, order), ())


def _of_table(framing: str, labels: tuple[str, ...]) -> _Source:
    """Return where the words of a table come from."""
    text = f"{framing} {WORDINGS.read(f'{TABLE}/grammar.toml')}"
    templates = ("answer.j2", "answer_scale.j2", "av/parts.j2")
    return _Source(framing, f"{TABLE}/grammar.toml", labels, lambda _: (text, {}), templates, text)


def worded(turn: Turn) -> Turn:
    """Return the turn as templates word it: that of a small game in which all move at once as a turn of its
    tree, unless the game has rules of its own in words.
    """
    if has_rules(turn.game.name) or around(turn) is not None:
        return turn
    return as_tree(turn) or turn


@lru_cache(maxsize=256)
def has_rules(name: str) -> bool:
    """Return whether a game in which all move at once has rules in words."""
    return (WORDINGS.path / RULES / f"{name}.j2").is_file()


@dataclass(frozen=True)
class _Source:
    """Where the words of a turn come from.

    Attributes:
        framing: its name.
        template: its name; of one of the user's own, that of the framing.
        letters: labels of options.
        render: returns the text from what the template may use, and what it calls options, by node and name.
        templates: what its text depends on, by name.
        text: what else it depends on.
    """

    framing: str
    template: str
    letters: tuple[str, ...]
    render: Callable[[Mapping[str, Any]], tuple[str, Mapping[str, Any]]]
    templates: tuple[str, ...]
    text: str


def _framed(framing: str, turn: Turn) -> _Source:
    """Return the template of a framing for a turn's game.

    Raises:
        WordingError: there is no such framing, or it has no wording for this game.
    """
    if is_varied(framing):
        return _varied(framing, turn)
    name = _template_name(check_framing(framing), turn)
    letters = _letters(framing)

    def rendered(context: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        module = WORDINGS.environment.get_template(name).make_module(dict(context))
        return str(module).strip(), getattr(module, "phrases", {})

    rules = _rules_of(turn) if name.endswith(SIMULTANEOUS) else ()
    return _Source(framing, name, letters, rendered, (name, *rules), " ".join(letters))


def _rules_of(turn: Turn) -> tuple[str, ...]:
    """Return the templates of the rules of a game in which all move at once."""
    if (base := around(turn)) is None:
        return (f"{RULES}/{turn.game.name}.j2",)
    told = f"{RULES}/{base.name}.j2" if has_rules(base.name) else f"{FOLDER}/table.j2"
    return (told, *(f"{FOLDER}/{name}.j2" for name in WORDINGS.names(FOLDER)))


def _varied(framing: str, turn: Turn) -> _Source:
    """Return the neutral framing of a game tree in the words of a surface.

    Raises:
        WordingError: the turn is of another game.
    """
    if not isinstance(turn.game, GameTree):
        raise WordingError(f"Framing {framing!r} has no wording for {turn.game.name}: take neutral or table.")
    how, name = neutral_words(framing), f"{NEUTRAL}/{ANY}"
    told = {node.label: node.options for node in turn.game.information_sets}
    # What others did before is told by letters, which other nodes' options do not have then.
    phrases = {} if "reputation" in turn.facts else how.phrases(told)

    def rendered(context: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        rows = context["outcomes"]
        outcomes = [rows[place] for place in how.order(len(rows))]
        words = {**how.said, "phrases": phrases}
        said = dict(context) | {"words": words, "outcomes": outcomes}
        return str(WORDINGS.environment.get_template(name).make_module(said)).strip(), phrases

    text = f"{framing} {WORDINGS.read(f'{VARIED}/grammar.toml')}"
    return _Source(framing, name, how.letters, rendered, (name,), text)


def _own(template: OwnTemplate, turn: Turn) -> _Source:
    """Return a template of the user's own, with labels that suit the names of a turn's options."""
    if template.scale:
        things = turn.scale.things if turn.scale is not None else ()
        letters = own_labels(things, max(2, len(things)))
    else:
        rows = [[option.name for option in turn.options], *(node.options for node in _sets(turn))]
        letters = own_labels([name for names in rows for name in names], max(map(len, rows)))
    rendered = partial(template.render, turn)
    return _Source(FRAMING, FRAMING, letters, rendered, template.templates, template.text)


def _differ(words: Sequence[str]) -> bool:
    """Return whether no two names read alike, so that a name says which option is meant."""
    return len({" ".join(word.split()).casefold() for word in words}) == len(words)


@dataclass(frozen=True)
class _Asked:
    """How a prompt came to be: its source and persona, the template that asks again, and what options of all
    nodes are called.
    """

    source: _Source
    persona: str | None
    again: str
    answering: Mapping[str, Any]
    phrases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def _prompt(
    text: str, asked: _Asked, labels: tuple[str, ...], shown: tuple[int, ...], words: tuple[str, ...]
) -> Prompt:
    persona = WORDINGS.persona(asked.persona)
    source = asked.source
    templates = [*source.templates, "system.j2", "again.j2", *filter(None, [persona.template])]
    own = "" if persona.template else persona.text or ""
    return Prompt(
        messages=(WORDINGS.system(persona), {"role": "user", "content": text}),
        labels=labels,
        order=shown,
        words=words,
        reread=lambda reason: WORDINGS.render(asked.again, {"reason": reason, **asked.answering}),
        wording=Wording(
            source.framing,
            source.template,
            WORDINGS.hash(templates, source.text, own),
            (shown,),
        ),
        letters=source.letters,
        phrases=asked.phrases,
    )


def _template_name(framing: str, turn: Turn) -> str:
    own = f"{framing}/{turn.game.name}.j2"
    if (WORDINGS.path / own).is_file():
        return own
    if isinstance(turn.game, GameTree):
        return f"{framing}/{ANY}"
    if isinstance(turn.game, StrategicGame) and (has_rules(turn.game.name) or around(turn) is not None):
        # A paraphrase says the tables of game trees in other words; rules are not paraphrased.
        return f"{framing if '/' not in framing else NEUTRAL}/{SIMULTANEOUS}"
    raise WordingError(f"Framing {framing!r} has no wording for {turn.game.name}: add wordings/{own}.")


@lru_cache(maxsize=64)
def _letters(framing: str) -> tuple[str, ...]:
    return tuple(WORDINGS.read(f"{framing}/labels.txt").split())


def _sets(turn: Turn) -> tuple[InformationSet, ...]:
    return turn.game.information_sets if isinstance(turn.game, GameTree) else ()


def _context(turn: Turn, order: int, letters: Sequence[str]) -> dict[str, Any]:
    """Return what templates may use: the turn and its options, and for a game tree its moves and outcomes."""
    roles = list(turn.game.roles)
    if turn.role not in roles:
        raise WordingError(
            f"The turn at {turn.node!r} of {turn.environment} has the role {turn.role!r}, and its game has "
            f"{', '.join(roles)}: name one of them."
        )
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
    if (base := around(turn)) is not None:
        return plain | _with_mechanism(turn, order, plain, base)
    if isinstance(turn.game, StrategicGame):
        return plain | {
            "players": len(turn.game.seats),
            "past": [_seen(turn, past) for past in turn.past],
            "rules": f"{RULES}/{turn.game.name}.j2",
        }
    if isinstance(turn.game, GameTree):
        tree = LabelledTree(turn.game, order, letters)
        return plain | tree.facts(turn) | {"facts": _labelled(turn.facts, tree, letters)}
    return plain


def _with_mechanism(turn: Turn, order: int, plain: Mapping[str, Any], base: StrategicGame) -> dict[str, Any]:
    """Return what templates may use of a game with a mechanism."""
    told = Mechanical(turn, order, f"{RULES}/{base.name}.j2" if has_rules(base.name) else None)
    options = [{**each, "option": told.option(each["option"])} for each in plain["options"]]
    facts = dict(turn.facts)
    if "reputation" in facts:
        facts["reputation"] = told.reputation(facts["reputation"])
    return told.facts() | {"options": options, "facts": facts}


def _labelled(facts: Mapping[str, Any], tree: LabelledTree, letters: Sequence[str]) -> Mapping[str, Any]:
    """Return facts in which what others did before is named by the labels of the prompt."""
    if "reputation" not in facts:
        return facts
    labels = {name: letters[place] for places in tree.places.values() for name, place in places.items()}

    def told(deed: str | tuple[Step, ...]) -> str | list[dict[str, Any]]:
        return labels[deed] if isinstance(deed, str) else tree.steps(deed)

    return {**facts, "reputation": [[told(deed) for deed in each] for each in facts["reputation"]]}


def _seen(turn: Turn, past: PastRound) -> dict[str, Any]:
    """Return a finished round of a game in which all move at once: what oneself did, what the others did."""
    others = [step.option for step in past.path if step.role != past.role]
    (own,) = (step.option for step in past.path if step.role == past.role)
    return {"own": own, "others": others, "points": past.payoffs[past.role], "role": past.role}
