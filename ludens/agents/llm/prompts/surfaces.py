"""Surfaces: wordings by the hundred, drawn from a grammar by a number.

A *surface* is the way in which the same content is said: labels, names of columns, form and order of rows,
units, sentences around them, numbers in words, sentences without meaning for the decision. ``table`` is the
plain one, and ``table/17`` that of the number 17; the same number gives the same surface everywhere.
``payoffs/17`` says the same with a third number in each row, what the others get. The
sentences stand in ``wordings/table/grammar.toml``. ``varied/17`` says the neutral framing of game trees in
other words in the same way (``wordings/varied/grammar.toml``).
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ludens.agents.llm.prompts.templates import WORDINGS

TABLE, PAYOFFS, VARIED = "table", "payoffs", "varied"

WORDED = 0.15
"""Share of the surfaces whose numbers are written in words."""

_ONES = (
    *(
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
    ),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def is_table(framing: str) -> bool:
    """Return whether a framing is `table`, `payoffs`, which adds what the others get, or one of their
    surfaces.
    """
    head, _, number = framing.partition("/")
    return head in (TABLE, PAYOFFS) and (framing == head or number.isdecimal())


def shows_others(framing: str) -> bool:
    """Return whether a framing is `payoffs` or one of its surfaces."""
    return is_table(framing) and framing.startswith(PAYOFFS)


def is_varied(framing: str) -> bool:
    """Return whether a framing is a surface of the neutral one."""
    head, _, number = framing.partition("/")
    return head == VARIED and number.isdecimal()


@dataclass(frozen=True)
class Words:
    """The neutral framing in other words.

    Attributes:
        letters: labels of options.
        said: the other choices, by their names in ``neutral/any.j2``.
        sequence, number: decide the order of outcomes, and what options are called.
        named: the kind of the options' names, ``"things"`` or ``"tasks"``; empty where they are letters.
    """

    letters: tuple[str, ...]
    said: Mapping[str, Any]
    sequence: str
    number: int
    named: str

    def order(self, count: int) -> tuple[int, ...]:
        """Return the order in which so many outcomes are listed."""
        return _sequence(self.sequence, count, self.number)

    def phrases(self, options: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
        """Return what each node's options are called; nothing where they are letters, and where there are
        more nodes, or options of a node, than there are lists of names, or names in one.
        """
        lists = grammar(VARIED)[self.named] if self.named else ()
        if len(options) > len(lists):
            return {}
        rng = random.Random(f"deeds {self.number}")
        drawn = [rng.sample(names, len(names)) for names in rng.sample(lists, len(options))]
        if any(len(names) > len(few) for names, few in zip(options.values(), drawn, strict=True)):
            return {}
        return {
            node: dict(zip(names, some, strict=False))
            for (node, names), some in zip(options.items(), drawn, strict=True)
        }

    def people(self, count: int) -> tuple[str, ...]:
        """Return what so many roles are called."""
        names, word = self.said["people"], self.said["person"]
        return (*names, *(f"{word} {place + 1}" for place in range(len(names), count)))[:count]

    def cells(self, points: Sequence[str]) -> list[str]:
        """Return what an outcome's line says of each person's payoff."""
        told = zip(self.people(len(points)), points, strict=True)
        return [
            self.said["cell"].format(person=who, gets=self.said["gets"], points=each) for who, each in told
        ]

    def path(self, line: str, points: Sequence[str]) -> str:
        """Return what the line of an outcome with these payoffs says of the moves that lead there; nothing
        where it is no such line.
        """
        cells = self.cells(points)
        paid = self.said["joint"].join(reversed(cells) if self.said["backwards"] else cells)
        before, _, after = self.said["row"].format(path="\0", cells=paid).partition("\0")
        whole = line.startswith(before) and line.endswith(after)
        return line[len(before) : len(line) - len(after)] if whole else ""


@lru_cache(maxsize=4096)
def neutral_words(framing: str) -> Words:
    """Return the words of a surface of the neutral framing, such as ``varied/17``."""
    number = int(framing.partition("/")[2])
    rng, lists = random.Random(f"{VARIED} {number}"), grammar(VARIED)
    drawn = {key: rng.choice(choices) for key, choices in lists.items()}
    gets, got = drawn["gets"]
    chooses, chose, acts = drawn["chooses"]
    if drawn["named"] == "tasks":
        (chooses, chose), acts = drawn["does"], ":"
    elif drawn["named"] and acts.strip() in ("takes", "plays"):  # no verbs for whatever is chosen
        chooses, chose, acts = "decides for", "decided for", ":"
    elif drawn["named"] and not acts:
        acts = ":"
    unit, behind = drawn["units"]
    you, own, owned = drawn["you"]
    texts = {"intro": drawn["intro"], "title": drawn["title"], "own": own, "owned": owned}
    said = {name: text.format(points=unit) for name, text in texts.items()}
    said |= {name: drawn[name] for name in ("suppose", "ask", "option", "then", "backwards", "rules_first")}
    said |= {"gets": gets, "got": got, "chooses": chooses, "chose": chose, "acts": acts, "you": you}
    # What follows "if" holds for all payoffs before it, which a semicolon would put apart.
    apart = drawn["rows"].endswith("{path}") and drawn["joints"] not in (", ", " and ")
    said |= {"row": drawn["rows"], "joint": ", " if apart else drawn["joints"]}
    said |= {"cell": drawn["cells"].replace("{points}", f"{{points}}{behind}")}
    names = rng.sample(drawn["persons"], len(drawn["persons"]))
    numbered = len(names) == 1
    said |= {"person": names[0] if numbered else "Person", "people": [] if numbered else names}
    letters = drawn["letters"].split()
    rng.shuffle(letters)
    return Words(tuple(letters), said, drawn["sequences"], number, drawn["named"])


def _sequence(name: str, count: int, number: int | None) -> tuple[int, ...]:
    places = list(range(count))
    if name == "reversed":
        places.reverse()
    elif name == "shuffled":
        random.Random(f"{number} {count}").shuffle(places)
    return tuple(places)


@dataclass(frozen=True)
class Surface:
    """The choices of one surface, by the names of the grammar's lists.

    Attributes:
        number: its number; None for the plain one.
        letters: labels of options.
        alone, together: what the two columns are called.
        row: the form of a row.
        sequence: the order of rows.
        said: the other choices, by name.
        worded: whether numbers below 100 are written in words.
        others: whether a third number says what the others get.
    """

    number: int | None
    letters: tuple[str, ...]
    alone: str
    together: str
    row: str
    sequence: str
    said: Mapping[str, str]
    worded: bool
    others: bool = False

    def __hash__(self) -> int:
        return hash(self.number)

    def order(self, count: int) -> tuple[int, ...]:
        """Return the order in which so many rows are shown."""
        return _sequence(self.sequence, count, self.number)

    def write_row(self, label: str, alone: int, together: int) -> str:
        """Return a row of the table."""
        worded = self.worded and max(alone, together) < 100
        x, y = (in_words(alone), in_words(together)) if worded else (str(alone), str(together))
        return self.row.format(label=label, x=x, y=y, a=self.alone, b=self.together)


@lru_cache(maxsize=4096)
def surface(framing: str) -> Surface:
    """Return the surface of a framing's name, `table` or ``table/17``, or of `payoffs` in the same words."""
    _, _, name = framing.partition("/")
    number = int(name) if name else None
    words = grammar()
    rng = random.Random(number)

    def drawn(key: str) -> Any:
        choices: Sequence[Any] = words[key]
        return choices[0] if number is None else rng.choice(choices)

    alone, together = drawn("columns")
    row, letters, sequence = drawn("rows"), drawn("letters"), drawn("sequences")
    said = {key: drawn(key) for key in _SAID}
    for key in ("others", "rivals"):  # pairs, for one of them and for several
        place = 0 if number is None else rng.randrange(len(words[key]) // 2)
        said[key], said[f"{key}_several"] = words[key][2 * place : 2 * place + 2]
    aside = (
        drawn("asides").format(number=rng.randint(2, 40), more=rng.randint(41, 99))
        if number is not None
        else ""
    )
    worded = number is not None and rng.random() < WORDED
    # Drawn apart from the others, which stay what they were.
    for key in ("games_at_once", "plans_at_once"):
        place = 0 if number is None else random.Random(f"at once {number}").randrange(len(words[key]))
        said[key] = words[key][place]
    return Surface(
        number,
        tuple(letters.split()),
        alone,
        together,
        row,
        sequence,
        said | {"aside": aside},
        worded,
        shows_others(framing),
    )


_SAID = (
    *(
        "explanations",
        "plans",
        "games",
        "game_units",
        "game_given",
        "markets",
        "market_units",
        "market_given",
    ),
    *("vehicle_units", "vehicle_given", "vehicle_others", "adoption_units", "adoption_given", "asks"),
)


@lru_cache(maxsize=2)
def grammar(of: str = TABLE) -> Mapping[str, Any]:
    """Return the lists of a grammar, `TABLE` or `VARIED`."""
    return tomllib.loads(WORDINGS.read(f"{of}/grammar.toml"))


def in_words(number: int) -> str:
    """Return a whole number from 0 to 99 in words."""
    if number >= 20:
        return _TENS[number // 10] + (f"-{_ONES[number % 10]}" if number % 10 else "")
    return _ONES[number]
