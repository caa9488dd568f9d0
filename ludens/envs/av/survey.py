"""The base of environments in which all respondents are asked at the same time.

Nobody learns the others' answers, so that payoffs do not depend on them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import gymnasium
import numpy as np

from ludens.checks import check_choice, check_count
from ludens.envs.base import (
    Observation,
    ObservationForm,
    RenderMode,
    SimultaneousEnv,
    StepResult,
    observation_space,
)

Order = Literal["random", "fixed"]


class SurveyEnv(SimultaneousEnv):
    """Respondents who answer one question after the other, all at the same time.

    Args:
        environment: the id.
        rounds: how many questions each is asked.
        respondents: how many seats there are.
        answers: how many actions each has.
        size: of the vectors that are observed.
        order: ``"random"`` or ``"fixed"``, for subclasses to act on.
        max_cycles: PettingZoo's name for a limit of rounds, after which all seats are truncated.
        render_mode: ``"ansi"``, ``"human"``, ``"rgb_array"`` or None.
        observation: ``"dict"``, ``"box"`` or ``"rllib"``.

    Attributes:
        round: how many questions have been answered.
        answered: the answers of each respondent in this episode.

    Raises:
        UsageError: an argument is out of its range.
    """

    def __init__(
        self,
        environment: str,
        *,
        rounds: int,
        respondents: int,
        answers: int,
        size: int,
        order: Order,
        max_cycles: int | None,
        render_mode: RenderMode | None,
        observation: ObservationForm,
    ) -> None:
        check_choice(environment, "order", order, get_args(Order))
        number = check_count(environment, "respondents", respondents)
        seats = [f"respondent_{place}" for place in range(number)]
        super().__init__(environment, seats, render_mode, observation)
        self.order = order
        self.rounds, self.answers = rounds, answers
        self.max_cycles = None if max_cycles is None else check_count(environment, "max_cycles", max_cycles)
        self._set_spaces(
            {agent: gymnasium.spaces.Discrete(answers) for agent in self.possible_agents},
            {
                agent: observation_space(np.zeros(size), np.ones(size), answers)
                for agent in self.possible_agents
            },
        )
        self.round = 0
        self.answered: dict[str, list[int]] = {}

    def _open(self, rng: np.random.Generator) -> list[str]:
        self._ask(rng)
        self.answered = {agent: [] for agent in self.possible_agents}
        self.round = 0
        return self.possible_agents[:]

    def _play(self, moves: Mapping[str, Any]) -> StepResult:
        rewards = {agent: self._reward(agent, action) for agent, action in moves.items()}
        for agent, action in moves.items():
            self.answered[agent].append(action)
        infos = self._infos(list(moves))
        self.round += 1
        over = self.round >= self.rounds
        cut = not over and self.max_cycles is not None and self.round >= self.max_cycles
        observations = self._observations(self.agents)
        if over or cut:
            self.agents = []
        return observations, rewards, dict.fromkeys(moves, over), dict.fromkeys(moves, cut), infos

    def _observations(self, agents: Sequence[str]) -> dict[str, Observation]:
        place = min(self.round, self.rounds - 1)
        return {agent: self._observed(agent, place) for agent in agents}

    @abstractmethod
    def _ask(self, rng: np.random.Generator) -> None:
        """Choose what each respondent is asked in a new episode."""

    @abstractmethod
    def _observed(self, agent: str, place: int) -> Observation:
        """Return what a respondent observes at its question number `place`."""

    @abstractmethod
    def _reward(self, agent: str, action: int) -> float:
        """Return the reward of an answer to the present question."""
