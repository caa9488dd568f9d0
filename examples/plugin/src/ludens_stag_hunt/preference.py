"""A preference: losses weigh more than gains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def loss_averse(
    payoffs: NDArray[np.float64], weight: float = 2.25, reference: float = 50.0
) -> NDArray[np.float64]:
    """Return what payoffs are worth if what is short of a reference counts more than what exceeds it.

    After Tversky & Kahneman (Journal of Risk and Uncertainty 5, 1992), without their curvature.

    Args:
        payoffs: (leaves, roles), in points.
        weight: of a point below the reference; a point above it counts 1.
        reference: in points.
    """
    gap = payoffs - reference
    return np.where(gap < 0, weight * gap, gap)
