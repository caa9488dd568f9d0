"""Populations within a run: one simulation is an episode with one decision, whose notes hold its path.

So a simulation that is done is kept, and a run that is killed goes on with the others.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ludens.agents.policy import Decision, Policy
from ludens.envs import Turn
from ludens.experiments.runs.recorder import Recorder
from ludens.experiments.runs.records import DecisionRecord, EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.runner import PlayOne
from ludens.experiments.study.base import Labels

Simulation = Callable[[Labels, np.random.Generator], Mapping[str, Any]]
"""Simulates the population of an episode's labels; returns JSON values."""


def simulation_player(simulation: Simulation) -> PlayOne:
    """Return what plays one episode: it simulates one population and keeps what came of it."""

    async def play_one(spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence) -> EpisodeRecord:
        await recorder.decide(_Population(simulation, spec.labels), _turn(spec.labels))
        return EpisodeRecord(spec.index, spec.labels, "done", {})

    return play_one


def simulated(record: DecisionRecord) -> Mapping[str, Any] | None:
    """Return what came of a simulation; None of a decision of another kind."""
    if not isinstance(record.decision, Decision) or "simulated" not in (record.decision.notes or {}):
        return None
    values: Mapping[str, Any] = json.loads((record.decision.notes or {})["simulated"])
    return values


@dataclass(frozen=True)
class _PopulationGame:
    """What a population plays, as its turn names it."""

    name: str = "population"
    roles: tuple[str, ...] = ("population",)
    parameters: Mapping[str, float] = field(default_factory=dict)
    protocol: str | None = None


class _Population(Policy):
    """A population that evolves."""

    name = "population"

    def __init__(self, simulation: Simulation, labels: Labels) -> None:
        self._simulation, self._labels = simulation, labels

    def decide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Return a decision without meaning whose notes hold the simulation."""
        return Decision(0.0, notes={"simulated": json.dumps(self._simulation(self._labels, rng))})

    async def adecide(self, turn: Turn, rng: np.random.Generator) -> Decision:
        """Simulate in a thread, so that several run at once."""
        return await asyncio.to_thread(self.decide, turn, rng)


def _turn(labels: Labels) -> Turn:
    return Turn(
        environment="population",
        agent="population",
        role="population",
        node="simulation",
        options=(),
        observation={},
        game=_PopulationGame(),
        interval=(0.0, 0.0),
        facts={"simulation": dict(labels)},
    )
