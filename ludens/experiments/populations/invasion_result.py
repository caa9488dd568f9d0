"""What was found of invasions, in theory and in simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ludens.experiments.populations.invasion_config import InvasionConfig
from ludens.experiments.report.result import RunResult
from ludens.preferences.stability import Invasion


@dataclass(frozen=True)
class InvasionCell:
    """Residents of one weight and mutants of another.

    Attributes:
        invasion: the theory, with those equilibria that serve the residents worst.
        log_fixation: ln of the probability that a single mutant takes over.
        shares: of mutants at the end of each simulation that has been done.
    """

    invasion: Invasion
    log_fixation: float
    shares: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, repr=False)
class InvasionResult(RunResult):
    """Invasions in theory and simulation.

    Attributes:
        cells: one for each pair of weights that differ, by resident and mutant.
        over_time: how much of the time each weight is that of all if mutations are rare.
        config: of the run.
    """

    cells: Mapping[tuple[float, float], InvasionCell]
    over_time: tuple[float, ...]
    config: InvasionConfig
