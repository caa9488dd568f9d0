"""The turn: all that an agent may know when it must move."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Method = Literal["direct", "strategy"]


@runtime_checkable
class Game(Protocol):
    """The attributes that every game has: its family's name, its roles, its numbers."""

    @property
    def name(self) -> str:
        """The family's name."""

    @property
    def roles(self) -> tuple[str, ...]:
        """The parts to play, in the order of payoffs."""

    @property
    def parameters(self) -> Mapping[str, float]:
        """The numbers that the rules are made of, by name."""

    @property
    def protocol(self) -> str | None:
        """The name of a published parameter set, if it is one."""


@dataclass(frozen=True)
class Step:
    """One edge of a path: at the node `label` (an information set, or a chance node) `option` followed.

    `role` is None where nature moved.
    """

    label: str
    option: str
    role: str | None


@dataclass(frozen=True)
class Option:
    """One legal move: the number that the environment takes, and its name in the game."""

    action: int
    name: str


@dataclass(frozen=True)
class Scale:
    """A question that is answered with a number of points.

    Attributes:
        kind: ``"rating"`` asks for one number on a scale; ``"number"`` for an amount, and the rules say of
            what; ``"allocation"`` for one number of points for each of several things. The options of an
            allocation are all those there are, in the order of `allocations`; of all points shared out over
            two things, the action is the number that go to the second of them; ``"message"`` for a text of at
            most `highest` characters, or none: the options are to say nothing and to say something, and the
            text is the decision's note ``"message"``.
        lowest, highest: the range of a rating or an amount; an allocation shares out `highest` points.
        step: an amount, and each number of an allocation, is the lowest one or so much more, any number of
            times; 0 where any number between the two may be chosen, whole or not.
        exact: whether an allocation gives out all points; otherwise it gives out at most so many.
        things: what the points are given to, by their names in the game.
        noun: what one such thing is called.
    """

    kind: Literal["rating", "number", "allocation", "message"]
    lowest: float = 0
    highest: float = 100
    step: int = 1
    things: tuple[str, ...] = ()
    noun: str = ""
    exact: bool = True

    def place(self, points: Sequence[float]) -> int:
        """Return the place of the option that consists of these points, one for each that is asked for.

        Raises:
            KeyError: they are no allocation on this scale.
        """
        if self.kind != "allocation":
            return int(points[0] - self.lowest) // self.step
        return _places(int(self.highest), len(self.things), self.step, self.exact)[
            tuple(int(each) for each in points)
        ]


def allocations(points: int, things: int, step: int = 1, exact: bool = True) -> Iterator[tuple[int, ...]]:
    """Yield the ways to share out points over things in steps, those that give most to the first thing first.

    Args:
        points: how many there are.
        things: how many things.
        step: what every number is a multiple of.
        exact: whether all points are given out; otherwise at most so many.
    """
    if things == 0:
        yield ()
        return
    if things == 1 and exact:
        if points % step == 0:
            yield (points,)
        return
    for first in range(points // step * step, -1, -step):
        for rest in allocations(points - first, things - 1, step, exact):
            yield (first, *rest)


@lru_cache(maxsize=64)
def _places(points: int, things: int, step: int, exact: bool) -> Mapping[tuple[int, ...], int]:
    return {each: place for place, each in enumerate(allocations(points, things, step, exact))}


@dataclass(frozen=True)
class PastRound:
    """A finished round as one seat saw it: its role, the path played, the payoffs by role, in points."""

    role: str
    path: tuple[Step, ...]
    payoffs: Mapping[str, float]


@dataclass(frozen=True)
class Turn:
    """All that an agent may know when it must move.

    Attributes:
        environment: the environment's id, for example ``"ludens/trust-v0"``.
        agent: the seat, for example ``"player_0"``.
        role: the part that it plays at this node.
        node: the information set's label.
        options: the legal moves, in the game's own order.
        observation: the numeric observation, a dict of ``observation`` and, where actions are numbered,
            ``action_mask``, in whatever form the environment gives its observations.
        game: the rules, from which payoffs are read (prompts and oracles alike).
        known: the earlier moves of this round that the mover has learnt for certain, in order.
        past: the finished rounds, oldest first.
        round: the number of this round, from 0; `rounds` is how many there will be.
        method: ``"direct"`` if the move is really reached, ``"strategy"`` if it is asked for every case in
            advance.
        facts: anything else that a prompt may need, by name; ``roles`` is ``"random"`` where they are
            drawn anew for every round.
        interval: the lowest and the highest number that may be chosen, where the move is a number (a price)
            and `options` is empty; None where there are options.
        numbers: how many such numbers are to be chosen at once, as by a firm with several products.
        scale: how the options are to be understood where they are points; None where they are moves.
    """

    environment: str
    agent: str
    role: str
    node: str
    options: tuple[Option, ...]
    observation: Mapping[str, NDArray[np.generic]]
    game: Game
    known: tuple[Step, ...] = ()
    past: tuple[PastRound, ...] = ()
    round: int = 0
    rounds: int = 1
    method: Method = "direct"
    facts: Mapping[str, Any] = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    scale: Scale | None = None
    numbers: int = 1
