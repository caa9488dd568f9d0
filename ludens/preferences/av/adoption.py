"""Preferences in the adoption game: utilities of the two programs, noisy choice, and equilibria.

    u(x) = (1 − κ)·π(x, y) + κ·π(x, x) + a·(expected number of others who survive)

with x the own program, y the share of utilitarian cars among the others (`ludens.envs.av.adoption.game`). κ =
a = 0 is homo economicus; κ > 0 is homo moralis (Alger & Weibull, Econometrica 81(6), 2013); a is the
altruist's weight on each other life, including pedestrians without a car; a = 1 is the utilitarian, who
values all lives equally. The closed forms are those of `ludens.preferences.av.thresholds`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs.av.adoption.game import AdoptionGame
from ludens.errors import UsageError
from ludens.preferences.av.thresholds import (
    Universalisation,
    altruism_threshold,
    check_universalisation,
    gain_terms,
    kappa_threshold,
    role_payoff,
)

__all__ = [
    "AdoptionEquilibria",
    "AdoptionPreferences",
    "Universalisation",
    "adoption_equilibria",
    "adoption_gains",
    "adoption_probabilities",
    "adoption_utilities",
    "altruism_threshold",
    "check_universalisation",
    "equilibrium_shares",
    "kappa_threshold",
]

Floats = NDArray[np.float64]

TOLERANCE = 1e-12
"""Programs whose utilities differ by less than this share of the stakes are equally good."""


@dataclass(frozen=True)
class AdoptionPreferences:
    """Preferences over car programs.

    Args:
        kappa: κ in [0, 1], the weight on the payoff if everybody chose the same program.
        altruism: a ≥ 0, the weight on each other life; at 1 it counts like the own life.
        universalisation: the roles in which the policy considers itself, see `Universalisation`.

    Raises:
        UsageError: a number is out of its range, or there is no such universalisation.
    """

    kappa: float = 0.0
    altruism: float = 0.0
    universalisation: Universalisation = "veil"

    def __post_init__(self) -> None:
        for name, most in (("kappa", 1.0), ("altruism", math.inf)):
            value = getattr(self, name)
            try:
                number = math.nan if isinstance(value, bool | str) else float(value)
            except (TypeError, ValueError):
                number = math.nan
            if not (0 <= number <= most and math.isfinite(number)):
                within = "in [0, 1]" if most == 1 else "a finite number of at least 0"
                raise UsageError(f"Adoption preferences need {name} {within}; got {value!r}.")
            object.__setattr__(self, name, number + 0.0)
        check_universalisation(self.universalisation)

    @property
    def name(self) -> str:
        """The name in tables."""
        if self.altruism:
            known = "utilitarian" if self.altruism == 1 else f"altruist a={self.altruism:g}"
            found = f"{known} κ={self.kappa:g}" if self.kappa else known
        else:
            found = f"homo moralis κ={self.kappa:g}" if self.kappa else "homo economicus"
        return found if self.universalisation == "veil" else f"{found} as {self.universalisation}"


def adoption_utilities(
    game: AdoptionGame, preferences: AdoptionPreferences, share: ArrayLike = 0.0, *, period: int = 0
) -> Floats:
    """Return the utility of the utilitarian and of the self-protective program, in that order.

    Args:
        game: the rules.
        preferences: κ, a and the universalisation.
        share: y in [0, 1], of utilitarian cars among the others, of any shape (...).
        period: the period whose regulation applies.

    Returns:
        Utilities (..., 2), in units of the value of one's own life per round. Others' survival is counted up
        to a constant, by the lives that one's own car spares.
    """
    y = np.asarray(share, dtype=np.float64)
    found = np.empty((*y.shape, 2))
    for place, program in enumerate((1.0, 0.0)):
        actual = role_payoff(game, program, y, universalisation=preferences.universalisation, period=period)
        everyone = role_payoff(
            game, program, program, universalisation=preferences.universalisation, period=period
        )
        spared = game.walkers * game.accident * program
        found[..., place] = (
            (1 - preferences.kappa) * actual + preferences.kappa * everyone + preferences.altruism * spared
        )
    return found


def adoption_gains(
    game: AdoptionGame,
    kappa: ArrayLike,
    share: ArrayLike = 0.0,
    *,
    altruism: ArrayLike = 0.0,
    universalisation: Universalisation = "veil",
    period: int = 0,
) -> Floats:
    """Return the utility gain of the utilitarian over the self-protective program, u(1) − u(0).

    Arguments are those of `gain_terms` and κ, which broadcast. The gain is exactly 0 where the programs are
    equally good up to rounding.
    """
    own, everyone = gain_terms(
        game, share, altruism=altruism, universalisation=universalisation, period=period
    )
    moral = np.asarray(kappa, dtype=np.float64) * everyone
    gains = own + moral
    stakes = np.abs(moral) + game.accident * (1.0 + game.walkers * np.asarray(altruism, dtype=np.float64))
    stakes = stakes + np.abs(game.extra_cost(share, period))
    found: Floats = np.where(np.abs(gains) <= TOLERANCE * stakes, 0.0, gains)
    return found


def adoption_probabilities(gains: ArrayLike, noise: float = 0.0) -> Floats:
    """Return the probability of choosing the utilitarian program.

    Args:
        gains: u(1) − u(0), of any shape.
        noise: λ ≥ 0 in units of utility; the probability is 1/(1 + exp(−gain/λ)). At 0 the better program is
            chosen, and equally good ones with probability one half.

    Raises:
        UsageError: the noise is negative or not finite.
    """
    values = np.asarray(gains, dtype=np.float64)
    if isinstance(noise, bool | str) or not 0 <= noise < math.inf:
        raise UsageError(f"The noise of a choice is a finite number of at least 0; got {noise!r}.")
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        scaled = values / noise if noise > 0 else np.sign(values) * np.inf
    scaled = np.where(values == 0, 0.0, scaled)
    found: Floats = 0.5 * (1.0 + np.tanh(0.5 * scaled))
    return found


class AdoptionEquilibria(NamedTuple):
    """The equilibria with the fewest and with the most utilitarian cars: who chooses one, shape (n,) each.

    Without economies of scale, they differ only in people who are indifferent between the programs.
    """

    lowest: NDArray[np.bool_]
    highest: NDArray[np.bool_]


def adoption_equilibria(
    game: AdoptionGame,
    kappa: ArrayLike,
    *,
    altruism: ArrayLike = 0.0,
    universalisation: Universalisation = "veil",
    period: int = 0,
) -> AdoptionEquilibria:
    """Return profiles in which everybody's program is a best reply to the others'; mandates are ignored.

    A utilitarian car never loses value when more others drive one (strategic complements). Therefore best
    replies converge to the lowest equilibrium from no utilitarian cars, and to the highest one from all of
    them (Topkis).

    Args:
        game: the rules.
        kappa: shape (n,), or one number for all.
        altruism: shape (n,), or one number for all.
        universalisation: the universalisation of all people.
        period: the period whose regulation applies.
    """
    weights, lives = (np.broadcast_to(np.asarray(each, dtype=np.float64), game.people)
                      for each in (kappa, altruism))  # fmt: skip

    def settled(start: bool) -> NDArray[np.bool_]:
        chosen = np.full(game.people, start)
        while True:
            gains = adoption_gains(
                game,
                weights,
                game.others(chosen),
                altruism=lives,
                universalisation=universalisation,
                period=period,
            )
            # Who is indifferent stays on the side that it starts from.
            better = gains >= 0 if start else gains > 0
            if np.array_equal(better, chosen):
                return chosen
            chosen = better

    return AdoptionEquilibria(settled(False), settled(True))


def equilibrium_shares(
    game: AdoptionGame,
    above: Callable[[float], float],
    *,
    altruism: float = 0.0,
    universalisation: Universalisation = "veil",
    period: int = 0,
) -> tuple[float, float]:
    """Return the lowest and the highest equilibrium share of utilitarian cars in a large population.

    Args:
        game: the rules.
        above: the share of people whose κ is above a number: ``scipy.stats.beta(2, 5).sf`` for example, or
            any decreasing function. Without economies of scale both results are above(κ*).
        altruism: a, the same for all people.
        universalisation: the universalisation of all people.
        period: the period whose regulation applies.
    """

    def settled(share: float) -> float:
        for _ in range(10_000):
            limit = float(
                kappa_threshold(
                    game, share, altruism=altruism, universalisation=universalisation, period=period
                )
            )
            # Where both programs are equally good whatever κ, there is no share to be told.
            following = math.nan if math.isnan(limit) else float(above(limit))
            if following == share or math.isnan(following) or abs(following - share) < TOLERANCE:
                return following
            share = following
        return share

    return settled(0.0), settled(1.0)
