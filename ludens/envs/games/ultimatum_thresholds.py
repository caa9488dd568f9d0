"""The ultimatum game by the strategy method (Güth, Schmittberger & Schwarze, JEBO 3(4), 1982; Mitzkewitz &
Nagel, IJGT 22, 1993): the proposer offers a part of the pie, and the responder says, before it learns the
offer, what it accepts at least. Otherwise both get nothing.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ludens.envs.strategic.actions import whole_numbers
from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import Floats, StrategicGame


def _payoff(profiles: Floats, pie: float) -> Floats:
    offer, least = profiles[..., 0], profiles[..., 1]
    split = np.stack([pie - offer, offer], axis=-1)
    return np.where((offer >= least)[..., None], split, 0.0)


def _build(pie: float, step: float) -> StrategicGame:
    amounts = whole_numbers(0, int(pie), int(step))
    return StrategicGame(
        "ultimatum_thresholds",
        {"proposer": 1, "responder": 1},
        {"proposer": amounts, "responder": amounts},
        partial(_payoff, pie=pie),
    )


def _check(pie: float, step: float) -> str | None:
    if pie != int(pie) or step != int(step) or not 1 <= step <= pie <= 10_000:
        return "step <= pie are whole numbers from 1 to 10000"
    return None if pie / step <= 1000 else "at most 1000 steps fit"


FAMILY = StrategicFamily(
    name="ultimatum_thresholds",
    title="Ultimatum game with offers and thresholds",
    source="Güth, Schmittberger & Schwarze 1982",
    roles=("proposer", "responder"),
    parameters=("pie", "step"),
    build=_build,
    check=_check,
    protocols={"UT1": (100, 10), "UT2": (10, 1)},
)
