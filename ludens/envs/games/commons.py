"""The common-pool resource of Walker, Gardner & Ostrom (JEEM 19(3), 1990; Ostrom, Gardner & Walker, Rules,
Games, and Common-Pool Resources, 1994).

Each of n people has an endowment, of which every token earns w outside. Tokens in the commons earn together
a·X − b·X², shared in proportion. If all have the weight κ on the universalised payoff, each puts in (a −
w)/(b·(n + 1 + (n − 1)·κ)): in CM1 8 tokens at κ = 0, and at κ = 1 4.5, the optimum of all together.
"""

from __future__ import annotations

from functools import partial

from ludens.envs.strategic.actions import whole_numbers
from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import Floats, StrategicGame


def _payoff(own: Floats, rest: Floats, *, endowment: float, w: float, a: float, b: float) -> Floats:
    return w * (endowment - own) + own * (a - b * (own + rest))


def _build(n: float, endowment: float, w: float, a: float, b: float) -> StrategicGame:
    return StrategicGame(
        "commons",
        {"user": int(n)},
        {"user": whole_numbers(0, int(endowment))},
        own_payoff=partial(_payoff, endowment=endowment, w=w, a=a, b=b),
    )


def _check(n: float, endowment: float, w: float, a: float, b: float) -> str | None:
    if n != int(n) or not 2 <= n <= 1000 or endowment != int(endowment) or not 1 <= endowment <= 100:
        return "n is a whole number from 2 to 1000 and endowment one from 1 to 100"
    if not b > 0:
        return "b > 0 is needed, or the commons is never overused"
    return None if a > w else "a > w is needed, or nobody uses the commons"


FAMILY = StrategicFamily(
    name="commons",
    title="Commons dilemma",
    source="Walker, Gardner & Ostrom 1990",
    roles=("user",),
    parameters=("n", "endowment", "w", "a", "b"),
    build=_build,
    check=_check,
    protocols={"CM1": (8, 10, 5, 23, 0.25), "CM2": (8, 25, 5, 23, 0.25)},
)
