"""Ask respondents about dilemmas, into a run on disk that can be resumed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ludens.agents.policy import Policy
from ludens.agents.registry import make_policy
from ludens.envs.av.dilemma.env import dilemma_turn
from ludens.envs.av.dilemma.vignette import Vignette
from ludens.experiments.av.setup import (
    FRAMINGS,
    KIND,
    OWN,
    REFERENCES,
    DilemmaSetup,
    Respondent,
    dilemma_setup,
    is_worded,
    stored_setup,
)
from ludens.experiments.runs.blocking import run_blocking
from ludens.experiments.runs.database import NoRunError
from ludens.experiments.runs.recorder import OnProgress, Recorder
from ludens.experiments.runs.records import EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import check_resumable, run_episodes, unplayed
from ludens.experiments.runs.seeds import check_seed
from ludens.experiments.runs.store import Store, create_run


def ask(
    models: Sequence[Respondent],
    *,
    studies: Sequence[int] | None = None,
    design: Sequence[Vignette] | None = None,
    perspectives: Sequence[str] = ("passenger",),
    framings: Sequence[str] = FRAMINGS,
    replicates: int = 1,
    references: Sequence[Respondent] = REFERENCES,
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
    concurrency: int = 8,
    progress: OnProgress | None = None,
    **settings: Any,
) -> Run:
    """Put every vignette of a design to every respondent, and keep the answers.

    Language models are asked in every framing and in both orders of telling; others once. A reply that stays
    unreadable and a refusal are kept as such, and nothing is put in their place.

    Args:
        models: the respondents under test: policies, names (`ludens.agents.make_policy`), or mappings with a
            ``"spec"``.
        studies: numbers from 1 to 6; 1, 2 and 3 where neither they nor a design are given.
        design: vignettes of one's own in their place (`ludens.envs.av.dilemma.studies.free_design` makes
            some).
        perspectives: the eyes through which the studies are seen.
        framings: wordings for language models.
        replicates: how often each is asked each question in each wording.
        references: respondents to compare with.
        seed: the root of the run's tree of seeds; the same seed gives the same run at every concurrency.
        path: the run's file; None for a new name under ``runs/``.
        concurrency: how many questions are open at once.
        progress: called after each decision and each question.
        settings: of language models, for those that do not set them themselves (``persona=…``).

    Raises:
        UsageError: an argument is wrong; nothing was written.
        StoreError: the run cannot be written.
        LudensError: a model cannot be reached; what was answered is kept.
        RunInterrupted: Ctrl-C; what was answered is kept.
    """
    setup = dilemma_setup(
        models, studies=studies, design=design, perspectives=perspectives, framings=framings,
        replicates=replicates, references=references, seed=check_seed(seed), concurrency=concurrency,
        settings=settings,
    )  # fmt: skip
    job = _Job(setup)
    store = create_run(path, KIND, setup.config, setup.specs, setup.seed)
    run_blocking(store, job.run(store, progress))
    return Run(store.path)


def resume_ask(
    path: str | os.PathLike[str], *, concurrency: int | None = None, progress: OnProgress | None = None
) -> Run:
    """Go on with a run that broke off, wherever it did; one that is done is returned as it is.

    Raises:
        NoRunError: the file is no run of the dilemma.
        StoreError: another process has it, or a policy aborted it.
        UsageError: a respondent was a Python object.
    """
    with Run(path) as run:
        manifest = check_kind(run)
    if manifest["status"] == "done":
        return Run(path)
    check_resumable(manifest, path)
    job = _Job(stored_setup(manifest, path, concurrency))
    store = Store(path)
    run_blocking(store, job.run(store, progress))
    return Run(path)


def check_kind(run: Run) -> dict[str, Any]:
    """The manifest of a run of the dilemma.

    Raises:
        NoRunError: it is none.
    """
    manifest = run.manifest
    if manifest["kind"] != KIND:
        raise NoRunError(
            f"{run.path} is a run of {manifest['kind']}, not of {KIND}: `ludens show {run.path}`."
        )
    return manifest


class _Job:
    """A run about to be played: its policies, each in every wording, and how one question is put."""

    def __init__(self, setup: DilemmaSetup) -> None:
        self.setup = setup
        wordings = {(each["policy"], each["framing"], each["order"]) for each in self._all_labels()}
        self._policies = {wording: self._policy(*wording) for wording in sorted(wordings)}

    async def run(self, store: Store, progress: OnProgress | None) -> None:
        await run_episodes(
            store, self.setup.specs, self.play_one, concurrency=self.setup.concurrency, progress=progress
        )

    async def play_one(
        self, spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence
    ) -> EpisodeRecord:
        labels = spec.labels
        study, vignette = self.setup.design[labels["question"]]
        turn = dilemma_turn(vignette, protocol=None if study == OWN else study)
        policy = self._policies[labels["policy"], labels["framing"], labels["order"]]
        decision = await recorder.decide(policy, turn)
        if decision.action is not None:
            survival = vignette.survival(vignette.swerving(int(decision.action)))
            return EpisodeRecord(spec.index, labels, "done", {turn.agent: survival})
        # Nobody is worse off for an answer that could not be read.
        kept = decision if decision.on_invalid == "abort" else replace(decision, on_invalid="drop")
        return unplayed(spec, turn, kept, {turn.agent: 0.0}, labels["policy"])

    def _all_labels(self) -> list[Mapping[str, Any]]:
        return [spec.labels for spec in self.setup.specs]

    def _policy(self, label: str, framing: str, order: int) -> Policy:
        policy = self.setup.respondents[label]
        if not is_worded(policy):
            return policy
        from ludens.agents.llm.choice_policy import LLMPolicy

        if isinstance(policy, LLMPolicy):
            return make_policy(policy.describe() | policy.options | {"framing": framing, "order": order})
        return policy
