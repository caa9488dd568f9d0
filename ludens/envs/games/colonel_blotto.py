"""Colonel Blotto (Borel, La théorie du jeu, Comptes Rendus 173, 1921; with whole troops Hart, International
Journal of Game Theory 36, 2008): two people divide equal troops over fields, and the larger part of a field
wins it.

An action is one whole number for each field; together they are all troops. What two people earn is always
the number of fields, so that each gets half of it in equilibrium, and everything is optimal at κ = 1.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from ludens.envs.strategic.actions import shares
from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import Floats, StrategicGame

MOST_WAYS = 1000
"""The most ways to divide the troops; pairs of them must fit into a table."""


def _payoff(profiles: Floats, won: Floats) -> Floats:
    own, other = profiles[..., 0].astype(int), profiles[..., 1].astype(int)
    return np.stack([won[own, other], won[other, own]], axis=-1)


def _build(troops: float, fields: float) -> StrategicGame:
    ways = shares(int(troops), [f"field {number + 1}" for number in range(int(fields))])
    placed = ways.vectors
    won = 0.5 + 0.5 * np.sign(placed[:, None] - placed[None])
    return StrategicGame(
        "colonel_blotto", {"commander": 2}, {"commander": ways}, partial(_payoff, won=won.sum(-1))
    )


def _check(troops: float, fields: float) -> str | None:
    if troops != int(troops) or fields != int(fields) or not (troops >= 1 and 2 <= fields <= 20):
        return "troops is a whole number of at least 1 and fields one from 2 to 20"
    ways = math.comb(int(troops + fields) - 1, int(fields) - 1)
    return None if ways <= MOST_WAYS else f"troops can be divided in {MOST_WAYS} ways at most, not in {ways}"


FAMILY = StrategicFamily(
    name="colonel_blotto",
    title="Colonel Blotto",
    source="Borel 1921",
    roles=("commander",),
    parameters=("troops", "fields"),
    build=_build,
    check=_check,
    protocols={"BL1": (6, 3)},
)
