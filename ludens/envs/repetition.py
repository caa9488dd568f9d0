"""How a game is repeated, one written as a tree or one in which all move at once: how often, among whom, and
what a seat learns of what the others did.

A known number of rounds, or one more after each with some probability; in one group or in several, among
fixed partners or among partners that are drawn anew for every round; what others did seen rightly or
sometimes wrongly, in one's own rounds alone or also in those of one's present partners.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ludens.checks import check_choice, check_count, real_number
from ludens.errors import UsageError

Matching = Literal["fixed", "random"]
Monitoring = Literal["own", "reputation"]

MOST_ROUNDS = 10_000
"""A game of random length ends after this many rounds at the latest, unless `rounds` says otherwise."""


@dataclass(frozen=True)
class Repetition:
    """The way in which a game is repeated.

    Attributes:
        rounds: how often the game is played; with `continuation`, at most so often.
        continuation: the probability with which another round follows each, and a seat does not know which
            one is the last; None for a known number.
        groups: how many groups play the game side by side.
        matching: ``"fixed"`` keeps the groups, ``"random"`` draws them anew for every round.
        history: ``"own"``: a seat learns what happened in its own groups; ``"reputation"``: it also learns,
            before it moves, what its present partners did in earlier rounds, whomever they met.
        noise: the probability with which a seat sees another's action wrongly, as one of the other actions
            with equal chances, each seat for itself.
    """

    rounds: int
    continuation: float | None
    groups: int
    matching: Matching
    history: Monitoring
    noise: float

    @property
    def random_length(self) -> bool:
        """Whether the number of rounds is drawn."""
        return self.continuation is not None and self.rounds > 1

    @property
    def random_partners(self) -> bool:
        """Whether it is drawn who meets whom."""
        return self.matching == "random" and self.groups > 1

    @property
    def stochastic(self) -> bool:
        """Whether the seed matters to what follows from given moves."""
        return self.noise > 0 or self.random_length or (self.random_partners and self.rounds > 1)

    @property
    def facts(self) -> dict[str, Any]:
        """The facts of a turn that say how its game is repeated."""
        return {
            **({"matching": self.matching} if self.groups > 1 else {}),
            **({} if self.continuation is None else {"continuation": self.continuation}),
            **({"noise": self.noise} if self.noise else {}),
        }

    @property
    def options(self) -> dict[str, Any]:
        """The options of an environment that repeats its game so: the number of rounds, and what is not as it
        comes.
        """
        usual = Repetition(self.rounds, None, 1, "fixed", "own", 0.0)
        return {
            name: value
            for name, value in vars(self).items()
            if name == "rounds" or value != getattr(usual, name)
        }

    def is_over(self, played: int, rng: np.random.Generator) -> bool:
        """Return whether no round follows after so many."""
        return played == self.rounds or (
            self.continuation is not None and not rng.random() < self.continuation
        )

    def meetings(
        self, roles: Sequence[int], rng: np.random.Generator, *, roles_drawn: bool = False
    ) -> list[list[int]]:
        """Return who meets whom in a round: the seats of every group, in the order of its places.

        Args:
            roles: how many places of a group each role has, in the order of places. Seats are numbered
                group by group, and keep their role.
            rng: for what is drawn.
            roles_drawn: whether seats do not keep their role, but take any place of their group.
        """
        size = sum(roles)
        table = np.arange(self.groups * size).reshape(self.groups, size)
        if not self.random_partners:
            if roles_drawn:
                return [members[rng.permutation(size)].tolist() for members in table]
        elif roles_drawn:
            table = rng.permutation(table.ravel()).reshape(table.shape)
        else:
            start = 0
            for count in roles:
                block = table[:, start : start + count].ravel()
                table[:, start : start + count] = rng.permutation(block).reshape(self.groups, count)
                start += count
        meetings: list[list[int]] = table.tolist()
        return meetings


def repetition(
    environment: str,
    *,
    rounds: int | None,
    continuation: float | None,
    groups: int,
    matching: Matching,
    history: Monitoring,
    noise: float,
) -> Repetition:
    """Return the repetition that an environment's options name; without any, one round of one group.

    Raises:
        UsageError: an option is out of its range.
    """
    groups = check_count(environment, "groups", groups)
    check_choice(environment, "matching", matching, get_args(Matching))
    check_choice(environment, "history", history, get_args(Monitoring))
    share = None if continuation is None else probability(environment, "continuation", continuation)
    if rounds is None:
        rounds = 1 if share is None else MOST_ROUNDS
    return Repetition(
        check_count(environment, "rounds", rounds),
        share,
        groups,
        matching,
        history,
        probability(environment, "noise", noise),
    )


def probability(environment: str, name: str, value: object) -> float:
    """Return an option of an environment that is a probability.

    Raises:
        UsageError: it is none.
    """
    number = real_number(value)
    if number is None or math.isnan(number) or not 0 <= number <= 1:
        raise UsageError(f"{environment} got {name}={value!r}; it is a probability, a number from 0 to 1.")
    return number
