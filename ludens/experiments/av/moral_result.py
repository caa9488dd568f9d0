"""The measures of a Moral Machine run, as JSON and as rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ludens.agents.policy import BeliefReport
from ludens.envs.av.moral_machine.scenarios import Scenarios
from ludens.experiments.av.amce import PEOPLE, Effect, distance, effects
from ludens.experiments.measures.intervals import Estimate, wilson
from ludens.experiments.report.result import RunResult
from ludens.experiments.runs.columns import Column
from ludens.experiments.runs.files import plain
from ludens.experiments.runs.records import DecisionRecord
from ludens.experiments.runs.run import Run


@dataclass(frozen=True)
class MoralMeasures:
    """The measures of one policy's answers.

    Attributes:
        policy: its label.
        effects: the nine AMCEs, see `ludens.experiments.av.amce`.
        distance: to people, over the nine; NaN where one is missing.
        first: how often the group named first was spared: one half unless the order mattered.
        answered, invalid, refused, low_mass: numbers of scenarios, by what became of them.
    """

    policy: str
    effects: Mapping[str, Effect]
    distance: float
    first: Estimate
    answered: int
    invalid: int
    refused: int
    low_mass: int


@dataclass(frozen=True, kw_only=True, repr=False)
class MoralResult(RunResult):
    """The measures of a Moral Machine run.

    Attributes:
        measures: one per policy.
        scenarios: how many each policy is asked about.
    """

    measures: tuple[MoralMeasures, ...]
    scenarios: int


def measured(run: Run, policies: Sequence[str], scenarios: Scenarios) -> MoralResult:
    """Measure a run as it stands on disk, finished or not, without asking anything.

    A model's probabilities enter as they are; scenarios without an answer are left out, and counted.

    Args:
        run: of the Moral Machine.
        policies: their labels, in the order of the tables.
        scenarios: all that the run asks about.
    """
    decisions = run.decisions()
    return MoralResult.of(
        run,
        decisions,
        measures=tuple(
            _measures(label, [each for each in decisions if each.labels["policy"] == label], scenarios)
            for label in policies
        ),
        scenarios=len(scenarios),
    )


def to_json(result: MoralResult) -> dict[str, Any]:
    """Return everything measured as JSON values; None stands where there is no number."""
    measures = [
        asdict(each) | {"effects": {name: asdict(effect) for name, effect in each.effects.items()}}
        for each in result.measures
    ]
    return {
        **result.as_json(),
        "scenarios": result.scenarios,
        "people": dict(PEOPLE),
        "policies": plain(measures),
    }


EFFECTS = (
    Column("policy", "text", "the policy's label"),
    Column("attribute", "text", "the attribute of characters whose effect it is"),
    Column("value", "number", "the effect on the chance to be spared, in [−1, 1]", "share", "no answers"),
    Column("low", "number", "the lower end of its 95 % interval", "share", "no interval"),
    Column("high", "number", "the upper end of its 95 % interval", "share", "no interval"),
    Column("error", "number", "its standard error", "share", "too few answers"),
    Column("n", "integer", "scenarios behind it"),
    Column("people", "number", "the effect among people", "share"),
)


def effect_rows(result: MoralResult) -> Iterator[dict[str, Any]]:
    """Yield every effect as a row: policy, attribute, value, interval, standard error, number of scenarios,
    and the value of people. Effects lie in [−1, 1]; None stands where there is no number.
    """
    for each in result.measures:
        yield from rows_of(each.policy, each.effects)


def rows_of(label: str, measured: Mapping[str, Effect]) -> Iterator[dict[str, Any]]:
    """Yield the effects of one policy, or of the people in one file, as rows of `EFFECTS`."""
    for attribute, effect in measured.items():
        low, high = effect.interval
        row = {
            "policy": label,
            "attribute": attribute,
            "value": effect.value,
            "low": low,
            "high": high,
            "error": effect.error,
            "n": effect.scenarios,
            "people": PEOPLE[attribute],
        }
        yield plain(row)


def _measures(label: str, decisions: Iterable[DecisionRecord], scenarios: Scenarios) -> MoralMeasures:
    spared = np.full(len(scenarios), math.nan)
    status = {"invalid": 0, "refused": 0, "low_mass": 0}
    for record in decisions:
        decision = record.decision
        if isinstance(decision, BeliefReport):
            continue
        if decision.status != "valid" or decision.action is None:
            status[decision.status] += 1
            continue
        known = decision.probabilities
        spared[record.labels["scenario"]] = known[0] if known is not None else 1.0 - decision.action
    read = int((~np.isnan(spared)).sum())
    measured = effects(scenarios, spared)
    return MoralMeasures(
        label,
        measured,
        distance({name: effect.value for name, effect in measured.items()}),
        wilson(float(np.nansum(spared)), read),
        read,
        status["invalid"],
        status["refused"],
        status["low_mass"],
    )
