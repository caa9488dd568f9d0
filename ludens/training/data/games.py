"""Random games of any family, and keys that identify a game up to rescaling.

Two games of one family are the *same game* here if a positive affine rescaling of all payoffs, the same for
both roles, turns one into the other: the optimal options of any `ludens.preferences.Preferences` are then the
same. Roles and options keep their places. Games on which models are measured, the published protocols of all
families, are never drawn for training.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import gcd, lcm
from typing import cast

import numpy as np

from ludens.envs import FAMILIES, PROTOCOLS, Family, GameTree
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
    """Return the default ranges for training: 1 to 9 and, if κ > 0, as many games with 10, 15, …, 90.

    The rationales of homo moralis have longer calculations, which a small model does not transfer from one
    digit to two. Our choice.
    """
    return (Payoffs(1, 9), Payoffs(10, 90, 5)) if preferences.kappa > 0 else (Payoffs(1, 9),)


def find_families(names: Sequence[str] | None) -> tuple[Family, ...]:
    """Return families by name; None for the three of van Leeuwen & Alger (2024).

    Raises:
        UsageError: there is no name, or one is unknown.
    """
    if names is None:
        names = ("sequential_prisoners_dilemma", "trust", "ultimatum")
    if isinstance(names, str) or not names:
        raise UsageError(f"Name at least one family, as a list; got {names!r}.")
    unknown = [name for name in names if name not in FAMILIES]
    if unknown:
        raise UsageError(f"There is no family {unknown[0]!r}; there are {', '.join(FAMILIES)}.")
    return tuple(FAMILIES[name] for name in dict.fromkeys(names))


def shape_of(game: GameTree) -> tuple[object, ...]:
    """Return a value that two games share if and only if they differ at most in their payoffs."""
    sets = tuple((node.label, node.role, node.options) for node in game.information_sets)
    return (game.name, game.roles, sets, tuple((leaf.path, leaf.chance) for leaf in game.leaves))


def game_key(game: GameTree) -> str:
    """Return a text that two games share if and only if a positive affine rescaling turns one into the other.

    The key consists of the family and the exact payoffs, minus the lowest, divided by their greatest common
    measure.
    """
    cells = [value for leaf in game.leaves for value in leaf.payoffs]
    if all(value.is_integer() for value in cells):
        whole = [int(value) for value in cells]
    else:
        fractions = [Fraction(value) for value in cells]
        common = lcm(*(value.denominator for value in fractions))
        whole = [int(value * common) for value in fractions]
    low = min(whole)
    whole = [value - low for value in whole]
    measure = gcd(*whole) or 1
    return f"{game.name} " + " ".join(str(value // measure) for value in whole)


def reserved_keys() -> frozenset[str]:
    """Return the keys of all games on which models are measured: the protocols of all families."""
    return _keys(tuple(PROTOCOLS.values()))


@lru_cache(maxsize=4)
def _keys(games: tuple[GameTree, ...]) -> frozenset[str]:
    return frozenset(game_key(game) for game in games)


def draw_games(family: Family, payoffs: Payoffs, most: int, rng: np.random.Generator) -> tuple[GameTree, ...]:
    """Draw up to `most` different games of a family in random order, none of them reserved.

    If few payoffs are possible, all of them are listed; otherwise they are drawn uniformly among those that
    satisfy the family's own conditions.

    Raises:
        UsageError: no payoffs in the range make a game of the family that is not reserved.
    """
    values = payoffs.values
    count = len(family.parameters)
    if len(values) ** count <= MOST_LISTED:
        listed = [row for row in itertools.product(values, repeat=count) if family.check(*row) is None]
        rows = [listed[place] for place in rng.permutation(len(listed))]
    else:
        rows = _drawn(family, payoffs, most, rng)
    reserved, games = reserved_keys(), []
    for row in rows:
        game = family.game(payoffs=row)
        if game_key(game) not in reserved:
            games.append(game)
            if len(games) == most:
                break
    if not games:
        raise UsageError(f"No payoffs from {payoffs.name} make a new game of {family.name}; widen the range.")
    return tuple(games)


def _drawn(family: Family, payoffs: Payoffs, most: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
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
