"""Repeated play as a study: policies under test play games many times, from their own histories.

Each match is one game, played a number of rounds with fixed roles: against *itself*, or against a partner who
acts at *random*, as the oracle believes. Both are told everything that happened before. The preferences are
those of a single round, so that the same options are optimal in every round, and what changes over rounds is
the policy: see `ludens.training.evaluation.persistence`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from ludens.envs.tree.family import Family
from ludens.errors import UsageError
from ludens.experiments.runs.budget import Budget
from ludens.experiments.runs.recorder import OnProgress, Recorder
from ludens.experiments.runs.records import NO_FRAMING, EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import PlayOne
from ludens.experiments.study.base import Labels, Rows, Study
from ludens.experiments.study.config import Count, PolicyLike, PolicySpecs, StudyConfig
from ludens.experiments.study.engine import complete
from ludens.experiments.study.environments import EnvironmentMaker
from ludens.experiments.study.questions import check_models, is_language_model, named
from ludens.experiments.study.seats import seat_player
from ludens.preferences import HOMO_ECONOMICUS, Preferences
from ludens.training.data.dataset import DataSet
from ludens.training.data.games import Payoffs, draw_games, find_families, game_key
from ludens.training.evaluation.exam import CONCURRENCY, PolicyUnderTest
from ludens.training.evaluation.sets import family_named, game_of, optimal

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.report.page import Page
    from ludens.training.evaluation.persistence import RepeatedResult

Partner = Literal["itself", "random"]
PARTNERS: tuple[Partner, ...] = ("itself", "random")
ORACLE = "oracle"
"""The label of the target's oracle, which plays the same matches."""


class MatchConfig(BaseModel):
    """A game that is played repeatedly.

    Attributes:
        family, payoffs: the game.
        partner: whom the policy under test plays with.
        seat: the number of its seat, which has that role in every round; with itself it has all seats.
        framing: the wording, for language models.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: str
    payoffs: tuple[float, ...]
    partner: Partner
    seat: int = 0
    framing: str = "neutral"

    @field_validator("payoffs")
    @classmethod
    def _check_payoffs(cls, payoffs: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        if "family" in info.data:
            game_of(info.data["family"], payoffs)  # refuses families and payoffs that make no game
        return payoffs

    @field_validator("framing")
    @classmethod
    def _check_framing(cls, framing: str) -> str:
        from ludens.agents.llm.prompts.games import check_framing

        return check_framing(framing)


class RepeatedConfig(StudyConfig):
    """The configuration of repeated play.

    Attributes:
        policies: the policies under test, with distinct labels.
        matches: what each of them plays.
        rounds: how often each game is played, which players know.
        alpha, beta, kappa: the target preferences, whose optimal options agree.

    Raises:
        UsageError: a value is wrong; the message names its key.
    """

    kind: ClassVar[str] = "repeated"

    policies: PolicySpecs
    matches: tuple[MatchConfig, ...]
    rounds: Count = 10
    alpha: float = 0.0
    beta: float = 0.0
    kappa: float = 0.0
    concurrency: Count = CONCURRENCY

    @field_validator("policies")
    @classmethod
    def _check_policies(cls, policies: tuple[PolicyLike, ...]) -> tuple[PolicyLike, ...]:
        return check_models(policies)

    @property
    def target(self) -> Preferences:
        """The preferences whose choices agree."""
        return Preferences(self.alpha, self.beta, self.kappa)


class RepeatedStudy(Study[RepeatedConfig, "RepeatedResult"]):
    """Repeated games of tuned models and of the policies that they are compared with."""

    config_type = RepeatedConfig
    title = "repeated games of a tuned model and of the policies it is compared with"
    grows = frozenset({"policies", "matches"})

    @cached_property
    def policies(self) -> Mapping[str, Mapping[str, Any]]:
        """The policies under test by their labels."""
        return {spec["label"]: spec for spec in map(named, self.config.policies)}

    def cast(self) -> Mapping[str, PolicyLike]:
        """Return the policies by label."""
        return dict(self.policies)

    def episodes(self) -> Sequence[Labels]:
        """Return every match of every policy; one without words plays in no framing, and so only once."""
        found: dict[str, dict[str, Any]] = {}
        for label, spec in self.policies.items():
            for match in self.config.matches:
                framing = match.framing if is_language_model(spec) else NO_FRAMING
                labels = {
                    "policy": label,
                    "protocol": None,
                    "family": match.family,
                    "payoffs": list(match.payoffs),
                    "partner": match.partner,
                    "seat": match.seat,
                    "framing": framing,
                }
                found.setdefault(str(labels), labels)
        return list(found.values())

    def player(self) -> PlayOne:
        """Return what plays one match."""
        players: dict[str, PlayOne] = {}
        for labels in self.episodes():
            if str(labels) not in players:
                players[str(labels)] = self._seated(labels)

        async def play_one(
            spec: EpisodeSpec, recorder: Recorder, seeds: np.random.SeedSequence
        ) -> EpisodeRecord:
            return await players[str(spec.labels)](spec, recorder, seeds)

        return play_one

    def _seated(self, labels: Labels) -> PlayOne:
        family = family_named(labels["family"])
        rules = {"payoffs": labels["payoffs"], "rounds": self.config.rounds}
        if isinstance(family, Family):  # where all move at once, seats do not change roles
            rules["roles"] = "fixed"
        environments = EnvironmentMaker({"id": family.environment, **rules})
        spec = dict(self.policies[labels["policy"]])
        if labels["framing"] != NO_FRAMING:
            spec["framing"] = labels["framing"]
        tested = self.make("policies", spec, environments.game)
        seated = dict.fromkeys(environments.seats, tested)
        if labels["partner"] == "random":
            random = self.make("matches", "random", environments.game)
            for place, seat in enumerate(environments.seats):
                seated[seat] = tested if place == labels["seat"] else random
        return seat_player(environments, seated)

    def measure(self, run: Run) -> RepeatedResult:
        """Measure a run as it stands, finished or not."""
        from ludens.training.evaluation.persistence import measured

        return measured(run, self.config.target, self.config.rounds)

    def page(self, result: RepeatedResult) -> Page:
        """Return the report."""
        from ludens.training.evaluation.persistence import page

        return page(result)

    def show(self, result: RepeatedResult, console: Console) -> None:
        """Print agreement at the beginning and at the end of matches."""
        from ludens.training.evaluation.persistence import show

        show(result, console)

    def tables(self, result: RepeatedResult) -> Mapping[str, Rows]:
        """Return the agreement in each round, for every policy, framing and partner."""
        return {"persistence": result.rows}


def draw_matches(
    data: DataSet,
    preferences: Preferences,
    *,
    games: int,
    framings: Sequence[str] = ("neutral",),
    seed: int = 0,
) -> tuple[MatchConfig, ...]:
    """Draw matches in games that were not trained on, in each framing and against each of `PARTNERS`.

    Args:
        data: the training data.
        preferences: the target; it is not indifferent at any turn of the games.
        games: the number of games, of the trained families in turn; payoffs are from 1 to 9.
        framings: the wordings.
        seed: seed of the draws.
    """
    rng = np.random.default_rng([seed, 0x4EA])
    taken = {example.game for example in (*data.train, *data.validation)}
    trained = tuple(dict.fromkeys(each.family for each in data.train if each.domain == "games"))
    families = find_families(trained or None)
    pools, movers = [], {}
    for family in families:
        drawn = draw_games(family, Payoffs(1, 9), 64 + 8 * games, rng)
        values = [tuple(float(value) for value in game.parameters.values()) for game in drawn]
        moving = {node.role for game in drawn for node in game.information_sets}
        movers[family.name] = [place for place, role in enumerate(family.roles) if role in moving]
        pools.append(
            [
                (family.name, payoffs)
                for game, payoffs in zip(drawn, values, strict=True)
                if game_key(game) not in taken
                and all(
                    len(optimal(family.name, payoffs, node.label, preferences)) < len(node.options)
                    for node in game.information_sets
                )
            ]
        )
    if not any(pools):
        raise UsageError(
            "No game is left that was not trained on: train on fewer examples, or more families."
        )
    chosen: list[tuple[str, tuple[float, ...]]] = []
    while len(chosen) < games and any(pools):
        for pool in pools:
            if pool and len(chosen) < games:
                chosen.append(pool.pop())
    return tuple(
        MatchConfig(
            family=name,
            payoffs=payoffs,
            partner=partner,
            seat=movers[name][place // len(families) % len(movers[name])] if partner == "random" else 0,
            framing=framing,
        )
        for framing in framings
        for partner in PARTNERS
        for place, (name, payoffs) in enumerate(chosen)
    )


def repeated_of(
    policies: Sequence[PolicyUnderTest], matches: Sequence[MatchConfig], target: Preferences, **config: Any
) -> RepeatedStudy:
    """Return the matches of these policies; `config` has the other keys of `RepeatedConfig`.

    Raises:
        UsageError: labels are not distinct.
    """
    return RepeatedStudy(
        RepeatedConfig(
            policies=[{"label": each.label, **each.spec} for each in policies],
            matches=[match.model_dump() for match in matches],
            alpha=target.alpha,
            beta=target.beta,
            kappa=target.kappa,
            **config,
        )
    )


def play_repeatedly(
    policies: Sequence[PolicyUnderTest],
    matches: Sequence[MatchConfig],
    path: str | os.PathLike[str],
    *,
    rounds: int,
    target: Preferences = HOMO_ECONOMICUS,
    seed: int = 0,
    concurrency: int = CONCURRENCY,
    budget: Budget | None = None,
    progress: OnProgress | None = None,
) -> Run:
    """Play the matches that are still open, and return the run; a finished one is not changed.

    Args:
        policies: the policies under test, with distinct labels.
        matches: what each plays.
        path: the run's file, new or of the same matches.
        rounds: how often each game is played.
        target: the preferences whose choices agree.
        seed: root of all chance.
        concurrency: how many matches are played concurrently.
        budget: what the run may spend.
        progress: called after every decision.

    Raises:
        UsageError: labels are not distinct, a policy cannot be made, or the file holds other matches.
        StoreError: the run cannot be written.
        LudensError: a model cannot be reached; the answers so far are kept.
        RunInterrupted: Ctrl-C; the answers so far are kept.
    """
    config = {"rounds": rounds, "seed": seed, "concurrency": concurrency, "budget": budget}
    return complete(repeated_of(policies, matches, target, **config), path, progress=progress)
