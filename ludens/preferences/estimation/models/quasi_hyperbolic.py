"""Quasi-hyperbolic discounting (Laibson, QJE 112(2), 1997), over one or two dated amounts.

    u = D(t_1)·x_1^a + D(t_2)·x_2^a,   D(0) = 1, D(t) = β·δ^t for t > 0

β is present bias (1: none), δ the discount factor per unit of delay as the table gives it (days, weeks …), a
the curvature, as in convex time budgets (Andreoni & Sprenger, AER 102(7), 2012). Amounts are at least 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.models.linear import Parameter
from ludens.preferences.estimation.models.nonlinear import NonlinearModel

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class QuasiHyperbolicModel(NonlinearModel):
    """β–δ discounting over (amount_1, delay_1, amount_2, delay_2)."""

    name: str = "quasi_hyperbolic"
    title: str = "Quasi-hyperbolic discounting"
    source: str = "Laibson, QJE 112(2), 1997"
    weights: tuple[Parameter, ...] = (
        Parameter("beta", "β", 0, about="present bias; 1: none"),
        Parameter("delta", "δ", 0, about="discount factor per unit of delay"),
        Parameter("curvature", "a", 0, 2, "of the utility of amounts; 1: linear"),
    )
    attributes: tuple[str, ...] = ("amount_1", "delay_1", "amount_2", "delay_2")
    scale: Literal["noise", "precision"] = "noise"
    lowest_payoff: ClassVar[float] = 0.0
    defaults: ClassVar[Mapping[str, float]] = {"amount_2": 0.0, "delay_2": 0.0}

    def check(self, choices: Choices) -> None:
        """Refuse negative amounts and delays.

        Raises:
            UsageError: the message names the first situation with one.
        """
        negative = np.argwhere(choices.attributes < 0)
        if len(negative):
            where, _, which = negative[0].tolist()
            situation = choices.situations[where] if choices.situations else str(where)
            raise UsageError(
                f"{self.title} needs amounts and delays of at least 0; {situation} has "
                f"{choices.attributes[tuple(negative[0])]:g} as {self.attributes[which]}: correct it."
            )

    def utility(self, attributes: Floats, theta: Floats) -> tuple[Floats, Floats]:
        """Return u and ∂u/∂θ, see `NonlinearModel.utility`."""
        beta, delta, curve = (theta[..., place, None, None] for place in range(3))
        value: Floats = np.zeros(())
        slopes: list[Floats] = [np.zeros(())] * 3
        for amount, delay in (
            (attributes[..., 0], attributes[..., 1]),
            (attributes[..., 2], attributes[..., 3]),
        ):
            late = delay > 0
            safe = np.where(amount > 0, amount, 1.0)
            worth = np.where(amount > 0, safe**curve, 0.0)
            power = np.where(late, delta**delay, 1.0)
            discount = np.where(late, beta * power, 1.0)
            value = value + discount * worth
            slopes = [
                slopes[0] + np.where(late, power * worth, 0.0),
                slopes[1] + np.where(late, beta * delay * delta ** (delay - 1) * worth, 0.0),
                slopes[2] + discount * worth * np.log(safe),
            ]
        return value, np.stack(slopes, axis=-1)


QUASI_HYPERBOLIC = QuasiHyperbolicModel()
"""u = D(t_1)·x_1^a + D(t_2)·x_2^a, divided by λ."""
