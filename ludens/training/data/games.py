"""Random games of any family, and keys that identify a game up to rescaling.

Two games of one family are the *same game* here if a positive affine rescaling of all payoffs, the same for
both roles, turns one into the other: the optimal options of any `ludens.preferences.Preferences` are then the
same. Roles and options keep their places. Games on which models are measured, the published protocols of all
families, are never drawn for training.

Where the numbers of a family are its payoffs, they are drawn from a range. In other families, such as public
goods with their number of people and their return, every number is drawn between half and one and a half
times that of a published game. Our choice.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import cast

import numpy as np

from ludens.envs import FAMILIES, LIBRARY, PROTOCOLS, AnyGame, GameError, GameTree
from ludens.envs.games import AnyFamily
from ludens.envs.strategic.expectations import is_exact
from ludens.envs.strategic.game import StrategicGame
from ludens.errors import UsageError
from ludens.preferences import Preferences

MOST_LISTED = 50_000
"""Largest number of candidate payoffs that are listed in full; beyond it they are drawn."""


MOST_PAYOFF = 1_000_000
"""Largest payoff, in points."""


@dataclass(frozen=True)
class Payoffs:
    """A range of payoffs: every `step`-th integer from `low` to `high`, in points.

    Raises:
        UsageError: the range holds fewer than two numbers, or one beyond a million.
    """

    low: int = 1
    high: int = 9
    step: int = 1

    def __post_init__(self) -> None:
        numbers = (self.low, self.high, self.step)
        whole = all(isinstance(value, int) and not isinstance(value, bool) for value in numbers)
        if whole and self.step < 1:
            raise UsageError(f"The step between payoffs is a whole number of at least 1; got {self.step!r}.")
        if not whole or self.low >= self.high or max(abs(self.low), abs(self.high)) > MOST_PAYOFF:
            raise UsageError(
                f"Payoffs are drawn between two whole numbers, low < high, of at most {MOST_PAYOFF:,}; got "
                f"{self.low!r}, {self.high!r}."
            )
        if self.low + self.step > self.high:
            raise UsageError(f"Steps of {self.step} leave one payoff from {self.low} to {self.high}.")

    @property
    def name(self) -> str:
        """The name in data cards, for example ``"1-9"``."""
        return f"{self.low}-{self.high}" + (f" in steps of {self.step}" if self.step > 1 else "")

    @property
    def values(self) -> range:
        """The payoffs in order."""
        return range(self.low, self.high + 1, self.step)


Ranges = Payoffs | tuple[int, int] | Sequence[Payoffs]
"""Ranges of payoffs as users write them."""


def ranges_of(payoffs: Ranges) -> tuple[Payoffs, ...]:
    """Return ranges of payoffs from what users write.

    Raises:
        UsageError: there is no range, or one is invalid.
    """
    if isinstance(payoffs, Payoffs):
        return (payoffs,)
    if isinstance(payoffs, Sequence) and payoffs and all(isinstance(each, Payoffs) for each in payoffs):
        return cast(tuple[Payoffs, ...], tuple(payoffs))
    if not isinstance(payoffs, Sequence) or len(payoffs) != 2:
        raise UsageError(f"Payoffs are drawn from (low, high), or from Payoffs; got {payoffs!r}.")
    return (Payoffs(*cast(tuple[int, int], payoffs)),)


def taught_payoffs(preferences: Preferences) -> tuple[Payoffs, ...]:
    """Return the default ranges for training: 1 to 9, and as many games with 10 to 99 or, if κ > 0, with 10,
    15, …, 90.

    A small model does not transfer sums from one digit to two. The rationales of homo moralis have longer
    ones, up to three digits, of which it learns those of fives, as in the published protocols. Our choice.
    """
    return Payoffs(1, 9), Payoffs(10, 90, 5) if preferences.kappa > 0 else Payoffs(10, 99)


MOST_PROFILES = 4096
"""Games of more profiles are told apart by their numbers, and not by their payoffs."""


def find_families(names: Sequence[str] | None) -> tuple[AnyFamily, ...]:
    """Return families by name; None for the three of van Leeuwen & Alger (2024).

    Raises:
        UsageError: there is no name, or one is unknown, or its actions are all numbers of an interval.
    """
    if names is None:
        names = ("sequential_prisoners_dilemma", "trust", "ultimatum")
    if isinstance(names, str) or not names:
        raise UsageError(f"Name at least one family, as a list; got {names!r}.")
    unknown = [name for name in names if name not in LIBRARY]
    if unknown:
        raise UsageError(f"There is no family {unknown[0]!r}; there are {', '.join(LIBRARY)}.")
    families = tuple(LIBRARY[name] for name in dict.fromkeys(names))
    for family in families:
        if any(isinstance(game, StrategicGame) and game.continuous for game in published(family)):
            raise UsageError(
                f"In {family.name} any number of an interval can be chosen, and data sets hold options: give "
                "its actions as a grid."
            )
    return families


def published(family: AnyFamily) -> tuple[AnyGame, ...]:
    """Return the published games of a family."""
    return tuple(family.game(name) for name in family.protocols)


def is_of_payoffs(family: AnyFamily) -> bool:
    """Return whether the numbers of a family are its payoffs, which can be drawn from a range. So they are
    taken to be where nothing is published of it.
    """
    if family.name in FAMILIES or not family.protocols:
        return True
    game = published(family)[0]
    return set(_cells(game) or (np.nan,)) <= {0.0, *map(float, game.parameters.values())}


def shape_of(game: GameTree) -> tuple[object, ...]:
    """Return a value that two games share if and only if they differ at most in their payoffs."""
    sets = tuple((node.label, node.role, node.options) for node in game.information_sets)
    return (game.name, game.roles, sets, tuple((leaf.path, leaf.chance) for leaf in game.leaves))


def game_key(game: AnyGame) -> str:
    """Return a text that two games share if and only if a positive affine rescaling turns one into the other.

    The key consists of the family and the exact payoffs, minus the lowest, divided by their greatest common
    measure; of the family and its numbers where more than `MOST_PROFILES` profiles have payoffs, or where the
    game says itself what universalisation pays.
    """
    cells = _cells(game)
    if cells is None:
        return f"{game.name} of " + " ".join(f"{value:.12g}" for value in game.parameters.values())
    if all(value.is_integer() for value in cells):
        whole = [int(value) for value in cells]
    else:
        fractions = [Fraction(value) for value in cells]
        common = math.lcm(*(value.denominator for value in fractions))
        whole = [int(value * common) for value in fractions]
    low = min(whole)
    whole = [value - low for value in whole]
    measure = math.gcd(*whole) or 1
    return f"{game.name} " + " ".join(str(value // measure) for value in whole)


def _cells(game: AnyGame) -> list[float] | None:
    """Return all payoffs of a game; None where there are too many, or more than payoffs matter."""
    if isinstance(game, GameTree):
        return [value for leaf in game.leaves for value in leaf.payoffs]
    if game.profiles > MOST_PROFILES or game.universal is not None:
        return None
    cells: list[float] = game.payoffs.ravel().tolist()
    return cells


def reserved_keys() -> frozenset[str]:
    """Return the keys of the protocols of the benchmark's families, on which models are measured."""
    return _keys(tuple(PROTOCOLS.values()))


@lru_cache(maxsize=64)
def _keys(games: tuple[AnyGame, ...]) -> frozenset[str]:
    return frozenset(game_key(game) for game in games)


def draw_games(
    family: AnyFamily, payoffs: Payoffs, most: int, rng: np.random.Generator
) -> tuple[AnyGame, ...]:
    """Draw up to `most` different games of a family in random order, none of them reserved, and none whose
    expected payoffs are known as means over draws alone.

    If few payoffs are possible, all of them are listed; otherwise they are drawn uniformly among those that
    satisfy the family's own conditions. Where the numbers of a family are no payoffs, they are drawn near
    those of its published games, whatever the range.

    Raises:
        UsageError: no payoffs in the range make a game of the family that is not reserved.
    """
    if not is_of_payoffs(family):
        return _near_published(family, most, rng)
    values = payoffs.values
    count = len(family.parameters)
    if len(values) ** count <= MOST_LISTED:
        listed = [row for row in itertools.product(values, repeat=count) if family.check(*row) is None]
        rows = [listed[place] for place in rng.permutation(len(listed))]
    else:
        rows = _drawn(family, payoffs, most, rng)
    reserved: frozenset[str] = reserved_keys() | _keys(published(family))
    games: list[AnyGame] = []
    for row in rows:
        game = family.game(payoffs=row)
        if _is_exact(game) and game_key(game) not in reserved:
            games.append(game)
            if len(games) == most:
                break
    if not games:
        raise UsageError(f"No payoffs from {payoffs.name} make a new game of {family.name}; widen the range.")
    return tuple(games)


def _near_published(family: AnyFamily, most: int, rng: np.random.Generator) -> tuple[AnyGame, ...]:
    """Draw games whose numbers are near those of a published game: whole ones where all published ones are
    whole, otherwise with two decimals.
    """
    rows = list(family.protocols.values())
    whole = [all(float(value).is_integer() for value in column) for column in zip(*rows, strict=True)]
    keys, games = set(_keys(published(family))), []
    for _ in range(20 * most + 200):
        row = rows[int(rng.integers(len(rows)))]
        numbers = [_near(float(value), each, rng) for value, each in zip(row, whole, strict=True)]
        if family.check(*numbers) is not None:
            continue
        try:
            game = family.game(payoffs=numbers)
        except GameError:  # numbers that pass the family's own check can still ask for too many actions
            continue
        if _is_exact(game) and (key := game_key(game)) not in keys:
            keys.add(key)
            games.append(game)
            if len(games) == most:
                break
    if not games:
        raise UsageError(
            f"No numbers near those of {', '.join(family.protocols)} make a new game of {family.name} whose "
            "expected payoffs can be computed exactly."
        )
    return tuple(games)


def _is_exact(game: AnyGame) -> bool:
    """Return whether the best options of a game can be told for sure."""
    return not isinstance(game, StrategicGame) or is_exact(game)


def _near(value: float, whole: bool, rng: np.random.Generator) -> float:
    low, high = sorted((value / 2, 3 * value / 2))
    if whole:
        return float(rng.integers(math.floor(low), math.ceil(high) + 1))
    return round(float(rng.uniform(low, high)), 2)


def _drawn(family: AnyFamily, payoffs: Payoffs, most: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    found: dict[tuple[int, ...], None] = {}
    # Families' conditions are mostly orders of their numbers: of k! orders at least one fits.
    for _ in range(200):
        drawn = rng.integers(0, len(payoffs.values), size=(4096, len(family.parameters)))
        block = payoffs.low + payoffs.step * drawn
        for row in block.tolist():
            if family.check(*row) is None:
                found[tuple(row)] = None
        if len(found) >= most + 64:
            break
    return list(found)


def split_of(key: str, seed: int, shares: tuple[float, float]) -> str:
    """Return ``"train"``, ``"validation"`` or ``"test"``, which depends only on a game's key and the seed.

    Args:
        key: the game's key, from `game_key`.
        seed: the seed of the data set.
        shares: the shares of games for validation and for test.
    """
    digest = hashlib.sha256(f"{seed} {key}".encode()).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    if place < shares[0]:
        return "validation"
    return "test" if place < shares[0] + shares[1] else "train"
