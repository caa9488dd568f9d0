"""The exam as a study: every policy is asked every question of the sets, one question per episode.

The policies under test have labels: a model that is asked to think first, as the tuned one was trained to,
the same model asked for a direct answer, the model with a persona, or an oracle. Each answers each question
once. A reply sampled at temperature 1 counts as the model's choice; an unreadable reply is not asked for
again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from ludens.agents.policy import Policy
from ludens.agents.registry import is_model_id
from ludens.envs import Turn
from ludens.experiments.runs.budget import Budget
from ludens.experiments.runs.columns import Column
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.runs.run import Run
from ludens.experiments.study.base import Columns, Labels, Rows
from ludens.experiments.study.config import Count, PolicyLike, PolicySpecs, StudyConfig
from ludens.experiments.study.engine import complete
from ludens.experiments.study.questions import QuestionStudy, in_wording, named
from ludens.preferences import HOMO_ECONOMICUS, Preferences
from ludens.training.evaluation.cases import case_turn
from ludens.training.evaluation.scores import KIND
from ludens.training.evaluation.sets import Question, family_named, game_of

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.report.page import Page
    from ludens.training.evaluation.exam_report import ExamResult

CONCURRENCY = 32

_SHARES = {
    "agreement": "readable answers that are optimal for the target",
    "selfish": "readable answers that are optimal for homo economicus",
    "right": "all answers that are optimal for the target",
    "regret": "mean regret of readable answers, of the payoff range",
    "cooperation": "readable answers that take the prosocial option",
    "invalid": "replies that could not be read",
    "refused": "refusals",
    "low_mass": "answers with too little of the probability on the options",
}
SETS = (
    Column("policy", "text", "the policy's label"),
    Column("set", "text", "the set of questions; `all` is everything that it was asked"),
    Column("asked", "integer", "questions asked"),
    Column("answered", "integer", "questions answered in any way"),
    *(
        column
        for name, words in _SHARES.items()
        for column in (
            Column(name, "number", words, "share", "nothing to measure"),
            Column(f"{name}_low", "number", "the lower end of its 95 % interval", "share", "no interval"),
            Column(f"{name}_high", "number", "the upper end of its 95 % interval", "share", "no interval"),
        )
    ),
    Column(
        "oracle", "number", "choices of the target's oracle that take the prosocial option", "share", "none"
    ),
    Column(
        "answer_mass", "number", "mean probability on any of the options", "share", "no log-probabilities"
    ),
    Column("lowest_mass", "number", "the lowest of them", "share", "no log-probabilities"),
    Column("kappa", "number", "the κ that answers reveal", "", "not measured in this set"),
    Column("kappa_low", "number", "the lower end of its 95 % interval", "", "no interval"),
    Column("kappa_high", "number", "the upper end of its 95 % interval", "", "no interval"),
)


class QuestionConfig(BaseModel):
    """A question of an exam, see `ludens.training.evaluation.sets.Question`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    set: str
    case: str = ""
    family: str
    payoffs: tuple[float, ...]
    node: str
    framing: str = "neutral"
    order: int = 0

    @field_validator("case")
    @classmethod
    def _check_case(cls, case: str) -> str:
        if case:
            case_turn(case)  # refuses a text that is no case
        return case

    @field_validator("family")
    @classmethod
    def _check_family(cls, family: str, info: ValidationInfo) -> str:
        if not info.data.get("case"):
            family_named(family)  # says which there are
        return family

    @field_validator("payoffs")
    @classmethod
    def _check_payoffs(cls, payoffs: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        if "family" in info.data and not info.data.get("case"):
            game_of(info.data["family"], payoffs)  # refuses payoffs that make no game of the family
        return payoffs

    @field_validator("node")
    @classmethod
    def _check_node(cls, node: str, info: ValidationInfo) -> str:
        if {"family", "payoffs"} <= set(info.data) and not info.data.get("case"):
            family = info.data["family"]
            nodes = [each.label for each in game_of(family, info.data["payoffs"]).information_sets]
            if node not in nodes:
                raise ValueError(f"{family} has no node {node!r}; there are {', '.join(nodes)}.")
        return node

    @field_validator("framing")
    @classmethod
    def _check_framing(cls, framing: str) -> str:
        from ludens.agents.llm.prompts.games import check_framing

        return check_framing(framing)

    @field_validator("order")
    @classmethod
    def _check_order(cls, order: int, info: ValidationInfo) -> int:
        if {"family", "payoffs", "node"} <= set(info.data) and not info.data.get("case"):
            game = game_of(info.data["family"], info.data["payoffs"])
            options = len(game.information_set(info.data["node"]).options)
            if not 0 <= order < options:
                raise ValueError(
                    f"The order of {options} options is a number from 0 to {options - 1}; got {order}."
                )
        return order

    @property
    def question(self) -> Question:
        """The question itself."""
        return Question(self.set, self.family, self.payoffs, self.node, self.framing, self.order, self.case)


class ExamConfig(StudyConfig):
    """The configuration of an exam.

    Attributes:
        policies: the policies under test, with distinct labels; ``"sets"`` in a mapping limits a policy to
            the sets with these names.
        questions: the questions of all sets; one that is given twice is asked once.
        alpha, beta, kappa: the target preferences, whose optimal options the scores count as right.

    Raises:
        UsageError: a value is wrong; the message names its key.
    """

    kind: ClassVar[str] = KIND

    policies: PolicySpecs
    questions: tuple[QuestionConfig, ...]
    alpha: float = 0.0
    beta: float = 0.0
    kappa: float = 0.0
    concurrency: Count = CONCURRENCY

    @property
    def target(self) -> Preferences:
        """The preferences whose choices are right."""
        return Preferences(self.alpha, self.beta, self.kappa)

    @field_validator("policies")
    @classmethod
    def _check_policies(cls, policies: tuple[PolicyLike, ...]) -> tuple[PolicyLike, ...]:
        labels = [named(policy)["label"] for policy in policies]
        if len(set(labels)) < len(labels) or not labels:
            raise ValueError(f"An exam needs policies with distinct labels; got {labels}.")
        for policy in policies:
            sets = named(policy).get("sets")
            if sets is not None and not _are_texts(sets):
                label = named(policy)["label"]
                raise ValueError(
                    f"The sets of policy {label!r} are a list of names, as in ['held-out']; got {sets!r}."
                )
        return policies

    @field_validator("questions")
    @classmethod
    def _check_questions(cls, questions: tuple[QuestionConfig, ...]) -> tuple[QuestionConfig, ...]:
        return tuple(dict.fromkeys(questions))

    @field_validator("alpha", "beta", "kappa")
    @classmethod
    def _check_target(cls, value: float, info: ValidationInfo) -> float:
        Preferences(**{str(info.field_name): value})  # refuses what preferences cannot have
        return value


def _are_texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)


class ExamStudy(QuestionStudy[ExamConfig, "ExamResult"]):
    """Questions about trained and other games, for tuned models and the policies they are compared with."""

    config_type = ExamConfig
    title = "questions to a tuned model and to the policies it is compared with"
    columns: ClassVar[Columns] = {"sets": SETS}
    grows = frozenset({"policies", "questions"})
    # A price that cannot be read ends a market, but no exam.
    abort_run: ClassVar[bool] = False

    @cached_property
    def policies(self) -> Mapping[str, Mapping[str, Any]]:
        """The policies under test by their labels."""
        return {spec["label"]: spec for spec in map(named, self.config.policies)}

    def cast(self) -> Mapping[str, PolicyLike]:
        """Return the policies by label."""
        return {
            label: {name: value for name, value in spec.items() if name != "sets"}
            for label, spec in self.policies.items()
        }

    def episodes(self) -> Sequence[Labels]:
        """Return every question of every policy."""
        return [
            {"policy": label, "protocol": None, **each.question.labels()}
            for label, spec in self.policies.items()
            for each in self.config.questions
            if spec.get("sets") is None or each.set in spec["sets"]
        ]

    def turn(self, labels: Labels) -> Turn:
        """Return a question as the strategy method puts it."""
        return Question.of(labels).turn

    def policy(self, label: str, framing: str, order: int) -> Policy:
        """Make the policy with this label and wording.

        Raises:
            UsageError: the policy cannot be made.
        """
        spec = {name: value for name, value in self.policies[label].items() if name != "sets"}
        return in_wording(spec, framing, order)

    def measure(self, run: Run) -> ExamResult:
        """Measure a run as it stands, finished or not."""
        from ludens.training.evaluation.exam_report import measured

        return measured(run, self.config.target)

    def page(self, result: ExamResult) -> Page:
        """Return the report."""
        from ludens.training.evaluation.exam_report import page

        return page(result)

    def show(self, result: ExamResult, console: Console) -> None:
        """Print the scores of every policy in every set."""
        from ludens.training.evaluation.exam_report import show

        show(result, console)

    def tables(self, result: ExamResult) -> Mapping[str, Rows]:
        """Return one row per policy and set."""
        return {"sets": result.rows}


@dataclass(frozen=True)
class PolicyUnderTest:
    """A policy under test.

    Attributes:
        label: the name in tables.
        spec: of the policy, with its settings, as `make_policy` takes it.
        sets: names of the sets whose questions it is asked; None for all.
    """

    label: str
    spec: Mapping[str, Any]
    sets: tuple[str, ...] | None = None

    @property
    def named(self) -> dict[str, Any]:
        """The policy as an entry of `ExamConfig.policies`."""
        limited = {} if self.sets is None else {"sets": list(self.sets)}
        return {"label": self.label, **self.spec, **limited}


def policy_under_test(label: str, model: str, **settings: Any) -> PolicyUnderTest:
    """Describe a language model or another policy under test.

    Args:
        label: the name in tables.
        model: the specification of the policy, for example ``"local/smollm2-135m"`` or
            ``"homo_moralis:0.5"``.
        settings: of `LLMPolicy`; by default unreadable replies are not asked for again, because a tuned model
            has not learnt to converse.
    """
    sets = settings.pop("sets", None)
    if is_model_id(model):
        settings = {"retries": 0, "temperature": 1.0, "format": "letter"} | settings
    return PolicyUnderTest(label, {"spec": model, **settings}, None if sets is None else tuple(sets))


def examine(
    policies: Sequence[PolicyUnderTest],
    questions: Sequence[Question],
    path: str | os.PathLike[str],
    *,
    target: Preferences = HOMO_ECONOMICUS,
    seed: int = 0,
    concurrency: int = CONCURRENCY,
    budget: Budget | None = None,
    progress: OnProgress | None = None,
) -> Run:
    """Ask the questions that are still open, and return the run; a finished exam is not changed.

    Args:
        policies: the policies under test, with distinct labels.
        questions: the questions of all sets.
        path: the run's file, new or of the same exam.
        target: the preferences whose choices are right.
        seed: root of all chance.
        concurrency: how many questions are asked concurrently.
        budget: what the run may spend.
        progress: called after every decision.

    Raises:
        UsageError: labels are not distinct, a policy cannot be made, a question is of no game, or the file
            holds another exam.
        StoreError: the run cannot be written.
        LudensError: a model cannot be reached; the answers so far are kept.
        RunInterrupted: Ctrl-C; the answers so far are kept.
    """
    study = exam_of(policies, questions, target, seed=seed, concurrency=concurrency, budget=budget)
    return complete(study, path, progress=progress)


def exam_of(
    policies: Sequence[PolicyUnderTest], questions: Sequence[Question], target: Preferences, **config: Any
) -> ExamStudy:
    """Return the exam of these policies; `config` has the other keys of `ExamConfig`.

    Raises:
        UsageError: labels are not distinct, or a question is of no game.
    """
    return ExamStudy(
        ExamConfig(
            policies=[each.named for each in policies],
            questions=[asdict(each) for each in questions],
            alpha=target.alpha,
            beta=target.beta,
            kappa=target.kappa,
            **config,
        )
    )
