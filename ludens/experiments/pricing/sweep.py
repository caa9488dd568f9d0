"""Sweeps: Q-learners trained at many parameters, of the learners and of the market.

Every cell is an episode with one decision, the price on which the learners settle, so that a cell that has
been trained is kept, and a run that is killed goes on with the others. Cells are trained in processes of
their own, and all of them with the same random numbers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ludens.agents.policy import Decision, Policy
from ludens.envs import Turn
from ludens.envs.pricing.base import PricingGame
from ludens.envs.pricing.registration import BERTRAND
from ludens.errors import UsageError
from ludens.experiments.pricing.cells import CELLS, MEASURES, measure_cell, training_of
from ludens.experiments.pricing.sweep_config import SweepConfig, Values
from ludens.experiments.pricing.sweep_result import CellResult, SweepResult
from ludens.experiments.runs.recorder import Recorder
from ludens.experiments.runs.records import EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import PlayOne
from ludens.experiments.study.base import Columns, Labels, Rows, Study

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.report.page import Page

_WIDEST = 1e300


class SweepStudy(Study[SweepConfig, SweepResult]):
    """Q-learners trained at many parameters."""

    config_type = SweepConfig
    columns: ClassVar[Columns] = {"cells": CELLS}
    title = "Q-learners trained at many parameters"
    grows: ClassVar[frozenset[str]] = frozenset({"vary", "cells"})
    computes = True

    @cached_property
    def cells(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Labels and settings of all cells."""
        return list(self.config.planned())

    def episodes(self) -> Sequence[Labels]:
        """Return the labels of every cell.

        Raises:
            UsageError: two cells have the same labels.
        """
        labels = [labels for labels, _ in self.cells]
        keys = [_key(each) for each in labels]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise UsageError(f"sweep: two cells are {twice}: give one another label.")
        return labels

    def player(self) -> PlayOne:
        """Return what trains one cell."""
        settings = {_key(labels): values for labels, values in self.cells}
        config = self.config

        async def play_one(
            spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence
        ) -> EpisodeRecord:
            mine = settings[_key(spec.labels)]
            task = {
                "settings": mine, "sessions": config.sessions, "seed": config.seed, "tests": config.tests,
            }  # fmt: skip
            decision = await recorder.decide(_Learners(task), _turn(mine))
            return EpisodeRecord(spec.index, spec.labels, "done", {"firm_0": float(decision.action or 0.0)})

        return play_one

    def measure(self, run: Run) -> SweepResult:
        """Read the cells that have been trained."""
        decisions = run.decisions()
        cells = tuple(
            CellResult(each.labels, _read(each.decision), self.config.published(each.labels.get("cell")))
            for each in sorted(decisions, key=lambda record: record.episode)
            if isinstance(each.decision, Decision)
        )
        return SweepResult.of(run, decisions, cells=cells, config=self.config)

    def page(self, result: SweepResult) -> Page:
        """Return the report."""
        from ludens.experiments.pricing.sweep_page import page

        return page(result)

    def show(self, result: SweepResult, console: Console) -> None:
        """Print the cells."""
        from ludens.experiments.pricing.sweep_page import print_sweep

        print_sweep(result, console)

    def as_json(self, result: SweepResult) -> dict[str, Any]:
        """Return the cells as JSON values."""
        return {**result.as_json(), "cells": [dict(row) for row in self.tables(result)["cells"]]}

    def tables(self, result: SweepResult) -> Mapping[str, Rows]:
        """Return one row for each cell: its labels, every measure with its standard error, and the published
        numbers.
        """
        known = {name for cell in result.cells for name in cell.published}
        rows = []
        for cell in result.cells:
            row = dict(cell.labels)
            for name in MEASURES:
                row[name], row[f"{name}_error"] = cell.measures[name]
                if name in known:
                    row[f"{name}_published"] = cell.published.get(name)
            rows.append(row)
        return {"cells": rows}


class _Learners(Policy):
    """Q-learners that settle on a price."""

    name = "qlearning"

    def __init__(self, task: Values) -> None:
        self._task = task

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Return the mean price of the limit cycles, with all measures as notes."""
        measures = measure_cell(self._task)
        return Decision(measures["price"][0], notes={"measures": json.dumps(measures)})

    async def adecide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Decide in a thread, so that the run is heard meanwhile."""
        return await asyncio.to_thread(self.decide, turn, rng)


def _turn(settings: Values) -> Turn:
    cell = training_of(settings)
    return Turn(
        environment=BERTRAND.environment,
        agent="firm_0",
        role="firm",
        node="cell",
        options=(),
        observation={},
        game=PricingGame(cell.market),
        interval=(-_WIDEST, _WIDEST),
        facts={"settings": settings},
    )


def _key(labels: Labels) -> str:
    return json.dumps(dict(labels), sort_keys=True)


def _read(decision: Decision) -> dict[str, tuple[float | None, float | None]]:
    known = json.loads((decision.notes or {})["measures"])
    return {name: tuple(known.get(name, (None, None))) for name in MEASURES}
