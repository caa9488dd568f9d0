"""A language model as a second reader of firms' notes, which classifies their sentences.

A question is one sentence of the notes of a pricing run. Verdicts are stored in a separate run, so that none
is paid for twice. `ludens.experiments.pricing.verdicts` measures them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ludens.agents.llm.judge_policy import JudgePolicy
from ludens.agents.policy import Policy
from ludens.agents.registry import is_model_id
from ludens.agents.specs import make, unfold
from ludens.envs import Turn
from ludens.errors import UsageError
from ludens.experiments.pricing.config import RunPath
from ludens.experiments.pricing.reading import panel
from ludens.experiments.pricing.texts import RULES, sentences_of
from ludens.experiments.pricing.verdicts import (
    GAME,
    KIND,
    KINDS,
    VERDICTS,
    Judged,
    JudgeResult,
    beside,
    measured,
)
from ludens.experiments.runs.files import plain
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.runs.run import Run
from ludens.experiments.study.base import Columns, Labels, Rows
from ludens.experiments.study.config import Count, PolicyLike, PolicySpec, StudyConfig
from ludens.experiments.study.engine import complete
from ludens.experiments.study.questions import QuestionStudy

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.report.page import Page


class JudgeConfig(StudyConfig):
    """The configuration of a judge: the run whose notes are read, and the model.

    Attributes:
        source: the pricing run's file; sentences are taken from its runs of the market that are done.
        judge: a language model; a mapping adds settings (``{"spec": "openai/x", "api_base": …}``), see
            `ludens.agents.llm.judge_policy.JudgePolicy`.
        sample: how many different sentences are drawn at most.
        seed: the root of the run's tree of seeds, and of the draw.

    Raises:
        UsageError: a value is wrong; the message names its key.
    """

    kind: ClassVar[str] = KIND

    source: RunPath
    judge: PolicySpec
    sample: Count = 100


class JudgeStudy(QuestionStudy[JudgeConfig, JudgeResult]):
    """A language model's verdicts on sentences that firms wrote."""

    config_type = JudgeConfig
    columns: ClassVar[Columns] = {"verdicts": VERDICTS}
    title = "a model's verdicts on sentences of a pricing run's notes"
    abort_run: ClassVar[bool] = False

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The different sentences to read, in the order in which they were first written.

        Raises:
            NoRunError: the source is not a pricing run.
        """
        texts = sentences_of(panel(self.config.source))
        if len(texts) <= self.config.sample:
            return texts
        rng = np.random.default_rng(self.config.seed)
        chosen = rng.choice(len(texts), size=self.config.sample, replace=False)
        return tuple(texts[number] for number in sorted(chosen.tolist()))

    def cast(self) -> Mapping[str, PolicyLike]:
        """Return the judge."""
        return {"judge": self.config.judge}

    def episodes(self) -> Sequence[Labels]:
        """Return a question for each sentence.

        Raises:
            UsageError: there is no sentence.
        """
        if not self.sentences:
            raise UsageError(
                f"judge.source: {self.config.source} holds no notes of a run of the market that is done: "
                "there is nothing to judge."
            )
        return [{"sentence": text} for text in self.sentences]

    def turn(self, labels: Labels) -> Turn:
        """Return the question about a sentence."""
        return GAME.turn(labels["sentence"])

    def policy(self, label: str, framing: str, order: int) -> Policy:
        """Make the judge.

        Raises:
            UsageError: it cannot be made.
        """
        given = self.config.judge
        return given if isinstance(given, Policy) else judge_policy(given)

    def measure(self, run: Run) -> JudgeResult:
        """Measure a run as it stands, finished or not; the source is not needed."""
        return measured(run)

    def page(self, result: JudgeResult) -> Page:
        """Return the report."""
        from ludens.experiments.pricing.judge_page import page

        return page(result)

    def show(self, result: JudgeResult, console: Console) -> None:
        """Print the number of sentences of each kind."""
        from ludens.experiments.pricing.terminal import print_verdicts

        print_verdicts(result, console)

    def as_json(self, result: JudgeResult) -> dict[str, Any]:
        """Return the verdicts as JSON values, by kind and by sentence."""
        return {
            **result.as_json(),
            "judged": [plain(asdict(each)) for each in result.judged],
            "verdicts": dict(result.said),
        }

    def tables(self, result: JudgeResult) -> Mapping[str, Rows]:
        """Return one row for each sentence: the model's verdict, and whether each keyword rule matches."""
        rules = [rule for rule in RULES if rule.name in KINDS]
        return {
            "verdicts": [
                {"sentence": text, "verdict": kind, **{rule.name: rule.matches(text) for rule in rules}}
                for text, kind in result.said.items()
            ]
        }


def judge_policy(given: str | Mapping[str, Any]) -> JudgePolicy:
    """Make a judge from its specification.

    Raises:
        UsageError: it is no language model, or has no such settings.
    """
    name, settings = unfold(given)
    if not isinstance(name, str) or not is_model_id(name):
        raise UsageError(
            f"judge.judge: A judge is a language model, such as openai/gpt-5-mini; got {name!r}."
        )
    try:
        made: JudgePolicy = make(JudgePolicy, name, settings, name)  # type: ignore[assignment]  # of its class
        return made
    except UsageError as error:
        raise UsageError(f"judge.judge: {error}") from None


def judge(
    source: str | os.PathLike[str],
    model: PolicyLike,
    *,
    path: str | os.PathLike[str] | None = None,
    progress: OnProgress | None = None,
    **config: Any,
) -> tuple[Judged, ...]:
    """Let a model classify sentences of a pricing run's notes, and compare it with the keyword rules.

    Args:
        source: the pricing run's file.
        model: the judge: its LiteLLM id, or a mapping with that under ``"spec"`` and settings beside it.
        path: the file that keeps the verdicts; one with the same questions is continued. None for
            the one beside the source, which ends in ``.judge.db`` and enters the reports of the source.
        progress: called after each verdict.
        config: the other keys of `JudgeConfig` (``sample``, ``seed``, ``concurrency``).

    Returns:
        One per kind; empty, and no file written, if there are no sentences.

    Raises:
        NoRunError: the source is not a pricing run.
        UsageError: the file holds the verdicts of another judge, or on other sentences.
        LudensError: the model cannot be reached; verdicts so far are kept.
    """
    study = JudgeStudy(JudgeConfig(source=source, judge=model, **config))
    if not study.sentences:
        return ()
    target = beside(source) if path is None else Path(path)
    with complete(study, target, progress=progress) as run:
        if [dict(each.labels) for each in run.episodes()] != list(study.episodes()):
            raise UsageError(f"{target} holds the verdicts on other sentences: move it away.")
        return study.measure(run).judged
