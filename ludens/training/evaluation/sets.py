"""What a model is asked before and after: sets of questions on games that it was not trained on.

Each set changes one thing. *Held-out* has the trained families in the trained wording with payoffs never
trained on; *rewordings*, *story* and *twin* put the same questions in other words, *two digits* has payoffs
from 10 to 99, *partner cooperates* asks the second mover of strict prisoner's dilemmas, and *new families*
are games of which nothing was trained. Which sets there are, and how large, is our choice.
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
"""The sets in the order of tables, and what each of them is."""

TAUGHT = ("held-out", "partner cooperates")
"""The sets of questions like those that are trained on, about other games."""


@dataclass(frozen=True)
class Question:
    """A turn to be decided.

    Attributes:
        set: the set that it belongs to.
        family: of the game, registered or `UNSEEN`.
        payoffs: the family's parameters, in points.
        node: the information set.
        framing: the wording.
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
        """What is asked, as the strategy method puts it."""
        return _turns(self.family, self.payoffs)[self.node]

    def labels(self) -> dict[str, Any]:
        """JSON values that tell the question apart."""
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
        """The question that has these labels."""
        return cls(
            labels["set"],
            labels["family"],
            tuple(float(value) for value in labels["payoffs"]),
            labels["node"],
            labels["framing"],
            int(labels["order"]),
        )


def family_named(name: str) -> Family:
    """A family, registered or only for measuring.

    Raises:
        UsageError: there is none of that name.
    """
    found = FAMILIES.get(name) or UNSEEN.get(name)
    if found is None:
        raise UsageError(f"There is no family {name!r}; there are {', '.join([*FAMILIES, *UNSEEN])}.")
    return found


@lru_cache(maxsize=4096)
def game_of(family: str, payoffs: tuple[float, ...]) -> GameTree:
    """The game of a family with these payoffs."""
    return family_named(family).game(payoffs=payoffs)


@lru_cache(maxsize=4096)
def _turns(family: str, payoffs: tuple[float, ...]) -> Mapping[str, Turn]:
    return questions(game_of(family, payoffs))


@lru_cache(maxsize=16384)
def worth(family: str, payoffs: tuple[float, ...], node: str, preferences: Preferences) -> tuple[float, ...]:
    """What the best whole strategy with each option of an information set is worth, in points, under uniform
    beliefs and in the game's order of options.
    """
    game = game_of(family, payoffs)
    found = best_strategies(game, preferences, resolve_belief(game, preferences, "uniform"))
    columns = game.information_set(node).columns
    chosen = found.all_strategies[:, columns] > 0
    values = np.where(chosen, found.utilities[:, None], -np.inf).max(axis=0)
    return tuple(values.tolist())


@lru_cache(maxsize=16384)
def optimal(family: str, payoffs: tuple[float, ...], node: str, preferences: Preferences) -> frozenset[int]:
    """The numbers of the options that are optimal."""
    values = worth(family, payoffs, node, preferences)
    scale = payoff_range(family, payoffs)
    return frozenset(n for n, value in enumerate(values) if max(values) - value <= 1e-9 * scale)


def payoff_range(family: str, payoffs: tuple[float, ...]) -> float:
    """The game's largest payoff less its smallest, in points."""
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
    """The questions of all sets, set by set.

    Args:
        data: what is trained on: none of its training games is asked about, in any set.
        preferences: the target; a question at which all options are equally good to it is not asked.
        held_out: questions of the sets *held-out* and *partner cooperates*.
        others: questions of each other set.
        rewordings: framings that paraphrase the trained one and were not trained on.
        seed: of the draws.
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
    """So many of them, in turn one of each information set and optimal option."""
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
    """Draws questions on games that were not trained on, the optimal options as even as the games allow."""

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
    """Whether a prisoner's dilemma is one in the strict sense: taking turns at defection pays less than
    cooperation, 2R > T + S.
    """
    numbers = game.parameters
    return 2 * numbers["R"] > numbers["T"] + numbers["S"]
