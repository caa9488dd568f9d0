"""How the shares of types evolve: policies, models and oracles together, from what each earns against each.

Payoffs measured in a tournament have sampling errors. Every replicate then draws a table of payoffs from its
estimated distribution (normal, cells independent), so that the spread of paths holds what is not known of the
payoffs as well as the chance of a finite population.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from ludens.experiments.measures.intervals import Estimate
from ludens.experiments.populations.dynamics import shares_over_time
from ludens.experiments.populations.evolve_config import EvolveConfig
from ludens.experiments.populations.evolve_result import EvolveResult, Path, spread
from ludens.experiments.populations.finite import (
    Process,
    fixation_log_probability,
    residents_over_time,
    simulate,
)
from ludens.experiments.populations.population import simulated, simulation_player
from ludens.experiments.runs.columns import Column
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import PlayOne
from ludens.experiments.study.base import Columns, Labels, Rows, Study

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.report.page import Page

_RECORDS = 100


class EvolveStudy(Study[EvolveConfig, EvolveResult]):
    """Types that evolve by what they earn."""

    config_type = EvolveConfig
    title = "how the shares of policies evolve by what each earns against each"
    grows: ClassVar[frozenset[str]] = frozenset({"dynamics", "replicates"})
    columns: ClassVar[Columns] = {
        "shares": (
            Column("dynamics", "text", "the kind of dynamics"),
            Column("replicate", "integer", "number of the population, or of the draw of payoffs"),
            Column("generation", "number", "when"),
            Column("type", "text", "the type"),
            Column("share", "number", "its share of the population"),
        )
    }

    def episodes(self) -> Sequence[Labels]:
        """Return an episode for each population; what nothing is drawn in is computed once."""
        config = self.config
        return [
            {"dynamics": dynamics, "replicate": replicate}
            for dynamics in dict.fromkeys(config.dynamics)
            for replicate in range(config.replicates)
            if replicate == 0 or config.errors is not None or dynamics in get_args(Process)
        ]

    def player(self) -> PlayOne:
        """Return what computes one path."""
        config = self.config

        def simulation(labels: Labels, rng: np.random.Generator) -> dict[str, Any]:
            payoffs, dynamics = drawn_payoffs(config, rng), labels["dynamics"]
            intensity = config.selection / config.range
            if dynamics in get_args(Process):
                generations, counts = simulate(
                    dynamics, payoffs, config.members, config.generations, selection=intensity,
                    assortativity=config.assortativity, mutation=config.mutation, rng=rng, records=_RECORDS,
                )  # fmt: skip
                return {"times": generations.tolist(), "shares": (counts / config.population).tolist()}
            times = np.linspace(0, config.generations, _RECORDS + 1)
            # The replicator's speed is that of finite populations; logit revisions come once a generation.
            replicates = dynamics == "replicator"
            shares = shares_over_time(
                dynamics, intensity * payoffs if replicates else payoffs, config.shares, times,
                assortativity=config.assortativity, noise=config.noise or config.range / 10,
            )  # fmt: skip
            return {"times": times.tolist(), "shares": shares.tolist()}

        return simulation_player(simulation)

    def measure(self, run: Run) -> EvolveResult:
        """Read the paths that have been computed."""
        decisions = run.decisions()
        found: dict[str, list[Mapping[str, Any]]] = {}
        for record in sorted(decisions, key=lambda each: each.episode):
            if (values := simulated(record)) is not None:
                found.setdefault(record.labels["dynamics"], []).append(values)
        paths = {
            dynamics: Path(
                dynamics, np.array(done[0]["times"], dtype=float), np.array([each["shares"] for each in done])
            )
            for dynamics, done in found.items()
        }
        return EvolveResult.of(
            run, decisions, paths=paths, over_time=_over_time(self.config), config=self.config
        )

    def page(self, result: EvolveResult) -> Page:
        """Return the report."""
        from ludens.experiments.populations.evolve_page import page

        return page(result)

    def show(self, result: EvolveResult, console: Console) -> None:
        """Print the shares at the end."""
        from ludens.experiments.populations.evolve_page import show

        show(result, console)

    def as_json(self, result: EvolveResult) -> dict[str, Any]:
        """Return the shares at the end, and the whole paths, as JSON values."""
        names = self.config.names
        return {
            **result.as_json(),
            "end": {
                dynamics: {name: path.at_end(place).value for place, name in enumerate(names)}
                for dynamics, path in result.paths.items()
            },
            "over_time": {name: each.value for name, each in zip(names, result.over_time, strict=True)},
            "shares": [dict(row) for row in self.tables(result)["shares"]],
        }

    def tables(self, result: EvolveResult) -> Mapping[str, Rows]:
        """Return the share of each type at each time of each path."""
        return {
            "shares": [
                {
                    "dynamics": dynamics,
                    "replicate": replicate,
                    "generation": float(time),
                    "type": name,
                    "share": float(path.shares[replicate, moment, place]),
                }
                for dynamics, path in result.paths.items()
                for replicate in range(len(path.shares))
                for moment, time in enumerate(path.times)
                for place, name in enumerate(self.config.names)
            ]
        }


def drawn_payoffs(config: EvolveConfig, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return payoffs drawn from the distribution of their estimates, or the payoffs where they are exact."""
    payoffs = np.array(config.payoffs)
    return payoffs if config.errors is None else rng.normal(payoffs, config.errors)


def _over_time(config: EvolveConfig) -> tuple[Estimate, ...]:
    """Return the shares of time of all types if mutations are rare, over draws of the payoffs."""
    rng, draws = np.random.default_rng([config.seed, 1]), 1 if config.errors is None else config.replicates
    intensity = config.selection / config.range
    shares = []
    for _ in range(draws):
        payoffs, count = drawn_payoffs(config, rng), len(config.payoffs)
        table = np.zeros((count, count))
        for pair in permutations(range(count), 2):
            table[pair] = fixation_log_probability(
                payoffs[np.ix_(pair, pair)], config.population, intensity, assortativity=config.assortativity
            )
        shares.append(residents_over_time(table))
    together = np.array(shares)
    return tuple(spread(together[:, place]) for place in range(together.shape[1]))
