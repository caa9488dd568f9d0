"""How shares evolved: paths of all replicates, and their spread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ludens.experiments.measures.intervals import Estimate, Method, missing
from ludens.experiments.populations.evolve_config import EvolveConfig
from ludens.experiments.report.result import RunResult

_SPREAD: Method = "replicates"


@dataclass(frozen=True)
class Path:
    """The shares of all types under one kind of dynamics.

    Attributes:
        dynamics: which.
        times: in generations, shape (times,).
        shares: of every replicate that has been done, shape (replicates, times, types).
    """

    dynamics: str
    times: NDArray[np.float64]
    shares: NDArray[np.float64]

    def at_end(self, place: int) -> Estimate:
        """Return the share of a type at the end: its mean, and the range of 95 % of replicates."""
        return spread(self.shares[:, -1, place])


@dataclass(frozen=True, kw_only=True, repr=False)
class EvolveResult(RunResult):
    """How shares evolved.

    Attributes:
        paths: by kind of dynamics, of those of which something has been done.
        over_time: of each type, how much of the time it is that of all if mutations are rare.
        config: of the run.
    """

    paths: Mapping[str, Path]
    over_time: tuple[Estimate, ...]
    config: EvolveConfig


def spread(values: NDArray[np.float64]) -> Estimate:
    """Return the mean of replicates, and the range that holds 95 % of them."""
    if not len(values):
        return missing("nothing was simulated")
    mean = float(values.mean())
    if len(values) == 1:
        return Estimate(mean, n=1, note="nothing was drawn")
    low, high = np.quantile(values, [0.025, 0.975]).tolist()
    return Estimate(mean, low, high, len(values), method=_SPREAD)
