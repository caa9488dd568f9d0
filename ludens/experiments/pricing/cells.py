"""The cells of a sweep: one training of Q-learners each, described by JSON values, and what is measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ludens.agents.qlearning.parameters import QLearning
from ludens.agents.qlearning.tables import LearningTables, learning_tables
from ludens.envs.pricing.theory.market import AnyMarket
from ludens.errors import UsageError
from ludens.experiments.pricing.market_config import MarketConfig, market_of
from ludens.experiments.runs.columns import Column

if TYPE_CHECKING:
    from ludens.agents.qlearning.sessions import Sessions

MEASURES = {
    "gain": "profit gain Δ",
    "price": "price",
    "profit": "profit",
    "consumer_surplus": "consumer surplus",
    "deadweight_loss": "deadweight loss",
    "periods": "periods",
    "converged": "converged",
    "cycle": "cycle",
    "one_shot": "one-shot equilibrium",
    "nash": "full equilibrium",
    "cut": "rivals' price change",
    "unprofitable": "deviations that do not pay",
    "back": "periods until back",
}
"""What is measured of a cell, with the words that reports use. Prices and profits (before fines) are means
over firms and over the limit cycle of each session, Δ and welfare those of the market on it; periods are
those until convergence. The last three follow a forced static best reply as Calvano et al. count it
(`ImpulseResponse.as_published`)."""

CELLS = (
    Column("…", "text", "what tells the cell apart: each parameter that varies under its own name"),
    *(
        column
        for name, words in MEASURES.items()
        for column in (
            Column(name, "number", f"{words}, mean over sessions", empty="it does not apply"),
            Column(f"{name}_error", "number", "its standard error", empty="fewer than two sessions"),
            Column(f"{name}_published", "number", "the published number, where a cell has one"),
        )
    ),
)

SHARES = frozenset({"converged", "one_shot", "nash"})
"""Measures that are shares of sessions."""

_OF_LEARNERS = {field.name for field in fields(QLearning)}
_OF_MARKET = set(MarketConfig.model_fields)
_OF_TRAINING = {"moves", "interventions", "outside_values", "prices"}
KEYS = tuple(sorted(_OF_LEARNERS | _OF_MARKET | _OF_TRAINING))
"""The names of all settings of a cell."""


@dataclass(frozen=True)
class Training:
    """What one cell trains.

    Attributes:
        market: the market.
        learners: the parameters.
        options: further arguments of `learning_tables` and `train`.
    """

    market: AnyMarket
    learners: QLearning
    options: Mapping[str, Any]

    def tables(self) -> LearningTables:
        """Return the tables, after checking that everything fits together.

        Raises:
            UsageError: it does not.
            TableTooLargeError: they do not fit the memory.
        """
        return learning_tables(self.market, self.learners, **self.options)


def training_of(settings: Mapping[str, Any]) -> Training:
    """Return what a cell trains.

    Args:
        settings: any of the parameters of `QLearning`; those of a market, see
            `ludens.experiments.pricing.market_config.MarketConfig`, of size 1; ``moves``,
            ``interventions`` and ``outside_values`` as of `train`; and ``prices``, the lowest and the highest
            price of a grid of ``points`` equally spaced prices.

    Raises:
        UsageError: there is no such setting, or it is out of its range.
    """
    if unknown := sorted(settings.keys() - set(KEYS)):
        raise UsageError(f"A cell has no setting {unknown[0]!r}; it has {', '.join(KEYS)}.")
    learners = {name: value for name, value in settings.items() if name in _OF_LEARNERS}
    if "prices" in settings:
        low, high = _two(settings["prices"])
        points = learners.get("points", 15)
        learners["grid"] = np.linspace(low, high, QLearning(points=points).points).tolist()
    options: dict[str, Any] = {
        name: settings[name] for name in ("moves", "interventions") if name in settings
    }
    if "outside_values" in settings:
        options["outside"] = settings["outside_values"]
    market = {name: value for name, value in settings.items() if name in _OF_MARKET}
    return Training(market_of(market, 2), QLearning(**learners), options)


def measure_cell(task: Mapping[str, Any]) -> dict[str, Any]:
    """Train the sessions of a cell in one thread, and measure them.

    Args:
        task: ``settings`` of the cell, ``sessions``, ``seed``, and ``tests``, whether equilibria are tested
            and deviations forced.

    Returns:
        For each of `MEASURES` its mean over sessions and the mean's standard error; None where it does not
        exist or was not measured.
    """
    from ludens.agents.qlearning import train

    cell = training_of(task["settings"])
    trained = train(
        cell.market, cell.learners, task["sessions"], task["seed"], workers=1, **cell.options
    )  # fmt: skip
    measures = measured_sessions(trained, tests=task["tests"])
    return {name: _known(*measures.get(name, (math.nan, math.nan))) for name in MEASURES}


def measured_sessions(trained: Sessions, *, tests: bool = True) -> dict[str, tuple[float, float]]:
    """Return the mean over sessions of each measure of `MEASURES`, and the mean's standard error."""
    from ludens.agents.qlearning.equilibrium import equilibrium_test
    from ludens.agents.qlearning.impulse import impulse_response

    present = trained.tables.phases[-1].present
    prices = [trained.path_prices(r)[:, present].mean() for r in range(len(trained))]
    reached = [trained.path_welfare(r) for r in range(len(trained))]
    values: dict[str, ArrayLike] = {
        "gain": trained.gains,
        "price": prices,
        "profit": (trained.profits + trained.fines)[:, present].mean(axis=1),
        "consumer_surplus": [float(each.consumer.mean()) for each in reached],
        "deadweight_loss": [float(each.deadweight.mean()) for each in reached],
        "periods": trained.periods,
        "converged": trained.converged,
        "cycle": trained.cycle_lengths,
    }
    if tests:
        test = equilibrium_test(trained)
        values |= {"one_shot": test.one_shot_nash, "nash": test.nash}
    found = {name: _mean(np.asarray(each, np.float64)) for name, each in values.items()}
    if tests:
        response = impulse_response(trained).as_published()
        found |= {
            name: (value, math.nan)
            for name, value in zip(("cut", "unprofitable", "back"), response, strict=True)
        }
    return found


def _mean(values: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    count = len(values)
    error = float(values.std(ddof=1)) / math.sqrt(count) if count > 1 else math.nan
    return float(values.mean()), error


def _known(*numbers: float) -> list[float | None]:
    return [number if math.isfinite(number) else None for number in numbers]


def _two(given: Any) -> tuple[float, float]:
    try:
        low, high = (float(each) for each in given)
    except (TypeError, ValueError):
        low = high = math.nan
    if not low < high:
        raise UsageError(f"prices are the lowest and the highest price of a grid; got {given!r}.")
    return low, high
