"""Prompts for many games of one shape, from a skeleton that is rendered once.

The skeleton is a prompt with a placeholder for every payoff; the prompt of another game of the same shape has
its own numbers in their place. When a skeleton is first used, the result is compared with that of
`ludens.agents.llm.prompts.games.render`; a wording for which the two differ (for example, one that mentions
sums of payoffs) is rendered anew for every game.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ludens.agents.llm.prompts.games import render
from ludens.agents.llm.prompts.surfaces import is_varied, neutral_words
from ludens.agents.llm.prompts.templates import Prompt
from ludens.envs import ChanceNode, DecisionNode, GameTree, Node, PayoffNode, Turn, questions
from ludens.training.data.games import shape_of

_MARK = 7_000_000_000
_Pieces = list[str | int]
"""Pieces of text, and the numbers of the payoffs between them."""
_MARKS = re.compile(r"70000\d{5}")


@dataclass(frozen=True)
class Row:
    """The line of a prompt that states the payoffs of a leaf.

    Attributes:
        line: the whole line.
        head: the text before the payoffs, for example ``"Person 1 A, Person 2 B"``; None where the line has
            another form.
        steps: the parts of the head, one per move, for example ``("Person 1 A", "Person 2 B")``; empty where
            the line has another form.
    """

    line: str
    head: str | None
    steps: tuple[str, ...]


@dataclass(frozen=True)
class RenderedPrompt:
    """A turn in words, with the parts that rationales refer to.

    Attributes:
        messages, labels, order: the prompt, as returned by `ludens.agents.llm.prompts.games.render`.
        rows: the line about each leaf's payoffs, in tree order.
        shown: the numbers of the leaves in the order of the prompt.
        letters, phrases: labels and names of the options of all nodes, as in
            `ludens.agents.llm.prompts.templates.Prompt`.
        people: what the prompt calls each role, in the order of the game's roles; empty in framings of which
            this is not known, such as stories.
    """

    messages: tuple[Mapping[str, str], ...]
    labels: tuple[str, ...]
    order: tuple[int, ...]
    rows: tuple[Row, ...]
    shown: tuple[int, ...]
    letters: tuple[str, ...]
    phrases: Mapping[str, Mapping[str, str]]
    people: tuple[str, ...]


class PromptRenderer:
    """A renderer of turns of the strategy method and the direct method that reuses what games of a shape
    share.
    """

    def __init__(self) -> None:
        self._skeletons: dict[tuple[object, ...], _Skeleton] = {}
        self._turns: dict[tuple[object, ...], Mapping[str, Turn]] = {}

    def render(
        self,
        game: GameTree,
        node: str,
        framing: str,
        order: int,
        *,
        reasoning: bool,
        direct: bool = False,
        shape: tuple[object, ...] | None = None,
    ) -> RenderedPrompt:
        """Render the prompt of a game's information set.

        Args:
            game: the rules.
            node: the information set.
            framing: the name of a framing.
            order: the number of the order in which options are shown.
            reasoning: whether to ask for reasoning before the answer.
            direct: whether the node has actually been reached, instead of being asked about in advance.
            shape: the result of `shape_of`, if it is already known.

        Raises:
            WordingError: the framing is unknown, or has no words for this game.
        """
        key = (shape or shape_of(game), framing, node, order, reasoning, direct)
        skeleton = self._skeletons.get(key)
        if skeleton is None:
            turn = self._turn(game, node)
            if direct:
                turn = replace(turn, method="direct")
            skeleton = self._skeletons[key] = _Skeleton(turn, game, framing, order, reasoning)
        return skeleton.fill(game)

    def _turn(self, game: GameTree, node: str) -> Turn:
        key = shape_of(game)
        if key not in self._turns:
            self._turns[key] = questions(game)
        return self._turns[key][node]


class _Skeleton:
    def __init__(self, turn: Turn, game: GameTree, framing: str, order: int, reasoning: bool) -> None:
        self._turn = turn
        self._how = (framing, order)
        self._reasoning = reasoning
        self._roles = len(game.roles)
        self._marked = self._render(replace(turn, game=_marked(game)))
        self._true = self._true_of_one = True
        # A wording can say "1 coin" where it says "2 coins".
        ones = _numbered(game, lambda _: 1.0)
        self._true_of_one = self.fill(ones).messages == self._render(replace(turn, game=ones)).messages
        self._true = self.fill(game).messages == self._render(replace(turn, game=game)).messages

    def fill(self, game: GameTree) -> RenderedPrompt:
        numbers = [f"{value:.10g}" for leaf in game.leaves for value in leaf.payoffs]
        order, labels = self._marked.order, self._marked.labels
        rows = tuple(
            Row(
                _filled(pieces, numbers),
                None if head is None else _filled(head, numbers),
                steps,
            )
            for pieces, head, steps in self._rows
        )
        if self._true and (self._true_of_one or not {"1", "-1"} & set(numbers)):
            messages = tuple(
                {"role": role, "content": _filled(content, numbers)} for role, content in self._content
            )
        else:
            messages = tuple(dict(m) for m in self._render(replace(self._turn, game=game)).messages)
        named = self._marked.letters, self._marked.phrases, self._people
        return RenderedPrompt(messages, labels, order, rows, self._shown, *named)

    def _render(self, turn: Turn) -> Prompt:
        return render(turn, self._how[0], self._how[1], reasoning=self._reasoning)

    @cached_property
    def _content(self) -> list[tuple[str, _Pieces]]:
        return [(message["role"], _pieces(message["content"])) for message in self._marked.messages]

    @cached_property
    def _rows(self) -> list[tuple[_Pieces, _Pieces | None, tuple[str, ...]]]:
        lines = [line for message in self._marked.messages for line in message["content"].splitlines()]
        rows = []
        for leaf in range(self._leaves):
            marks = [str(_MARK + leaf * self._roles + role) for role in range(self._roles)]
            line = next((text for text in lines if all(mark in text for mark in marks)), "")
            head, steps = self._parts(line, marks)
            rows.append((_pieces(line), _pieces(head) if head else None, steps))
        return rows

    def _parts(self, line: str, marks: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """Return what a line says of the moves, and of each move; nothing where it has another form."""
        if line and is_varied(self._how[0]):
            words = neutral_words(self._how[0])
            head = words.path(line, marks)
            return head, tuple(head.split(words.said["then"]))
        head, _, body = line.partition(": ")
        cells = [next((part for part in body.split(", ") if mark in part), "") for mark in marks]
        steps = tuple(head.split(", "))
        lettered = all(step.rpartition(" ")[2] in self._marked.letters for step in steps)
        whole = body and lettered and not _MARKS.search(head) and all(cells) and len(set(cells)) == len(cells)
        return (head, steps) if whole else ("", ())

    @cached_property
    def _people(self) -> tuple[str, ...]:
        framing = self._how[0]
        if is_varied(framing):
            return neutral_words(framing).people(self._roles)
        people = tuple(f"Person {place + 1}" for place in range(self._roles))
        text = "\n".join(message["content"] for message in self._marked.messages)
        return people if all(person in text for person in people) else ()

    @cached_property
    def _leaves(self) -> int:
        game = self._turn.game
        assert isinstance(game, GameTree)
        return len(game.leaves)

    @cached_property
    def _shown(self) -> tuple[int, ...]:
        text = "\n".join(message["content"] for message in self._marked.messages)
        places = [text.find(str(_MARK + leaf * self._roles)) for leaf in range(self._leaves)]
        return tuple(sorted(range(self._leaves), key=lambda leaf: places[leaf]))


def _pieces(text: str) -> _Pieces:
    """Split a text at its placeholders into pieces of text and numbers of payoffs."""
    pieces: _Pieces = []
    start = 0
    for hit in _MARKS.finditer(text):
        pieces += [text[start : hit.start()], int(hit[0]) - _MARK]
        start = hit.end()
    return [*pieces, text[start:]]


def _filled(pieces: _Pieces, numbers: list[str]) -> str:
    return "".join([numbers[piece] if isinstance(piece, int) else piece for piece in pieces])


def _marked(game: GameTree) -> GameTree:
    return _numbered(game, lambda place: float(_MARK + place))


def _numbered(game: GameTree, number: Callable[[int], float]) -> GameTree:
    """Return a game of the same shape whose payoffs are a function of their places."""
    count = iter(range(10_000))

    def marked(node: Node) -> Node:
        if isinstance(node, PayoffNode):
            return PayoffNode(tuple(number(next(count)) for _ in node.payoffs))
        if isinstance(node, ChanceNode):
            return replace(
                node,
                branches={name: (share, marked(child)) for name, (share, child) in node.branches.items()},
            )
        assert isinstance(node, DecisionNode)
        return replace(node, options={name: marked(child) for name, child in node.options.items()})

    return GameTree(game.name, game.roles, marked(game.root), game.parameters, game.protocol)
