"""From an argument to the words of a completion: ``"steps"``, ``"prose"`` or ``"none"``.

``"steps"`` copies the cells in the prompt's own words, one a line, and goes on in small sums, one line per
option: what a model of a hundred million parameters can learn. ``"prose"`` says the same in sentences.
``"none"`` is the answer alone. All end in the answer as the prompt asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ludens.envs import GameTree
from ludens.errors import UsageError
from ludens.training.data.argument import (
    Compared,
    CopiedLine,
    Item,
    RationaleWriter,
    RuledLine,
    Terms,
    TurnedLine,
    WorkedLine,
)
from ludens.training.data.argument import told as number
from ludens.training.data.example import Reasoning
from ludens.training.data.prompts import RenderedPrompt


def completion(
    game: GameTree,
    node: str,
    told: RenderedPrompt,
    answer: str,
    *,
    terms: Terms | None,
    reasoning: Reasoning,
    phrasing: int = 0,
) -> str:
    """What the model should reply.

    Args:
        game: the rules.
        node: the information set.
        told: its prompt.
        answer: the label of the option to take.
        terms: from `ludens.training.data.argument.terms_of`; not needed for ``"none"``.
        reasoning: the form.
        phrasing: the number of the way in which it is said, see `phrasings`.

    Raises:
        UsageError: there is no argument for this game, or it does not lead to the answer.
    """
    if reasoning == "none" or terms is None:
        return answer
    options = game.information_set(node).options
    option = options[told.order[told.labels.index(answer)]]
    items, best = RationaleWriter(game, terms, told.shown).argue(node, option)
    if option not in best:
        raise UsageError(
            f"The argument at {node!r} of {game!r} leads to {' or '.join(sorted(best))}, not to {option!r}."
        )
    writer = _Writer(game, told, phrasing, close=terms.weights.everybody != 0)
    lines = [writer.step(item) for item in items] if reasoning == "steps" else writer.prose(items)
    return "\n".join([*lines, f"Answer: {answer}"])


def phrasings(reasoning: Reasoning) -> int:
    """How many ways there are to say it."""
    return {"steps": len(_RULED), "prose": len(_PROSE), "none": 1}[reasoning]


_RULED = (
    "Reply to {here}, rule {rule}: {last}",
    "I reply to {here}, the rule is {rule}: {last}",
    "After {here}, where the best rule is {rule}: {last}",
)
"""The end of a second mover's argument: what is replied to, where the best rule goes, and the replies
compared as the rule does if that is the same, by their worth to oneself if it is not.
"""

_PROSE: tuple[dict[str, str], ...] = (
    {
        "copied": "The table says: {text}.",
        "cell": "To me {place} is worth this: {sums}.",
        "expected": "Counting every reply to {place} as I expect it gives {sums}.",
        "reply": "For everybody together, less what I give up, {place} is worth this: {sums}.",
        "rule": "A rule that begins with {place} comes to {sums}.",
        "compared": "Compare: {text}.",
        "ruled": "The other one chose {here}, and the best rule begins with {rule}: {last}.",
    },
    {
        "copied": "I read {text}.",
        "cell": "What {place} is worth to me: {sums}.",
        "expected": "What I expect of {place}: {sums}.",
        "reply": "If everybody did {place}, and I subtract my own sacrifice: {sums}.",
        "rule": "All told, beginning with {place} is worth {sums}.",
        "compared": "Now {text}.",
        "ruled": "I come after {here}; the rule that is best begins with {rule}: {last}.",
    },
)


class _Writer:
    def __init__(self, game: GameTree, told: RenderedPrompt, phrasing: int, *, close: bool) -> None:
        self._told = told
        self._without_blanks = close
        self._phrasing = phrasing
        self._names: dict[tuple[str, str | None], str] = {}
        self._letters: dict[tuple[str | None, str], str] = {}
        for leaf, row in zip(game.leaves, told.rows, strict=True):
            first = leaf.path[0].option
            parts = row.steps if len(row.steps) == len(leaf.path) else ()
            letter = self._letters[None, first] = self._label(game, leaf.path[0].label, first)
            self._names[first, None] = parts[0] if parts else letter
            if len(leaf.path) > 1:
                second = leaf.path[1].option
                letter = self._letters[first, second] = self._label(game, leaf.path[1].label, second)
                self._names[first, second] = parts[1] if parts else letter

    def _label(self, game: GameTree, node: str, option: str) -> str:
        options = game.information_set(node).options
        turned = (options.index(option) - self._told.order[0]) % len(options)
        return self._told.labels[turned]

    def step(self, item: Item) -> str:
        if isinstance(item, TurnedLine):
            return "First" if item.branch is None else f"Reply to {self._letters[None, item.branch]}"
        if isinstance(item, CopiedLine):
            return self._copied(item)
        if isinstance(item, WorkedLine):
            return f"{self._place(item)}: {self._sums(item.sums)}"
        if isinstance(item, Compared):
            return self._chosen(item)
        return self._ruled(_RULED[self._phrasing % len(_RULED)], item, self._chosen(item.last))

    def _sums(self, sums: Sequence[str]) -> str:
        """In steps long arguments have them without blanks, which takes a tenth off a completion's tokens."""
        text = ", ".join(sums)
        return text.replace(" ", "").replace(",", ", ") if self._without_blanks else text

    def _chosen(self, item: Compared) -> str:
        """``7 A, 12 B: 12 B``: first all the numbers, each with its option, then the largest told again.

        With a sign between them a model that writes from left to right would have to compare before it has
        written the second number, and to find whose the larger one is afterwards.
        """
        named = [
            f"{number(value)} {self._letters[item.branch, option]}"
            for value, option in zip(item.values, item.options, strict=True)
        ]
        top = item.top
        best = "the same" if len(top) == len(named) else " and ".join([named[place] for place in top])
        of = "" if item.branch is None else self._letters[None, item.branch]
        what = {"mine": f"{of} own: ", "reply": f"{of} all: ", "rule": "rule: "}.get(item.what, "")
        return f"{what}{', '.join(named)}: {best}"

    def prose(self, items: Sequence[Item]) -> list[str]:
        say = _PROSE[self._phrasing % len(_PROSE)]
        sentences = []
        for item in items:
            if isinstance(item, TurnedLine):
                continue  # the end says it
            if isinstance(item, CopiedLine):
                sentences.append(say["copied"].format(text=self._copied(item)))
            elif isinstance(item, WorkedLine):
                sentences.append(
                    say[item.what].format(place=self._place(item), sums=", and ".join(item.sums))
                )
            elif isinstance(item, Compared):
                sentences.append(say["compared"].format(text=item.text))
            else:
                sentences.append(self._ruled(say["ruled"], item, item.last.text))
        return [" ".join(sentences)]

    def _copied(self, item: CopiedLine) -> str:
        row = self._told.rows[item.leaf]
        if item.role is None or row.head is None:
            return row.line
        return f"{row.head}: {row.cells[item.role]}"

    def _place(self, item: WorkedLine) -> str:
        return self._names[item.branch, item.reply]

    def _ruled(self, form: str, item: RuledLine, last: str) -> str:
        here, rule = (self._letters[None, option] for option in (item.branch, item.rule))
        return form.format(here=here, rule=rule, last=last)
