"""Dilemmas of autonomous vehicles as a study: every policy is asked about every vignette of a design.

One episode is one question. Language models are asked in every framing and in both orders of the two cases,
other policies once. Unreadable replies and refusals are stored as such and never replaced.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from ludens.agents.policy import Decision, Policy
from ludens.envs import Turn
from ludens.envs.av.dilemma import vignette as dilemma
from ludens.envs.av.dilemma.env import dilemma_turn
from ludens.envs.av.dilemma.studies import study_design
from ludens.envs.av.dilemma.vignette import Vignette
from ludens.envs.av.registration import DILEMMA
from ludens.errors import UsageError
from ludens.experiments.av.answers import Numbered, number_of, places_of
from ludens.experiments.av.result import ESTIMATES, OWN, DilemmaResult, estimates, measured, to_json
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.runs.records import NO_FRAMING
from ludens.experiments.runs.run import Run
from ludens.experiments.study.base import Columns, Labels, Rows
from ludens.experiments.study.config import Count, PolicyLike, PolicySpecs, StudyConfig
from ludens.experiments.study.engine import run_study
from ludens.experiments.study.questions import (
    LabelledStudy,
    check_models,
    check_references,
    is_language_model,
    label_of,
    with_settings,
)

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.report.page import Page

STUDIES = (1, 2, 3)
FRAMINGS = ("neutral", "story")
REFERENCES = (
    "homo_economicus",
    "homo_moralis:0.5",
    "homo_moralis:0.5,universalisation=mixed",
    "altruist:0.2",
    "utilitarian",
)
"""Asked beside whatever is under test."""
ORDERS = 2
"""Either of the two cases may be told first."""


def _one_of(choices: Sequence[str]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in choices:
            raise ValueError(f"this should be one of {', '.join(choices)}; got {value!r}.")
        return value

    return AfterValidator(check)


class VignetteConfig(BaseModel):
    """A vignette in a file, see `Vignette`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pedestrians: Annotated[int, Field(ge=1, le=dilemma.MOST)] = Vignette.pedestrians
    passengers: tuple[Annotated[str, _one_of(dilemma.PASSENGERS)], ...] = Vignette.passengers
    perspective: Annotated[str, _one_of(dilemma.PERSPECTIVES)] = Vignette.perspective
    default: Annotated[str, _one_of(dilemma.DEFAULTS)] = Vignette.default
    certainty: Annotated[float, Field(gt=0, le=1)] = Vignette.certainty
    regime: Annotated[str, _one_of(dilemma.REGIMES)] = Vignette.regime
    question: Annotated[str, _one_of(dilemma.QUESTIONS)] = Vignette.question
    program: Annotated[str, _one_of(dilemma.PROGRAMS)] = Vignette.program
    decider: Annotated[str, _one_of(dilemma.DECIDERS)] = Vignette.decider

    @model_validator(mode="after")
    def _check_whole(self) -> VignetteConfig:
        _ = self.vignette  # its values must go together
        return self

    @property
    def vignette(self) -> Vignette:
        """The vignette itself."""
        return Vignette(**dict(self))


def _as_config(value: object) -> object:
    return value.describe() if isinstance(value, Vignette) else value


class AvConfig(StudyConfig):
    """The configuration of a survey on dilemmas: policies, vignettes and wordings.

    Attributes:
        models: the policies under test; their labels must differ. A mapping adds settings (``{"spec":
            "openai/x", "api_base": …}``); ``"label"`` is its name in tables.
        studies: numbers from 1 to 6; 1, 2 and 3 if neither they nor a design are given.
        design: a custom design in their place (`ludens.envs.av.dilemma.studies.free_design` makes
            some).
        perspectives: those from which the studies are asked.
        framings: wordings for language models.
        replicates: how often a language model is asked each question in each wording.
        references: policies to compare with; one that is among the models is left out.
        elicit: how to obtain choice probabilities from language models.
        persona: the persona under which language models are asked; None for none.
        concurrency: how many questions are asked concurrently.

    Raises:
        UsageError: a value is wrong; the message names its key.
    """

    kind: ClassVar[str] = "av"

    models: PolicySpecs
    studies: tuple[int, ...] | None = None
    design: tuple[Annotated[VignetteConfig, BeforeValidator(_as_config)], ...] | None = None
    perspectives: tuple[str, ...] = ("passenger",)
    framings: tuple[str, ...] = FRAMINGS
    replicates: Count = 1
    references: PolicySpecs = REFERENCES
    elicit: Literal["auto", "logprobs", "sample"] = "auto"
    persona: str | None = None

    @field_validator("models")
    @classmethod
    def _check_models(cls, models: tuple[PolicyLike, ...]) -> tuple[PolicyLike, ...]:
        return check_models(models)

    @field_validator("references")
    @classmethod
    def _check_references(cls, references: tuple[PolicyLike, ...]) -> tuple[PolicyLike, ...]:
        return check_models(references) if references else references

    @field_validator("perspectives")
    @classmethod
    def _check_perspectives(cls, perspectives: tuple[str, ...]) -> tuple[str, ...]:
        if not perspectives:
            raise ValueError(f"Name at least one perspective: {', '.join(dilemma.PERSPECTIVES)}.")
        study_design(1, perspectives)  # says which one there is not
        return tuple(dict.fromkeys(perspectives))

    @field_validator("studies")
    @classmethod
    def _check_studies(cls, studies: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if studies == ():
            raise ValueError("A design needs at least one vignette; name a study, 1 to 6.")
        for number in studies or ():
            study_design(number)  # says which ones there are
        return None if studies is None else tuple(dict.fromkeys(studies))

    @field_validator("design")
    @classmethod
    def _check_design(cls, design: tuple[VignetteConfig, ...] | None) -> tuple[VignetteConfig, ...] | None:
        if design == ():
            raise ValueError("A design needs at least one vignette; name a study, 1 to 6.")
        return design

    @field_validator("framings")
    @classmethod
    def _check_framings(cls, framings: tuple[str, ...]) -> tuple[str, ...]:
        from ludens.agents.llm.prompts.games import check_framing

        return tuple(dict.fromkeys(map(check_framing, framings)))

    @model_validator(mode="after")
    def _check_whole(self) -> AvConfig:
        if self.design is not None and self.studies is not None:
            raise ValueError("Ask about studies or about a design of your own, not about both at once.")
        if not self.framings and any(map(is_language_model, self.models)):
            raise ValueError(f"Name at least one framing, for example {', '.join(FRAMINGS)}.")
        check_references(self.models, self.references)
        return self


class AvStudy(LabelledStudy[AvConfig, DilemmaResult]):
    """A survey on what a car should do, how moral that is, and whether one would buy it."""

    config_type = AvConfig
    title = "dilemmas of autonomous vehicles: what a car should do, and whether one would buy it"
    columns: ClassVar[Columns] = {"estimates": ESTIMATES}
    grows = frozenset({"models", "studies", "framings", "replicates", "references"})
    lists = ("models", "references")
    pays = True

    @cached_property
    def design(self) -> tuple[tuple[str, Vignette], ...]:
        """The vignettes, each with the study that it belongs to, in the order of tables."""
        config = self.config
        if config.design is not None:
            return tuple((OWN, each.vignette) for each in config.design)
        return tuple(
            (f"study {number}", vignette)
            for number in config.studies or STUDIES
            for vignette in study_design(number, config.perspectives)
        )

    @cached_property
    def _places(self) -> Mapping[Numbered, int]:
        return places_of(self.design)

    def episodes(self) -> Sequence[Labels]:
        """Return every question; prompts with a common beginning stand next to each other."""
        return [labels for label in self.policies for labels in self._labels(label)]

    def turn(self, labels: Labels) -> Turn:
        """Return a vignette as a question."""
        study, vignette = self.design[self._places[number_of(labels)]]
        return dilemma_turn(vignette, protocol=None if study == OWN else study)

    def policy(self, label: str, framing: str, order: int) -> Policy:
        """Make the policy of that label, set to that wording.

        Raises:
            UsageError: it cannot be made; the message names its key.
        """
        key, policy = self.policies[label]
        more = {} if self.config.persona is None else {"persona": self.config.persona}
        return self.make_worded(
            key, policy, framing, order, DILEMMA.environment, elicit=self.config.elicit, **more
        )

    def payoffs(self, turn: Turn, decision: Decision) -> Mapping[str, float]:
        """Return the respondent's own chance to survive."""
        assert decision.action is not None
        vignette: Vignette = turn.facts["vignette"]
        return {turn.agent: vignette.survival(vignette.swerving(int(decision.action)))}

    def measure(self, run: Run) -> DilemmaResult:
        """Measure a run as it stands, finished or not."""
        tested = tuple(label_of(model) for model in self.config.models)
        return measured(run, tested, tuple(self.policies), self.design)

    def page(self, result: DilemmaResult) -> Page:
        """Return the report."""
        from ludens.experiments.av.page import page

        return page(result)

    def show(self, result: DilemmaResult, console: Console) -> None:
        """Print the main measures of all policies."""
        from ludens.experiments.av.terminal import print_result

        print_result(result, console)

    def as_json(self, result: DilemmaResult) -> dict[str, Any]:
        """Return everything measured as JSON values."""
        return to_json(result)

    def tables(self, result: DilemmaResult) -> Mapping[str, Rows]:
        """Return every estimate as one row."""
        return {"estimates": estimates(result)}

    def _labels(self, label: str) -> Iterator[dict[str, Any]]:
        worded = is_language_model(self.policies[label][1])
        for framing in self.config.framings if worded else (NO_FRAMING,):
            for order in range(ORDERS if worded else 1):
                for (study, number), place in self._places.items():
                    for replicate in range(self.config.replicates if worded else 1):
                        yield {
                            "policy": label,
                            "protocol": study,
                            "question": number,
                            "node": self.design[place][1].question,
                            "framing": framing,
                            "order": order,
                            "replicate": replicate,
                        }


def ask(
    models: Sequence[PolicyLike],
    *,
    path: str | os.PathLike[str] | None = None,
    progress: OnProgress | None = None,
    **config: Any,
) -> Run:
    """Ask every policy about every vignette of a design, and store the answers.

    Args:
        models: the policies under test: policies, their specifications, or mappings with a ``"spec"``.
        path: the run's file; None for a new name under ``runs/``.
        progress: called after each decision and each question.
        config: the other keys of `AvConfig` (``studies``, ``design``, ``replicates``, ``seed`` …), and
            settings of language models, for those models that do not set them themselves (``api_base=…``).

    Raises:
        UsageError: an argument is wrong; nothing was written.
        StoreError: the run cannot be written.
        LudensError: a model cannot be reached; what was answered is kept.
        RunInterrupted: Ctrl-C; what was answered is kept.
    """
    if isinstance(models, str | Mapping | Policy):
        raise UsageError("Name at least one model, as a list; for example ask(['local/smollm2-135m']).")
    settings = {name: config.pop(name) for name in set(config) - set(AvConfig.model_fields)}
    study = AvStudy(AvConfig(models=with_settings(models, **settings), **config))
    return run_study(study, path, progress=progress)
