"""What environments share whose respondents are asked all at once: the PettingZoo face (parallel).

Nobody hears of the others' answers, so that the payoffs of one do not depend on what another says.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, Literal, get_args

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from ludens.checks import check_choice, check_count, check_running, seeded
from ludens.envs.turn import Turn
from ludens.errors import UsageError

Order = Literal["random", "fixed"]
RenderMode = Literal["ansi", "human", "rgb_array"]
Observation = dict[str, NDArray[np.generic]]
Five = tuple[
    dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
]


class SurveyEnv(ParallelEnv, ABC):  # type: ignore[misc]  # PettingZoo ships no types
    """Respondents answer questions, all at once, one after the other.

    Args:
        environment: the id.
        rounds: how many questions each is asked.
        respondents: how many seats there are.
        answers: how many actions each has.
        size: of the vectors that are observed.
        order: ``"random"`` or ``"fixed"``, for those who ask.
        max_cycles: PettingZoo's name for a limit of rounds, after which all seats are truncated.
        render_mode: ``"ansi"``, ``"human"``, ``"rgb_array"`` or None.

    Raises:
        UsageError: an argument is out of its range.
    """

    pictures: ClassVar[str]
    """The module with `text`, `show` and `pixels`, loaded when it is needed."""

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
    ) -> None:
        check_choice(environment, "order", order, get_args(Order))
        check_choice(environment, "render_mode", render_mode, (None, *get_args(RenderMode)))
        number = check_count(environment, "respondents", respondents)
        self.environment = environment
        self.order, self.render_mode = order, render_mode
        self.rounds, self.answers = rounds, answers
        self.max_cycles = None if max_cycles is None else check_count(environment, "max_cycles", max_cycles)
        self.possible_agents = [f"respondent_{place}" for place in range(number)]
        self.agents: list[str] = []
        self.metadata: dict[str, Any] = {
            "name": environment.removeprefix("ludens/").replace("-", "_"),
            "render_modes": ["ansi", "human", "rgb_array"],
            "is_parallelizable": False,
            "render_fps": 2,
        }
        self._action_spaces = {agent: gymnasium.spaces.Discrete(answers) for agent in self.possible_agents}
        self._observation_spaces = {agent: _space(size, answers) for agent in self.possible_agents}
        self._rng: np.random.Generator | None = None
        self._started = False
        self.round = 0
        self.answered: dict[str, list[int]] = {}

    def observation_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """The space of one seat's observations (the same object each time)."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """The space of one seat's actions (the same object each time)."""
        return self._action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Start an episode. A seed starts the environment's own generator anew; without one it goes on.

        `options` are accepted and ignored, as PettingZoo asks.

        Raises:
            UsageError: the seed is no whole number of at least 0; nothing has changed then.
        """
        self._rng = seeded(self.environment, seed, self._rng)
        self._ask(self._rng)
        self.answered = {agent: [] for agent in self.possible_agents}
        self.agents = list(self.possible_agents)
        self.round, self._started = 0, True
        return self._observations(), {agent: {} for agent in self.agents}

    def step(self, actions: Mapping[str, Any]) -> Five:
        """Take everybody's answer and go on to the next questions.

        Raises:
            UsageError: `reset` has not been called, the episode is over, or an action is missing or not
                legal; nothing has changed then.
        """
        self._running("step()")
        given: dict[str, int] = {}
        for agent in self.agents:
            if agent not in actions:
                raise UsageError(f"{self.environment} got no action of {agent}: give one for every agent.")
            given[agent] = self._legal(agent, actions[agent])
        came = {agent: self._came(agent, action) for agent, action in given.items()}
        for agent, action in given.items():
            self.answered[agent].append(action)
        self.round += 1
        over = self.round >= self.rounds
        cut = not over and self.max_cycles is not None and self.round >= self.max_cycles
        observations = self._observations()
        rewards = {agent: reward for agent, (reward, _) in came.items()}
        infos = {agent: info for agent, (_, info) in came.items()}
        if over or cut:
            self.agents = []
        return observations, rewards, dict.fromkeys(came, over), dict.fromkeys(came, cut), infos

    def turn(self, agent: str) -> Turn:
        """What a respondent is asked now.

        Raises:
            UsageError: the episode has not started or is over, or there is no such seat.
        """
        self._running("turn()")
        if agent not in self.agents:
            raise UsageError(
                f"{self.environment} has no seat {agent!r}; its seats are {', '.join(self.agents)}."
            )
        return self._turn(agent)

    def render(self) -> str | NDArray[np.uint8] | None:
        """What was asked and answered, as `render_mode` says."""
        if self.render_mode is None:
            gymnasium.logger.warn(f"{self.environment} has no render_mode: pass one when making it.")
            return None
        drawn = import_module(self.pictures)
        if self.render_mode == "human":
            drawn.show(self)
            return None
        picture: str | NDArray[np.uint8] = (drawn.text if self.render_mode == "ansi" else drawn.pixels)(self)
        return picture

    def close(self) -> None:
        """Nothing is held open."""

    @abstractmethod
    def _ask(self, rng: np.random.Generator) -> None:
        """Choose what each respondent is asked in a new episode."""

    @abstractmethod
    def _observed(self, agent: str, place: int) -> Observation:
        """What a respondent observes at its question number `place`."""

    @abstractmethod
    def _legal(self, agent: str, action: object) -> int:
        """The action as a number, or UsageError."""

    @abstractmethod
    def _came(self, agent: str, action: int) -> tuple[float, dict[str, Any]]:
        """The reward and the infos of an answer to the present question."""

    @abstractmethod
    def _turn(self, agent: str) -> Turn:
        """The turn of a seat that there is."""

    def _observations(self) -> dict[str, Observation]:
        place = min(self.round, self.rounds - 1)
        return {agent: self._observed(agent, place) for agent in self.agents}

    def _running(self, call: str) -> None:
        check_running(self.environment, call, self._started, self.agents)


def _space(size: int, answers: int) -> gymnasium.spaces.Dict:
    return gymnasium.spaces.Dict(
        {
            "observation": gymnasium.spaces.Box(0.0, 1.0, (size,), dtype=np.float32),
            "action_mask": gymnasium.spaces.Box(0, 1, (answers,), dtype=np.int8),
        }
    )
