"""What a tournament tells: payoffs of each against each, and ratings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ludens.experiments.measures.intervals import Estimate, missing
from ludens.experiments.populations.evolve_result import spread
from ludens.experiments.populations.ratings import BradleyTerry, alpha_rank, bradley_terry, nash_average
from ludens.experiments.populations.tournament_config import TournamentConfig
from ludens.experiments.report.result import RunResult

Floats = NDArray[np.float64]
Rate = Callable[[Floats], Floats]

DRAWS = 200
"""Draws of the payoffs behind intervals of α-rank and Nash averaging."""


@dataclass(frozen=True, eq=False)
class CrossPlay:
    """What each earns against each in one game, or over all of them.

    Attributes:
        payoffs: means per round, shape (policies, policies); NaN where two have not met.
        errors: their standard errors; NaN where there is one match alone.
        matches: how many there were.
    """

    payoffs: Floats
    errors: Floats
    matches: NDArray[np.int64]

    @property
    def complete(self) -> bool:
        """Whether everybody has met everybody, and themselves."""
        return not np.isnan(self.payoffs).any()

    @property
    def known_errors(self) -> Floats:
        """The standard errors; where there is only one match, the largest of the others."""
        known = self.errors[~np.isnan(self.errors)]
        return np.where(np.isnan(self.errors), known.max() if len(known) else 0.0, self.errors)


@dataclass(frozen=True, kw_only=True, repr=False)
class TournamentResult(RunResult):
    """A tournament as measured.

    Attributes:
        games: what each earns against each, by game, in points per round.
        together: the same over all games, each scaled so that its least and its largest mean are 0 and 1.
        wins: how often the row earned more than the column in a match, draws half, over all games.
        config: of the run.
    """

    games: Mapping[str, CrossPlay]
    together: CrossPlay
    wins: Floats
    config: TournamentConfig

    @property
    def labels(self) -> tuple[str, ...]:
        """The policies' names."""
        return self.config.labels

    @cached_property
    def bradley_terry(self) -> BradleyTerry:
        """Ratings by who earned more."""
        return bradley_terry(self.wins)

    @cached_property
    def means(self) -> tuple[Estimate, ...]:
        """The mean scaled payoff of each policy over those that it met, itself not among them."""
        found = []
        for place in range(len(self.labels)):
            others = [other for other in range(len(self.labels)) if other != place]
            values = self.together.payoffs[place, others]
            errors = self.together.known_errors[place, others][~np.isnan(values)]
            values = values[~np.isnan(values)]
            if not len(values):
                found.append(missing("it has met nobody"))
                continue
            mean, reach = float(values.mean()), 1.959964 * float(np.sqrt((errors**2).sum())) / len(values)
            matches = int(self.together.matches[place, others].sum())
            found.append(Estimate(mean, mean - reach, mean + reach, matches))
        return tuple(found)

    @cached_property
    def alpha_rank(self) -> tuple[Estimate, ...]:
        """The shares of α-rank, with the range over draws of the payoffs."""
        return self._over_draws(alpha_rank)

    @cached_property
    def nash(self) -> tuple[Estimate, ...]:
        """The shares of Nash averaging, with the range over draws of the payoffs."""
        return self._over_draws(lambda payoffs: nash_average(payoffs)[0])

    def _over_draws(self, rate: Rate) -> tuple[Estimate, ...]:
        if not self.together.complete:
            return tuple(missing("not everybody has met everybody") for _ in self.labels)
        payoffs, errors = self.together.payoffs, self.together.known_errors
        point = rate(payoffs)
        if not errors.any():
            return tuple(Estimate(float(each), n=1, note="payoffs do not vary") for each in point)
        rng = np.random.default_rng([self.config.seed, 2])
        drawn = np.array([rate(rng.normal(payoffs, errors)) for _ in range(DRAWS)])
        ranges = [spread(drawn[:, place]) for place in range(len(self.labels))]
        return tuple(
            Estimate(float(value), each.low, each.high, each.n, method=each.method)
            for value, each in zip(point, ranges, strict=True)
        )
