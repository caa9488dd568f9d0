"""Expected utility, for a model that is not linear where an alternative may have several outcomes.

    V_j = σ·Σ_k w_jk·u(attributes_jk; θ)

with w_jk the probability of outcome k, as of a strategy in a game. A linear model needs none of this: its
expected utility is that of expected attributes. `Choices.outcomes` says how many outcomes there are; the
attributes of an alternative are then the probability of each, with what the model takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.models.around import ModelAround
from ludens.preferences.estimation.models.linear import Model, Parameter
from ludens.preferences.estimation.models.nonlinear import NonlinearModel

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ExpectedModel(ModelAround, NonlinearModel):
    """The expected utility of a model over a number of outcomes."""

    base: NonlinearModel
    outcomes: int

    @property
    def weights(self) -> tuple[Parameter, ...]:  # type: ignore[override]  # a property serves an attribute
        """The parameters of u."""
        return self.base.weights

    @property
    def scale(self) -> Literal["noise", "precision"]:  # type: ignore[override]
        """How the last parameter is reported."""
        return self.base.scale

    @property
    def attributes(self) -> tuple[str, ...]:  # type: ignore[override]
        """The probability and the attributes of each outcome."""
        return ("probability", *self.base.attributes) * self.outcomes

    def utility(self, attributes: Floats, theta: Floats) -> tuple[Floats, Floats]:
        """Return E[u] and its gradient, see `NonlinearModel.utility`."""
        level, slope, _ = self.expansion(attributes, theta)
        return level, slope

    def expansion(self, attributes: Floats, theta: Floats) -> tuple[Floats, Floats, Floats | None]:
        """Return E[u] and its derivatives, see `NonlinearModel.expansion`."""
        chances, outcomes = self._parted(attributes)
        shape = chances.shape[:2]
        parts = self.base.expansion(outcomes.reshape(-1, *outcomes.shape[2:]), theta)
        level, slope, curvature = parts
        bent = None if curvature is None else self._mean(curvature, chances, shape, 2)
        return self._mean(level, chances, shape, 0), self._mean(slope, chances, shape, 1), bent

    def check(self, choices: Choices) -> None:
        """Refuse payoffs that the model cannot evaluate.

        Raises:
            UsageError: the message names the first situation with one.
        """
        chances, outcomes = self._parted(choices.attributes)
        wrong = (chances > 0) & (outcomes < self.lowest).any(axis=-1)
        if wrong.any():
            place = int(np.argwhere(wrong)[0, 0])
            name = choices.situations[place] if choices.situations else str(place)
            raise UsageError(
                f"The model {self.name!r} needs payoffs of at least {self.lowest:g}; the situation {name} "
                f"has {outcomes[place].min():g}."
            )

    @property
    def lowest(self) -> float:
        """The smallest payoff that the model is defined for."""
        return self.base.lowest_payoff

    def _parted(self, attributes: Floats) -> tuple[Floats, Floats]:
        """Return probabilities (c, j, k) and attributes (c, j, k, a) of the outcomes."""
        table = attributes.reshape(*attributes.shape[:2], self.outcomes, -1)
        return table[..., 0], table[..., 1:]

    @staticmethod
    def _mean(part: Floats, chances: Floats, shape: tuple[int, ...], derivatives: int) -> Floats:
        """Return the mean over outcomes of u or of a derivative, (..., c·j, k) followed by their axes."""
        lead = part.ndim - 2 - derivatives
        table = part.reshape(*part.shape[:lead], *shape, *part.shape[lead + 1 :])
        weights = chances.reshape(*chances.shape, *[1] * derivatives)
        # What padding makes of a utility is nothing, even if it is no number.
        found: Floats = np.where(weights > 0, table * weights, 0.0).sum(axis=lead + 2)
        return found


def model_of(choices: Choices, model: Model) -> Model:
    """Return the model of these choices, of expected utility where alternatives have several outcomes."""
    if choices.outcomes and isinstance(model, NonlinearModel) and not isinstance(model, ExpectedModel):
        return ExpectedModel(model, choices.outcomes)
    return model
