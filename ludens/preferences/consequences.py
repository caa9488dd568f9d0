"""The consequences of each option, in whole numbers: for oneself, and if everybody did the same.

The utility of homo moralis is (1 − κ)·(own payoff given what the others do) + κ·(payoff if everybody did the
same). Laboratory experiments print such numbers as payoff tables. A table holds no preferences: with
κ = k/d, the best row is that with the largest (d − k)·alone + k·together, for every κ.

In a game tree a row is a whole plan that takes the option, since the second number depends on what one would
do at other moves. Of an option's plans only those are listed that another one of its plans does not
dominate: for every κ in [0, 1] one of them is best.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import islice

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs import GameTree, StrategicGame
from ludens.envs import pure_strategies as strategic_plans
from ludens.envs.tree.strategies import pure_strategies
from ludens.errors import UsageError
from ludens.preferences.preference import Preferences
from ludens.preferences.terms import grid_terms

MOST = 499
"""Largest number in a table; the sum of two has at most three digits."""

_FACTORS = (
    *range(1, 33),
    40,
    48,
    50,
    64,
    80,
    96,
    100,
    120,
    125,
    128,
    200,
    250,
    256,
    400,
    500,
    512,
    1000,
    10_000,
)
"""Numbers by which tables are multiplied to become whole."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """Whole weights on the columns of a table; only their ratios matter.

    Attributes:
        alone: on what follows from one's own choice, given what the others do.
        together: on what follows if everybody does the same.
    """

    alone: int
    together: int


@dataclass(frozen=True)
class Consequences:
    """The consequences of each option of a turn, in whole numbers, larger ones being better.

    Attributes:
        options: the option that each row takes, by its name in the game; in a game tree an option can have
            several rows, one for each plan.
        alone: of each row, the own payoff given what the others do.
        together: the own payoff if everybody does the same.
        exact: whether the numbers are proportional to the payoffs (up to a constant in each column), and not
            rounded.
        others: what the others get on average if oneself alone acts so; of a dilemma, how many die. Empty
            where that was not asked for.
    """

    options: tuple[str, ...]
    alone: tuple[int, ...]
    together: tuple[int, ...]
    exact: bool = True
    others: tuple[int, ...] = ()

    def part(self, rows: Iterable[int]) -> Consequences:
        """Return some of the rows."""
        kept = list(rows)
        alone, together, others = (
            tuple(column[row] for row in kept if column)
            for column in (self.alone, self.together, self.others)
        )
        names = tuple(self.options[row] for row in kept)
        return Consequences(names, alone, together, self.exact, others)

    def values(self, weights: Weights) -> tuple[int, ...]:
        """Return the weighted sum of each row."""
        return tuple(
            weights.alone * alone + weights.together * together
            for alone, together in zip(self.alone, self.together, strict=True)
        )

    def best(self, weights: Weights) -> frozenset[str]:
        """Return the options of the rows with the largest weighted sum."""
        values = self.values(weights)
        top = max(values)
        return frozenset(name for name, value in zip(self.options, values, strict=True) if value == top)


@lru_cache(maxsize=64)
def weights_of(kappa: float) -> Weights:
    """Return the whole weights of homo moralis, (d − k, k) for κ = k/d.

    Raises:
        UsageError: κ lies outside [0, 1], or is no fraction of small numbers.
    """
    share = Fraction(kappa).limit_denominator(20) if 0 <= kappa <= 1 else Fraction(-1)
    if abs(float(share) - kappa) > 1e-9:
        raise UsageError(
            f"A table is weighed with a κ in [0, 1] that is a fraction with a denominator up to 20, such "
            f"as 0.25 or 1/3; got {kappa!r}."
        )
    return Weights(share.denominator - share.numerator, share.numerator)


def check_selfish_or_moral(preferences: Preferences, what: str) -> Weights:
    """Return the weights of preferences without α and β, which single numbers of a payoff can serve.

    Raises:
        UsageError: α or β is not 0, or κ is no fraction of small numbers.
    """
    if preferences.alpha or preferences.beta:
        raise UsageError(
            f"{what} compares own payoffs alone and together, so that α and β must be 0; got "
            f"α={preferences.alpha:g} and β={preferences.beta:g}."
        )
    return weights_of(preferences.kappa)


def whole_numbers(
    columns: Sequence[Sequence[float]], most: int = MOST
) -> tuple[tuple[tuple[int, ...], ...], bool]:
    """Return columns of numbers as whole numbers on one scale, and whether they are exact.

    A column with negative numbers is moved up to 0: only differences within a column matter. Numbers are
    multiplied by the smallest number that makes all of them whole; where the largest would exceed `most`,
    they are scaled to it and rounded.
    """
    lows = [min(0.0, *column) for column in columns]
    lifted = [[value - low for value in column] for column, low in zip(columns, lows, strict=True)]
    values = [value for column in lifted for value in column]
    largest = max(values, default=0.0)
    if largest <= 0:
        return tuple((0,) * len(column) for column in lifted), True
    broken = 0.0
    for factor in _FACTORS:
        near = 1e-9 * largest * factor
        if abs(broken * factor - round(broken * factor)) > near:
            continue
        numbers = [round(value * factor) for value in values]
        wrong = [v for v, number in zip(values, numbers, strict=True) if abs(v * factor - number) > near]
        if wrong:  # the likeliest to be none with the next factor either
            broken = wrong[0]
            continue
        shared = math.gcd(*numbers) if factor > 1 else 1
        if round(largest * factor) // shared <= most:
            whole = iter([number // shared for number in numbers])
            return tuple(tuple(islice(whole, len(column))) for column in lifted), True
        break
    scale = most / largest
    return tuple(tuple(round(value * scale) for value in column) for column in lifted), False


def game_consequences(
    game: GameTree, node: str, belief: ArrayLike, most: int = MOST, *, others: bool = False
) -> Consequences:
    """Return the consequences of the options at an information set.

    Args:
        game: the rules.
        node: the information set.
        belief: what the others are believed to play, a strategy.
        most: the largest number.
        others: whether to return what the others get, too.

    Raises:
        GameError: there is no such information set, or the belief is not a strategy of the game.
    """
    if not others:
        (table,) = grid_consequences(game, game.payoffs[None], belief, most)
        return table[node]
    terms = grid_terms(game, game.payoffs[None], belief)
    own, together = terms.own[0], terms.universalised[0]
    met = own + terms.behind[0] - terms.ahead[0]  # the mean of the others
    return _of_plans(_members(game)[node], own.tolist(), together.tolist(), met.tolist(), most)


def _of_plans(
    members: Iterable[tuple[str, Sequence[int]]],
    own: Sequence[float],
    together: Sequence[float],
    met: Sequence[float],
    most: int,
) -> Consequences:
    """Return the rows of each option's plans, with what the others get where `met` is given."""
    rows = [(name, place) for name, places in members for place in _undominated(places, own, together)]
    columns = [[column[place] for _, place in rows] for column in (own, together, met) if column]
    (alone, shared, *third), exact = whole_numbers(columns, most)
    return Consequences(tuple(name for name, _ in rows), alone, shared, exact, third[0] if third else ())


def grid_consequences(
    game: GameTree, payoffs: ArrayLike, belief: ArrayLike, most: int = MOST
) -> list[Mapping[str, Consequences]]:
    """Return the consequences at every information set of many games of one shape.

    Args:
        game: any game of that shape.
        payoffs: points, shape (games, leaves, roles).
        belief: a strategy, or one for each game.
        most: the largest number.
    """
    terms = grid_terms(game, payoffs, belief)
    members = _members(game)
    found: list[Mapping[str, Consequences]] = []
    for own, together in zip(terms.own.tolist(), terms.universalised.tolist(), strict=True):
        tables = {}
        for node, options in members.items():
            rows = [
                (name, own[place], together[place])
                for name, places in options
                for place in _undominated(places, own, together)
            ]
            names, *columns = zip(*rows, strict=True)
            (alone, shared), exact = whole_numbers(columns, most)
            tables[node] = Consequences(names, alone, shared, exact=exact)
        found.append(tables)
    return found


def strategic_consequences(
    game: StrategicGame, node: str, belief: ArrayLike, most: int = MOST, *, others: bool = False
) -> Consequences:
    """Return the consequences of the actions at a node of a game in which all move at once.

    With more than two players a choice between them is that of homo moralis where payoffs are linear in how
    many others do alike (`ludens.preferences.strategic.linear_in_kappa`).

    Args:
        game: the rules, with finitely many actions.
        node: the information set.
        belief: what the others are believed to play, a strategy.
        most: the largest number.
        others: whether to return what the others get, too.

    Raises:
        GameError: there is no such node, or the belief is not a strategy of the game.
    """
    from ludens.preferences.strategic import alone_and_together, others_payoffs

    asked = game.information_set(node)
    plans = strategic_plans(game)
    own, together = (part.tolist() for part in alone_and_together(game, belief))
    members = [
        (option, np.flatnonzero(plans[:, asked.columns.start + number] > 0).tolist())
        for number, option in enumerate(asked.options)
    ]
    met = others_payoffs(game, belief).tolist() if others else []
    return _of_plans(members, own, together, met, most)


@lru_cache(maxsize=64)
def _member_rows(game: GameTree) -> tuple[tuple[str, tuple[tuple[str, tuple[int, ...]], ...]], ...]:
    strategies = pure_strategies(game)
    return tuple(
        (
            node.label,
            tuple(
                (option, tuple(np.flatnonzero(strategies[:, node.columns.start + place] > 0).tolist()))
                for place, option in enumerate(node.options)
            ),
        )
        for node in game.information_sets
    )


def _members(game: GameTree) -> dict[str, tuple[tuple[str, tuple[int, ...]], ...]]:
    """Return the pure strategies that take each option, by information set."""
    return dict(_member_rows(game))


def _undominated(places: Sequence[int], own: Sequence[float], together: Sequence[float]) -> list[int]:
    """Return the plans that no other one equals or exceeds in both numbers, by falling own payoff."""
    kept: list[int] = []
    best = -math.inf
    for place in sorted(places, key=lambda each: (-own[each], -together[each])):
        if together[place] > best + 1e-12 * (1 + abs(best) if math.isfinite(best) else 1):
            kept.append(place)
            best = together[place]
    return kept
