"""The beauty contest, or guessing game (Nagel, American Economic Review 85(5), 1995): who is nearest to p
times the mean of all numbers from 0 to 100 wins a prize, which those who are equally near share.

For p < 1 everybody chooses 0 in the only equilibrium, and numbers above 100·p are weakly dominated.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ludens.envs.strategic.actions import whole_numbers
from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import Floats, StrategicGame


def _payoff(profiles: Floats, p: float, prize: float) -> Floats:
    distance = np.abs(profiles - p * profiles.mean(axis=-1, keepdims=True))
    nearest = distance <= distance.min(axis=-1, keepdims=True) + 1e-9
    shared: Floats = prize * nearest / nearest.sum(axis=-1, keepdims=True)
    return shared


def _build(n: float, p: float, prize: float) -> StrategicGame:
    return StrategicGame(
        "beauty_contest",
        {"guesser": int(n)},
        {"guesser": whole_numbers(0, 100)},
        partial(_payoff, p=p, prize=prize),
    )


def _check(n: float, p: float, prize: float) -> str | None:
    if n != int(n) or not 2 <= n <= 1000:
        return "n is a whole number from 2 to 1000"
    return None if p > 0 and prize > 0 else "p > 0 and prize > 0 are needed"


FAMILY = StrategicFamily(
    name="beauty_contest",
    title="Beauty contest",
    source="Nagel 1995",
    roles=("guesser",),
    parameters=("n", "p", "prize"),
    build=_build,
    check=_check,
    protocols={"BC1": (3, 2 / 3, 20), "BC2": (15, 2 / 3, 20), "BC3": (15, 0.5, 20)},
)
