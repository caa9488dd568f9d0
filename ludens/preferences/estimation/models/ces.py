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
from typing import ClassVar, Literal, NamedTuple

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
        level, slope, _ = self.expansion(attributes, theta)
        return level, slope

    def expansion(self, attributes: Floats, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Return u, ∂u/∂θ and ∂²u/∂θ², see `NonlinearModel.expansion`."""
        # Log-odds far out round to the very ends, where payoffs of 0 have no logarithm.
        share = np.clip(theta[..., 0, None, None], _EDGE, 1 - _EDGE)
        rho = theta[..., 1, None, None]
        mean = power_mean(attributes[..., 0], attributes[..., 1], share, rho)
        slope = np.stack([mean.by_share, mean.by_rho], axis=-1)
        curvature = np.empty((*mean.level.shape, 2, 2))
        curvature[..., 0, 0], curvature[..., 1, 1] = mean.share_share, mean.rho_rho
        curvature[..., 0, 1] = curvature[..., 1, 0] = mean.share_rho
        return mean.level, slope, curvature


CES = CESModel()
"""u = (a·own^ρ + (1−a)·other^ρ)^(1/ρ), divided by λ."""


class PowerMean(NamedTuple):
    """A power mean of two payoffs, and its derivatives in the weight a of the first and in ρ."""

    level: Floats
    by_share: Floats
    by_rho: Floats
    share_share: Floats
    share_rho: Floats
    rho_rho: Floats


def power_mean(own: Floats, other: Floats, share: Floats, rho: Floats) -> PowerMean:
    """Return (a·own^ρ + (1−a)·other^ρ)^(1/ρ) and its derivatives, for payoffs of at least 0.

    Args:
        own: own payoffs.
        other: the other's.
        share: a, inside (0, 1).
        rho: ρ.

    All shapes broadcast.
    """
    both, alone, given = (own > 0) & (other > 0), (own > 0) & (other == 0), (own == 0) & (other > 0)
    found = _inner(np.where(both, own, 1.0), np.where(both, other, 1.0), share, rho)
    found = PowerMean(*(np.where(both, part, 0.0) for part in found))
    edged = rho > _NIL
    safe = np.where(edged, rho, 1.0)
    for mask, payoff, weight, sign in ((alone, own, share, 1.0), (given, other, 1 - share, -1.0)):
        if np.any(mask & edged):
            edge = _edge(np.where(mask & edged, payoff, 0.0), weight, sign, safe)
            found = PowerMean(*(part + more for part, more in zip(found, edge, strict=True)))
    return found


def _edge(payoff: Floats, weight: Floats, sign: float, rho: Floats) -> PowerMean:
    """Return w^(1/ρ)·payoff, the mean where the other payoff is 0; w is a (sign 1) or 1 − a (sign −1)."""
    logarithm, inverse = np.log(weight), 1 / rho
    level = payoff * np.exp(logarithm * inverse)
    by_weight, by_rho = inverse / weight, -logarithm * inverse**2
    return PowerMean(
        level,
        level * sign * by_weight,
        level * by_rho,
        level * by_weight * (inverse - 1) / weight,
        level * sign * by_weight * (by_rho - inverse),
        level * by_rho * (by_rho - 2 * inverse),
    )


def _inner(own: Floats, other: Floats, share: Floats, rho: Floats) -> PowerMean:
    """Return the mean of positive payoffs from f of the module's docstring and its derivatives."""
    gap = np.log(own) - np.log(other)
    x = rho * gap
    near = np.abs(x) < _SMALL
    safe = np.where(near, 1.0, rho)
    folded = np.exp(-np.abs(x))  # never overflows
    mixed = np.where(x > 0, share + (1 - share) * folded, 1 - share + share * folded)
    log_mixed = np.maximum(x, 0.0) + np.log1p(np.where(x > 0, 1 - share, share) * (folded - 1))
    tilted = np.where(x > 0, share, share * folded) / mixed  # a after weighing by payoffs
    tilt = folded / mixed**2  # ∂tilted/∂a
    f = log_mixed / safe
    a = gap * special.exprel(-np.abs(x)) / mixed
    r = (tilted * gap - f) / safe
    ar = (gap * tilt - a) / safe
    rr = (gap**2 * tilted * (1 - tilted) - 2 * r) / safe
    if near.any():
        series = _series(share, rho, gap)
        f, r, ar, rr = (np.where(near, s, part) for s, part in zip(series, (f, r, ar, rr), strict=True))
    level = other * np.exp(f)
    return PowerMean(
        level,
        level * a,
        level * r,
        level * a**2 * (1 - rho),
        level * (ar + a * r),
        level * (rr + r**2),
    )


def _series(share: Floats, rho: Floats, gap: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return f, ∂f/∂ρ, ∂²f/∂a∂ρ and ∂²f/∂ρ² for small ρd.

    f = Σ κ_n ρ^(n−1)/n! with the cumulants κ_n of a variable that is d with probability a and 0 otherwise.
    """
    spread, skew = share * (1 - share), 1 - 2 * share
    first, second, third = share * gap, spread * gap**2, spread * skew * gap**3
    fourth = spread * (1 - 6 * spread) * gap**4
    fifth = spread * skew * (1 - 12 * spread) * gap**5
    by_share = skew * gap**2, (1 - 6 * spread) * gap**3, skew * (1 - 12 * spread) * gap**4
    return (
        first + rho * (second / 2 + rho * (third / 6 + rho * fourth / 24)),
        second / 2 + rho * (third / 3 + rho * (fourth / 8 + rho * fifth / 30)),
        by_share[0] / 2 + rho * (by_share[1] / 3 + rho * by_share[2] / 8),
        third / 3 + rho * (fourth / 4 + rho * fifth / 10),
    )
