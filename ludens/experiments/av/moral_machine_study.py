"""The Moral Machine as a study: every policy is asked about the same scenarios.

One episode is one scenario. Scenarios are drawn in blocks: a fresh run has one, and extending a run adds
another, so that the scenarios that were asked already stay as they are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, ValidationInfo, field_validator, model_serializer

from ludens.agents.policy import Decision, Policy
from ludens.envs import Turn
from ludens.envs.av.moral_machine.env import moral_turn
from ludens.envs.av.moral_machine.scenarios import Scenarios, draw_scenarios, joined
from ludens.envs.av.registration import MORAL_MACHINE
from ludens.errors import UsageError
from ludens.experiments.av.moral_result import EFFECTS, MoralResult, effect_rows, measured, to_json
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.runs.run import Run
from ludens.experiments.study.base import Columns, Labels, Rows
from ludens.experiments.study.config import Count, PolicyLike, PolicySpecs, StudyConfig
from ludens.experiments.study.engine import run_study
from ludens.experiments.study.questions import (
    LabelledStudy,
    check_models,
    is_language_model,
    with_settings,
)

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.report.page import Page


class MoralMachineConfig(StudyConfig):
    """The configuration of a Moral Machine run: policies and scenarios.

    Attributes:
        models: the policies; their labels must differ. A mapping adds settings (``{"spec": "openai/x",
            "api_base": …}``); ``"label"`` is its name in tables.
        scenarios: the number of scenarios.
        blocks: how many of them are drawn together, one number for each time the run grew; by default all.
            Within a block types are in equal numbers.
        order: show language models each scenario in ``"both"`` orders, or in one drawn at ``"random"``;
            ``"auto"`` asks for both where the model's option probabilities are read.
        elicit: how to obtain choice probabilities from language models.
        persona: the persona under which language models are asked; None for none.
        seed: of the scenarios and all other random draws.
        concurrency: how many questions are asked concurrently.

    Raises:
        UsageError: a value is wrong; the message names its key.
    """

    kind: ClassVar[str] = "moral_machine"

    models: PolicySpecs
    scenarios: Count = 300
    blocks: tuple[Count, ...] = Field(default=(), validate_default=True)
    order: Literal["auto", "both", "random"] = "auto"
    elicit: Literal["auto", "logprobs", "sample"] = "auto"
    persona: str | None = None

    @field_validator("models")
    @classmethod
    def _check_models(cls, models: tuple[PolicyLike, ...]) -> tuple[PolicyLike, ...]:
        return check_models(models)

    @field_validator("blocks")
    @classmethod
    def _complete_blocks(cls, blocks: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        if "scenarios" not in info.data:  # it is wrong, which is said already
            return blocks
        missing = info.data["scenarios"] - sum(blocks)
        if missing < 0:
            raise ValueError(
                f"The blocks hold {sum(blocks)} scenarios, more than the {info.data['scenarios']} of the run."
            )
        return (*blocks, missing) if missing else blocks

    @model_serializer(mode="wrap")
    def _leave_out_one_block(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Write blocks only where a run grew, so that a file's number of scenarios may be changed alone."""
        values: dict[str, Any] = write(self)
        if len(self.blocks) == 1:
            del values["blocks"]
        return values


class MoralMachineStudy(LabelledStudy[MoralMachineConfig, MoralResult]):
    """A survey on whom a car should spare."""

    config_type = MoralMachineConfig
    title = "scenarios of the Moral Machine: whom a car should spare"
    columns: ClassVar[Columns] = {"effects": EFFECTS}
    grows = frozenset({"models", "scenarios"})
    pays = True

    @cached_property
    def scenarios(self) -> Scenarios:
        """All scenarios of the run, in the order of their numbers."""
        seed = self.config.seed
        return joined(
            draw_scenarios(n, seed=_block_seed(seed, number) if number else seed)
            for number, n in enumerate(self.config.blocks)
        )

    def episodes(self) -> Sequence[Labels]:
        """Return every scenario of every policy."""
        return [
            {"policy": label, "scenario": place}
            for label in self.policies
            for place in range(self.config.scenarios)
        ]

    def turn(self, labels: Labels) -> Turn:
        """Return a scenario as a question."""
        return moral_turn(self.scenarios, labels["scenario"])

    def policy(self, label: str, framing: str, order: int) -> Policy:
        """Make the policy of that label. The wording is that of the model's own settings.

        Raises:
            UsageError: it cannot be made; the message names its key.
        """
        config, (key, policy) = self.config, self.policies[label]
        asked = {"order": config.order, "elicit": config.elicit, "persona": config.persona}
        settings = {name: value for name, value in asked.items() if value is not None}
        more = settings if is_language_model(policy) else {}
        return self.make(key, policy, MORAL_MACHINE.environment, **more)

    def payoffs(self, turn: Turn, decision: Decision) -> Mapping[str, float]:
        """Return the respondent's own survival: a bystander is in no danger."""
        return {turn.agent: 1.0}

    def measure(self, run: Run) -> MoralResult:
        """Measure a run as it stands, finished or not."""
        return measured(run, tuple(self.policies), self.scenarios)

    def page(self, result: MoralResult) -> Page:
        """Return the report."""
        from ludens.experiments.av.moral_page import page

        return page(result)

    def show(self, result: MoralResult, console: Console) -> None:
        """Print the nine effects of every policy beside those of people."""
        from ludens.experiments.av.moral_terminal import print_result

        print_result(result, console)

    def as_json(self, result: MoralResult) -> dict[str, Any]:
        """Return everything measured as JSON values."""
        return to_json(result)

    def tables(self, result: MoralResult) -> Mapping[str, Rows]:
        """Return every effect as one row."""
        return {"effects": effect_rows(result)}


def moral_machine(
    models: Sequence[PolicyLike],
    *,
    path: str | os.PathLike[str] | None = None,
    progress: OnProgress | None = None,
    **config: Any,
) -> Run:
    """Ask every policy about the same scenarios, and store the answers.

    Args:
        models: policies, their specifications, or mappings with a ``"spec"``.
        path: the run's file; None for a new name under ``runs/``.
        progress: called after each decision.
        config: the other keys of `MoralMachineConfig` (``scenarios``, ``order``, ``seed`` …), and settings of
            language models, for those models that do not set them themselves (``api_base=…``).

    Raises:
        UsageError: an argument is wrong; nothing was written.
        StoreError: the run cannot be written.
        LudensError: a model cannot be reached; what was answered is kept.
        RunInterrupted: Ctrl-C; what was answered is kept.
    """
    if isinstance(models, str | Mapping | Policy):
        raise UsageError(
            "Name at least one model, as a list; for example moral_machine(['local/smollm2-135m'])."
        )
    settings = {name: config.pop(name) for name in set(config) - set(MoralMachineConfig.model_fields)}
    study = MoralMachineStudy(MoralMachineConfig(models=with_settings(models, **settings), **config))
    return run_study(study, path, progress=progress)


def _block_seed(seed: int, number: int) -> int:
    """Return the seed of a block that a run grew by; the first block has the run's own."""
    (state,) = np.random.SeedSequence(seed, spawn_key=(number,)).generate_state(1, np.uint64).tolist()
    return int(state)
