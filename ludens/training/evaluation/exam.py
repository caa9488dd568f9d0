"""An exam: every question of the sets put to every contender, into a run that is kept and goes on where it
broke off.

A contender is a policy with a label: a model asked to think first (as the tuned one was taught), the same
model asked for a letter at once, the model under a persona, or an oracle. Each answers each question once; a
sampled answer at temperature 1 is the model's own choice, and what is not readable stays unreadable.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ludens.agents.policy import Policy
from ludens.errors import UsageError
from ludens.experiments.bench.bench import CONCURRENCY
from ludens.experiments.bench.suite import is_language_model, named
from ludens.experiments.runs.blocking import run_blocking
from ludens.experiments.runs.database import NoRunError
from ludens.experiments.runs.recorder import OnProgress, Recorder
from ludens.experiments.runs.records import DecisionRecord, EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import PlayOne, run_episodes, unplayed
from ludens.experiments.runs.store import Store, create_run
from ludens.training.evaluation.sets import Question

KIND = "exam"


@dataclass(frozen=True)
class Contender:
    """Who is asked, and how.

    Attributes:
        label: the name in tables.
        spec: of the policy, with its settings, as `make_policy` takes it.
        sets: names of the sets that it is asked; None for all.
    """

    label: str
    spec: Mapping[str, Any]
    sets: tuple[str, ...] | None = None

    def policy(self, framing: str, order: int) -> Policy:
        """The policy, set to a wording.

        Raises:
            UsageError: it cannot be made.
        """
        from ludens.agents.registry import make_policy

        settings = dict(self.spec)
        if is_language_model(named(settings)):
            settings |= {"framing": framing, "order": order}
        return make_policy(settings if len(settings) > 1 else settings["spec"])


def contender(label: str, model: str, **settings: Any) -> Contender:
    """A language model or another policy under test.

    Args:
        label: the name in tables.
        model: the spec of the policy, for example ``"local/smollm2-135m"`` or ``"homo_moralis:0.5"``.
        settings: of `LLMPolicy`; unreadable replies are not asked again, as a tuned model has learnt no talk.
    """
    sets = settings.pop("sets", None)
    if "/" in model:
        settings = {"retries": 0, "temperature": 1.0, "format": "letter"} | settings
    return Contender(label, {"spec": model, **settings}, None if sets is None else tuple(sets))


def specs(contenders: Sequence[Contender], questions: Sequence[Question]) -> list[EpisodeSpec]:
    """Every question of every contender as an episode."""
    labels = [
        {"policy": who.label, "protocol": None, **question.labels()}
        for who in contenders
        for question in questions
        if who.sets is None or question.set in who.sets
    ]
    return [EpisodeSpec(index, entry) for index, entry in enumerate(labels)]


def examine(
    contenders: Sequence[Contender],
    questions: Sequence[Question],
    path: str | os.PathLike[str],
    *,
    seed: int = 0,
    concurrency: int = CONCURRENCY,
    progress: OnProgress | None = None,
) -> Run:
    """Ask what is still to be asked; an exam that is done is returned as it is.

    Args:
        contenders: who is asked, with labels that differ.
        questions: of all sets.
        path: the run's file, new or of this very exam.
        seed: root of all chance.
        concurrency: how many questions are open at once.
        progress: called after every decision.

    Raises:
        UsageError: labels are not distinct, a policy cannot be made, or the file holds another exam.
        StoreError: the run cannot be written.
        LudensError: a model cannot be reached; what was answered is kept.
        RunInterrupted: Ctrl-C; likewise.
    """
    labels = [who.label for who in contenders]
    if len(set(labels)) < len(labels) or not labels:
        raise UsageError(f"An exam needs contenders with labels of their own; got {labels}.")
    planned = specs(contenders, questions)
    play_one = _player(contenders, planned)
    target = Path(path)
    if target.exists():
        with Run(target) as run:
            manifest, found = run.manifest, [dict(record.labels) for record in run.episodes()]
        if manifest["kind"] != KIND:
            raise NoRunError(f"{target} is a run of {manifest['kind']}, not an exam: name another folder.")
        if found != [dict(spec.labels) for spec in planned] or manifest["seed"] != seed:
            raise UsageError(f"{target} holds another exam: name another folder, or remove it.")
        if manifest["status"] == "done":
            return Run(target)
        store = Store(target)
    else:
        config = {"contenders": [{"label": who.label, **who.spec} for who in contenders]}
        store = create_run(target, KIND, config, planned, seed)
    job = run_episodes(store, planned, play_one, concurrency=concurrency, progress=progress)
    run_blocking(store, job)
    return Run(target)


def read_exam(path: str | os.PathLike[str]) -> tuple[list[EpisodeRecord], list[DecisionRecord]]:
    """The questions of an exam, and the answers so far.

    Raises:
        NoRunError: the file holds none.
    """
    with Run(path) as run:
        if run.manifest["kind"] != KIND:
            raise NoRunError(f"{path} is a run of {run.manifest['kind']}, not an exam.")
        return run.episodes(), run.decisions()


def _player(contenders: Sequence[Contender], planned: Sequence[EpisodeSpec]) -> PlayOne:
    by_label = {who.label: who for who in contenders}
    wordings = {(spec.labels["policy"], spec.labels["framing"], spec.labels["order"]) for spec in planned}
    policies = {key: by_label[key[0]].policy(key[1], key[2]) for key in sorted(wordings)}

    async def play_one(spec: EpisodeSpec, seat: Recorder, seeds: np.random.SeedSequence) -> EpisodeRecord:
        labels = spec.labels
        policy = policies[labels["policy"], labels["framing"], labels["order"]]
        turn = Question.of(labels).turn
        decision = await seat.decide(policy, turn)
        if decision.status == "valid":
            return EpisodeRecord(spec.index, labels, "done")
        return unplayed(spec, turn, replace(decision, on_invalid="drop"), {}, labels["policy"])

    return play_one
