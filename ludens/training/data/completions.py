"""Completions: rationales in words, in the form ``"steps"``, ``"prose"`` or ``"none"``.

``"steps"`` names the turn, copies payoffs, one row per line, and continues with small calculations, one line
per option, which a model of a hundred million parameters can learn. ``"prose"`` puts the same into sentences.
``"none"`` is the answer alone. All forms end in the answer as the prompt asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ludens.envs import GameTree
from ludens.errors import UsageError
from ludens.training.data.example import Reasoning
from ludens.training.data.prompts import RenderedPrompt
from ludens.training.data.rationale import (
    ComparedLine,
    CopiedLine,
    Line,
    RationaleWriter,
    RuleLine,
    Terms,
    TurnLine,
    WorkedLine,
    number_text,
)


def completion(
    game: GameTree,
    node: str,
    prompt: RenderedPrompt,
    answer: str,
    *,
    terms: Terms | None,
    reasoning: Reasoning,
    phrasing: int = 0,
) -> str:
    """Write the reply that the model should learn.

    Args:
        game: the rules.
        node: the information set.
        prompt: the prompt of that information set.
        answer: the label of the option to take.
        terms: the result of `ludens.training.data.rationale.terms_of`; not needed for ``"none"``.
        reasoning: the form of the completion.
        phrasing: the number of the phrasing, see `phrasings`.

    Raises:
        UsageError: the rationale does not lead to the answer.
    """
    if reasoning == "none" or terms is None:
        return answer
    options = game.information_set(node).options
    option = options[prompt.order[prompt.labels.index(answer)]]
    rationale = RationaleWriter(game, terms, prompt.shown)
    items, best = rationale.write(node, option)
    if option not in best:
        raise UsageError(
            f"The rationale at {node!r} of {game!r} leads to {' or '.join(sorted(best))}, not to {option!r}."
        )
    writer = _Writer(game, node, prompt, phrasing, rationale, tags=reasoning == "steps")
    lines = [writer.step(item) for item in items] if reasoning == "steps" else writer.prose(items)
    return "\n".join([*lines, f"Answer: {answer}"])


def phrasings(reasoning: Reasoning) -> int:
    """Return the number of phrasings of a form of reasoning."""
    return {"steps": 1, "prose": len(_PROSE), "none": 1}[reasoning]


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
    def __init__(
        self,
        game: GameTree,
        node: str,
        prompt: RenderedPrompt,
        phrasing: int,
        rationale: RationaleWriter,
        *,
        tags: bool,
    ) -> None:
        self._payoffs = rationale.payoffs
        self._moral = rationale.moral
        self._opener = rationale.plan.first
        self._asked = node
        self._prompt = prompt
        self._phrasing = phrasing
        self._names: dict[tuple[str, str | None], str] = {}
        self._letters: dict[tuple[str | None, str], str] = {}
        self._heads: list[str | None] = []
        acts = prompt.phrases.get(node) if tags else None
        options = game.information_set(node).options
        shown = zip(prompt.order, prompt.labels, strict=True)
        self._acts = {acts[options[place]]: label for place, label in shown} if acts else {}
        for leaf, row in zip(game.leaves, prompt.rows, strict=True):
            letters = [self._label(game, move.label, move.option) for move in leaf.path]
            names, head = letters, row.head
            if head is not None and len(row.steps) == len(letters):
                names = list(row.steps)
                if self._acts:
                    moves = zip(row.steps, letters, leaf.path, strict=True)
                    names = [f"{said}={label}" if move.label == node else said for said, label, move in moves]
                    joint = head.removeprefix(row.steps[0]).removesuffix(row.steps[-1])
                    head = joint.join(names)
            self._heads.append(head)
            first = leaf.path[0].option
            self._letters[None, first], self._names[first, None] = letters[0], names[0]
            if len(leaf.path) > 1:
                second = leaf.path[1].option
                self._letters[first, second], self._names[first, second] = letters[1], names[1]

    def _label(self, game: GameTree, node: str, option: str) -> str:
        """Return the label of an option. Where options have names, only those asked about have a label, and
        others go by their names.
        """
        if node != self._asked and node in self._prompt.phrases:
            return self._prompt.phrases[node][option]
        options = game.information_set(node).options
        turned = (options.index(option) - self._prompt.order[0]) % len(options)
        return self._prompt.letters[turned]

    def step(self, item: Line) -> str:
        if isinstance(item, TurnLine):
            return self._turn(item)
        if isinstance(item, CopiedLine):
            return self._copied(item)
        if isinstance(item, WorkedLine):
            return f"{self._place(item)}: {self._sums(item.sums)}"
        return self._chosen(item.last if isinstance(item, RuleLine) else item)

    def _turn(self, item: TurnLine) -> str:
        """Name the turn, and what the rest of the rationale looks up here.

        For the second mover this is what decides if the best rule begins with an option: what the replies are
        worth to all where it is the one replied to, and otherwise to the second mover. Where options have
        names, it is the label of each. These tags stand behind the options from here on, so that later lines
        copy them instead of finding out whether two options are the same, or which label an option has.
        """
        me = self._person(first=item.branch is None)
        if item.branch is None:
            turn = f"{me} moves first" if me else "First"
        else:
            to = f"to {self._letters[None, item.branch]}"
            turn = f"{me} replies {to}" if me else f"Reply {to}"
        tags = [self._tagged(option, str(item.branch)) for option in item.rules]
        tags += [f"{act}={label}" for act, label in self._acts.items()]
        return f"{turn}: {', '.join(tags)}" if tags else turn

    def _tagged(self, option: str, here: str) -> str:
        tag = "all" if option == here else self._person(first=False) or "own"
        return f"{self._letters[None, option]}={tag}"

    def _person(self, *, first: bool) -> str:
        """Return what the prompt calls the first or the second mover; nothing where it gives no names."""
        people = self._prompt.people
        return people[self._opener if first else 1 - self._opener] if people else ""

    def _sums(self, sums: Sequence[str]) -> str:
        """Join calculations; long rationales omit blanks, which saves a tenth of a completion's tokens."""
        text = ", ".join(sums)
        return text.replace(" ", "").replace(",", ", ") if self._moral else text

    def _chosen(self, item: ComparedLine) -> str:
        """Write a comparison as ``7 A, 12 B: 12 B``: all numbers with their options, then the largest again.

        With a sign between the numbers, a model that writes from left to right would have to compare them
        before it has written the second, and then to look up the option of the larger one.
        """
        labels = [
            self._letters[item.branch, option] if item.here is None else self._tagged(option, item.here)
            for option in item.options
        ]
        named = [f"{number_text(value)} {label}" for value, label in zip(item.values, labels, strict=True)]
        top = item.top
        best = "the same" if len(top) == len(named) else " and ".join([named[place] for place in top])
        whose = self._person(first=False)
        of = "" if item.branch is None else f"{self._letters[None, item.branch]}, "
        what = {
            "own": f"{whose}: " if whose else "",
            "mine": f"{of}{whose or 'own'}: ",
            "reply": f"{of}all: ",
            "rule": "rule: ",
        }.get(item.what, "")
        return f"{what}{', '.join(named)}: {best}"

    def prose(self, items: Sequence[Line]) -> list[str]:
        say = _PROSE[self._phrasing % len(_PROSE)]
        sentences = []
        for item in items:
            if isinstance(item, TurnLine):
                continue  # the last sentence names the turn
            if isinstance(item, CopiedLine):
                sentences.append(say["copied"].format(text=self._copied(item)))
            elif isinstance(item, WorkedLine):
                sentences.append(
                    say[item.what].format(place=self._place(item), sums=", and ".join(item.sums))
                )
            elif isinstance(item, ComparedLine):
                sentences.append(say["compared"].format(text=item.text))
            else:
                sentences.append(self._ruled(say["ruled"], item, item.last.text))
        return [" ".join(sentences)]

    def _copied(self, item: CopiedLine) -> str:
        """Copy a row in one form for all layouts: each name before its payoff, and the first mover before the
        second. Whose number it is is what a small model errs in most, and so it is settled once for each row.
        """
        head, people = self._heads[item.leaf], self._prompt.people
        if head is None or not people:
            return self._prompt.rows[item.leaf].line
        roles = (self._opener, 1 - self._opener) if item.role is None else (item.role,)
        payoffs = self._payoffs[item.leaf]
        said = ", ".join([f"{people[role]} gets {number_text(payoffs[role])}" for role in roles])
        return f"{head}: {said}"

    def _place(self, item: WorkedLine) -> str:
        return self._names[item.branch, item.reply]

    def _ruled(self, form: str, item: RuleLine, last: str) -> str:
        here, rule = (self._letters[None, option] for option in (item.branch, item.rule))
        return form.format(here=here, rule=rule, last=last)
