"""A public good that needs a threshold (van de Kragt, Orbell & Dawes, American Political Science Review
77(1), 1983; Isaac, Schmidtz & Walker 1989): everybody earns the prize if the group contributes enough; what
is contributed in vain is lost.

Nobody contributes in one equilibrium, and exactly the threshold is contributed in all others.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ludens.envs.strategic.actions import whole_numbers
from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import Floats, StrategicGame


def _payoff(own: Floats, rest: Floats, endowment: float, threshold: float, prize: float) -> Floats:
    return endowment - own + np.where(own + rest >= threshold - 1e-9, prize, 0.0)


def _build(n: float, endowment: float, threshold: float, prize: float) -> StrategicGame:
    return StrategicGame(
        "threshold_public_good",
        {"contributor": int(n)},
        {"contributor": whole_numbers(0, int(endowment))},
        own_payoff=partial(_payoff, endowment=endowment, threshold=threshold, prize=prize),
    )


def _check(n: float, endowment: float, threshold: float, prize: float) -> str | None:
    if n != int(n) or not 2 <= n <= 1000 or endowment != int(endowment) or not 1 <= endowment <= 100:
        return "n is a whole number from 2 to 1000 and endowment one from 1 to 100"
    if not 0 < threshold <= n * endowment:
        return "threshold lies above 0 and within what all of them have"
    return None if prize > 0 else "prize > 0 is needed, or nobody wants it"


FAMILY = StrategicFamily(
    name="threshold_public_good",
    title="Threshold public good",
    source="van de Kragt, Orbell & Dawes 1983",
    roles=("contributor",),
    parameters=("n", "endowment", "threshold", "prize"),
    build=_build,
    check=_check,
    protocols={"TP1": (4, 10, 20, 15)},
)
