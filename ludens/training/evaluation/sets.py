"""The sets of questions asked before and after tuning, about games that a model was not trained on.

Each set changes one thing. *Held-out* has the trained families in the trained wording, with payoffs outside
the training data; *rewordings*, *story* and *twin* put the same questions in other words, *two digits* has
payoffs from 10 to 99, *partner cooperates* asks the second mover of strict prisoner's dilemmas, and *new
families* are families that do not occur in training. The sets and their sizes are our choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from ludens.envs import FAMILIES, LIBRARY, AnyGame, GameTree, Turn
from ludens.envs.games import AnyFamily
from ludens.envs.tree.questions import questions
from ludens.errors import UsageError
from ludens.preferences import Preferences, best_strategies, homo_moralis, resolve_belief
from ludens.preferences.strategic import payoff_range as strategic_range
from ludens.training.data.dataset import DataSet
from ludens.training.data.example import Example
from ludens.training.data.games import Payoffs, draw_games, find_families, game_key
from ludens.training.evaluation.cases import (
    case_key,
    case_optimal,
    case_prosocial,
    case_text,
    case_turn,
    case_utilities,
    draw_cases,
)
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

CARRIED: Mapping[str, str] = {
    "games: table": "new payoffs of the trained families, as a table",
    "games: unseen surfaces": "the same, in surfaces of the table that were not trained on",
    "dilemmas: table": "what a car should do, as a table",
    "dilemmas: unseen surfaces": "the same, in surfaces that were not trained on",
    "dilemmas: neutral": "what a car should do, in sentences",
    "dilemmas: story": "what a car should do, told as a story",
    "ratings: table": "how moral or desirable a program is, and points for two programs, as a table",
    "ratings: unseen surfaces": "the same, in surfaces that were not trained on",
    "ratings: neutral": "how moral or desirable a program is, in sentences",
    "adoption: table": "which program to choose for the own car, as a table",
    "adoption: unseen surfaces": "the same, in surfaces that were not trained on",
    "prices: table": "which price to take against the rivals' last prices, as a table",
    "prices: unseen surfaces": "the same, in surfaces that were not trained on",
}
"""The sets of one domain in one surface, asked where it is measured what carried."""

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
        case: the turn, where it is none of a game tree (`ludens.training.evaluation.cases`); empty otherwise.
    """

    set: str
    family: str
    payoffs: tuple[float, ...]
    node: str
    framing: str
    order: int
    case: str = ""

    @property
    def game(self) -> AnyGame:
        """The rules."""
        return game_of(self.family, self.payoffs)

    @property
    def key(self) -> str:
        """The key of the game, dilemma or market, as examples of a data set have it."""
        return case_key(self.case) if self.case else game_key(self.game)

    @property
    def turn(self) -> Turn:
        """The turn, as asked by the strategy method."""
        if self.case:
            return case_turn(self.case)
        return _turns(self.family, self.payoffs)[self.node]

    def utilities(self, preferences: Preferences) -> tuple[float, ...]:
        """Return what each option is worth, in points or in the units of the case's table."""
        if self.case:
            return case_utilities(self.case, preferences)
        return option_utilities(self.family, self.payoffs, self.node, preferences)

    def optimal(self, preferences: Preferences) -> frozenset[int]:
        """Return the numbers of the options that are right for preferences."""
        if self.case:
            return case_optimal(self.case, preferences)
        return optimal(self.family, self.payoffs, self.node, preferences)

    def stakes(self, preferences: Preferences) -> float:
        """Return what regret is a share of: the game's payoff range, or that of a case's utilities."""
        if self.case:
            values = case_utilities(self.case, preferences)
            return max(values) - min(values) or 1.0
        return payoff_range(self.family, self.payoffs)

    @property
    def prosocial(self) -> int:
        """The number of the prosocial option: the one that the family names, or the first that is best if
        everybody takes it.
        """
        if self.case:
            return case_prosocial(self.case)
        option = family_named(self.family).prosocial.get(self.node)
        if option is None:
            return min(self.optimal(homo_moralis(1.0)))
        return self.game.information_set(self.node).options.index(option)

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
            **({"case": self.case} if self.case else {}),
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
            labels.get("case", ""),
        )


def family_named(name: str) -> AnyFamily:
    """Return a family by name, registered or only for measuring.

    Raises:
        UsageError: there is no family of that name.
    """
    if name not in UNSEEN and name not in LIBRARY:
        raise UsageError(f"There is no family {name!r}; there are {', '.join([*LIBRARY, *UNSEEN])}.")
    return UNSEEN[name] if name in UNSEEN else LIBRARY[name]


@lru_cache(maxsize=4096)
def game_of(family: str, payoffs: tuple[float, ...]) -> AnyGame:
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
    game = game_of(family, payoffs)
    if isinstance(game, GameTree):
        return float(game.payoffs.max() - game.payoffs.min()) or 1.0
    low, high = strategic_range(game)
    return high - low or 1.0


def question_sets(
    data: DataSet,
    preferences: Preferences,
    *,
    held_out: int = 64,
    others: int = 32,
    rewordings: Sequence[str] = (),
    carry: int = 0,
    seed: int = 0,
) -> tuple[Question, ...]:
    """Draw the questions of all sets, set by set.

    Args:
        data: the training data; no set asks about its training games.
        preferences: the target; questions at which it is indifferent between all options are not asked.
        held_out: number of questions in each of the sets *held-out* and *partner cooperates*.
        others: number of questions in each other set.
        rewordings: framings that paraphrase the trained one and do not occur in training.
        carry: number of questions in each set of `CARRIED`; they need α = β = 0.
        seed: seed of the draws.
    """
    rng = np.random.default_rng([seed, 0x5E75])
    taken = {example.game for example in (*data.train, *data.validation)}
    games = [example for example in data.train if example.domain == "games"]
    families = tuple(dict.fromkeys(example.family for example in games))
    trained = tuple(dict.fromkeys(example.framing for example in games))
    trained = trained or ("neutral",)
    plainest = "neutral" if "neutral" in trained else trained[0]
    tested = [
        Question("held-out", each.family, each.payoffs, each.node, each.framing, each.order)
        for each in _balanced([each for each in data.test if each.domain == "games"], held_out)
    ]
    drawer = _Drawer(preferences, taken, plainest, rng)
    strict = drawer.draw("partner cooperates", (DILEMMA,), held_out, Payoffs(1, 9), only=REPLY)
    new = [name for name in (*FAMILIES, *UNSEEN) if name not in families]
    unseen = drawer.draw("new families", new, others, Payoffs(1, 9))
    drawn = [
        name for name in families if name in FAMILIES
    ]  # the payoffs of others are not drawn from a range
    large = drawer.draw("two digits", drawn, others, Payoffs(10, 99))
    found = [*tested, *strict, *unseen, *large]
    worded = [("story", "story"), ("twin", "twin"), *(("rewordings", name) for name in rewordings)]
    several = {name: [framing for key, framing in worded if key == name] for name, _ in worded}
    for name in SETS:
        usable = [framing for framing in several.get(name, ()) if framing not in trained]
        for place, question in enumerate(tested[:others] if usable else ()):
            framing = usable[place % len(usable)]
            changed = (question.family, question.payoffs, question.node, framing, question.order)
            found.append(Question(name, *changed))
    if carry:
        found += _carried(preferences, families, frozenset(taken), carry, seed)
    rank = {name: place for place, name in enumerate((*SETS, *CARRIED))}
    return tuple(sorted(found, key=lambda question: rank[question.set]))


UNSEEN_SURFACES = 100_000
"""The first surface that never occurs in training."""
PATIENCE = 60
"""Cases that are drawn for each question before one optimal option may occur more often than another."""
WORDED: Mapping[str, tuple[str, ...]] = {"dilemmas": ("neutral", "story"), "ratings": ("neutral",)}
"""Wordings other than the table in which a domain is asked."""


def _carried(
    preferences: Preferences, families: Sequence[str], taken: frozenset[str], count: int, seed: int
) -> list[Question]:
    """Draw the questions of each domain, and ask each in every surface that the domain has."""
    asked: dict[str, list[Question]] = {
        name: [] for name in ("games", "dilemmas", "ratings", "adoption", "prices")
    }
    rng = np.random.default_rng([seed, 0xCA4])
    # Other games of the library have no table.
    known = [name for name in families if name in FAMILIES]
    known = known or [family.name for family in find_families(None)]
    drawer = _Drawer(preferences, set(taken), "table", rng)
    asked["games"] = drawer.draw("games", known, count, Payoffs(1, 9))
    optimal_so_far = Counter[tuple[str, tuple[str, ...]]]()
    for drawn, case in enumerate(draw_cases(preferences, taken, seed), 1):
        ratings = "dilemmas" if case.asks == "choice" else "ratings"
        name = {"av_dilemma": ratings, "av_adoption": "adoption"}.get(case.family, "prices")
        # Both acts and both programs equally often, as far as the preferences choose both.
        best = tuple(sorted(case.best)) if name in ("dilemmas", "adoption") else ()
        enough = (count + 1) // 2 if best and drawn < PATIENCE * count else count
        if len(asked[name]) < count and optimal_so_far[name, best] < enough:
            order = len(asked[name]) % 2 if name in ("dilemmas", "adoption") else case.order
            text = case_text(case)
            question = Question(name, case.family, case.numbers, case.node, "table", order, text)
            if len(question.optimal(preferences)) < len(question.turn.options):
                asked[name].append(question)
                optimal_so_far[name, best] += 1
        if all(len(each) >= count for name, each in asked.items() if name != "games"):
            break
    found = []
    for name, questions_of in asked.items():
        for place, question in enumerate(questions_of):
            surfaces = [("table", "table"), ("unseen surfaces", f"table/{UNSEEN_SURFACES + place}")]
            surfaces += [(framing, framing) for framing in WORDED.get(name, ())]
            found += [
                replace(question, set=f"{name}: {surface}", framing=framing) for surface, framing in surfaces
            ]
    return found


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


def _strict(game: AnyGame) -> bool:
    """Return whether a prisoner's dilemma is strict: alternating defection pays less than cooperation,
    2R > T + S.
    """
    numbers = game.parameters
    return 2 * numbers["R"] > numbers["T"] + numbers["S"]
