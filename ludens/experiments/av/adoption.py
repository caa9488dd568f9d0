"""Simulated populations that choose car programs over rounds: thousands of people, many rounds, in numpy.

At the beginning, a share of all cars is utilitarian. In every round each person may choose again with the
revision probability, given the shares of the round before. Under a mandate, a person who chooses takes the
utilitarian program; the others keep their cars. Then the accidents of the round happen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ludens.agents.av.adoption import AdoptionOraclePolicy, FixedProgramPolicy
from ludens.agents.registry import make_policy
from ludens.envs.av.adoption.game import AdoptionGame
from ludens.envs.av.adoption.simulator import AdoptionCore
from ludens.errors import UsageError
from ludens.experiments.av.groups import Group
from ludens.experiments.runs.seeds import check_seed
from ludens.preferences.av.adoption import adoption_gains, adoption_probabilities

Floats = NDArray[np.float64]
OnRound = Callable[[int, int], None]
"""Called after each round with how many were played and how many there are."""

_NUMBERS_AT_ONCE = 1 << 20


@dataclass(frozen=True, eq=False)
class AdoptionPaths:
    """The paths of populations over rounds.

    Attributes:
        game: the rules.
        groups: of every population.
        shares: (populations, rounds + 1, groups), of utilitarian cars in each group, first as at the
            beginning; NaN for rounds that were not played.
        payoffs: (populations, rounds, groups), means of each group.
        deaths: (populations, rounds, 3), lives lost: passengers, pedestrians, outsiders.
    """

    game: AdoptionGame
    groups: tuple[Group, ...]
    shares: Floats
    payoffs: Floats
    deaths: Floats

    @property
    def total(self) -> Floats:
        """The share of utilitarian cars among all, (populations, rounds + 1)."""
        weights = np.array([group.people for group in self.groups]) / self.game.people
        found: Floats = self.shares @ weights
        return found


def simulate_adoption(
    game: AdoptionGame,
    groups: Sequence[Group],
    *,
    rounds: int = 100,
    revision: float = 1.0,
    noise: float | None = None,
    start: float = 0.0,
    populations: int = 1,
    realised: bool = False,
    seed: int = 0,
    on_round: OnRound | None = None,
) -> AdoptionPaths:
    """Simulate populations of the same groups.

    Args:
        game: the rules.
        groups: the groups in the order of seats; their sizes sum to the game's people.
        rounds: how many are played.
        revision: the probability in (0, 1] that a person may choose in a round.
        noise: λ ≥ 0 of all choices; None for that of each policy.
        start: the share of cars that are utilitarian at the beginning, rounded to whole cars drawn at random.
        populations: the number of populations, each with its own random draws.
        realised: whether accidents are drawn; otherwise payoffs and deaths are expected ones.
        seed: the same seed gives the same paths, population by population.
        on_round: see `OnRound`.

    Raises:
        UsageError: an argument is out of its range, or a group is one of language models.
    """
    for name, value, most in (("revision", revision, 1.0), ("start", start, 1.0)):
        if isinstance(value, bool | str) or not 0 <= value <= most or (name == "revision" and value == 0):
            within = "(0, 1]" if name == "revision" else "[0, 1]"
            raise UsageError(f"A simulation's {name} lies in {within}; got {value!r}.")
    for name, count in (("rounds", rounds), ("populations", populations)):
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise UsageError(f"The number of {name} is a whole number of at least 1; got {count!r}.")
    if noise is not None:
        adoption_probabilities(0.0, noise)  # checks it
    if sum(group.people for group in groups) != game.people:
        raise UsageError(f"The groups do not make up the game's {game.people} people: mend their sizes.")
    asked = [group.name for group in groups if not group.simulated]
    if asked:
        raise UsageError(
            f"{asked[0]} cannot be simulated: let it play in seats, which asks it in every round."
        )
    seeds = np.random.SeedSequence(check_seed(seed)).spawn(populations)
    crowd = _Crowd(game, groups, [each.spawn(2)[0] for each in seeds], revision, noise)
    core = AdoptionCore(game, populations=populations, realised=realised)
    core.reset([np.random.SeedSequence(each.entropy, spawn_key=(*each.spawn_key, 1)) for each in seeds])
    cars = crowd.at_the_beginning(start)
    edges = np.cumsum([0, *(group.people for group in groups)])[:-1]
    sizes = np.array([group.people for group in groups])
    shares = np.empty((populations, rounds + 1, len(groups)))
    payoffs = np.empty((populations, rounds, len(groups)))
    deaths = np.empty((populations, rounds, 3))
    shares[:, 0] = np.add.reduceat(cars, edges, axis=1, dtype=np.float64) / sizes
    for number in range(rounds):
        cars = crowd.choose(cars, number)
        outcome = core.step(cars)
        shares[:, number + 1] = np.add.reduceat(cars, edges, axis=1, dtype=np.float64) / sizes
        payoffs[:, number] = np.add.reduceat(outcome.payoffs, edges, axis=1) / sizes
        deaths[:, number] = np.stack(outcome.deaths, axis=1)
        if on_round is not None:
            on_round(number + 1, rounds)
    return AdoptionPaths(game, tuple(groups), shares, payoffs, deaths)


class _Crowd:
    """The people of all populations, with their choices and choice probabilities."""

    def __init__(
        self,
        game: AdoptionGame,
        groups: Sequence[Group],
        seeds: Sequence[np.random.SeedSequence],
        revision: float,
        noise: float | None,
    ) -> None:
        self.game = game
        self.groups = tuple(groups)
        self.revision = revision
        self.noise = noise
        self._rngs = [np.random.default_rng(seed) for seed in seeds]
        drawn = [[group.kappas(rng) for group in groups] for rng in self._rngs]
        # By group: (populations, people of the group).
        self._kappas = [np.stack(each) for each in zip(*drawn, strict=True)]
        ends = np.cumsum([group.people for group in groups]).tolist()
        self._seats = [slice(end - group.people, end) for end, group in zip(ends, groups, strict=True)]
        self._width = game.people * (2 if revision < 1 else 1)
        self._rounds = max(1, min(64, _NUMBERS_AT_ONCE // (len(seeds) * self._width)))
        self._drawn = np.empty(0)
        self._law: tuple[float, float] | None = None
        self._chances = np.empty((len(seeds), game.people))

    def at_the_beginning(self, start: float) -> NDArray[np.bool_]:
        """Return the first cars, (populations, people)."""
        users = round(start * self.game.people)
        cars = np.zeros((len(self._rngs), self.game.people), dtype=np.bool_)
        if users:
            for place, rng in enumerate(self._rngs):
                cars[place, rng.permutation(self.game.people)[:users]] = True
        return cars

    def choose(self, cars: NDArray[np.bool_], period: int) -> NDArray[np.bool_]:
        """Return the cars of this round, (populations, people)."""
        place = period % self._rounds
        if place == 0:
            self._drawn = np.stack([rng.random((self._rounds, self._width)) for rng in self._rngs])
        drawn = self._drawn[:, place]
        if self.game.mandated(period):
            chosen = np.ones_like(cars)
        else:
            chosen = drawn[:, : self.game.people] < self.chances(cars, period)
        if self.revision < 1:
            chosen = np.where(drawn[:, self.game.people :] < self.revision, chosen, cars)
        return chosen

    def chances(self, cars: NDArray[np.bool_], period: int) -> Floats:
        """Return each person's probability of the utilitarian program, (populations, people)."""
        law = self.game.levies(period)
        # Without economies of scale what others drive does not matter, and chances change with the law alone.
        if self._law == law and not self.game.economies:
            return self._chances
        self._law = law
        others = (cars.sum(axis=1, keepdims=True) - cars) / (self.game.people - 1)
        for group, seats, kappas in zip(self.groups, self._seats, self._kappas, strict=True):
            self._chances[:, seats] = self._of(group, kappas, others[:, seats], period)
        return self._chances

    def _of(self, group: Group, kappas: Floats, others: Floats, period: int) -> Floats | float:
        if isinstance(group.policy, FixedProgramPolicy):
            return float(group.policy.program == "utilitarian")
        if not isinstance(group.policy, AdoptionOraclePolicy):
            return 0.5
        wanted = group.policy.preferences
        gains = adoption_gains(
            self.game,
            kappas,
            others,
            altruism=wanted.altruism,
            universalisation=wanted.universalisation,
            period=period,
        )
        return adoption_probabilities(gains, group.policy.noise if self.noise is None else self.noise)


def share_by_kappa(
    game: AdoptionGame,
    kappas: Sequence[float],
    *,
    spread: float | None = None,
    altruism: float = 0.0,
    universalisation: str = "veil",
    noise: float = 0.0,
    rounds: int = 1,
    seed: int = 0,
) -> Floats:
    """Return the share of utilitarian cars after some rounds in one simulated population for each κ.

    Args:
        game: the rules.
        kappas: in [0, 1]; of everybody, or with a spread the mean of the population.
        spread: None for populations whose people are alike; otherwise κ is drawn from the Beta distribution
            with that mean and a + b = `spread` > 0. With a mean of 0 or 1 all are alike again.
        altruism: of everybody.
        universalisation: of everybody.
        noise: λ.
        rounds: the number of rounds; with economies of scale, shares need some to settle.
        seed: of all populations.

    Returns:
        (len(kappas),)

    Raises:
        UsageError: an argument is out of its range.
    """
    found = np.empty(len(kappas))
    for place, kappa in enumerate(kappas):
        settings = {"altruism": altruism, "universalisation": universalisation, "noise": noise}
        policy = {"spec": "quantal", "kappa": float(kappa), **settings}
        beta = None
        if spread is not None and 0 < kappa < 1:
            if not 0 < spread < math.inf:
                raise UsageError(f"The spread of a Beta distribution is a number above 0; got {spread!r}.")
            beta = (float(kappa) * spread, (1 - float(kappa)) * spread)
        group = Group(f"κ={kappa:g}", game.people, make_policy(policy, game), beta)
        paths = simulate_adoption(game, [group], rounds=rounds, seed=seed + place)
        found[place] = paths.total[0, -1]
    return found
