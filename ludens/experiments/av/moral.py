"""Put scenarios of the Moral Machine to respondents, into a run that can be resumed; measure the effects."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ludens.agents.policy import BeliefReport, Policy
from ludens.agents.registry import make_policy
from ludens.envs.av.moral_machine.env import moral_turn
from ludens.envs.av.moral_machine.scenarios import Scenarios, draw_scenarios
from ludens.envs.av.registration import MORAL_MACHINE
from ludens.errors import UsageError
from ludens.experiments.av.amce import PEOPLE, Effect, distance, effects
from ludens.experiments.measures.intervals import Estimate, wilson
from ludens.experiments.runs.blocking import run_blocking
from ludens.experiments.runs.database import NoRunError
from ludens.experiments.runs.recorder import OnProgress, Recorder
from ludens.experiments.runs.records import EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import check_concurrency, check_resumable, run_episodes, unplayed
from ludens.experiments.runs.seeds import check_seed
from ludens.experiments.runs.store import Store, create_run

KIND = "moral_machine"


@dataclass(frozen=True)
class MoralMeasures:
    """What one respondent's answers reveal.

    Attributes:
        policy: its label.
        effects: the nine AMCEs, see `ludens.experiments.av.amce`.
        distance: to people, over the nine; NaN where one is missing.
        first: how often the group told first was spared: one half, unless the place mattered.
        answered, invalid, refused: numbers of scenarios.
    """

    policy: str
    effects: Mapping[str, Effect]
    distance: float
    first: Estimate
    answered: int
    invalid: int
    refused: int


def moral_machine(
    policies: Sequence[Policy | str | Mapping[str, Any]],
    *,
    scenarios: int = 300,
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
    concurrency: int = 8,
    progress: OnProgress | None = None,
    **settings: Any,
) -> Run:
    """Put the same scenarios to every respondent, and keep the answers.

    Args:
        policies: policies, or what `ludens.agents.make_policy` takes.
        scenarios: how many.
        seed: of the scenarios and of all other chance.
        path: the run's file; None for a new name under ``runs/``.
        concurrency: how many questions are open at once.
        progress: called after each decision.
        settings: of language models.

    Raises:
        UsageError: an argument is wrong; nothing was written.
        StoreError: the run cannot be written.
        LudensError: a model cannot be reached; what was answered is kept.
    """
    if isinstance(policies, str | Policy | Mapping) or not policies:
        raise UsageError("Name at least one respondent, as a list; for example ['local/smollm2-135m'].")
    check_concurrency(concurrency)
    drawn = draw_scenarios(scenarios, seed=check_seed(seed))
    made = [each if isinstance(each, Policy) else _made(each, settings) for each in policies]
    named = {policy.name: policy for policy in made}
    if len(named) < len(made):
        raise UsageError("Two respondents have the same name; name each once.")
    specs = [
        EpisodeSpec(index, {"policy": label, "scenario": place})
        for index, (label, place) in enumerate(
            (label, place) for label in named for place in range(scenarios)
        )
    ]
    config = {
        "respondents": [policy.describe() for policy in named.values()],
        "labels": list(named),
        "scenarios": scenarios,
        "concurrency": concurrency,
    }
    store = create_run(path, KIND, config, specs, seed)
    run_blocking(store, _Job(store, specs, named, drawn).run(concurrency, progress))
    return Run(store.path)


def resume_moral_machine(
    path: str | os.PathLike[str], *, concurrency: int | None = None, progress: OnProgress | None = None
) -> Run:
    """Go on with a run that broke off; one that is done is returned as it is.

    Raises:
        NoRunError: the file is no such run.
        UsageError: a respondent was a Python object, which its file cannot describe.
    """
    with Run(path) as run:
        manifest = _manifest(run)
    if manifest["status"] == "done":
        return Run(path)
    check_resumable(manifest, path)
    config = manifest["config"]
    named = {}
    for label, description in zip(config["labels"], config["respondents"], strict=True):
        if "spec" not in description:
            raise UsageError(
                f"The respondent {label!r} of {path} was a Python object, which its file cannot describe: "
                "start anew."
            )
        named[label] = make_policy(description, MORAL_MACHINE.environment)
    drawn = draw_scenarios(config["scenarios"], seed=manifest["seed"])
    store = Store(path)
    specs = [EpisodeSpec(record.index, record.labels) for record in store.episodes()]
    open_at_once = config["concurrency"] if concurrency is None else concurrency
    run_blocking(store, _Job(store, specs, named, drawn).run(open_at_once, progress))
    return Run(path)


def measure_moral_machine(run: Run | str | os.PathLike[str]) -> tuple[MoralMeasures, ...]:
    """The effects of every respondent of a run, finished or not.

    A model's probabilities enter as they are; scenarios without an answer are left out, and counted.

    Raises:
        NoRunError: the file is no such run.
    """
    with Run(run.path if isinstance(run, Run) else run) as opened:
        manifest, decisions = _manifest(opened), opened.decisions()
    config = manifest["config"]
    drawn = draw_scenarios(config["scenarios"], seed=manifest["seed"])
    found = []
    for label in config["labels"]:
        spared = np.full(len(drawn), math.nan)
        status = {"invalid": 0, "refused": 0}
        for record in decisions:
            decision = record.decision
            if record.labels["policy"] != label or isinstance(decision, BeliefReport):
                continue
            if decision.status != "valid" or decision.action is None:
                status[decision.status] += 1
                continue
            known = decision.probabilities
            spared[record.labels["scenario"]] = known[0] if known is not None else 1.0 - decision.action
        read = int((~np.isnan(spared)).sum())
        measured = effects(drawn, spared)
        found.append(
            MoralMeasures(
                label,
                measured,
                distance({name: effect.value for name, effect in measured.items()}),
                wilson(float(np.nansum(spared)), read),
                read,
                status["invalid"],
                status["refused"],
            )
        )
    return tuple(found)


def to_json(run: Run | str | os.PathLike[str]) -> dict[str, Any]:
    """Everything measured on a run, as JSON values; None stands where there is no number."""
    path = run.path if isinstance(run, Run) else run

    def plain(value: float) -> float | None:
        return None if math.isnan(value) else value

    return {
        "run": str(path),
        "people": dict(PEOPLE),
        "respondents": [
            {
                "policy": each.policy,
                "effects": {
                    name: {key: plain(value) for key, value in asdict(effect).items()}
                    for name, effect in each.effects.items()
                },
                "distance": plain(each.distance),
                "first": asdict(each.first),
                "answered": each.answered,
                "invalid": each.invalid,
                "refused": each.refused,
            }
            for each in measure_moral_machine(path)
        ],
    }


def _made(given: str | Mapping[str, Any], settings: Mapping[str, Any]) -> Policy:
    return make_policy(given, MORAL_MACHINE.environment, **settings)


def _manifest(run: Run) -> dict[str, Any]:
    manifest = run.manifest
    if manifest["kind"] != KIND:
        raise NoRunError(
            f"{run.path} is a run of {manifest['kind']}, not of {KIND}: `ludens show {run.path}`."
        )
    return manifest


@dataclass(frozen=True)
class _Job:
    """A run about to be played: one scenario of one respondent is an episode."""

    store: Store
    specs: Sequence[EpisodeSpec]
    named: Mapping[str, Policy]
    drawn: Scenarios

    async def run(self, concurrency: int, progress: OnProgress | None) -> None:
        await run_episodes(self.store, self.specs, self.play_one, concurrency=concurrency, progress=progress)

    async def play_one(
        self, spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence
    ) -> EpisodeRecord:
        label = spec.labels["policy"]
        turn = moral_turn(self.drawn, spec.labels["scenario"])
        decision = await recorder.decide(self.named[label], turn)
        if decision.action is not None:
            return EpisodeRecord(spec.index, spec.labels, "done", {turn.agent: 1.0})
        # Nobody is worse off for an answer that could not be read.
        kept = decision if decision.on_invalid == "abort" else replace(decision, on_invalid="drop")
        return unplayed(spec, turn, kept, {turn.agent: 0.0}, label)
