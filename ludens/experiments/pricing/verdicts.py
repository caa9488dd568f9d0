"""A language model's verdicts on sentences of firms' notes, compared with the keyword rules.

The keyword rules of `ludens.experiments.pricing.texts` do not understand meaning. A model classifies a sample
of the different sentences, one at a time, without knowing the rules' results. The question is ours.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ludens.agents.llm.judge_policy import JudgeGame
from ludens.experiments.measures.intervals import Estimate, wilson
from ludens.experiments.pricing.texts import RULES, Rule
from ludens.experiments.report.result import RunResult
from ludens.experiments.runs.columns import Column
from ludens.experiments.runs.records import DecisionRecord
from ludens.experiments.runs.run import Run

KIND = "judge"
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


VERDICTS = (
    Column("sentence", "text", "the sentence of a plan"),
    Column("verdict", "text", "the kind that the model says it is of"),
    *(
        Column(rule.name, "boolean", f"whether the keyword rule says that the firm {rule.title}")
        for rule in RULES
        if rule.name in KINDS
    ),
)


@dataclass(frozen=True)
class Judged:
    """One kind of sentence, as the model and as the keyword rule see it, among the same sentences.

    Attributes:
        rule: the keyword rule.
        by_model, by_rule, by_both: the number of sentences that each classifies as this kind.
        read: the number of sentences with a readable verdict of the model.
        share: of these, the model's share of this kind; Wilson's interval.
        agreement: the share of sentences on which both agree about this kind.
    """

    rule: Rule
    by_model: int
    by_rule: int
    by_both: int
    read: int
    share: Estimate
    agreement: Estimate


@dataclass(frozen=True, kw_only=True, repr=False)
class JudgeResult(RunResult):
    """The measures of a judge's run.

    Attributes:
        judged: one for each kind of sentence.
        said: the kind of each sentence, by the model; None where its reply was unreadable.
    """

    judged: tuple[Judged, ...]
    said: Mapping[str, str | None]


def beside(source: str | os.PathLike[str]) -> Path:
    """Return the file beside a pricing run that keeps the verdicts which enter its report."""
    return Path(source).with_suffix(".judge.db")


def measured(run: Run) -> JudgeResult:
    """Measure a judge's run as it stands on disk, finished or not, without asking anything.

    Raises:
        NoRunError: the run is not one of a judge.
    """
    run.manifest_of(KIND)
    decisions = run.decisions()
    said = _said(decisions)
    return JudgeResult.of(run, decisions, judged=_judged(said), said=said)


def verdicts(run: Run, among: Collection[str] | None = None) -> tuple[Judged, ...]:
    """Return the verdicts of a judge's run by kind of sentence.

    Args:
        run: of a judge, finished or not.
        among: the sentences that count; None for all.
    """
    said = _said(run.decisions())
    return _judged({text: kind for text, kind in said.items() if among is None or text in among})


def _said(decisions: Collection[DecisionRecord]) -> dict[str, str | None]:
    said: dict[str, str | None] = {}
    for record in decisions:
        said[record.labels["sentence"]] = record.choice
    return said


def _judged(said: Mapping[str, str | None]) -> tuple[Judged, ...]:
    read = {text: kind for text, kind in said.items() if kind is not None}
    return tuple(_of(rule, read) for rule in RULES if rule.name in KINDS)


def _of(rule: Rule, said: Mapping[str, str]) -> Judged:
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
