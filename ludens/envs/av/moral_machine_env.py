"""Respondents decide scenarios of the Moral Machine: the PettingZoo face (parallel).

Everybody is asked about the same scenarios at once, and nobody hears of the others' answers. To spare both
groups or none is no action.

Version history of ``ludens/moral_machine-v0``: v0, first release.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from ludens.envs.arguments import check_choice, check_count, whole_number
from ludens.envs.av.moral_machine import CHARACTERS, MOST, TYPES, Scenarios, draw_scenarios
from ludens.envs.turn import Option, Turn
from ludens.errors import UsageError

ENVIRONMENT = "ludens/moral_machine-v0"

Perspective = Literal["bystander", "first", "second"]
Order = Literal["random", "fixed"]
RenderMode = Literal["ansi", "human", "rgb_array"]
Observation = dict[str, NDArray[np.generic]]
Five = tuple[
    dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
]

PETS = ("dog", "cat")
OPTIONS = (Option(0, "spare the first"), Option(1, "spare the second"))
SIZE = 2 * (len(CHARACTERS) + 4)


@dataclass(frozen=True)
class Group:
    """One group of a scenario, in words' reach.

    Attributes:
        characters: name and number of each kind of character, in the order of `CHARACTERS`.
        passengers: whether it sits in the vehicle.
        crossing: ``"lawfully"``, ``"unlawfully"``, or None without a signal and in the vehicle.
        inaction: whether it is spared if the vehicle stays on course.
    """

    characters: tuple[tuple[str, int], ...]
    passengers: bool
    crossing: str | None
    inaction: bool

    @property
    def size(self) -> int:
        """How many it is."""
        return sum(count for _, count in self.characters)

    @property
    def humans(self) -> int:
        """How many of them are people and no pets."""
        return sum(count for name, count in self.characters if name not in PETS)


@dataclass(frozen=True)
class MoralScenario:
    """One scenario as turns name it."""

    groups: tuple[Group, Group]
    protocol: str | None = None
    name: str = "moral_machine"
    roles: tuple[str, ...] = field(default=("bystander", "first", "second"))

    @property
    def parameters(self) -> Mapping[str, float]:
        """The sizes of both groups."""
        return {"first": float(self.groups[0].size), "second": float(self.groups[1].size)}


def scenario(scenarios: Scenarios, place: int) -> MoralScenario:
    """One scenario of many, as an object that can be told."""
    groups = tuple(
        Group(
            tuple(
                (name, int(count))
                for name, count in zip(CHARACTERS, scenarios.counts[place, side], strict=True)
                if count
            ),
            bool(scenarios.passengers[place, side]),
            {1: "lawfully", -1: "unlawfully"}.get(int(scenarios.legality[place, side])),
            bool(scenarios.inaction[place, side]),
        )
        for side in range(2)
    )
    return MoralScenario((groups[0], groups[1]), TYPES[scenarios.type[place]])


def moral_turn(
    scenarios: Scenarios,
    place: int,
    *,
    agent: str = "respondent_0",
    role: Perspective = "bystander",
    round: int = 0,  # the word for it
    rounds: int = 1,
) -> Turn:
    """The turn of a respondent who is asked about one scenario, in an episode or outside of one."""
    told = scenario(scenarios, place)
    return Turn(
        environment=ENVIRONMENT,
        agent=agent,
        role=role,
        node=TYPES[scenarios.type[place]],
        options=OPTIONS,
        observation=_observed(scenarios, place),
        game=told,
        round=round,
        rounds=rounds,
        facts={"groups": told.groups, "scenario": place},
    )


class MoralMachineEnv(ParallelEnv):  # type: ignore[misc]  # PettingZoo ships no types
    """Respondents answer scenarios, all at once, one after the other.

    Args:
        respondents: how many seats there are.
        scenarios: how many each is asked.
        draw: the seed from which the scenarios are drawn; the same for every episode, so that respondents of
            different episodes can be compared.
        types: of scenarios, see `ludens.envs.av.moral_machine.TYPES`.
        perspective: whose life the reward is about: a bystander's, who is not in danger, or that of somebody
            in the group told first or second.
        order: ``"random"`` asks each respondent in an order of its own, ``"fixed"`` as they were drawn.
        max_cycles: PettingZoo's name for a limit of rounds, after which all seats are truncated.
        render_mode: ``"ansi"`` returns text, ``"human"`` prints it, ``"rgb_array"`` returns a picture of the
            shares spared, shape (height, width, 3), uint8.

    Actions are 0 (spare the group told first) or 1 (spare the second). Observations are a dict of
    ``observation`` (float32, per group: the number of each character / 5, in the vehicle, lawful, unlawful,
    spared by inaction) and ``action_mask`` (int8, always 1). The reward is 1 if the respondent survives, else
    0. Infos hold ``lives_lost`` by group (people, pets) and ``type``.

    Raises:
        UsageError: an argument is out of its range.
    """

    def __init__(
        self,
        *,
        respondents: int = 1,
        scenarios: int = 13,
        draw: int = 0,
        types: Sequence[str] = TYPES,
        perspective: Perspective = "bystander",
        order: Order = "random",
        max_cycles: int | None = None,
        render_mode: RenderMode | None = None,
    ) -> None:
        check_choice(ENVIRONMENT, "perspective", perspective, get_args(Perspective))
        check_choice(ENVIRONMENT, "order", order, get_args(Order))
        check_choice(ENVIRONMENT, "render_mode", render_mode, (None, *get_args(RenderMode)))
        number = check_count(ENVIRONMENT, "respondents", respondents)
        self.environment = ENVIRONMENT
        self.perspective, self.order, self.render_mode = perspective, order, render_mode
        self.rounds = check_count(ENVIRONMENT, "scenarios", scenarios)
        self.draw = check_count(ENVIRONMENT, "draw", draw, least=0)
        self.scenarios = draw_scenarios(self.rounds, seed=self.draw, types=types)
        self.max_cycles = None if max_cycles is None else check_count(ENVIRONMENT, "max_cycles", max_cycles)
        self.game = scenario(self.scenarios, 0)
        self.possible_agents = [f"respondent_{place}" for place in range(number)]
        self.agents: list[str] = []
        self.metadata: dict[str, Any] = {
            "name": "moral_machine_v0",
            "render_modes": ["ansi", "human", "rgb_array"],
            "is_parallelizable": False,
            "render_fps": 2,
        }
        self._action_spaces = {agent: gymnasium.spaces.Discrete(2) for agent in self.possible_agents}
        self._observation_spaces = {agent: _space() for agent in self.possible_agents}
        self._rng: np.random.Generator | None = None
        self._started = False
        self.round = 0
        self.asked: dict[str, list[int]] = {}
        self.answered: dict[str, list[int]] = {}

    def observation_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """The space of one seat's observations (the same object each time)."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """The space of one seat's actions (the same object each time)."""
        return self._action_spaces[agent]

    @property
    def stochastic(self) -> bool:
        """Whether the seed matters."""
        return self.order == "random" and self.rounds > 1

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Start an episode. A seed starts the environment's own generator anew; without one it goes on.

        `options` are accepted and ignored, as PettingZoo asks.

        Raises:
            UsageError: the seed is no whole number of at least 0; nothing has changed then.
        """
        if seed is not None or self._rng is None:
            entropy = None if seed is None else check_count(ENVIRONMENT, "seed", seed, least=0)
            self._rng = np.random.default_rng(entropy)
        places = range(self.rounds)
        self.asked = {
            agent: self._rng.permutation(self.rounds).tolist() if self.order == "random" else list(places)
            for agent in self.possible_agents
        }
        self.answered = {agent: [] for agent in self.possible_agents}
        self.agents = list(self.possible_agents)
        self.round, self._started = 0, True
        return self._observations(), {agent: {} for agent in self.agents}

    def step(self, actions: Mapping[str, Any]) -> Five:
        """Take everybody's answer and go on to the next scenarios.

        Raises:
            UsageError: `reset` has not been called, the episode is over, or an action is missing or not
                legal; nothing has changed then.
        """
        self._running("step()")
        given = {agent: self._legal(agent, actions) for agent in self.agents}
        infos = {agent: self._came(agent, action) for agent, action in given.items()}
        own = {"first": 0, "second": 1}.get(self.perspective)
        rewards = {agent: 1.0 if own is None else float(action == own) for agent, action in given.items()}
        for agent, action in given.items():
            self.answered[agent].append(action)
        self.round += 1
        over = self.round >= self.rounds
        cut = not over and self.max_cycles is not None and self.round >= self.max_cycles
        observations = self._observations()
        told = list(self.agents)
        if over or cut:
            self.agents = []
        return observations, rewards, dict.fromkeys(told, over), dict.fromkeys(told, cut), infos

    def turn(self, agent: str) -> Turn:
        """What a respondent is asked now.

        Raises:
            UsageError: the episode has not started or is over, or there is no such seat.
        """
        self._running("turn()")
        if agent not in self.agents:
            raise UsageError(f"{ENVIRONMENT} has no seat {agent!r}; its seats are {', '.join(self.agents)}.")
        return moral_turn(
            self.scenarios,
            self.asked[agent][self.round],
            agent=agent,
            role=self.perspective,
            round=self.round,
            rounds=self.rounds,
        )

    def render(self) -> str | NDArray[np.uint8] | None:
        """Whom everybody has spared so far, as `render_mode` says."""
        if self.render_mode is None:
            gymnasium.logger.warn(f"{ENVIRONMENT} has no render_mode: pass one when making it.")
            return None
        from ludens.envs.av import moral_machine_render

        if self.render_mode == "rgb_array":
            return moral_machine_render.pixels(self)
        if self.render_mode == "ansi":
            return moral_machine_render.text(self)
        moral_machine_render.show(self)
        return None

    def close(self) -> None:
        """Nothing is held open."""

    def _observations(self) -> dict[str, Observation]:
        now = min(self.round, self.rounds - 1)
        return {agent: _observed(self.scenarios, self.asked[agent][now]) for agent in self.agents}

    def _came(self, agent: str, action: int) -> dict[str, Any]:
        place = self.asked[agent][self.round]
        lost = self.scenarios.counts[place, 1 - action]
        return {
            "lives_lost": {"people": float(lost[:18].sum()), "pets": float(lost[18:].sum())},
            "type": TYPES[self.scenarios.type[place]],
        }

    def _legal(self, agent: str, actions: Mapping[str, Any]) -> int:
        if agent not in actions:
            raise UsageError(f"{ENVIRONMENT} got no action of {agent}: give one for every agent.")
        number = whole_number(actions[agent])
        if number is None or not 0 <= number < len(OPTIONS):
            raise UsageError(
                f"{actions[agent]!r} is no legal answer of {agent} in {ENVIRONMENT}: give 0 (spare the first "
                "group) or 1 (spare the second)."
            )
        return number

    def _running(self, call: str) -> None:
        if not self._started:
            raise UsageError(f"Call reset() before {call} on {ENVIRONMENT}.")
        if not self.agents:
            raise UsageError(f"The episode of {ENVIRONMENT} is over: call reset() before {call}.")


def _observed(scenarios: Scenarios, place: int) -> Observation:
    sides = [
        np.concatenate(
            [
                scenarios.counts[place, side] / MOST,
                [
                    scenarios.passengers[place, side],
                    scenarios.legality[place, side] > 0,
                    scenarios.legality[place, side] < 0,
                    scenarios.inaction[place, side],
                ],
            ]
        )
        for side in range(2)
    ]
    return {"observation": np.concatenate(sides).astype(np.float32), "action_mask": np.ones(2, dtype=np.int8)}


def _space() -> gymnasium.spaces.Dict:
    return gymnasium.spaces.Dict(
        {
            "observation": gymnasium.spaces.Box(0.0, 1.0, (SIZE,), dtype=np.float32),
            "action_mask": gymnasium.spaces.Box(0, 1, (2,), dtype=np.int8),
        }
    )
