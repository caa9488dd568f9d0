"""How often a game is repeated: a known number of rounds, or one more after each with some probability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ludens.checks import check_count, real_number
from ludens.errors import UsageError

MOST_ROUNDS = 10_000
"""A game of random length ends after this many rounds at the latest, unless `rounds` says otherwise."""


@dataclass(frozen=True)
class Length:
    """The length of a repeated game.

    Attributes:
        rounds: how often the game is played; with `continuation`, at most so often.
        continuation: the probability with which another round follows each; None for a known number.
    """

    rounds: int
    continuation: float | None = None

    @property
    def random(self) -> bool:
        """Whether the number of rounds is drawn."""
        return self.continuation is not None and self.rounds > 1

    @property
    def facts(self) -> dict[str, Any]:
        """The facts of a turn that say how the number of rounds comes about."""
        return {} if self.continuation is None else {"continuation": self.continuation}

    def is_over(self, played: int, rng: np.random.Generator) -> bool:
        """Return whether no round follows after so many."""
        return played == self.rounds or (
            self.continuation is not None and not rng.random() < self.continuation
        )


def length(environment: str, rounds: int | None, continuation: float | None) -> Length:
    """Return the length that an environment's options name; without any, one round.

    Raises:
        UsageError: an option is out of its range.
    """
    share = None if continuation is None else probability(environment, "continuation", continuation)
    if rounds is None:
        rounds = 1 if share is None else MOST_ROUNDS
    return Length(check_count(environment, "rounds", rounds), share)


def probability(environment: str, name: str, value: object) -> float:
    """Return an option of an environment that is a probability.

    Raises:
        UsageError: it is none.
    """
    number = real_number(value)
    if number is None or math.isnan(number) or not 0 <= number <= 1:
        raise UsageError(f"{environment} got {name}={value!r}; it is a probability, a number from 0 to 1.")
    return number
