"""Cournot's oligopoly (Recherches sur les principes mathématiques de la théorie des richesses, 1838).

The price is a − b·Q, and never below 0, every unit costs c. If all firms have the weight κ on the
universalised payoff, each sells (a − c)/(b·(2 + (n − 1)·(1 + κ))) (after Alger & Weibull, GEB 2016): in CO1
40 at κ = 0 and 30, the share of the joint optimum, at κ = 1.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ludens.envs.strategic.actions import whole_numbers
from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import Floats, StrategicGame


def _payoff(own: Floats, rest: Floats, a: float, b: float, c: float) -> Floats:
    return own * (np.maximum(a - b * (own + rest), 0) - c)


def _build(n: float, a: float, b: float, c: float) -> StrategicGame:
    return StrategicGame(
        "cournot",
        {"firm": int(n)},
        {"firm": whole_numbers(0, int((a - c) / b))},
        own_payoff=partial(_payoff, a=a, b=b, c=c),
    )


def _check(n: float, a: float, b: float, c: float) -> str | None:
    if n != int(n) or not 1 <= n <= 1000:
        return "n is a whole number from 1 to 1000"
    if not (b > 0 and c >= 0):
        return "b > 0 and c >= 0 are needed"
    return None if 2 <= (a - c) / b <= 1000 else "(a - c)/b lies between 2 and 1000"


FAMILY = StrategicFamily(
    name="cournot",
    title="Cournot oligopoly",
    source="Cournot 1838",
    roles=("firm",),
    parameters=("n", "a", "b", "c"),
    build=_build,
    check=_check,
    protocols={"CO1": (2, 130, 1, 10), "CO2": (4, 130, 1, 10)},
)
