"""The best reply of a firm with any products under nested logit demand, solved with certainty.

Its profit is a ratio N(m)/D(m) with D = e^{a_0/μ} + Σ_g D_g^{1−σ_g}, so Dinkelbach's (1967) theorem applies:
P is the highest profit if and only if max_m N(m) − P·D(m) = 0. Given P that maximum falls apart into nests,
and in nest g all the firm's products carry one margin m_g, the only solution of

    m_g·(1 − σ_g·s) = (1−σ_g)·(μ + P),   s = the firm's share of nest g, falling in m_g

P is then where the profit at these margins equals P; the difference changes its sign once. It follows that
the first-order conditions of a firm have one solution only, its best reply: prices that meet those of all
firms are an equilibrium.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS = 200
_ROUNDING = 4 * float(np.finfo(np.float64).eps)


class Position(NamedTuple):
    """A firm's place in the market, by nest in which it has products, (G,); values in units of quality.

    Attributes:
        own: inclusive value of its products at cost.
        rivals: inclusive value of the others' products in the nest, −inf where there are none.
        sigma: nest parameters.
        elsewhere: inclusive value of the outside good and all nests without its products.
        mu: scale of tastes.
    """

    own: Floats
    rivals: Floats
    sigma: Floats
    elsewhere: float
    mu: float


def nest_margins(position: Position) -> Floats:
    """Return the most profitable margins, one for each nest, (G,)."""
    from scipy.optimize import brentq

    def difference(profit: float) -> float:
        return _profit(position, _margins(position, profit)) - profit

    high = position.mu
    while difference(high) > 0:
        high *= 2
    profit = brentq(difference, 0.0, high, xtol=1e-300, rtol=_ROUNDING)
    return _margins(position, float(profit))


def _margins(position: Position, profit: float) -> Floats:
    """Return the margins that are best if the firm earns `profit`, by Newton's method within a bracket."""
    wanted = (1 - position.sigma) * (position.mu + profit)
    low, high = wanted, np.full_like(wanted, position.mu + profit)
    margins = low
    steep = position.mu * (1 - position.sigma)
    move = np.full_like(wanted, np.inf)
    for _ in range(_STEPS):
        share = _share(position, margins)
        error = margins * (1 - position.sigma * share) - wanted
        low, high = np.where(error <= 0, margins, low), np.where(error >= 0, margins, high)
        slope = 1 - position.sigma * share * (1 - margins * (1 - share) / steep)
        following = margins - error / slope
        # A step that leaves the bracket, or is not half as long as the last one, could go on for ever.
        trusted = (following > low) & (following < high) & (np.abs(following - margins) < move / 2)
        following = np.where(trusted, following, (low + high) / 2)
        move = np.abs(following - margins)
        settled = np.abs(error) <= _ROUNDING * margins  # the bracket means nothing any more
        if settled.all():
            break
        margins = np.where(settled, margins, following)
    return margins


def _share(position: Position, margins: Floats) -> Floats:
    """Return the firm's share of each of its nests."""
    from scipy.special import expit

    with np.errstate(over="ignore"):
        gap = (position.own - margins - position.rivals) / (position.mu * (1 - position.sigma))
    share: Floats = expit(gap)
    return share


def _profit(position: Position, margins: Floats) -> float:
    steep = position.mu * (1 - position.sigma)
    with np.errstate(over="ignore", under="ignore"):
        values = steep * np.logaddexp((position.own - margins) / steep, position.rivals / steep)
        top = max(float(values.max()), position.elsewhere)
        odds = np.exp((values - top) / position.mu)
        total = odds.sum() + np.exp((position.elsewhere - top) / position.mu)
    return float((odds * _share(position, margins) * margins).sum() / total)
