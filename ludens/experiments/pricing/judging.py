"""A language model as a second reader of firms' notes: what kind of sentence is it?

The keyword rules of `ludens.experiments.pricing.texts` see words and no meaning. A model reads a sample of
the different sentences, one at a time, without knowing what the rules say of them, and its verdicts stand
beside theirs. The question is ours. Verdicts are kept in a run of their own: none is paid for twice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ludens.agents.llm.judge_policy import JudgeGame, JudgePolicy
from ludens.agents.policy import Decision
from ludens.errors import UsageError
from ludens.experiments.measures.intervals import Estimate, wilson
from ludens.experiments.pricing.panels import Panel
from ludens.experiments.pricing.texts import FIELDS, RULES, Rule, split
from ludens.experiments.runs.blocking import run_blocking
from ludens.experiments.runs.database import NoRunError
from ludens.experiments.runs.recorder import OnProgress, Recorder
from ludens.experiments.runs.records import EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import run_episodes, unplayed
from ludens.experiments.runs.store import Store, create_run

KIND = "judge"
SAMPLE = 100
"""Different sentences that are read at most."""

NONE = "none of these"
KINDS: Mapping[str, str] = {
    "price_war_avoidance": "it wants to avoid a price war, or retaliation",
    "undercutting": "it wants to set a price below the competitor's",
    "cooperation": "it wants both firms to earn well together, or to keep prices high in common",
    NONE: "none of these",
}
"""What a sentence can be, as the model is asked; the names but the last are those of keyword rules."""

QUESTION = """A firm that sets its price anew in every period writes notes to itself. Here is one sentence:

{sentence}

What does the sentence say the firm wants?
{options}

Answer with one letter only."""

GAME = JudgeGame(QUESTION, KINDS)


@dataclass(frozen=True)
class Judged:
    """One kind of sentence, as the model and as the keyword rule see it, among the same sentences.

    Attributes:
        rule: the keyword rule.
        by_model, by_rule, by_both: how many sentences each takes for this kind.
        read: how many the model gave a readable verdict on.
        share: of these, by the model; Wilson's interval.
        agreement: the share of sentences on which both say the same of this kind.
    """

    rule: Rule
    by_model: int
    by_rule: int
    by_both: int
    read: int
    share: Estimate
    agreement: Estimate


def judge(
    panel: Panel,
    model: str,
    path: str | os.PathLike[str],
    *,
    sample: int = SAMPLE,
    seed: int = 0,
    api_base: str | None = None,
    concurrency: int = 8,
    progress: OnProgress | None = None,
) -> tuple[Judged, ...]:
    """Let a model read sentences of a panel's notes, and set its verdicts beside the keyword rules'.

    Args:
        panel: with its notes; sentences are taken from runs that are done.
        model: the judge's LiteLLM id.
        path: the file that keeps the verdicts; one that holds the same questions is gone on with.
        sample: how many different sentences are drawn at most.
        seed: of the draw.
        api_base: address of an OpenAI-compatible server for the judge.
        concurrency: how many are read at once.
        progress: called after each verdict.

    Returns:
        One per kind; empty if there are no sentences.

    Raises:
        UsageError: the file holds other questions.
        LudensError: the model cannot be reached; verdicts so far are kept.
    """
    sentences = _drawn(panel, sample, seed)
    if not sentences:
        return ()
    policy = JudgePolicy(model, api_base=api_base)
    specs = [EpisodeSpec(number, {"sentence": text}) for number, text in enumerate(sentences)]
    store = _store(Path(path), policy, specs, seed)

    async def ask(spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence) -> EpisodeRecord:
        turn = GAME.turn(spec.labels["sentence"])
        decision = await recorder.decide(policy, turn)
        if decision.action is None:
            return unplayed(spec, turn, decision, {"judge": 0.0}, policy.name)
        return EpisodeRecord(spec.index, spec.labels, "done")

    job = run_episodes(store, specs, ask, concurrency=concurrency, progress=progress, abort_run=False)
    run_blocking(store, job)
    return verdicts(Run(path))


def verdicts(run: Run) -> tuple[Judged, ...]:
    """What a run of a judge found."""
    said: dict[str, str] = {}
    for record in run.decisions():
        decision = record.decision
        if isinstance(decision, Decision) and decision.action is not None:
            said[record.labels["sentence"]] = record.options[int(decision.action)]
    return tuple(_judged(rule, said) for rule in RULES if rule.name in KINDS)


def _judged(rule: Rule, said: Mapping[str, str]) -> Judged:
    pairs = [(kind == rule.name, rule.matches(sentence)) for sentence, kind in said.items()]
    by_model = sum(first for first, _ in pairs)
    return Judged(
        rule,
        by_model=by_model,
        by_rule=sum(second for _, second in pairs),
        by_both=sum(first and second for first, second in pairs),
        read=len(pairs),
        share=wilson(by_model, len(pairs)),
        agreement=wilson(sum(first == second for first, second in pairs), len(pairs)),
    )


def _drawn(panel: Panel, sample: int, seed: int) -> list[str]:
    """Different sentences of runs that are done, in the order in which they were first written."""
    found = dict.fromkeys(
        sentence
        for note in panel.notes
        if panel.complete[note.run]
        for name in FIELDS
        for sentence in split(note.texts.get(name, ""))
    )
    texts = list(found)
    if len(texts) <= sample:
        return texts
    chosen = np.random.default_rng(seed).choice(len(texts), size=sample, replace=False)
    return [texts[number] for number in sorted(chosen.tolist())]


def _store(path: Path, policy: JudgePolicy, specs: list[EpisodeSpec], seed: int) -> Store:
    if not path.exists():
        return create_run(path, KIND, {"judge": policy.describe()}, specs, seed)
    with Run(path) as run:
        manifest, episodes = run.manifest, run.episodes()
    if manifest["kind"] != KIND:
        raise NoRunError(f"{path} is a run of {manifest['kind']} and not of a judge: move it away.")
    same = [dict(each.labels) for each in episodes] == [dict(spec.labels) for spec in specs]
    if not same or manifest["config"]["judge"] != policy.describe():
        raise UsageError(f"{path} holds the verdicts of another judge, or on other sentences: move it away.")
    return Store(path)
