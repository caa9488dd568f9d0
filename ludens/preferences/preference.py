"""The three numbers of a preference: behindness aversion α, aheadness aversion β, Kantian weight κ.

Fehr & Schmidt (QJE 1999) give α and β their meaning, Alger & Weibull (Econometrica 2013) κ; van Leeuwen &
Alger (JPE Microeconomics 2(4), 2024) estimate the three together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.errors import UsageError


@dataclass(frozen=True)
class Preferences:
    """An agent's preferences, per point of payoff.

    Args:
        alpha: utility lost per point that others are ahead; negative if the agent likes being behind.
        beta: utility lost per point that others are behind; negative if the agent likes being ahead.
        kappa: weight in [0, 1] on the payoff that one's strategy would earn if everybody used it.

    Raises:
        UsageError: a number is not finite, or kappa lies outside [0, 1].
    """

    alpha: float = 0.0
    beta: float = 0.0
    kappa: float = 0.0

    def __post_init__(self) -> None:
        for place in fields(self):
            value = getattr(self, place.name)
            try:
                number = float(value)
            except (TypeError, ValueError, OverflowError):
                number = math.nan
            if not math.isfinite(number):
                raise UsageError(f"Preferences need a finite number for {place.name}; got {value!r}.")
            # -0.0 becomes 0.0, so that equal preferences also look equal
            object.__setattr__(self, place.name, number + 0.0)
        if not 0 <= self.kappa <= 1:
            raise UsageError(f"Preferences need kappa between 0 and 1; got {self.kappa:g}.")

    @property
    def name(self) -> str:
        """The name in tables: ``"homo economicus"``, ``"homo moralis κ=0.5"``, ``"α=0.5 β=0.3 κ=0"``."""
        if self.alpha or self.beta:
            return f"α={self.alpha:g} β={self.beta:g} κ={self.kappa:g}"
        return f"homo moralis κ={self.kappa:g}" if self.kappa else "homo economicus"


HOMO_ECONOMICUS = Preferences()
"""Preferences for the own payoff alone."""


def homo_moralis(kappa: float) -> Preferences:
    """Return preferences with weight 1 − κ on the own and κ on the universalised payoff (Alger & Weibull
    2013).

    κ = 0 is homo economicus, κ = 1 is homo kantiensis.

    Raises:
        UsageError: kappa lies outside [0, 1].
    """
    return Preferences(kappa=kappa)


def altruist(weight: float, roles: int = 2) -> Preferences:
    """Own payoff, and each other player's with a weight, up to a positive factor.

    π_own + a·Σ π_other is, divided by 1 + a·(n − 1), the utility of α = −s and β = s with
    s = a·(n − 1)/(1 + a·(n − 1)): what is lost per point of advantage is gained per point of disadvantage.

    Args:
        weight: a ≥ 0; 1 is a utilitarian, to whom all payoffs count alike.
        roles: n, how many play.

    Raises:
        UsageError: the weight is not a finite number of at least 0.
    """
    try:
        number = math.nan if isinstance(weight, bool | str) else float(weight)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise UsageError(f"The weight of an altruist is a finite number of at least 0; got {weight!r}.")
    share = number * (roles - 1) / (1 + number * (roles - 1))
    return Preferences(alpha=-share, beta=share)


def preference_array(preferences: Preferences | Sequence[Preferences] | ArrayLike) -> NDArray[np.float64]:
    """Return preferences as an array whose last axis is (α, β, κ): shape (3,) for one, (n, 3) for a sequence.

    Raises:
        UsageError: the last axis does not have length 3, a number is not finite, or a kappa lies outside
            [0, 1].
    """
    if isinstance(preferences, Preferences):
        return np.array([preferences.alpha, preferences.beta, preferences.kappa])
    if (
        isinstance(preferences, Sequence)
        and preferences
        and all(isinstance(p, Preferences) for p in preferences)
    ):
        return np.stack([preference_array(p) for p in preferences])
    try:
        array = np.asarray(preferences, dtype=np.float64)
    except (TypeError, ValueError):
        raise UsageError(
            f"Give Preferences, a list of them, or numbers (α, β, κ); got {preferences!r}."
        ) from None
    if array.ndim == 0 or array.shape[-1] != 3:
        raise UsageError(f"An array of preferences has (α, β, κ) as its last axis; got shape {array.shape}.")
    if not np.all(np.isfinite(array)):
        raise UsageError(
            "An array of preferences holds a number that is not finite; remove or correct that row."
        )
    kappa = array[..., 2]
    if np.any(kappa < 0) or np.any(kappa > 1):
        raise UsageError(
            f"An array of preferences holds kappa from {kappa.min():g} to {kappa.max():g}; it lies in [0, 1]."
        )
    return array
