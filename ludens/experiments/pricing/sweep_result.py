"""The result of a sweep: what was measured of each cell that has been trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ludens.experiments.pricing.sweep_config import SweepConfig, Values, cell_name
from ludens.experiments.report.result import RunResult


@dataclass(frozen=True)
class CellResult:
    """One cell, as trained.

    Attributes:
        labels: what tells it apart.
        measures: by the names of `MEASURES`: the mean over sessions and its standard error, or None.
        published: published numbers, by measure.
    """

    labels: Values
    measures: Mapping[str, tuple[float | None, float | None]]
    published: Values

    @property
    def name(self) -> str:
        """The cell's name in tables."""
        return cell_name(self.labels)


@dataclass(frozen=True, kw_only=True, repr=False)
class SweepResult(RunResult):
    """The cells of a sweep that have been trained.

    Attributes:
        cells: in their order.
        config: of the run.
    """

    cells: tuple[CellResult, ...]
    config: SweepConfig
