"""Models of the estimator as preferences that play: what is fitted to choices can make them.

The utility of an outcome is V of the model at given parameters, per unit of its noise. Attributes that do not
follow from payoffs, such as an unkind act before, count as absent.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError
from ludens.preferences.estimation.data.payoffs import payoff_attribute
from ludens.preferences.estimation.models.catalogue import find_model
from ludens.preferences.estimation.models.linear import Model
from ludens.preferences.estimation.models.nonlinear import NonlinearModel
from ludens.preferences.outcomes import OutcomePreferences


def preferences_of(model: str | Model, **parameters: float) -> OutcomePreferences:
    """Return a model's utility as preferences over outcomes, for `ludens.agents.OutcomeOraclePolicy`.

    Args:
        model: a name of the catalogue (``"charness_rabin"``, ``"ces"`` …) or a model of one's own.
        parameters: those of the utility, by name; of a linear model those left out are 0.

    Raises:
        UsageError: the model needs what outcomes do not tell, has no such parameter, or one is missing or
            outside its range.
    """
    chosen = find_model(model)
    for attribute in chosen.attributes:
        if attribute.startswith("universalised"):
            raise UsageError(
                f"The model {chosen.name!r} weighs what would follow if everybody chose alike, which is a "
                "strategy's and not an outcome's: play Preferences(alpha, beta, kappa)."
            )
    names = [parameter.name for parameter in chosen.parameters[:-1]]
    chosen.check_names(parameters, chosen.name)
    if not chosen.linear and (missing := [name for name in names if name not in parameters]):
        raise UsageError(f"The preferences {chosen.name!r} need {missing[0]}.")
    for parameter in chosen.parameters[:-1]:
        value = parameters.get(parameter.name, 0.0)
        if not (np.isfinite(value) and (chosen.linear or parameter.low <= value <= parameter.high)):
            raise UsageError(
                f"The preferences {chosen.name!r} need {parameter.name} from {parameter.low:g} to "
                f"{parameter.high:g}; got {value!r}."
            )

    def felt(payoffs: NDArray[np.float64], **theta: Any) -> NDArray[np.float64]:
        numbers = np.array([float(theta.get(name, 0.0)) for name in names])
        if payoffs.min() < chosen.lowest_payoff:
            raise UsageError(
                f"The preferences {chosen.name!r} need payoffs of at least {chosen.lowest_payoff:g}; the "
                f"game has {payoffs.min():g}."
            )
        worths = []
        for role in range(payoffs.shape[1]):
            own, others = payoffs[:, role], np.delete(payoffs, role, axis=1)
            attributes = [payoff_attribute(name, own, others) for name in chosen.attributes]
            table = np.stack([np.zeros_like(own) if each is None else each for each in attributes], axis=-1)
            if isinstance(chosen, NonlinearModel):  # φ would not reach the ends of ranges
                level = chosen.utility(table[None], numbers)[0]
            else:
                level = chosen.index(chosen.to_free(np.append(numbers, 1.0)), table[None])[0]
            worths.append(level.reshape(-1))
        return np.stack(worths, axis=1)

    return OutcomePreferences(chosen.name, felt, dict(parameters))
