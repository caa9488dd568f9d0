"""Small populations of the adoption game as a study, in which every person has a seat.

Every seat is asked in every round; one episode is one population. A run is measured by replaying its episodes
from their seeds and decisions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from ludens.agents.policy import Decision, Policy
from ludens.envs.av.adoption.env import ENVIRONMENT, AdoptionEnv
from ludens.envs.av.adoption.game import AdoptionGame, Regulation
from ludens.errors import UsageError
from ludens.experiments.av.adoption import AdoptionPaths
from ludens.experiments.av.adoption_result import PATHS, AdoptionResult, path_rows, to_json
from ludens.experiments.av.groups import Group, group_sizes, make_group
from ludens.experiments.runs.files import plain, report_path
from ludens.experiments.runs.records import count_statuses
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.runner import PlayOne
from ludens.experiments.runs.seeds import environment_seed, episode_seeds
from ludens.experiments.study.base import Columns, Labels, Rows, Study
from ludens.experiments.study.config import Count, PolicyLike, PolicySpecs, StudyConfig
from ludens.experiments.study.environments import EnvironmentMaker
from ludens.experiments.study.questions import asks_person, label_of, spec_of
from ludens.experiments.study.seats import seat_player

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.report.page import Page

MOST_SEATS = 100
"""Populations of this study have at most so many seats, each of which is asked in every round."""

_KAPPAS = 2**32 - 1
"""The child of the run's seed from which κ of mixed groups is drawn, alike in all populations."""


class RegulationConfig(BaseModel):
    """A regulation in a file, see `Regulation`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mandate: bool = Regulation.mandate
    fine: float = Regulation.fine
    subsidy: float = Regulation.subsidy
    period: int = Regulation.period
    until: int | None = Regulation.until

    @model_validator(mode="after")
    def _check_whole(self) -> RegulationConfig:
        Regulation(**dict(self))
        return self


class GameConfig(BaseModel):
    """The rules in a file, see `AdoptionGame`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    people: int = AdoptionGame.people
    pedestrians: int | None = AdoptionGame.pedestrians
    accident: float = AdoptionGame.accident
    symmetry: float = AdoptionGame.symmetry
    price_utilitarian: float = AdoptionGame.price_utilitarian
    price_protective: float = AdoptionGame.price_protective
    ride_utilitarian: float = AdoptionGame.ride_utilitarian
    ride_protective: float = AdoptionGame.ride_protective
    economies: float = AdoptionGame.economies
    regulation: RegulationConfig | None = None

    @model_validator(mode="after")
    def _check_whole(self) -> GameConfig:
        if self.people > MOST_SEATS:
            raise ValueError(
                f"Each of {self.people} people would be asked in every round: take at most {MOST_SEATS} "
                "people."
            )
        _ = self.rules  # its numbers must go together
        return self

    @property
    def rules(self) -> AdoptionGame:
        """The rules themselves."""
        return AdoptionGame(**self.model_dump())


def _as_config(value: object) -> object:
    return value.config if isinstance(value, AdoptionGame) else value


class AdoptionConfig(StudyConfig):
    """The configuration of adoption games: the groups of a population, and the rules.

    Attributes:
        agents: the groups in the order of seats, see `ludens.experiments.av.groups`.
        sizes: of the groups, summing to the game's people; None for groups as equal as can be.
        game: the rules.
        rounds: of each population.
        populations: the number of populations, one episode each.
        realised: whether accidents are drawn.
        seed: of all chance; κ of mixed groups is drawn from it, alike in all populations.
        concurrency: how many populations are played concurrently.

    Raises:
        UsageError: a value is wrong; the message names its key.
    """

    kind: ClassVar[str] = "adoption"

    agents: PolicySpecs
    sizes: tuple[Count, ...] | None = None
    game: Annotated[GameConfig, BeforeValidator(_as_config)] = Field(default_factory=GameConfig)
    rounds: Count = 10
    populations: Count = 1
    realised: bool = False

    @field_validator("agents")
    @classmethod
    def _check_agents(cls, agents: tuple[PolicyLike, ...]) -> tuple[PolicyLike, ...]:
        group_sizes(len(agents), max(len(agents), 1))  # says how to name them
        return agents

    @model_validator(mode="after")
    def _check_sizes(self) -> AdoptionConfig:
        _ = self.shares
        return self

    @property
    def shares(self) -> tuple[int, ...]:
        """The sizes of the groups."""
        return group_sizes(len(self.agents), self.game.people, self.sizes)


class AdoptionStudy(Study[AdoptionConfig, AdoptionResult]):
    """Populations that choose car programs, each person in a seat."""

    config_type = AdoptionConfig
    title = "a population that chooses the programs of its cars, seat by seat"
    columns: ClassVar[Columns] = {"paths": PATHS}
    grows = frozenset({"populations"})

    @property
    def options(self) -> dict[str, Any]:
        """The options of the environment."""
        config = self.config
        rules = {name: value for name, value in config.game.rules.config.items() if value is not None}
        payoffs = "realised" if config.realised else "expected"
        return {**rules, "rounds": config.rounds, "payoffs": payoffs}

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups with their policies.

        Raises:
            UsageError: one cannot be made; the message names its key.
        """
        return tuple(
            self._group(f"agents[{place}]", agent, people)
            for place, (agent, people) in enumerate(zip(self.config.agents, self.config.shares, strict=True))
        )

    @property
    def keyboard(self) -> bool:
        """Whether a person plays in this terminal."""
        return asks_person(self.config.agents)

    def cast(self) -> Mapping[str, PolicyLike]:
        """Return the groups' policies by their key."""
        return {f"agents[{place}]": agent for place, agent in enumerate(self.config.agents)}

    def episodes(self) -> Sequence[Labels]:
        """Return the populations."""
        return [
            {"environment": ENVIRONMENT, "population": number} for number in range(self.config.populations)
        ]

    def player(self) -> PlayOne:
        """Return the player of one population."""
        environments = EnvironmentMaker({"id": ENVIRONMENT, **self.options})
        rng = np.random.default_rng(np.random.SeedSequence(self.config.seed, spawn_key=(_KAPPAS,)))
        policies = [policy for group in self.groups for policy in group.policies(rng)]
        seated = dict(zip(environments.seats, policies, strict=True))
        return seat_player(environments, seated)

    def measure(self, run: Run) -> AdoptionResult:
        """Play a run again from its decisions, finished or not, and measure it."""
        manifest, episodes, decisions = run.manifest, run.episodes(), run.decisions()
        env = AdoptionEnv(**self.options)
        groups = self._shown()
        edges = np.cumsum([0, *(group.people for group in groups)])
        shares = np.full((len(episodes), env.rounds + 1, len(groups)), np.nan)
        payoffs = np.full((len(episodes), env.rounds, len(groups)), np.nan)
        deaths = np.full((len(episodes), env.rounds, 3), np.nan)
        chosen: dict[tuple[int, int], dict[str, Any]] = {}
        for record in decisions:
            if isinstance(record.decision, Decision) and record.decision.action is not None:
                chosen.setdefault((record.episode, record.round), {})[record.agent] = record.decision.action
        for episode in episodes:
            if episode.status != "done":
                continue
            env.reset(seed=environment_seed(episode_seeds(manifest["seed"], episode.index)))
            for number in range(env.rounds):
                actions = chosen[episode.index, number]
                _, rewards, _, _, infos = env.step(actions)
                cars = np.array([actions[seat] == 0 for seat in env.possible_agents])
                paid = np.array(list(rewards.values()))
                for place in range(len(groups)):
                    seats = slice(edges[place], edges[place + 1])
                    shares[episode.index, number + 1, place] = cars[seats].mean()
                    payoffs[episode.index, number, place] = paid[seats].mean()
                deaths[episode.index, number] = list(infos[env.possible_agents[0]]["deaths"].values())
        settings = {"rounds": env.rounds, "populations": len(episodes), "seed": manifest["seed"]}
        settings |= {"realised": env.payoffs == "realised", "status": manifest["status"]}
        report = report_path(run.path)
        return AdoptionResult(
            run.path,
            settings,
            AdoptionPaths(env.game, groups, shares, payoffs, deaths),
            decisions=count_statuses(record.decision.status for record in decisions),
            report_path=report if report.exists() else None,
        )

    def page(self, result: AdoptionResult) -> Page:
        """Return the report."""
        from ludens.experiments.av.adoption_page import page

        assert result.path is not None  # a run has a file
        with Run(result.path) as run:
            return page(result, run.decisions())

    def show(self, result: AdoptionResult, console: Console) -> None:
        """Print the rules, each group, the thresholds, and the lives lost."""
        from ludens.experiments.av.adoption_terminal import print_run

        print_run(result, console)

    def as_json(self, result: AdoptionResult) -> dict[str, Any]:
        """Return everything measured as JSON values."""
        return to_json(result)

    def tables(self, result: AdoptionResult) -> Mapping[str, Rows]:
        """Return the share and the payoff of each group in each round as one row."""
        return {"paths": [plain(row) for row in path_rows(result)]}

    def _group(self, key: str, agent: PolicyLike, people: int) -> Group:
        """Make a group, which tables call by its label, else by its policy; a mixed one as it was given."""
        if not isinstance(agent, str):
            policy = self.make(key, agent, ENVIRONMENT)
            label = agent.get("label", policy.name) if isinstance(agent, Mapping) else policy.name
            return Group(str(label), people, policy)
        try:
            group = make_group(agent, people)
        except UsageError as error:
            raise UsageError(f"{self.kind()}.{key}: {error}") from None
        return group if group.beta is not None else replace(group, name=group.policy.name)

    def _shown(self) -> tuple[Group, ...]:
        """Return the groups as tables need them; a policy that the file does not describe is never asked."""
        return tuple(
            Group(label_of(agent), people, _Named(label_of(agent)))
            if isinstance(agent, Mapping) and not spec_of(agent)
            else self._group(f"agents[{place}]", agent, people)
            for place, (agent, people) in enumerate(zip(self.config.agents, self.config.shares, strict=True))
        )


class _Named(Policy):
    """A policy known only by its name in a run."""

    def __init__(self, name: str) -> None:
        self.name = name

    def decide(self, turn: Any, rng: np.random.Generator) -> Decision:
        raise NotImplementedError
