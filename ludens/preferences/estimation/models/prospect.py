"""Cumulative prospect theory over lotteries with two outcomes (Tversky & Kahneman, Journal of Risk and
Uncertainty 5, 1992).

    v(x) = x^a for gains, −ℓ·(−x)^a for losses
    w(p) = p^γ / (p^γ + (1−p)^γ)^(1/γ)

a is the curvature, ℓ loss aversion, γ the weighting of probabilities (1: none). With x the better outcome, of
probability p, and y the other: of two gains u = w(p)·v(x) + (1−w(p))·v(y), of two losses
u = (1−w(1−p))·v(x) + w(1−p)·v(y), and of one of each u = w(p)·v(x) + w(1−p)·v(y). One γ serves gains and
losses, as data sets of usual size tell no more; a has one value too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.models.crra import check_lotteries
from ludens.preferences.estimation.models.linear import Parameter
from ludens.preferences.estimation.models.nonlinear import NonlinearModel

Floats = NDArray[np.float64]

_EDGE = 1e-12


@dataclass(frozen=True)
class ProspectModel(NonlinearModel):
    """Prospect theory over lotteries (amount_1, amount_2, chance_1)."""

    name: str = "prospect"
    title: str = "Cumulative prospect theory"
    source: str = "Tversky & Kahneman, Journal of Risk and Uncertainty 5, 1992"
    weights: tuple[Parameter, ...] = (
        Parameter("curvature", "a", 0, 2, "of the value of gains and losses; 1: linear"),
        Parameter("loss_aversion", "ℓ", 0, about="weight of losses; 1: none"),
        Parameter("weighting", "γ", 0.28, 2, "of probabilities; 1: none"),
    )
    attributes: tuple[str, ...] = ("amount_1", "amount_2", "chance_1")
    scale: Literal["noise", "precision"] = "noise"
    defaults: ClassVar[Mapping[str, float]] = {"amount_2": 0.0}

    def check(self, choices: Choices) -> None:
        """Refuse chances outside [0, 1].

        Raises:
            UsageError: the message names the first situation with one.
        """
        check_lotteries(choices, self.title)

    def utility(self, attributes: Floats, theta: Floats) -> tuple[Floats, Floats]:
        """Return u and ∂u/∂θ, see `NonlinearModel.utility`."""
        curve, loss, gamma = (theta[..., place, None, None] for place in range(3))
        swapped = attributes[..., 1] > attributes[..., 0]
        best = np.where(swapped, attributes[..., 1], attributes[..., 0])
        worst = np.where(swapped, attributes[..., 0], attributes[..., 1])
        chance = np.where(swapped, 1 - attributes[..., 2], attributes[..., 2])
        up, up_slope = _weight(chance, gamma)
        down, down_slope = _weight(1 - chance, gamma)
        of_best = np.where(best >= 0, up, 1 - down)
        of_worst = np.where(worst < 0, down, 1 - up)
        best_slope = np.where(best >= 0, up_slope, -down_slope)
        worst_slope = np.where(worst < 0, down_slope, -up_slope)
        high, high_curve, high_loss = _value(best, curve, loss)
        low, low_curve, low_loss = _value(worst, curve, loss)
        value = of_best * high + of_worst * low
        slope = [
            of_best * high_curve + of_worst * low_curve,
            of_best * high_loss + of_worst * low_loss,
            best_slope * high + worst_slope * low,
        ]
        return value, np.stack(slope, axis=-1)


PROSPECT = ProspectModel()
"""u = w(p)·v(x) + …, divided by λ."""


def _value(amount: Floats, curve: Floats, loss: Floats) -> tuple[Floats, Floats, Floats]:
    """Return v(x) and its derivatives in a and ℓ."""
    size = np.abs(amount)
    safe = np.where(size > 0, size, 1.0)
    power = np.where(size > 0, safe**curve, 0.0)
    scale = np.where(amount < 0, -loss, 1.0)
    return scale * power, scale * power * np.log(safe), np.where(amount < 0, -power, 0.0)


def _weight(chance: Floats, gamma: Floats) -> tuple[Floats, Floats]:
    """Return w(p) and its derivative in γ; w(0) = 0 and w(1) = 1."""
    p = np.clip(chance, _EDGE, 1 - _EDGE)
    one, other = p**gamma, (1 - p) ** gamma
    total = one + other
    weight = one * total ** (-1 / gamma)
    inner = (one * np.log(p) + other * np.log1p(-p)) / total
    slope = weight * (np.log(p) + np.log(total) / gamma**2 - inner / gamma)
    certain = (chance <= 0) | (chance >= 1)
    return np.where(certain, np.clip(chance, 0.0, 1.0), weight), np.where(certain, 0.0, slope)
