"""The parts of a PettingZoo environment that all environments of ludens share.

`BaseEnv` holds seats, spaces, the random generator, the checks that an episode runs, the global state and
rendering. `TurnBasedEnv` adds PettingZoo's AEC API, where one seat moves at a time; `SimultaneousEnv` adds
its Parallel API, where all seats move at once. A subclass supplies the rules: how an episode opens, what a
seat observes, which actions are legal and what they lead to.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import turn_based_aec_to_parallel_wrapper
from pettingzoo.utils.env import AECIterable

from ludens.checks import check_choice, check_running, check_started, seeded
from ludens.envs.declared import declare
from ludens.envs.pixels import figure_pixels
from ludens.envs.turn import Turn
from ludens.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RenderMode = Literal["ansi", "human", "rgb_array"]
ObservationForm = Literal["dict", "box", "rllib"]
Observation = dict[str, NDArray[np.generic]]
Info = dict[str, Any]
StepResult = tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Info]]

_MOST_NAMED = 12


def observation_space(low: ArrayLike, high: ArrayLike, actions: int | None = None) -> gymnasium.spaces.Dict:
    """Return the space of observations: a float32 vector and, with `actions`, a mask of so many entries.

    An entry with a single possible value gets a higher upper bound, so that (x − low)/(high − low) is finite
    for every entry.
    """
    lowest, highest = np.asarray(low, dtype=np.float32), np.asarray(high, dtype=np.float32)
    highest = np.where(lowest == highest, lowest + np.maximum(1, np.abs(lowest)), highest)
    parts: dict[str, gymnasium.spaces.Space[Any]] = {
        "observation": gymnasium.spaces.Box(lowest, highest.astype(np.float32), dtype=np.float32)
    }
    if actions is not None:
        parts["action_mask"] = gymnasium.spaces.Box(0, 1, (actions,), dtype=np.int8)
    return gymnasium.spaces.Dict(parts)


class BaseEnv(ABC):
    """Seats with spaces, a random generator, a global state and pictures.

    Args:
        environment: the id that turns and errors name.
        agents: the seats.
        render_mode: ``"ansi"`` returns text, ``"human"`` prints it, ``"rgb_array"`` returns pixels.
        observation: how a seat's observation is given. ``"dict"``: a dict of ``observation``, a float32
            vector, and ``action_mask`` (int8) where actions are numbered. ``"box"``: the vector alone, and
            the mask in the infos, under ``action_mask``. ``"rllib"``: a dict of ``observations`` and
            ``action_mask``, the names that RLlib's ``ActionMaskingRLModule`` looks for. Turns hold the
            ``"dict"`` whatever the form.

    Attributes:
        state_space: of `state`: the observation vectors of all seats, laid end to end.

    Raises:
        UsageError: there is no such render mode or form of observations.
    """

    state_space: gymnasium.spaces.Box

    def __init__(
        self,
        environment: str,
        agents: Sequence[str],
        render_mode: RenderMode | None,
        observation: ObservationForm = "dict",
    ) -> None:
        check_choice(environment, "render_mode", render_mode, (None, *get_args(RenderMode)))
        check_choice(environment, "observation", observation, get_args(ObservationForm))
        self.environment = environment
        self.render_mode = render_mode
        self.observation: ObservationForm = observation
        self.metadata: dict[str, Any] = {
            "name": environment.removeprefix("ludens/").replace("-", "_"),
            "render_modes": list(get_args(RenderMode)),
            # In PettingZoo's sense, of an AEC environment whose seats step in a fixed cycle: here the other
            # API comes from PettingZoo's turn-based conversion.
            "is_parallelizable": False,
            "render_fps": 2,
        }
        self.possible_agents = list(agents)
        self.agents: list[str] = []
        self._action_spaces: dict[str, gymnasium.spaces.Space[Any]] = {}
        self._observation_spaces: dict[str, gymnasium.spaces.Space[Any]] = {}
        self._rng: np.random.Generator | None = None
        self._started = False

    def observation_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """Return the space of one seat's observations (the same object each time).

        Raises:
            UsageError: there is no such seat.
        """
        self._check_seat(agent)
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """Return the space of one seat's actions (the same object each time).

        Raises:
            UsageError: there is no such seat.
        """
        self._check_seat(agent)
        return self._action_spaces[agent]

    def state(self) -> NDArray[np.float32]:
        """Return the global state: the observation vectors of all seats, in the order of `possible_agents`.

        Seats that have left or are yet to come are included, so that the length never changes.

        Raises:
            UsageError: `reset` has not been called.
        """
        self._check_started("state()")
        observed = self._observations(self.possible_agents)
        return np.concatenate([observed[agent]["observation"] for agent in self.possible_agents])

    def render(self) -> str | NDArray[np.uint8] | None:
        """Show the episode as `render_mode` says; warn if there is no mode.

        Returns:
            Text for ``"ansi"``, pixels of shape (height, width, 3) for ``"rgb_array"``, None for ``"human"``,
            which prints the text.
        """
        if self.render_mode is None:
            gymnasium.logger.warn(f"{self.environment} has no render_mode: pass one when making it.")
            return None
        if self.render_mode == "rgb_array":
            return figure_pixels(self._figure())
        if self.render_mode == "ansi":
            return self._text()
        self._print()
        return None

    def close(self) -> None:  # noqa: B027  # no subclass has anything to close either
        """Do nothing: no window or file is held open."""

    def _set_spaces(
        self,
        actions: Mapping[str, gymnasium.spaces.Space[Any]],
        observations: Mapping[str, gymnasium.spaces.Dict],
    ) -> None:
        """Keep the spaces of all seats, in the form that was asked for, declare their meaning on them, and
        derive that of the state.

        Raises:
            UsageError: the form names a mask, and there is none because actions are not numbered.
        """
        self._action_spaces = dict(actions)
        self._observation_spaces = {agent: self._space(space) for agent, space in observations.items()}
        for agent, space in observations.items():
            chosen = self._action_spaces[agent]
            facts = {
                "environment": self.environment,
                "form": self.observation,
                "size": gymnasium.spaces.flatdim(space["observation"]),
                "actions": int(chosen.n) if isinstance(chosen, gymnasium.spaces.Discrete) else None,
                **self._declaration(agent),
            }
            declare(self._observation_spaces[agent], facts)
            declare(self._action_spaces[agent], facts)
        boxes: list[Any] = [observations[agent]["observation"] for agent in self.possible_agents]
        low, high = (np.concatenate([getattr(box, side) for box in boxes]) for side in ("low", "high"))
        self.state_space = gymnasium.spaces.Box(low, high, dtype=np.float32)

    def _declaration(self, agent: str) -> dict[str, Any]:
        """Return what else a policy that was trained in this seat must know to play elsewhere, as JSON
        values; see `ludens.envs.declared`.
        """
        return {}

    def _space(self, space: gymnasium.spaces.Dict) -> gymnasium.spaces.Space[Any]:
        """Return the space of observations in the form that was asked for."""
        if self.observation == "dict":
            return space
        if self.observation == "box":
            return space["observation"]
        if "action_mask" not in space.spaces:
            raise UsageError(
                f"{self.environment} got observation='rllib', which names a mask, and its actions are not "
                "numbered: set observation='box'."
            )
        return gymnasium.spaces.Dict(
            {"action_mask": space["action_mask"], "observations": space["observation"]}
        )

    def _formed(self, observed: Observation) -> Any:
        """Return an observation in the form that was asked for."""
        if self.observation == "dict":
            return observed
        if self.observation == "box":
            return observed["observation"]
        return {"action_mask": observed["action_mask"], "observations": observed["observation"]}

    def _add_masks(self, infos: Mapping[str, Info], observed: Mapping[str, Observation]) -> None:
        """Put the masks of seats into their infos where observations are the vectors alone."""
        if self.observation == "box":
            for agent, info in infos.items():
                if "action_mask" in observed[agent]:
                    info["action_mask"] = observed[agent]["action_mask"]

    def _seeded(self, seed: int | None) -> np.random.Generator:
        """Return the generator of a new episode: a seed starts it anew, without one it goes on.

        Raises:
            UsageError: the seed is not a whole number of at least 0; nothing has changed then.
        """
        self._rng = seeded(self.environment, seed, self._rng)
        return self._rng

    def _check_started(self, call: str) -> None:
        check_started(self.environment, call, self._started)

    def _check_running(self, call: str) -> None:
        check_running(self.environment, call, self._started, self.agents)

    def _check_seat(self, agent: str) -> None:
        if not isinstance(agent, str) or agent not in self._action_spaces:
            seats = self.possible_agents
            named = ", ".join(seats) if len(seats) <= _MOST_NAMED else f"{seats[0]} to {seats[-1]}"
            raise UsageError(f"{self.environment} has no seat {agent!r}; its seats are {named}.")

    def _print(self) -> None:
        sys.stdout.write(self._text() + "\n")

    @abstractmethod
    def _observations(self, agents: Sequence[str]) -> dict[str, Observation]:
        """Return what some seats observe now, in arrays of their own."""

    @abstractmethod
    def _turn(self, agent: str) -> Turn:
        """Return the turn of a seat that is to move."""

    @abstractmethod
    def _text(self) -> str:
        """Return the episode so far as text."""

    @abstractmethod
    def _figure(self) -> Figure:
        """Draw the episode so far, in a new figure."""


class TurnBasedEnv(BaseEnv, AECEnv[str, Any, Any]):  # type: ignore[misc]  # PettingZoo ships no types
    """An environment in which one seat moves at a time: PettingZoo's AEC API."""

    rewards: dict[str, float]
    terminations: dict[str, bool]
    truncations: dict[str, bool]
    infos: dict[str, Info]
    agent_selection: str

    def reset(self, seed: int | None = None, options: Mapping[str, Any] | None = None) -> None:
        """Start an episode. A seed starts the environment's own generator anew; without one it goes on.

        `options` are accepted and ignored, as PettingZoo asks.

        Raises:
            UsageError: the seed is not a whole number of at least 0; nothing has changed then.
        """
        rng = self._seeded(seed)
        self._started = True
        self.agents = self.possible_agents[:]
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self._skip_agent_selection = None
        self.rewards = self._open(rng)
        self._cumulative_rewards = self.rewards.copy()
        self._renew_infos()

    def agent_iter(self, max_iter: int = 2**63) -> AECIterable[str, Any, Any]:
        """Return PettingZoo's loop over the seats to step, until the episode is over.

        Raises:
            UsageError: `reset` has not been called.
        """
        self._check_started("agent_iter()")
        return AECIterable(self, max_iter)

    def last(self, observe: bool = True) -> tuple[Any, float, bool, bool, Info]:
        """Return what the seat to step receives: observation, reward since its last move, both flags, info.

        Raises:
            UsageError: `reset` has not been called, or the episode is over.
        """
        self._check_running("last()")
        agent = self.agent_selection
        return (
            self.observe(agent) if observe else None,
            self._cumulative_rewards[agent],
            self.terminations[agent],
            self.truncations[agent],
            self.infos[agent].copy(),
        )

    def observe(self, agent: str) -> Any:
        """Return a seat's numeric observation, in arrays of its own.

        Raises:
            UsageError: `reset` has not been called, or there is no such seat.
        """
        self._check_started("observe()")
        self._check_seat(agent)
        return self._formed(self._observations([agent])[agent])

    def step(self, action: Any) -> None:
        """Take the move of the seat to play (None for a seat that is done).

        Raises:
            UsageError: `reset` has not been called, the episode is over, or the action is not legal; nothing
                has changed then.
        """
        self._check_running("step()")
        agent = self.agent_selection
        if self._is_done(agent):
            if action is not None:
                raise UsageError(
                    f"{agent} of {self.environment} is done: its only action is None, not {action!r}."
                )
            self._was_dead_step(None)
            return
        self.rewards = self._play(agent, action)
        self._cumulative_rewards[agent] = 0.0
        self._renew_infos()
        self._accumulate_rewards()

    def turn(self, agent: str | None = None) -> Turn:
        """Return all that the seat to play may know.

        Raises:
            UsageError: the episode has not started or is over, or it is another seat's turn.
        """
        self._check_running("turn()")
        if self._is_done(self.agent_selection):
            raise UsageError(
                f"Nobody is to move in {self.environment}: call reset() to start another episode."
            )
        agent = self.agent_selection if agent is None else agent
        if agent != self.agent_selection:
            raise UsageError(f"It is {self.agent_selection}'s turn in {self.environment}, not {agent!r}'s.")
        return self._turn(agent)

    def _is_done(self, agent: str) -> bool:
        return self.terminations[agent] or self.truncations[agent]

    def _renew_infos(self) -> None:
        self.infos = self._infos()
        if self.observation == "box":
            self._add_masks(self.infos, self._observations(self.agents))

    def _infos(self) -> dict[str, Info]:
        """Return the infos of all seats, with the same keys at reset and after every move."""
        return {agent: {} for agent in self.agents}

    def _clear_rewards(self) -> None:
        # PettingZoo's own method writes the integer 0; rewards are floats here from first to last.
        self.rewards = dict.fromkeys(self.rewards, 0.0)

    @abstractmethod
    def _open(self, rng: np.random.Generator) -> dict[str, float]:
        """Open an episode, select the first mover, and return what every seat is paid before any move."""

    @abstractmethod
    def _play(self, agent: str, action: Any) -> dict[str, float]:
        """Take the action of the seat to play, select the next one and set the flags of seats that are done.

        Returns:
            What every seat is paid.

        Raises:
            UsageError: the action is not legal; nothing has changed then.
        """


class SimultaneousEnv(BaseEnv, ParallelEnv[str, Any, Any]):  # type: ignore[misc]  # as above
    """An environment in which all seats move at once: PettingZoo's Parallel API."""

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Info]]:
        """Start an episode. A seed starts the environment's own generator anew; without one it goes on.

        `options` are accepted and ignored, as PettingZoo asks.

        Raises:
            UsageError: the seed is not a whole number of at least 0; nothing has changed then.
        """
        rng = self._seeded(seed)
        self._started = True
        self.agents = self._open(rng)
        observed, infos = self._observations(self.agents), self._infos(self.agents)
        self._add_masks(infos, observed)
        return self._all_formed(observed), infos

    def step(self, actions: Mapping[str, Any]) -> StepResult:
        """Take the actions of all seats.

        Args:
            actions: one for each of `agents`; others are ignored.

        Returns:
            Observations, rewards, terminations, truncations and infos, by seat.

        Raises:
            UsageError: `reset` has not been called, the episode is over, or an action is missing or not
                legal; nothing has changed then.
        """
        self._check_running("step()")
        moves = {}
        given = actions if isinstance(actions, dict | Mapping) else {}
        for agent in self.agents:
            if agent not in given:
                raise UsageError(f"{self.environment} got no action of {agent}: give one for every agent.")
            moves[agent] = self._legal(agent, given[agent])
        observed, rewards, terminations, truncations, infos = self._play(moves)
        self._add_masks(infos, observed)
        return self._all_formed(observed), rewards, terminations, truncations, infos

    def turn(self, agent: str) -> Turn:
        """Return all that the policy in a seat may know when it decides.

        Raises:
            UsageError: the episode has not started or is over, or the seat does not exist or is empty now.
        """
        self._check_running("turn()")
        self._check_seat(agent)
        if agent not in self.agents:
            raise UsageError(f"{agent} is not in {self.environment} now: it has no turn.")
        return self._turn(agent)

    def _all_formed(self, observed: dict[str, Observation]) -> dict[str, Any]:
        if self.observation == "dict":
            return observed
        return {agent: self._formed(each) for agent, each in observed.items()}

    @abstractmethod
    def _open(self, rng: np.random.Generator) -> list[str]:
        """Open an episode, and return the seats that play in it from the start."""

    @abstractmethod
    def _legal(self, agent: str, action: Any) -> Any:
        """Return the action as the rules take it.

        Raises:
            UsageError: it is not legal.
        """

    @abstractmethod
    def _play(self, moves: Mapping[str, Any]) -> StepResult:
        """Play one step with legal moves of all seats."""

    def _infos(self, agents: Sequence[str]) -> dict[str, Info]:
        """Return what happened to some seats in the last step."""
        return {agent: self._info(agent) for agent in agents}

    @abstractmethod
    def _info(self, agent: str) -> Info:
        """Return what happened to a seat in the last step, with the same keys before the first one."""


class OneAtATime(turn_based_aec_to_parallel_wrapper):  # type: ignore[misc]  # PettingZoo ships no types
    """The Parallel API of a turn-based environment: at each step the action of the seat to move alone counts.

    It is PettingZoo's conversion, with infos as the environment gives them: PettingZoo adds
    ``active_agent``, a text that is there from the first step on but not at reset, which libraries that
    stack infos to arrays cannot take. The seat to move is ``env.unwrapped.agent_selection``.
    """

    def step(self, actions: Mapping[str, Any]) -> StepResult:
        """Take the action of the seat to move.

        Raises:
            UsageError: `reset` has not been called, the episode is over, or the seat to move has no action or
                one that is not legal; nothing has changed then.
        """
        env: TurnBasedEnv = self.unwrapped
        env._check_running("step()")
        if not isinstance(actions, dict | Mapping) or env.agent_selection not in actions:
            raise UsageError(
                f"{env.environment} got no action of {env.agent_selection}, whose turn it is: give one."
            )
        observations, rewards, terminations, truncations, infos = super().step(actions)
        for info in infos.values():
            info.pop("active_agent", None)
        return observations, rewards, terminations, truncations, infos
