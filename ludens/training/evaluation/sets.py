"""The sets of questions asked before and after tuning, about games that a model was not trained on.

Each set changes one thing. *Held-out* has the trained families in the trained wording, with payoffs outside
the training data; *rewordings*, *story* and *twin* put the same questions in other words, *two digits* has
payoffs from 10 to 99, *partner cooperates* asks the second mover of strict prisoner's dilemmas, and *new
families* are families that do not occur in training. The sets and their sizes are our choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ludens.envs import FAMILIES, Family, GameTree, Turn
from ludens.envs.tree.questions import questions
from ludens.errors import UsageError
from ludens.preferences import Preferences, best_strategies, resolve_belief
from ludens.training.data.dataset import DataSet
from ludens.training.data.example import Example
from ludens.training.data.games import Payoffs, draw_games, game_key
from ludens.training.evaluation.unseen import UNSEEN

DILEMMA, REPLY = "sequential_prisoners_dilemma", "reply to cooperation"

SETS: Mapping[str, str] = {
    "held-out": "new payoffs of the trained families, in trained wordings",
    "partner cooperates": "the second mover of strict prisoner's dilemmas, after the partner cooperated",
    "new families": "families of games that nothing was trained on",
    "two digits": "the trained families with payoffs from 10 to 99",
    "rewordings": "the held-out questions in paraphrases that were not trained on",
    "story": "the held-out questions told as a story",
    "twin": "the held-out questions in another disguise",
}
"""The sets in the order of tables, with their descriptions."""

TAUGHT = ("held-out", "partner cooperates")
"""The sets with questions like those in training, about other games."""


@dataclass(frozen=True)
class Question:
    """A turn to be decided.

    Attributes:
        set: the set that it belongs to.
        family: the game's family, registered or `UNSEEN`.
        payoffs: the family's parameters, in points.
        node: the information set.
        framing: the name of the framing.
        order: the number of the order in which options are shown.
    """

    set: str
    family: str
    payoffs: tuple[float, ...]
    node: str
    framing: str
    order: int

    @property
    def game(self) -> GameTree:
        """The rules."""
        return game_of(self.family, self.payoffs)

    @property
    def turn(self) -> Turn:
        """The turn, as asked by the strategy method."""
        return _turns(self.family, self.payoffs)[self.node]

    def labels(self) -> dict[str, Any]:
        """Return JSON values that identify the question."""
        return {
            "set": self.set,
            "family": self.family,
            "payoffs": list(self.payoffs),
            "node": self.node,
            "role": self.turn.role,
            "framing": self.framing,
            "order": self.order,
        }

    @classmethod
    def of(cls, labels: Mapping[str, Any]) -> Question:
        """Return the question with these labels."""
        return cls(
            labels["set"],
            labels["family"],
            tuple(float(value) for value in labels["payoffs"]),
            labels["node"],
            labels["framing"],
            int(labels["order"]),
        )


def family_named(name: str) -> Family:
    """Return a family by name, registered or only for measuring.

    Raises:
        UsageError: there is no family of that name.
    """
    found = FAMILIES.get(name) or UNSEEN.get(name)
    if found is None:
        raise UsageError(f"There is no family {name!r}; there are {', '.join([*FAMILIES, *UNSEEN])}.")
    return found


@lru_cache(maxsize=4096)
def game_of(family: str, payoffs: tuple[float, ...]) -> GameTree:
    """Return the game of a family with these payoffs."""
    return family_named(family).game(payoffs=payoffs)


@lru_cache(maxsize=4096)
def _turns(family: str, payoffs: tuple[float, ...]) -> Mapping[str, Turn]:
    return questions(game_of(family, payoffs))


@lru_cache(maxsize=16384)
def option_utilities(
    family: str, payoffs: tuple[float, ...], node: str, preferences: Preferences
) -> tuple[float, ...]:
    """Return the utility of the best whole strategy with each option of an information set, in points.

    Beliefs are uniform; options are in the game's own order.
    """
    game = game_of(family, payoffs)
    found = best_strategies(game, preferences, resolve_belief(game, preferences, "uniform"))
    columns = game.information_set(node).columns
    chosen = found.all_strategies[:, columns] > 0
    values = np.where(chosen, found.utilities[:, None], -np.inf).max(axis=0)
    return tuple(values.tolist())


@lru_cache(maxsize=16384)
def optimal(family: str, payoffs: tuple[float, ...], node: str, preferences: Preferences) -> frozenset[int]:
    """Return the numbers of the optimal options."""
    values = option_utilities(family, payoffs, node, preferences)
    scale = payoff_range(family, payoffs)
    return frozenset(n for n, value in enumerate(values) if max(values) - value <= 1e-9 * scale)


def payoff_range(family: str, payoffs: tuple[float, ...]) -> float:
    """Return the difference between a game's largest and smallest payoff, in points."""
    cells = game_of(family, payoffs).payoffs
    return float(cells.max() - cells.min()) or 1.0


def question_sets(
    data: DataSet,
    preferences: Preferences,
    *,
    held_out: int = 64,
    others: int = 32,
    rewordings: Sequence[str] = (),
    seed: int = 0,
) -> tuple[Question, ...]:
    """Draw the questions of all sets, set by set.

    Args:
        data: the training data; no set asks about its training games.
        preferences: the target; questions at which it is indifferent between all options are not asked.
        held_out: number of questions in each of the sets *held-out* and *partner cooperates*.
        others: number of questions in each other set.
        rewordings: framings that paraphrase the trained one and do not occur in training.
        seed: seed of the draws.
    """
    rng = np.random.default_rng([seed, 0x5E75])
    taken = {example.game for example in (*data.train, *data.validation)}
    families = tuple(dict.fromkeys(example.family for example in data.train))
    trained = tuple(dict.fromkeys(example.framing for example in data.train))
    plainest = "neutral" if "neutral" in trained else trained[0]
    tested = [
        Question("held-out", each.family, each.payoffs, each.node, each.framing, each.order)
        for each in _balanced(data.test, held_out)
    ]
    drawer = _Drawer(preferences, taken, plainest, rng)
    strict = drawer.draw("partner cooperates", (DILEMMA,), held_out, Payoffs(1, 9), only=REPLY)
    new = [name for name in (*FAMILIES, *UNSEEN) if name not in families]
    unseen = drawer.draw("new families", new, others, Payoffs(1, 9))
    large = drawer.draw("two digits", families, others, Payoffs(10, 99))
    found = [*tested, *strict, *unseen, *large]
    worded = [("story", "story"), ("twin", "twin"), *(("rewordings", name) for name in rewordings)]
    several = {name: [framing for key, framing in worded if key == name] for name, _ in worded}
    for name in SETS:
        usable = [framing for framing in several.get(name, ()) if framing not in trained]
        for place, question in enumerate(tested[:others] if usable else ()):
            framing = usable[place % len(usable)]
            changed = (question.family, question.payoffs, question.node, framing, question.order)
            found.append(Question(name, *changed))
    rank = {name: place for place, name in enumerate(SETS)}
    return tuple(sorted(found, key=lambda question: rank[question.set]))


def _balanced(examples: Sequence[Example], count: int) -> list[Example]:
    """Take a number of examples, in turn one of each information set and optimal option."""
    kinds: dict[tuple[object, ...], list[Example]] = {}
    for example in examples:
        kinds.setdefault((example.family, example.node, example.optimal), []).append(example)
    queues = [list(found) for found in kinds.values()]
    chosen: list[Example] = []
    while len(chosen) < count and any(queues):
        for queue in queues:
            if queue and len(chosen) < count:
                chosen.append(queue.pop(0))
    return chosen


class _Drawer:
    """A source of questions on games outside the training data, with optimal options as balanced as
    possible.
    """

    def __init__(
        self, preferences: Preferences, taken: set[str], framing: str, rng: np.random.Generator
    ) -> None:
        self._preferences = preferences
        self._taken = taken
        self._framing = framing
        self._rng = rng

    def draw(
        self, name: str, families: Sequence[str], count: int, payoffs: Payoffs, only: str | None = None
    ) -> list[Question]:
        kinds: dict[tuple[str, str, frozenset[int]], list[Question]] = {}
        for family in families:
            for game in draw_games(family_named(family), payoffs, 8 * count, self._rng):
                values = tuple(float(value) for value in game.parameters.values())
                if game_key(game) in self._taken or (only and not _strict(game)):
                    continue
                for node in game.information_sets:
                    if only and node.label != only:
                        continue
                    best = optimal(family, values, node.label, self._preferences)
                    if len(best) < len(node.options):
                        question = Question(name, family, values, node.label, self._framing, 0)
                        kinds.setdefault((family, node.label, best), []).append(question)
        queues = list(kinds.values())
        chosen: list[Question] = []
        while len(chosen) < count and any(queues):
            for queue in queues:
                if queue and len(chosen) < count:
                    chosen.append(queue.pop())
        orders = self._rng.permutation(len(chosen)) % 2
        return [
            Question(each.set, each.family, each.payoffs, each.node, each.framing, int(order))
            for each, order in zip(chosen, orders, strict=True)
        ]


def _strict(game: GameTree) -> bool:
    """Return whether a prisoner's dilemma is strict: alternating defection pays less than cooperation,
    2R > T + S.
    """
    numbers = game.parameters
    return 2 * numbers["R"] > numbers["T"] + numbers["S"]
