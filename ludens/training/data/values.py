"""Examples from games that are not played in two stages: those in which all move at once, and longer trees.

The rationale says what each option is worth and compares, as that of the table framing does
(`ludens.training.data.table_rationale`). Between two players of one role with few actions, whose payoffs the
prompt shows, it adds them up itself:

    A alone: 3+0=3
    A together: 2*3=6
    B alone: 5+1=6
    B together: 2*1=2
    A: 3+6=9
    B: 6+2=8
    9 A, 8 B: 9 A
    Answer: A

Elsewhere it begins with the two numbers of each option where utility is (1 − κ)·alone + κ·together, and
with its utility otherwise, in whole numbers on one scale. Of more than `MOST_ROWS` options it names the best,
those beside it, the first and the last. The form is our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np

from ludens.agents.llm.prompts.games import render, render_scale
from ludens.agents.llm.prompts.surfaces import VARIED, is_table
from ludens.agents.llm.prompts.templates import Prompt
from ludens.agents.llm.reading.choices import read_choice
from ludens.agents.llm.reading.points import read_allocation, read_rating
from ludens.envs import AnyGame, GameTree, Scale, StrategicGame, Turn
from ludens.envs.games import AnyFamily
from ludens.envs.tree.questions import questions
from ludens.errors import UsageError
from ludens.preferences import Belief, Preferences, resolve_belief
from ludens.preferences.consequences import Weights, weights_of, whole_numbers
from ludens.preferences.strategic import linear_in_kappa, strategic_terms
from ludens.training.data.example import Asks, Example, Reasoning
from ludens.training.data.games import published
from ludens.training.data.labels import Label
from ludens.training.data.rationale import stages
from ludens.training.data.table_rationale import table_rationale

MOST_ROWS = 24
MOST_WORKED = 4
"""The largest number of actions whose payoffs a rationale adds up itself."""
FINEST = 1e-5
"""Smallest margin of a label, as a share of the payoff scale, that whole numbers show."""
_DIGITS = 9_999_999

Rows = list[tuple[str, int, int]]


def value_example(
    label: Label,
    framing: str,
    order: int,
    tie: int,
    *,
    preferences: Preferences,
    belief: Belief,
    reasoning: Reasoning,
) -> Example:
    """Make the example of a label.

    Args:
        label: the oracle's solution.
        framing: the name of a framing that words the game.
        order: the number of the order in which options, or the things that share points, are shown.
        tie: which of the optimal options the example takes.
        preferences: those of the label.
        belief: that of the label.
        reasoning: ``"steps"`` or ``"none"``.
    """
    turn = _turns(label.game)[label.node]
    asks = _asks(turn)
    prompt = _prompt(turn, framing, order, reasoning != "none")
    if asks == "choice":
        names, labels = tuple(label.options[place] for place in prompt.order), prompt.labels
    else:
        names = labels = label.options
    option = label.best[tie]
    called = dict(zip(names, labels, strict=True))
    lines: list[str] = []
    if reasoning != "none":
        lines, best = _rationale(label, preferences, belief, called)
        if best is not None and best != called[option] and not label.tied:
            raise UsageError(f"The rationale at {label.node!r} of {label.game!r} leads to {best}.")
    return Example(
        prompt=prompt.messages,
        completion="\n".join([*lines, _ending(label, turn, prompt, option, reasoning)]),
        family=label.game.name,
        payoffs=tuple(label.game.parameters.values()),
        game=label.key,
        role=label.information_set.role,
        node=label.node,
        framing=framing,
        order=order,
        options=names,
        labels=labels,
        answer=called[option],
        optimal=label.best,
        utilities=tuple(label.utilities[label.options.index(name)] for name in names),
        margin=label.margin,
        reasoning=reasoning,
        label_shares=tuple((name in label.best) / len(label.best) for name in names),
        asks=asks,
    )


def read_example(example: Example, text: str) -> int | None:
    """Return the place of the option that a reply to an example takes; None if it cannot be read. For
    examples that ask for a choice, a number or several.
    """
    if example.asks == "choice":
        return read_choice(text, example.labels, (), example.reasoning != "none").place
    numbers = [numbers_of(name) for name in example.options]
    if example.asks == "number":
        low, high = numbers[0][0], numbers[-1][0]
        step = numbers[1][0] - low if len(numbers) > 1 else 1
        points = read_rating(text, Scale("number", low, high, step)).points
    else:
        things = tuple(f"{number}" for number in range(len(numbers[0])))
        total, exact = max(map(sum, numbers)), len(set(map(sum, numbers))) == 1
        letters = _lettered(example)
        shared = read_allocation(text, letters, Scale("allocation", 0, total, 1, things, exact=exact)).points
        points = tuple(shared[(place - example.order) % len(shared)] for place in range(len(shared)))
    chosen = tuple(map(int, points))
    return numbers.index(chosen) if chosen in numbers else None


def _lettered(example: Example) -> tuple[str, ...]:
    """Return the labels of the things among which an example shares points, as its reply lists them."""
    return tuple(line[0] for line in example.completion.splitlines()[-len(numbers_of(example.options[0])) :])


def numbers_of(name: str) -> tuple[int, ...]:
    """Return the numbers of an option that consists of several, such as ``(3,2)``."""
    return tuple(int(part) for part in name.strip("()").split(","))


def is_plain(game: AnyGame) -> bool:
    """Return whether a game is played in two stages with as many options everywhere, so that it has the
    rationales of `ludens.training.data.rationale`, whose labels are those of the question.
    """
    if not isinstance(game, GameTree) or stages(game) is None:
        return False
    return len({len(node.options) for node in game.information_sets}) == 1


def check_plain(families: Sequence[AnyFamily], reasoning: Reasoning, framings: Sequence[str]) -> None:
    """Check that examples from families can be written in a form of reasoning and in some framing.

    Raises:
        UsageError: they cannot.
    """
    for family, game in ((each, game) for each in families for game in published(each)[:1]):
        if reasoning == "prose" and not is_plain(game):
            raise UsageError(
                f"{family.name} is not a game in which one moves and the other may reply, so that its "
                "rationales are in steps alone: reasoning='steps' or 'none'."
            )
        if isinstance(game, StrategicGame) and not usable_framings(game, framings):
            raise UsageError(
                f"Data sets word {family.name} in sentences alone: add a framing such as neutral to "
                f"{', '.join(framings)}."
            )


def usable_framings(game: AnyGame, framings: Sequence[str]) -> tuple[str, ...]:
    """Return the framings in which examples from a game are written: where all move at once, sentences."""
    if isinstance(game, GameTree):
        return tuple(framings)
    return tuple(name for name in framings if name != VARIED and not is_table(name))


def shown_orders(label: Label) -> int:
    """Return in how many orders the question of a label can be shown."""
    if is_plain(label.game):
        return len(label.options)
    turn = _turns(label.game)[label.node]
    if turn.scale is None:
        return len(label.options)
    return len(turn.scale.things) or 1


@lru_cache(maxsize=512)
def _turns(game: AnyGame) -> Mapping[str, Turn]:
    return questions(game)


def _asks(turn: Turn) -> Asks:
    if turn.scale is None:
        return "choice"
    return "number" if turn.scale.kind == "number" else "numbers"


def _prompt(turn: Turn, framing: str, order: int, reasoning: bool) -> Prompt:
    write: Callable[..., Prompt] = render if turn.scale is None else render_scale
    return write(turn, framing, order, reasoning=reasoning)


def _ending(label: Label, turn: Turn, prompt: Prompt, option: str, reasoning: Reasoning) -> str:
    """Return the answer as the prompt asks for it."""
    asks = _asks(turn)
    if asks == "numbers":
        numbers = numbers_of(option)
        shared = zip(prompt.labels, (numbers[place] for place in prompt.order), strict=True)
        return "\n".join(f"{letter}: {points}" for letter, points in shared)
    if asks == "number":
        return option if reasoning == "none" else f"Number: {option}"
    answer = prompt.labels[[label.options[place] for place in prompt.order].index(option)]
    return answer if reasoning == "none" else f"Answer: {answer}"


def _rationale(
    label: Label, preferences: Preferences, belief: Belief, called: Mapping[str, str]
) -> tuple[list[str], str | None]:
    """Return the lines of a rationale, and the label that they lead to; None if the two best are tied."""
    weights = _weights(preferences)
    if weights is not None and isinstance(label.game, StrategicGame) and label.game.symmetric:
        if belief == "uniform" and (worked := _worked(label, label.game, weights, called)) is not None:
            lines, rows = worked
            further, best = table_rationale(rows, weights)
            return [*lines, *further], best
        if label.game.universal is None and linear_in_kappa(label.game) and len(called) <= MOST_ROWS:
            own, _, _, together = strategic_terms(label.game, resolve_belief(label.game, preferences, belief))
            (alone, shared), exact = whole_numbers([own.tolist(), together.tolist()], _DIGITS)
            if exact:
                rows = _rows(label, called, alone, shared)
                return table_rationale(rows, weights, tabulated=False)
    (values,), _ = whole_numbers([label.utilities], _DIGITS)
    rows = _rows(label, called, values, (0,) * len(values))
    lines, best = table_rationale(rows, Weights(1, 0))
    return [*(f"{name}: {value}" for name, value, _ in rows), *lines], best


def _weights(preferences: Preferences) -> Weights | None:
    """Return the whole weights of the own payoff alone and together; None where utility has other parts."""
    if preferences.alpha or preferences.beta:
        return None
    try:
        return weights_of(preferences.kappa)
    except UsageError:
        return None


def _worked(
    label: Label, game: StrategicGame, weights: Weights, called: Mapping[str, str]
) -> tuple[list[str], Rows] | None:
    """Return the additions that give the rows of a small game against a uniform belief, and the rows; None
    of another game.
    """
    count = len(label.options)
    if len(game.seats) != 2 or not 2 <= count <= MOST_WORKED or game.universal is not None:
        return None
    paid = game.payoffs[..., 0]
    if not np.all(paid == np.round(paid)):
        return None
    lines: list[str] = []
    rows: Rows = []
    for name, letter in called.items():
        place = label.options.index(name)
        payoffs = [int(value) for value in paid[place]]
        alone, together = payoffs[0], count * payoffs[place]
        sums = []
        for value in payoffs[1:]:
            sums.append(f"{alone}+{value}={alone + value}")
            alone += value
        if weights.alone:
            lines.append(f"{letter} alone: {', '.join(sums)}")
        if weights.together:
            lines.append(f"{letter} together: {count}*{payoffs[place]}={together}")
        rows.append((letter, alone, together))
    return lines, rows


def _rows(label: Label, called: Mapping[str, str], alone: Sequence[int], together: Sequence[int]) -> Rows:
    """Return the rows of the options that a rationale names, in the order shown."""
    count = len(label.options)
    kept = set(range(count))
    if count > MOST_ROWS:
        best = [place for place, on in enumerate(label.optimal) if on]
        near = {place + step for place in (best[0], best[-1]) for step in (-1, 0, 1)}
        kept = ({0, count - 1} | near) & kept
    places = {name: place for place, name in enumerate(label.options)}
    return [
        (letter, alone[places[name]], together[places[name]])
        for name, letter in called.items()
        if places[name] in kept
    ]
