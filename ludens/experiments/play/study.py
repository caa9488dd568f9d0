"""Playing an environment as a study: every episode is one play from a seed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo

from ludens.agents.policy import Policy
from ludens.errors import UsageError
from ludens.experiments.play.result import PlayResult
from ludens.experiments.runs.files import report_path
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import PlayOne
from ludens.experiments.study.base import Labels, Study
from ludens.experiments.study.config import (
    HOLDS_POLICIES,
    Count,
    PolicyLike,
    StudyConfig,
    as_policy,
    described,
)
from ludens.experiments.study.engine import arun_study, run_study
from ludens.experiments.study.environments import EnvField, EnvironmentMaker, EnvLike
from ludens.experiments.study.seats import seat_player

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.report.page import Page

Policies = PolicyLike | Sequence[PolicyLike] | Mapping[str, PolicyLike]
"""One policy for all seats, one per seat in their order, or by the seat's name."""


def _seated(value: object, info: ValidationInfo) -> object:
    def seated(policy: object) -> PolicyLike:
        given = as_policy(policy)
        return given.for_game(_game(info)) if isinstance(given, Policy) else given

    if isinstance(value, Mapping) and not {"spec", "kind"} & set(value):
        return {str(seat): seated(policy) for seat, policy in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(map(seated, value))
    return seated(value)


def _game(info: ValidationInfo) -> object:
    """Return the environment of a configuration, or its id."""
    environment = info.data.get("environment")
    return environment.get("id") if isinstance(environment, Mapping) else environment


def _described(value: Any) -> Any:
    if isinstance(value, tuple):
        return [described(policy) for policy in value]
    if isinstance(value, Mapping) and not {"spec", "kind"} & set(value):
        return {seat: described(policy) for seat, policy in value.items()}
    return described(value)


class PlayConfig(StudyConfig):
    """What is played by whom.

    Attributes:
        environment: the id of an environment (``"trust-v0"``), an id with options (``("trust-v0",
            {"protocol": "TG3"})``, or one mapping with ``id`` among them), or an environment of
            PettingZoo's that has ``turn(agent)``.
        policies: one per seat, by the seat's name or in the order of ``possible_agents``, or one for all
            seats.
        episodes: how many.
    """

    kind: ClassVar[str] = "play"

    environment: EnvField
    policies: Annotated[Any, BeforeValidator(_seated), PlainSerializer(_described), HOLDS_POLICIES]
    episodes: Count = 1


class PlayStudy(Study[PlayConfig, PlayResult]):
    """Episodes of one environment between the same policies."""

    config_type = PlayConfig
    title = "any environment, any policies"
    grows = frozenset({"episodes"})
    writes_report = False

    @cached_property
    def environments(self) -> EnvironmentMaker:
        """The environments of the run."""
        return EnvironmentMaker(self.config.environment)

    @cached_property
    def seated(self) -> dict[str, Policy]:
        """The policy of every seat.

        Raises:
            UsageError: there are not as many as seats, or one cannot be made.
        """
        seats, given = self.environments.seats, self.config.policies
        if isinstance(given, tuple):
            if len(given) != len(seats):
                raise UsageError(
                    f"{self.environments.name} has {len(seats)} seats ({', '.join(seats)}); {len(given)} "
                    "policies were given: name one for each, or one for all."
                )
            return {
                seat: self._seat(f"policies[{place}]", policy)
                for place, (seat, policy) in enumerate(zip(seats, given, strict=True))
            }
        if isinstance(given, Mapping) and not {"spec", "kind"} & set(given):
            if set(given) != set(seats):
                raise UsageError(
                    f"{self.environments.name} has the seats {', '.join(seats)}; policies were given for "
                    f"{', '.join(given) or 'none'}."
                )
            return {seat: self._seat(f"policies.{seat}", given[seat]) for seat in seats}
        return dict.fromkeys(seats, self._seat("policies", given))

    @property
    def keyboard(self) -> bool:
        """Whether a person plays in this terminal."""
        return any(policy.needs_person for policy in self.seated.values())

    def cast(self) -> Mapping[str, PolicyLike]:
        """Return the policies by seat or place, as they were given."""
        given = self.config.policies
        if isinstance(given, tuple):
            return {f"policies[{place}]": policy for place, policy in enumerate(given)}
        if isinstance(given, Mapping) and not {"spec", "kind"} & set(given):
            return dict(given)
        return {"policies": given}

    def episodes(self) -> Sequence[Labels]:
        """Return the episodes, which differ in their seeds alone."""
        labels = {"environment": self.environments.name, "protocol": self.environments.protocol}
        labels |= {seat: policy.name for seat, policy in self.seated.items()}
        return [labels] * self.config.episodes

    def player(self) -> PlayOne:
        """Return what plays one episode."""
        return seat_player(self.environments, self.seated)

    def measure(self, run: Run) -> PlayResult:
        """Sum up a run as it stands."""
        report = report_path(run.path)
        return PlayResult(run.path, report if report.exists() else None, run.summary(), tuple(run.table()))

    def page(self, result: PlayResult) -> Page:
        """Return the report."""
        from ludens.experiments.play.page import page

        return page(result)

    def show(self, result: PlayResult, console: Console) -> None:
        """Print how the run stands, and its first episodes."""
        from ludens.experiments.report.answering import remarks
        from ludens.experiments.report.screen import show_summary
        from ludens.experiments.report.terminal import print_places, say

        with Run(result.run_path) as run:
            show_summary(run, console)
            for sentence in remarks(run.decisions()):
                say(console, sentence, "yellow")
        if result.report_path is not None:
            print_places(console, [("Report", result.report_path)])

    def as_json(self, result: PlayResult) -> dict[str, Any]:
        """Return the summary and the episodes as JSON values."""
        return {
            "run": str(result.run_path),
            "summary": asdict(result.summary),
            "episodes": [dict(row) for row in result.episodes],
        }

    def _seat(self, key: str, policy: PolicyLike) -> Policy:
        return self.make(key, policy, self.environments.game)


def play(
    env: EnvLike,
    policies: Policies,
    *,
    path: str | os.PathLike[str] | None = None,
    progress: OnProgress | None = None,
    **config: Any,
) -> Run:
    """Play episodes and keep them.

    Args:
        env: an id (``"trust-v0"``), an id with options (``("trust-v0", {"protocol": "TG3"})``), or
            an environment of PettingZoo's that has ``turn(agent)``, with either API; it is copied, never
            stepped itself.
        policies: one per seat, by the seat's name or in the order of ``possible_agents``, or one for all
            seats; policies or their specifications (``"tit_for_tat"``, ``"openai/gpt-5-mini"``).
        path: the run's file; None for a new name under ``runs/``.
        progress: called after each decision and each episode.
        config: ``episodes``, ``seed`` and ``concurrency``, see `PlayConfig`.

    Raises:
        UsageError: an argument is wrong; nothing was written.
        StoreError: the run cannot be written.
        LudensError: a model cannot be reached at all; what was played is kept.
        RunInterrupted: Ctrl-C; what was played is kept.
    """
    return run_study(_study(env, policies, config), path, progress=progress)


async def aplay(
    env: EnvLike,
    policies: Policies,
    *,
    path: str | os.PathLike[str] | None = None,
    progress: OnProgress | None = None,
    **config: Any,
) -> Run:
    """Play within a running event loop; see `play`. Cancelling leaves a run that can be resumed."""
    return await arun_study(_study(env, policies, config), path, progress=progress)


def _study(env: EnvLike, policies: Policies, config: Mapping[str, Any]) -> PlayStudy:
    return PlayStudy(PlayConfig(environment=env, policies=policies, **config))
