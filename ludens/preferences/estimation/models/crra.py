"""Expected utility with constant relative risk aversion, in certainty equivalents.

    u = (p·x_1^(1−r) + (1−p)·x_2^(1−r))^(1/(1−r))

for a lottery that pays x_1 with probability p and x_2 otherwise. r is the coefficient of relative risk
aversion: 0 risk-neutral, 1 logarithmic utility. Certainty equivalents keep noise in units of money, whatever
r is (Wilcox, Journal of Econometrics 162(1), 2011, says why raw utilities do not). Amounts are at least 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.models.ces import power_mean
from ludens.preferences.estimation.models.linear import Parameter
from ludens.preferences.estimation.models.nonlinear import NonlinearModel

Floats = NDArray[np.float64]

_EDGE = 1e-12


@dataclass(frozen=True)
class CRRAModel(NonlinearModel):
    """Constant relative risk aversion over lotteries (amount_1, amount_2, chance_1)."""

    name: str = "crra"
    title: str = "Expected utility, constant relative risk aversion"
    source: str = "Arrow 1965; Pratt, Econometrica 32, 1964"
    weights: tuple[Parameter, ...] = (Parameter("r", "r", about="relative risk aversion: 0 neutral"),)
    attributes: tuple[str, ...] = ("amount_1", "amount_2", "chance_1")
    scale: Literal["noise", "precision"] = "noise"
    lowest_payoff: ClassVar[float] = 0.0
    defaults: ClassVar[Mapping[str, float]] = {"amount_2": 0.0}

    def check(self, choices: Choices) -> None:
        """Refuse negative amounts and chances outside [0, 1].

        Raises:
            UsageError: the message names the first situation with one.
        """
        check_lotteries(choices, self.title, lowest=0.0)

    def utility(self, attributes: Floats, theta: Floats) -> tuple[Floats, Floats]:
        """Return u and ∂u/∂r, see `NonlinearModel.utility`."""
        level, slope, _ = self.expansion(attributes, theta)
        return level, slope

    def expansion(self, attributes: Floats, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Return u, ∂u/∂r and ∂²u/∂r², see `NonlinearModel.expansion`."""
        rho = 1 - theta[..., 0, None, None]
        chance = np.clip(attributes[..., 2], _EDGE, 1 - _EDGE)
        first, second = attributes[..., 0], attributes[..., 1]
        # Certain amounts need no formula, which would lose digits near the ends.
        first, second = (
            np.where(attributes[..., 2] == 0, second, first),
            np.where(attributes[..., 2] == 1, first, second),
        )
        mean = power_mean(first, second, chance, rho)
        return mean.level, -mean.by_rho[..., None], mean.rho_rho[..., None, None]


def check_lotteries(choices: Choices, title: str, lowest: float | None = None) -> None:
    """Refuse lotteries that are none; attributes are (amount_1, amount_2, chance_1).

    Raises:
        UsageError: a chance lies outside [0, 1], or an amount below the lowest.
    """
    for place, name in ((0, "amount_1"), (1, "amount_2"), (2, "chance_1")):
        cells = choices.attributes[..., place]
        wrong = np.zeros(cells.shape, dtype=bool)
        if place == 2:
            wrong = (cells < 0) | (cells > 1)
        elif lowest is not None:
            wrong = cells < lowest
        if wrong.any():
            where = int(np.argwhere(wrong)[0, 0])
            situation = choices.situations[where] if choices.situations else str(where)
            wanted = "a probability" if place == 2 else f"an amount of at least {lowest:g}"
            raise UsageError(
                f"{title} needs {wanted} as {name}; {situation} has {cells[wrong][0]:g}: correct it."
            )


CRRA = CRRAModel()
"""u = (p·x_1^(1−r) + (1−p)·x_2^(1−r))^(1/(1−r)), divided by λ."""
