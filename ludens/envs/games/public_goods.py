"""The linear public good (Isaac & Walker, Quarterly Journal of Economics 103(1), 1988; Ledyard 1995).

Each of n people has an endowment and puts a part of it into a common project. Every point there earns
everybody m points, the marginal per-capita return. To keep everything is dominant if m < 1; all contribute
in the optimum if nm > 1; homo moralis contributes if κ ≥ (1 − m)/(m(n − 1)) (from Alger & Weibull, GEB
2016).
"""

from __future__ import annotations

from functools import partial

from ludens.envs.strategic.actions import whole_numbers
from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import Floats, StrategicGame

STEPS = 20
"""Endowments of more points are offered in steps, so that there are about so many contributions to choose
from.
"""


def _payoff(own: Floats, rest: Floats, endowment: float, m: float) -> Floats:
    return endowment - own + m * (own + rest)


def _build(n: float, endowment: float, m: float) -> StrategicGame:
    step = max(1, round(endowment / STEPS))
    return StrategicGame(
        "public_goods",
        {"contributor": int(n)},
        {"contributor": whole_numbers(0, int(endowment) // step * step, step)},
        own_payoff=partial(_payoff, endowment=endowment, m=m),
    )


def _check(n: float, endowment: float, m: float) -> str | None:
    if n != int(n) or not 2 <= n <= 10_000:
        return "n is a whole number from 2 to 10000"
    if endowment != int(endowment) or not 1 <= endowment <= 10_000:
        return "endowment is a whole number from 1 to 10000"
    return None if m > 0 else "m > 0 is needed, or the project is worth nothing"


FAMILY = StrategicFamily(
    name="public_goods",
    title="Public goods game",
    source="Isaac & Walker 1988",
    roles=("contributor",),
    parameters=("n", "endowment", "m"),
    build=_build,
    check=_check,
    protocols={"PG1": (4, 20, 0.4), "PG2": (4, 20, 0.75), "PG3": (100, 20, 0.03)},
)
