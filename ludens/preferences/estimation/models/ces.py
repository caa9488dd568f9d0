"""CES altruism: own and other's payoff as imperfect substitutes (Andreoni & Miller, Econometrica 70(2),
2002).

    u = (a·own^ρ + (1−a)·other^ρ)^(1/ρ)

a ∈ (0, 1) is the weight on oneself, ρ ≤ 1 the curvature: at 1 payoffs are perfect substitutes, towards −∞
the smaller payoff alone counts, at 0 u is Cobb–Douglas, own^a·other^(1−a). With d = log(own/other),

    log u = log other + f,   f = log(1 + a·(e^(ρd) − 1))/ρ,

which is computed from its series where |ρd| is small. Payoffs must be at least 0; if one of them is 0 and
ρ ≤ 0, u is its limit 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.models.linear import Parameter
from ludens.preferences.estimation.models.nonlinear import NonlinearModel

Floats = NDArray[np.float64]

_SMALL = 1e-3  # |ρd| below which f comes from its series: both ways then err by about 1e-13
_EDGE = 1e-12
_NIL = 1e-6  # ρ from which a payoff of 0 leaves anything of the other


@dataclass(frozen=True)
class CESModel(NonlinearModel):
    """CES altruism over (own, other)."""

    name: str = "ces"
    title: str = "CES altruism"
    source: str = "Andreoni & Miller, Econometrica 70(2), 2002"
    weights: tuple[Parameter, ...] = (
        Parameter("a", "a", 0, 1, "weight on one's own payoff"),
        Parameter("rho", "ρ", high=1, about="curvature: 1 substitutes, 0 Cobb–Douglas"),
    )
    attributes: tuple[str, ...] = ("own", "other")
    scale: Literal["noise", "precision"] = "noise"
    lowest_payoff: ClassVar[float] = 0.0

    def check(self, choices: Choices) -> None:
        """Refuse negative payoffs.

        Raises:
            UsageError: the message names the first situation with one.
        """
        negative = np.argwhere(choices.attributes < self.lowest_payoff)
        if len(negative):
            place = int(negative[0, 0])
            name = choices.situations[place] if choices.situations else str(place)
            payoff = choices.attributes[tuple(negative[0])]
            raise UsageError(f"CES utility needs payoffs of at least 0; situation {name} has {payoff:g}.")

    def utility(self, attributes: Floats, theta: Floats) -> tuple[Floats, Floats]:
        """Return u and ∂u/∂θ, see `NonlinearModel.utility`."""
        # Log-odds far out round to the very ends, where payoffs of 0 have no logarithm.
        share = np.clip(theta[..., 0, None, None], _EDGE, 1 - _EDGE)
        rho = theta[..., 1, None, None]
        value, by_share, by_rho = power_mean(attributes[..., 0], attributes[..., 1], share, rho)
        return value, np.stack([by_share, by_rho], axis=-1)


CES = CESModel()
"""u = (a·own^ρ + (1−a)·other^ρ)^(1/ρ), divided by λ."""


def power_mean(own: Floats, other: Floats, share: Floats, rho: Floats) -> tuple[Floats, Floats, Floats]:
    """Return (a·own^ρ + (1−a)·other^ρ)^(1/ρ) and its derivatives in a and ρ, for payoffs of at least 0.

    Args:
        own: own payoffs.
        other: the other's.
        share: a, inside (0, 1).
        rho: ρ.

    All shapes broadcast.
    """
    both, alone, given = (own > 0) & (other > 0), (own > 0) & (other == 0), (own == 0) & (other > 0)
    level, by_share, by_rho = _inner(np.where(both, own, 1.0), np.where(both, other, 1.0), share, rho)
    value = np.where(both, np.where(both, other, 1.0) * np.exp(level), 0.0)
    slopes = [value * by_share, value * by_rho]
    edged = rho > _NIL
    safe = np.where(edged, rho, 1.0)
    for mask, payoff, weight, sign in ((alone, own, share, 1.0), (given, other, 1 - share, -1.0)):
        edge = np.where(mask & edged, payoff * np.exp(np.log(weight) / safe), 0.0)
        value = value + edge
        slopes[0] = slopes[0] + edge * sign / (weight * safe)
        slopes[1] = slopes[1] - edge * np.log(weight) / safe**2
    return value, slopes[0], slopes[1]


def _inner(own: Floats, other: Floats, share: Floats, rho: Floats) -> tuple[Floats, Floats, Floats]:
    """Return f of the module's docstring and its derivatives in a and ρ, for positive payoffs."""
    gap = np.log(own) - np.log(other)
    x = rho * gap
    near = np.abs(x) < _SMALL
    safe = np.where(near, 1.0, rho)
    folded = np.exp(-np.abs(x))  # never overflows
    mixed = np.where(x > 0, share + (1 - share) * folded, 1 - share + share * folded)
    log_mixed = np.maximum(x, 0.0) + np.log1p(np.where(x > 0, 1 - share, share) * (folded - 1))
    cumulants = _cumulants(share, gap)
    series = cumulants[0] + rho * (cumulants[1] / 2 + rho * (cumulants[2] / 6 + rho * cumulants[3] / 24))
    level = np.where(near, series, log_mixed / safe)
    ratio = special.exprel(-np.abs(x))  # (1 − e^−|x|)/|x|
    by_share = gap * ratio / mixed
    tilted = special.expit(x + special.logit(share))
    curve = cumulants[1] / 2 + rho * (cumulants[2] / 3 + rho * (cumulants[3] / 8 + rho * cumulants[4] / 30))
    return level, by_share, np.where(near, curve, (tilted * gap - level) / safe)


def _cumulants(share: Floats, gap: Floats) -> tuple[Floats, ...]:
    """Return the first five cumulants of a variable that is d with probability a and 0 otherwise."""
    spread = share * (1 - share)
    skew = 1 - 2 * share
    return (
        share * gap,
        spread * gap**2,
        spread * skew * gap**3,
        spread * (1 - 6 * spread) * gap**4,
        spread * skew * (1 - 12 * spread) * gap**5,
    )
