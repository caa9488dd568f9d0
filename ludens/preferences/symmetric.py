"""Homo moralis in finite symmetric two-player games that are played simultaneously (Alger & Weibull 2013).

    u(x, y) = (1−κ)·xᵀAy + κ·xᵀAx

Both players decide at the same point with the same strategy, so xᵀAx is quadratic and mixtures matter. A
`GameTree` with one information set per role would be a different game.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.errors import UsageError

TOLERANCE = 1e-12


@dataclass(frozen=True)
class MoralEquilibria:
    """Symmetric equilibria of a 2×2 game among homines morales.

    Attributes:
        weights: probabilities of the first action, in ascending order, each in [0, 1].
        continuum: whether every weight in [0, 1] is an equilibrium; `weights` then holds the two ends.
    """

    weights: tuple[float, ...]
    continuum: bool = False


def symmetric_utility(
    payoffs: ArrayLike, own: ArrayLike, other: ArrayLike, kappa: float
) -> NDArray[np.float64]:
    """Return (1−κ)·xᵀAy + κ·xᵀAx, in points; the mixtures' leading axes broadcast.

    Args:
        payoffs: A, the row player's points, shape (actions, actions).
        own: mixtures x, shape (..., actions).
        other: mixtures y, shape (..., actions).
        kappa: Kantian weight in [0, 1].

    Raises:
        UsageError: A is not square or not finite, or kappa lies outside [0, 1].
    """
    table = symmetric_payoffs(payoffs)
    _check_kappa(kappa)
    x, y = np.asarray(own, dtype=np.float64), np.asarray(other, dtype=np.float64)
    reply = x @ table
    total: NDArray[np.float64] = (1 - kappa) * (reply * y).sum(-1) + kappa * (reply * x).sum(-1)
    return total


def moral_equilibria(payoffs: ArrayLike, kappa: float) -> MoralEquilibria:
    """Return all symmetric equilibria x ∈ argmax u(·, x) of a 2×2 game; x is the weight on the first action.

    Let D = a11 + a22 − a12 − a21. The slope of u(·, x) at x is (1+κ)·D·x + a12 + κ·a21 − (1+κ)·a22, zero at

        x̂(κ) = [a12 + κ·a21 − (1+κ)·a22] / [(1+κ)(a12 + a21 − a11 − a22)].

    If D < 0, u(·, x) is concave and x̂, clipped to [0, 1], is the only equilibrium. If D > 0 and κ > 0, it is
    convex and only pure equilibria exist (Alger & Weibull, Econometrica 2013).

    Raises:
        UsageError: A is not 2×2 or not finite, or kappa lies outside [0, 1].
    """
    table = symmetric_payoffs(payoffs)
    if table.shape != (2, 2):
        raise UsageError(f"Moral equilibria are computed for 2×2 games; got payoffs of shape {table.shape}.")
    _check_kappa(kappa)
    scale = TOLERANCE * np.ptp(table)
    # A constant on all payoffs changes no choice; around zero it also costs no digits.
    (a11, a12), (a21, a22) = table - (table.min() + np.ptp(table) / 2)
    curvature = a11 + a22 - a12 - a21
    start = a12 + kappa * a21 - (1 + kappa) * a22  # the slope at x = 0
    if abs(curvature) <= scale:
        if abs(start) <= scale:
            return MoralEquilibria((0.0, 1.0), continuum=True)
        return MoralEquilibria((1.0,) if start > 0 else (0.0,))
    inner = float(-start / ((1 + kappa) * curvature))
    if curvature < 0:
        return MoralEquilibria((min(1.0, max(0.0, inner)),))
    found = set()
    if a22 >= (1 - kappa) * a12 + kappa * a11 - scale:
        found.add(0.0)
    if a11 >= (1 - kappa) * a21 + kappa * a22 - scale:
        found.add(1.0)
    if kappa == 0 and 0 < inner < 1:
        found.add(inner)
    return MoralEquilibria(tuple(sorted(found)))


def symmetric_payoffs(payoffs: ArrayLike) -> NDArray[np.float64]:
    """Return the table A of a symmetric game as numbers.

    Raises:
        UsageError: A is not square or not finite.
    """
    table = np.asarray(payoffs, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not np.all(np.isfinite(table)):
        raise UsageError(f"A symmetric game is a square table of finite payoffs; got shape {table.shape}.")
    return table


def _check_kappa(kappa: float) -> None:
    if not 0 <= kappa <= 1:
        raise UsageError(f"kappa lies between 0 and 1; got {kappa!r}.")
