"""Many adoption games, stepped together: the rules of the PettingZoo environment, without PettingZoo.

All populations play the same game. Payoffs are expected ones, or those of drawn accidents: in each round
every population is divided at random into floor(n/(k + 1)) groups of a car with its passenger and k
pedestrians; a group has an accident with probability c·n/floor(n/(k + 1)), independently; each pedestrian is
replaced by an outsider with probability 1 − s. The means of these payoffs are the expected payoffs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs.av.adoption.game import AdoptionGame, Deaths
from ludens.errors import UsageError

Floats = NDArray[np.float64]
Seeds: TypeAlias = int | np.random.SeedSequence | Sequence[np.random.SeedSequence]

UNHARMED, PASSENGER, PEDESTRIAN = 0, 1, 2
"""A person's part in a round's accidents: none, passenger of a car, or pedestrian before one."""

_NUMBERS_AT_ONCE, _ROUNDS_AT_ONCE = 1 << 20, 64


class AdoptionOutcome(NamedTuple):
    """The outcome of one round in B populations of n people.

    Attributes:
        shares: (B,), of utilitarian cars.
        payoffs: (B, n).
        parts: (B, n), `UNHARMED`, `PASSENGER` or `PEDESTRIAN`; None where payoffs are expected ones.
        died: (B, n); None where payoffs are expected ones.
        deaths: lives lost by group, (B,) each, counted or expected.
    """

    shares: Floats
    payoffs: Floats
    parts: NDArray[np.int8] | None
    died: NDArray[np.bool_] | None
    deaths: Deaths


class AdoptionCore:
    """B populations, stepped together.

    Args:
        game: the rules.
        populations: B, at least 1.
        realised: whether accidents are drawn; otherwise payoffs are expected ones.

    Attributes:
        period: the number of the next round, from 0.

    Raises:
        UsageError: there is no population.
    """

    def __init__(self, game: AdoptionGame, *, populations: int = 1, realised: bool = False) -> None:
        if populations < 1:
            raise UsageError(f"A core needs at least 1 population; got {populations}.")
        self.game = game
        self.populations = populations
        self.realised = realised
        self.period = 0
        groups, walkers = game.meetings, game.walkers
        self._widths = (game.people, groups, groups * walkers if game.symmetry < 1 else 0)
        at_once = _NUMBERS_AT_ONCE // (populations * sum(self._widths))
        self._rounds = max(1, min(_ROUNDS_AT_ONCE, at_once))
        self._generators: list[np.random.Generator] = []
        self._drawn = np.zeros((populations, 0, sum(self._widths)))

    def reset(self, seeds: Seeds = 0) -> None:
        """Start new populations.

        Args:
            seeds: one seed sequence for each population; or one seed, from which one is spawned for each.

        Raises:
            UsageError: there are not as many seeds as populations.
        """
        if isinstance(seeds, int | np.random.SeedSequence):
            root = np.random.SeedSequence(seeds) if isinstance(seeds, int) else seeds
            seeds = np.random.SeedSequence(root.entropy, spawn_key=root.spawn_key).spawn(self.populations)
        if len(seeds) != self.populations:
            raise UsageError(f"Give one seed for each of {self.populations} populations; got {len(seeds)}.")
        self._generators = [np.random.default_rng(seed) for seed in seeds] if self.realised else []
        self.period = 0

    def step(self, choices: ArrayLike) -> AdoptionOutcome:
        """Play one round.

        Args:
            choices: (B, n), 1 or True for a utilitarian car, 0 or False for a self-protective one. The law
                is not checked: cars chosen before it may still be driven.

        Raises:
            UsageError: choices have another shape or other values; the state is then unchanged.
        """
        array = np.asarray(choices)
        wanted = (self.populations, self.game.people)
        if array.shape != wanted:
            raise UsageError(f"Choices have shape {wanted}; got {array.shape}.")
        if array.dtype != np.bool_:
            if not np.all((array == 0) | (array == 1)):
                raise UsageError("Choices are 1 (utilitarian) or 0 (self-protective); got others.")
            array = array.astype(np.bool_)
        return self._advance(array)

    def _advance(self, utilitarian: NDArray[np.bool_]) -> AdoptionOutcome:
        """Play one round with choices that have been checked."""
        game, period = self.game, self.period
        count = utilitarian.sum(axis=1)
        shares: Floats = count / game.people
        # Who drives the one or the other program meets one share of others: two payoffs for each population.
        of_users, of_rest = (count - 1) / (game.people - 1), count / (game.people - 1)
        if not self.realised:
            users, rest = game.payoff(1.0, of_users, period), game.payoff(0.0, of_rest, period)
            payoffs = np.where(utilitarian, users[:, None], rest[:, None])
            self.period += 1
            return AdoptionOutcome(shares, payoffs, None, None, game.deaths(shares))
        users, rest = game.cost(1.0, of_users, period), game.cost(0.0, of_rest, period)
        costs = np.where(utilitarian, users[:, None], rest[:, None])
        parts, died, deaths = self._accidents(utilitarian)
        self.period += 1
        payoffs = 1.0 - died.astype(np.float64) - costs
        return AdoptionOutcome(shares, payoffs, parts, died, deaths)

    def _accidents(
        self, utilitarian: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int8], NDArray[np.bool_], Deaths]:
        game = self.game
        keys, strikes, belonging = np.split(self._draw(), np.cumsum(self._widths)[:2], axis=1)
        groups = game.meetings * (game.walkers + 1)
        order = np.argsort(keys, axis=1)[:, :groups].reshape(len(keys), game.meetings, game.walkers + 1)
        place, group = np.nonzero(strikes < game.accident * game.people / game.meetings)
        riding, walking = order[place, group, 0], order[place, group, 1:]
        swerves = utilitarian[place, riding]
        if game.symmetry < 1:
            member = belonging.reshape(len(keys), game.meetings, game.walkers)[place, group] < game.symmetry
        else:
            member = np.ones(walking.shape, dtype=np.bool_)
        parts = np.zeros(utilitarian.shape, dtype=np.int8)
        died = np.zeros(utilitarian.shape, dtype=np.bool_)
        parts[place, riding] = PASSENGER
        died[place[swerves], riding[swerves]] = True
        rows, columns = np.nonzero(member)
        parts[place[rows], walking[rows, columns]] = PEDESTRIAN
        rows, columns = np.nonzero(member & ~swerves[:, None])
        died[place[rows], walking[rows, columns]] = True
        inside, outside = member.sum(axis=1), (~member).sum(axis=1)

        def counted(lost: NDArray[np.generic]) -> Floats:
            found: Floats = np.bincount(place, lost, minlength=len(keys)).astype(np.float64)
            return found

        deaths = Deaths(
            counted(swerves), counted(np.where(swerves, 0, inside)), counted(np.where(swerves, 0, outside))
        )
        return parts, died, deaths

    def _draw(self) -> Floats:
        """Return the round's uniform numbers, (B, n + groups + places of pedestrians)."""
        if not self._generators:
            self.reset()
        place = self.period % self._rounds
        if place == 0:
            shape = (self._rounds, sum(self._widths))
            self._drawn = np.stack([generator.random(shape) for generator in self._generators])
        drawn: Floats = self._drawn[:, place]
        return drawn
