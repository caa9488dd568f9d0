"""A vignette as a vector of numbers, float32, all within [0, 1]; `NAMES` names its entries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ludens.envs.av.dilemma.vignette import (
    DECIDERS,
    DEFAULTS,
    MOST,
    MOST_PASSENGERS,
    PASSENGERS,
    PERSPECTIVES,
    PROGRAMS,
    QUESTIONS,
    REGIMES,
    Vignette,
)

NAMES = (
    "pedestrians / 100",
    *(f"passengers / 5: {kind}" for kind in PASSENGERS),
    *(f"perspective: {name}" for name in PERSPECTIVES),
    *(f"default: {name}" for name in DEFAULTS),
    "certainty",
    *(f"regime: {name}" for name in REGIMES),
    *(f"question: {name}" for name in QUESTIONS),
    *(f"program: {name}" for name in PROGRAMS),
    *(f"decider: {name}" for name in DECIDERS),
)
SIZE = len(NAMES)


def encoded(vignette: Vignette) -> NDArray[np.float32]:
    """Return the vector of a vignette, shape (SIZE,)."""
    return np.array(
        [
            vignette.pedestrians / MOST,
            *(vignette.passengers.count(kind) / MOST_PASSENGERS for kind in PASSENGERS),
            *(vignette.perspective == name for name in PERSPECTIVES),
            *(vignette.default == name for name in DEFAULTS),
            vignette.certainty,
            *(vignette.regime == name for name in REGIMES),
            *(vignette.question == name for name in QUESTIONS),
            *(vignette.program == name for name in PROGRAMS),
            *(vignette.decider == name for name in DECIDERS),
        ],
        dtype=np.float32,
    )
