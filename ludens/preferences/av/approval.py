"""Estimates of κ and λ from the increase of approval of sacrifice in the number of lives.

    P(sacrifice) = σ(λ·[κ(1−ρ) − ρ]) = σ(b₁·(1−ρ) + b₂·ρ),   ρ = m/(m+n),   κ = −b₁/b₂,   λ = −b₂

is a logit without a constant in a road user's chances of being a pedestrian or a passenger (``"veil"`` in
`ludens.preferences.av.dilemma`). Answers may be shares: known probabilities of a model enter unchanged (the
quasi-likelihood of Papke & Wooldridge, Journal of Applied Econometrics 11, 1996). Standard errors are
clustered (sandwich with G/(G−1)), that of κ by the delta method.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.errors import UsageError

Floats = NDArray[np.float64]

STEPS = 100
STEEPEST = 100.0
"""Largest λ that counts as an estimate: beyond it answers switch abruptly, and any larger λ fits equally."""
_FLAT = 1e12
_Z = 1.959963984540054


@dataclass(frozen=True)
class Approval:
    """The fit of an approval curve.

    Attributes:
        kappa, scale: κ and λ; None where they are not identified, with the reason in `note`. κ is not
            identified if λ does not differ significantly from 0 (at 5 %).
        kappa_error, scale_error: clustered standard errors; None with a single cluster.
        bounds: where answers switch abruptly from staying to swerving, the interval in which κ lies, between
            the thresholds on both sides of the switch.
        n, clusters: the numbers of answers and of clusters.
    """

    kappa: float | None
    scale: float | None
    kappa_error: float | None = None
    scale_error: float | None = None
    bounds: tuple[float, float] | None = None
    n: int = 0
    clusters: int = 0
    note: str = ""

    @property
    def kappa_interval(self) -> tuple[float, float] | None:
        """The 95 % interval of κ; None where there is no error."""
        if self.kappa is None or self.kappa_error is None:
            return None
        return self.kappa - _Z * self.kappa_error, self.kappa + _Z * self.kappa_error

    @property
    def scale_interval(self) -> tuple[float, float] | None:
        """The 95 % interval of λ; None where there is no error."""
        if self.scale is None or self.scale_error is None:
            return None
        return self.scale - _Z * self.scale_error, self.scale + _Z * self.scale_error


def approval_probability(
    pedestrians: ArrayLike, kappa: float, scale: float, passengers: ArrayLike = 1
) -> Floats:
    """Return P(sacrifice) for numbers of pedestrians and passengers, which broadcast."""
    n, m = np.asarray(pedestrians, dtype=np.float64), np.asarray(passengers, dtype=np.float64)
    chance: Floats = _logistic(scale * (kappa * n - m) / (m + n))
    return chance


def fit_approval(
    pedestrians: ArrayLike,
    approvals: ArrayLike,
    *,
    passengers: ArrayLike = 1,
    weights: ArrayLike = 1.0,
    clusters: Sequence[Hashable] | None = None,
) -> Approval:
    """Estimate κ and λ from shares of approval.

    Args:
        pedestrians: n of each answer, shape (k,).
        approvals: P(sacrifice) or 0/1 of each answer, in [0, 1], shape (k,).
        passengers: m of each answer, or one number.
        weights: weight of each answer (the number of answers it stands for), above 0.
        clusters: cluster of each answer; by default each answer is a cluster.

    Raises:
        UsageError: shapes differ, or a number is out of its range.
    """
    y = np.asarray(approvals, dtype=np.float64)
    if y.ndim != 1 or not np.all((y >= 0) & (y <= 1)):
        raise UsageError("Approvals are a list of shares from 0 to 1.")
    try:
        n, m, w = (
            np.broadcast_to(np.asarray(x, dtype=np.float64), y.shape)
            for x in (pedestrians, passengers, weights)
        )
    except ValueError:
        raise UsageError("Give as many pedestrians, passengers and weights as approvals.") from None
    if not (np.all(n > 0) and np.all(m > 0) and np.all(w > 0)):
        raise UsageError("Pedestrians, passengers and weights are above 0.")
    names = list(range(len(y))) if clusters is None else list(clusters)
    if len(names) != len(y):
        raise UsageError(f"Give one cluster for each answer; got {len(names)} for {len(y)}.")
    count = len(set(names))
    x = np.stack([n / (m + n), m / (m + n)], axis=1)
    if len(y) == 0 or np.linalg.matrix_rank(x) < 2:
        return Approval(None, None, n=len(y), clusters=count, note="one number of lives only: no curve")
    if np.all((y == 0) | (y == 1) | (y == 0.5)) and (switched := _switch(m / n, y)) is not None:
        return Approval(None, None, n=len(y), clusters=count, **switched)
    b = _newton(x, y, w)
    if b is None or not abs(b[1]) < STEEPEST:
        return Approval(None, None, n=len(y), clusters=count, note="answers switch at once: λ has no bound")
    scale = -float(b[1])
    if scale <= 0:
        return Approval(
            None, None, n=len(y), clusters=count, note="approval does not rise with the lives at stake"
        )
    kappa = float(b[0]) / scale
    errors = _errors(x, y, w, b, names) if count > 2 else None
    if errors is None:
        return Approval(kappa, scale, n=len(y), clusters=count, note="no interval: too few clusters")
    if scale < _Z * math.sqrt(float(errors[1, 1])):
        note = "approval hardly changes with the lives at stake: no κ"
        return Approval(
            None, scale, None, math.sqrt(float(errors[1, 1])), n=len(y), clusters=count, note=note
        )
    gradient = np.array([1 / scale, kappa / scale])
    return Approval(
        kappa,
        scale,
        math.sqrt(float(gradient @ errors @ gradient)),
        math.sqrt(float(errors[1, 1])),
        n=len(y),
        clusters=count,
    )


def _switch(thresholds: Floats, y: Floats) -> dict[str, Any] | None:
    """Return the bounds of κ if answers switch abruptly, or None if they overlap.

    The bounds are equal if one case is answered by one half, that is, with indifference.
    """
    stays, swerves, even = thresholds[y == 0], thresholds[y == 1], np.unique(thresholds[y == 0.5])
    low = float(swerves.max()) if len(swerves) else 0.0
    high = float(stays.min()) if len(stays) else math.inf
    if len(even) > 1 or (len(even) == 1 and not low < even[0] < high):
        return None
    if len(even) == 1:
        return {"bounds": (float(even[0]), float(even[0])), "note": "answers switch at once: λ has no bound"}
    if low > high or (low == high and len(swerves) and len(stays)):
        return None
    if not len(swerves):
        return {"bounds": (0.0, high), "note": "never sacrifices in these cases"}
    if not len(stays):
        return {"bounds": (low, math.inf), "note": "sacrifices in all of these cases"}
    return {"bounds": (low, high), "note": "answers switch at once: λ has no bound"}


def _newton(x: Floats, y: Floats, w: Floats) -> Floats | None:
    b = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = _logistic(x @ b)
        hessian = (x * (w * p * (1 - p))[:, None]).T @ x
        gradient = x.T @ (w * (y - p))
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            return None
        # A step is shortened where the curve is nearly flat, so that it cannot overshoot.
        step *= min(1.0, 20.0 / max(float(np.abs(step).max()), 1e-300))
        b = b + step
        if np.abs(step).max() < 1e-10 * (1 + np.abs(b).max()):
            return b
        if np.abs(b).max() > 10 * STEEPEST:
            return None
    return None


def _errors(x: Floats, y: Floats, w: Floats, b: Floats, names: Sequence[Hashable]) -> Floats | None:
    """Return the clustered covariance of b, or None where the curve is flat at b."""
    p = _logistic(x @ b)
    hessian = (x * (w * p * (1 - p))[:, None]).T @ x
    if np.linalg.cond(hessian) > _FLAT:
        return None
    bread = np.linalg.inv(hessian)
    numbers: dict[Hashable, int] = {}
    members = np.array([numbers.setdefault(name, len(numbers)) for name in names])
    scores = np.zeros((len(numbers), x.shape[1]))
    np.add.at(scores, members, x * (w * (y - p))[:, None])
    groups = len(numbers)
    covariance: Floats = groups / (groups - 1) * bread @ (scores.T @ scores) @ bread
    return covariance


def _logistic(z: Floats) -> Floats:
    chance: Floats = 0.5 * (1 + np.tanh(0.5 * np.asarray(z, dtype=np.float64)))
    return chance
