"""What a player of a simultaneous game can do: named actions, numbers of a grid, numbers for several
things at once, or any number of an interval.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ludens.checks import entries, real_number, whole_number
from ludens.envs.tree.definition import MAX_PAYOFF
from ludens.envs.tree.nodes import GameError
from ludens.envs.turn import Scale, allocations

MAX_ACTIONS = 10_001


@dataclass(frozen=True)
class Actions:
    """A finite set of actions.

    Attributes:
        names: what they are called, in order; an action's place is its number.
        values: what the payoff function is given for each: its place, or the number that it is.
        numeric: whether the actions are numbers, so that a player can name one.
        shared: what an action shares out, and over what, where it consists of several numbers (`shares`).
    """

    names: tuple[str, ...]
    values: tuple[float, ...]
    numeric: bool = False
    shared: Scale | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= MAX_ACTIONS or len(self.values) != len(self.names):
            raise GameError(
                f"Actions need from 1 to {MAX_ACTIONS} names and a value for each; got "
                f"{len(self.names)} names "
                f"and {len(self.values)} values."
            )
        if not all(isinstance(name, str) and name for name in self.names):
            raise GameError(f"Every action needs a name, a text that is not empty; got {self.names!r}.")
        if len(set(self.names)) < len(self.names):
            raise GameError(f"Every action needs a name of its own; got {', '.join(self.names)}.")
        numbers = [real_number(value) for value in self.values]
        if any(number is None or not abs(number) <= MAX_PAYOFF for number in numbers):
            raise GameError(
                f"The values of actions must be finite numbers of at most {MAX_PAYOFF:g}; got "
                f"{self.values!r}."
            )
        if len(set(numbers)) < len(numbers):
            raise GameError(f"Every action needs a value of its own; got {self.values!r}.")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def vectors(self) -> NDArray[np.int64]:
        """The numbers that each action consists of, shape (actions, things).

        Raises:
            GameError: the actions do not consist of several numbers.
        """
        if (scale := self.shared) is None:
            raise GameError("Only actions that share something out consist of several numbers: use shares.")
        return np.array([*allocations(int(scale.highest), len(scale.things), scale.step, scale.exact)])

    @property
    def step(self) -> int | None:
        """The step between actions that are whole numbers, equally spaced and ascending; None for others."""
        if not self.numeric or len(self) < 2 or any(value != int(value) for value in self.values):
            return None
        steps = {after - before for before, after in itertools.pairwise(self.values)}
        return int(steps.pop()) if len(steps) == 1 and min(steps) > 0 else None


@dataclass(frozen=True)
class Interval:
    """All numbers from `low` to `high`.

    Attributes:
        low, high: the bounds, both included.
        points: how many equally spaced numbers stand for the interval where a finite set is needed: in
            beliefs, mixed strategies and quantal responses.
    """

    low: float
    high: float
    points: int = 101

    def __post_init__(self) -> None:
        bounds = (real_number(self.low), real_number(self.high))
        low, high = (math.nan if bound is None else bound for bound in bounds)
        if not -MAX_PAYOFF <= low < high <= MAX_PAYOFF:
            raise GameError(
                f"An interval has finite bounds of at most {MAX_PAYOFF:g}, low < high; got {self.low!r} and "
                f"{self.high!r}."
            )
        if (points := whole_number(self.points)) is None or not 2 <= points <= MAX_ACTIONS:
            raise GameError(
                f"An interval is represented by 2 to {MAX_ACTIONS} points; got points={self.points!r}."
            )

    def grid(self) -> Actions:
        """Return the equally spaced numbers that stand for the interval."""
        values = np.linspace(self.low, self.high, self.points)
        return Actions(tuple(f"{value:.12g}" for value in values), tuple(values.tolist()), numeric=True)


def named(*names: str) -> Actions:
    """Return actions by their names; the payoff function is given their places 0, 1, …

    Raises:
        GameError: a name is empty or comes twice.
    """
    return Actions(names, tuple(map(float, range(len(names)))))


def whole_numbers(low: int, high: int, step: int = 1) -> Actions:
    """Return the whole numbers from `low` to `high`, both included if `step` leads there.

    Raises:
        GameError: there is none, or a bound is not a whole number.
    """
    if any(whole_number(each) is None for each in (low, high, step)) or step < 1 or high < low:
        raise GameError(
            f"Whole numbers go from low up to high by a step; got {low!r}, {high!r} and {step!r}."
        )
    count = (high - low) // step + 1
    if count > MAX_ACTIONS:
        raise GameError(f"Whole numbers from {low} to {high} are {count} actions; at most {MAX_ACTIONS} fit.")
    return numbers_of(range(low, high + 1, step))


def shares(points: int, things: Sequence[str], step: int = 1, *, exact: bool = True) -> Actions:
    """Return all ways to share out points over things, as actions: one number for each thing.

    The payoff function is given their places; `Actions.vectors` has the numbers.

    Args:
        points: how many there are.
        things: what each thing is called.
        step: what every number is a multiple of.
        exact: whether all points must be given out; otherwise at most so many can be.

    Raises:
        GameError: there are fewer than two things, no way or too many ways, or an argument is no such number.
    """
    called = tuple(entries(things) or ())
    if len(called) < 2 or not all(isinstance(each, str) and each for each in called):
        raise GameError(f"Points are shared out over at least two things with a name each; got {things!r}.")
    whole, by = whole_number(points), whole_number(step)
    if whole is None or by is None or not 1 <= by <= whole or (exact and whole % by):
        raise GameError(
            f"Points to share out are a whole number, and the step divides it; got {points!r} and {step!r}."
        )
    ways = math.comb(whole // by + len(called) - exact, len(called) - exact)
    if ways > MAX_ACTIONS:
        raise GameError(
            f"There are {ways} ways to share out {whole} points over {len(called)} things; at most "
            f"{MAX_ACTIONS} fit: take fewer points or larger steps."
        )
    names = tuple(map(str, allocations(whole, len(called), by, exact)))
    scale = Scale("allocation", 0, whole, by, called, exact=exact)
    return Actions(names, tuple(map(float, range(len(names)))), shared=scale)


def numbers_of(values: Iterable[float]) -> Actions:
    """Return actions that are numbers, in the order given.

    Raises:
        GameError: there is none, one comes twice, or one is not finite.
    """
    listed = tuple(map(real_number, entries(values) or ()))
    if not listed or None in listed:
        raise GameError(f"Actions that are numbers are given as a list of them; got {values!r}.")
    numbers = tuple(value for value in listed if value is not None)
    return Actions(tuple(f"{value:.12g}" for value in numbers), numbers, numeric=True)
