"""Which Kantian weights κ survive in a game: each as that of the residents, every other one as that of a few
mutants, in theory and in simulated populations.

Alger & Weibull (Econometrica 2013): with assortativity σ, homo moralis with κ = σ resists every mutant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ludens.experiments.populations.finite import (
    fixation_log_probability,
    residents_over_time,
    simulate,
)
from ludens.experiments.populations.invasion_config import InvasionConfig
from ludens.experiments.populations.invasion_result import InvasionCell, InvasionResult
from ludens.experiments.populations.population import simulated, simulation_player
from ludens.experiments.runs.columns import Column
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import PlayOne
from ludens.experiments.study.base import Columns, Labels, Rows, Study
from ludens.preferences.stability import Invasion, invasions

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.report.page import Page


_WORST_FIRST = ("invaded", "neutral", "resists")


class InvasionStudy(Study[InvasionConfig, InvasionResult]):
    """Residents and mutants with Kantian weights."""

    config_type = InvasionConfig
    title = "which Kantian weights survive evolution in a game"
    grows: ClassVar[frozenset[str]] = frozenset({"kappas", "replicates"})
    columns: ClassVar[Columns] = {
        "invasions": (
            Column("resident", "number", "κ of the residents"),
            Column("mutant", "number", "κ of the mutants"),
            Column("resident_strategy", "number", "what residents play"),
            Column("mutant_strategy", "number", "what mutants play while they are rare"),
            Column("advantage", "number", "payoff of a resident less that of a rare mutant, in points"),
            Column("theory", "text", "resists, invaded or neutral"),
            Column("log_fixation", "number", "ln of the probability that a single mutant takes over"),
            Column("simulations", "integer", "how many were done"),
            Column("end", "number", "mean share of mutants at their end", empty="none was done"),
        )
    }

    @cached_property
    def invasions(self) -> Mapping[tuple[float, float], Invasion]:
        """Of every pair of weights that differ, the equilibria that serve the residents worst."""
        game, config = self.config.made_game(), self.config
        return {
            (resident, mutant): min(
                invasions(game, resident, mutant, config.assortativity),
                key=lambda each: (_WORST_FIRST.index(each.outcome), each.advantage),
            )
            for resident in config.kappas
            for mutant in config.kappas
            if resident != mutant
        }

    @property
    def intensity(self) -> float:
        """The intensity of selection per point."""
        return self.config.selection / max(self.config.made_game().range, 1e-300)

    def episodes(self) -> Sequence[Labels]:
        """Return one episode for each simulation."""
        return [
            {"resident": resident, "mutant": mutant, "replicate": replicate}
            for resident, mutant in self.invasions
            for replicate in range(self.config.replicates)
        ]

    def player(self) -> PlayOne:
        """Return what simulates one pair."""
        config, intensity = self.config, self.intensity
        start = [config.population - config.first_mutants, config.first_mutants]

        def simulation(labels: Labels, rng: np.random.Generator) -> dict[str, Any]:
            invasion = self.invasions[labels["resident"], labels["mutant"]]
            times, counts = simulate(
                config.process, invasion.payoffs, start, config.generations, selection=intensity,
                assortativity=config.assortativity, rng=rng, records=50,
            )  # fmt: skip
            return {"generations": times.tolist(), "mutants": counts[:, 1].tolist()}

        return simulation_player(simulation)

    def measure(self, run: Run) -> InvasionResult:
        """Read the simulations that have been done, beside the theory."""
        config, decisions = self.config, run.decisions()
        ends: dict[tuple[float, float], list[float]] = {pair: [] for pair in self.invasions}
        for record in decisions:
            values = simulated(record)
            pair = record.labels["resident"], record.labels["mutant"]
            if values is not None and pair in ends:
                ends[pair].append(values["mutants"][-1] / config.population)
        cells = {
            pair: InvasionCell(invasion, self._log_fixation(invasion), tuple(ends[pair]))
            for pair, invasion in self.invasions.items()
        }
        table = np.zeros((len(config.kappas),) * 2)
        for (resident, mutant), cell in cells.items():
            table[config.kappas.index(resident), config.kappas.index(mutant)] = cell.log_fixation
        over_time = tuple(residents_over_time(table).tolist())
        return InvasionResult.of(run, decisions, cells=cells, over_time=over_time, config=config)

    def page(self, result: InvasionResult) -> Page:
        """Return the report."""
        from ludens.experiments.populations.invasion_page import page

        return page(result)

    def show(self, result: InvasionResult, console: Console) -> None:
        """Print what each weight of residents withstands."""
        from ludens.experiments.populations.invasion_page import show

        show(result, console)

    def as_json(self, result: InvasionResult) -> dict[str, Any]:
        """Return everything as JSON values."""
        over_time = dict(zip(map(str, self.config.kappas), result.over_time, strict=True))
        rows = [dict(row) for row in self.tables(result)["invasions"]]
        return {**result.as_json(), "over_time": over_time, "invasions": rows}

    def tables(self, result: InvasionResult) -> Mapping[str, Rows]:
        """Return one row for each pair of weights."""
        return {
            "invasions": [
                {
                    "resident": resident,
                    "mutant": mutant,
                    "resident_strategy": cell.invasion.resident,
                    "mutant_strategy": cell.invasion.mutant,
                    "advantage": cell.invasion.advantage,
                    "theory": cell.invasion.outcome,
                    "log_fixation": cell.log_fixation,
                    "simulations": len(cell.shares),
                    "end": float(np.mean(cell.shares)) if cell.shares else None,
                }
                for (resident, mutant), cell in result.cells.items()
            ]
        }

    def _log_fixation(self, invasion: Invasion) -> float:
        return fixation_log_probability(
            invasion.payoffs, self.config.population, self.intensity, assortativity=self.config.assortativity
        )
