"""The PettingZoo face (AEC) of any game tree.

Version history of the ``-v0`` environments: v0, first release.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pettingzoo import AECEnv
from pettingzoo.utils.env import AECIterable

from ludens.checks import (
    check_choice,
    check_count,
    check_running,
    check_started,
    seeded,
    whole_number,
)
from ludens.envs.tree.encoding import Encoding, Masks
from ludens.envs.tree.nodes import Step
from ludens.envs.tree.play import Roles, TreePlay
from ludens.envs.tree.tree import GameTree, InformationSet
from ludens.envs.turn import Method, Option, PastRound, Turn
from ludens.errors import UsageError

RenderMode = Literal["ansi", "human", "rgb_array"]
Observation = dict[str, NDArray[np.generic]]


class SequentialEnv(AECEnv[str, Observation, int | None]):  # type: ignore[misc]  # PettingZoo ships no types
    """One seat per role plays the tree, `rounds` times.

    Args:
        game: the rules.
        environment: the id that turns and errors name.
        roles: ``"random"`` draws who plays which part anew at every round; ``"fixed"`` gives seat i role i.
        method: ``"direct"`` plays move by move. ``"strategy"`` asks every seat for its move at every
            information set that it could face (in all roles if they are random) before anybody learns
            anything; then the round is played out from these answers (the strategy method).
        rounds: how often the game is played, at least 1.
        max_cycles: truncate after so many moves, counted over all seats; None for no limit.
        render_mode: ``"ansi"`` returns text, ``"human"`` prints it, ``"rgb_array"`` returns the tree as a
            picture with the path taken, shape (height, width, 3), uint8.

    Observations are a dict of ``observation`` (float32, see `ludens.envs.tree.encoding`) and ``action_mask``
    (int8). Actions are option numbers in the game's own order. Rewards are payoffs in points, paid when a
    round ends.

    Raises:
        UsageError: an argument is out of its range.
    """

    def __init__(
        self,
        game: GameTree,
        *,
        environment: str = "",
        roles: Roles = "random",
        method: Method = "direct",
        rounds: int = 1,
        max_cycles: int | None = None,
        render_mode: RenderMode | None = None,
    ) -> None:
        if not isinstance(game, GameTree):
            raise UsageError(f"SequentialEnv plays a GameTree; got {game!r}: make_env makes one by its name.")
        self.environment = environment or game.name
        check_choice(self.environment, "roles", roles, get_args(Roles))
        check_choice(self.environment, "method", method, get_args(Method))
        check_choice(self.environment, "render_mode", render_mode, (None, *get_args(RenderMode)))
        if not game.information_sets:
            raise UsageError(f"{game!r} asks nobody to decide anything: give it a decision node to play it.")
        self.game = game
        self.roles = roles
        self.method = method
        self.rounds = check_count(self.environment, "rounds", rounds)
        self.max_cycles = (
            None if max_cycles is None else check_count(self.environment, "max_cycles", max_cycles)
        )
        self.render_mode = render_mode
        self.metadata: dict[str, Any] = {
            "name": self.environment.removeprefix("ludens/").replace("-", "_"),
            "render_modes": list(get_args(RenderMode)),
            # In PettingZoo's sense: seats do not step in a fixed cycle, so the parallel face comes from the
            # turn-based conversion and not from the one that this flag allows.
            "is_parallelizable": False,
            "render_fps": 2,
        }
        self.possible_agents = [f"player_{seat}" for seat in range(len(game.roles))]
        self._encoding = Encoding(game, self.rounds)
        self._masks = Masks(game)
        self._action_spaces = {
            agent: gymnasium.spaces.Discrete(self._masks.length) for agent in self.possible_agents
        }
        self._observation_spaces = {
            agent: gymnasium.spaces.Dict(
                observation=gymnasium.spaces.Box(self._encoding.low, self._encoding.high, dtype=np.float32),
                action_mask=gymnasium.spaces.Box(0, 1, (self._masks.length,), dtype=np.int8),
            )
            for agent in self.possible_agents
        }
        self._rng: np.random.Generator | None = None
        self._course: TreePlay | None = None
        self._asked: InformationSet | None = None

    def observation_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """The space of one seat's observations (the same object each time)."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """The space of one seat's actions (the same object each time)."""
        return self._action_spaces[agent]

    def reset(self, seed: int | None = None, options: Mapping[str, Any] | None = None) -> None:
        """Start an episode. A seed starts the environment's own generator anew; without one it goes on.

        `options` are accepted and ignored, as PettingZoo asks.

        Raises:
            UsageError: the seed is no whole number of at least 0; nothing has changed then.
        """
        self._rng = seeded(self.environment, seed, self._rng)
        course = TreePlay(
            self.game,
            self.possible_agents,
            roles=self.roles,
            method=self.method,
            rounds=self.rounds,
            rng=self._rng,
        )
        self._course = course
        self.agents = self.possible_agents[:]
        self.rewards = course.opening_payoffs.copy()
        self._cumulative_rewards = course.opening_payoffs.copy()
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        self.moves = 0
        self._skip_agent_selection = None
        self._find_mover(course)

    def agent_iter(self, max_iter: int = 2**63) -> AECIterable[str, Observation, int | None]:
        """PettingZoo's loop over the seats to step, until the episode is over.

        Raises:
            UsageError: `reset` has not been called.
        """
        self._started("agent_iter()")
        return AECIterable(self, max_iter)

    def last(self, observe: bool = True) -> tuple[Observation | None, float, bool, bool, dict[str, Any]]:
        """Observation, reward since its last move, termination, truncation and info of the seat to step.

        Raises:
            UsageError: `reset` has not been called, or the episode is over.
        """
        self._running("last()")
        agent = self.agent_selection
        return (
            self.observe(agent) if observe else None,
            self._cumulative_rewards[agent],
            self.terminations[agent],
            self.truncations[agent],
            self.infos[agent].copy(),
        )

    def observe(self, agent: str) -> Observation:
        """The seat's numeric observation, in arrays of its own.

        Raises:
            UsageError: `reset` has not been called, or there is no such seat.
        """
        course = self._started("observe()")
        if agent not in course.role_of:
            seats = ", ".join(self.possible_agents)
            raise UsageError(f"{self.environment} has no seat {agent!r}; its seats are {seats}.")
        asked = self._asked if agent == self.agent_selection else None
        role: str | None = course.role_of[agent]
        if self.method == "strategy" and self.roles == "random":
            # The seat does not know yet which role it will play: its question names one.
            role = None if asked is None else asked.role
        node = None if asked is None else asked.label
        last = course.past[-1][agent] if course.past else None
        vector = self._encoding.vector(role, node, last, len(course.past))
        return {"observation": vector, "action_mask": self._masks.mask(node)}

    def step(self, action: int | None) -> None:
        """Take the move of the seat to play (None for a seat that is done).

        Raises:
            UsageError: `reset` has not been called, the episode is over, or the action is not legal; nothing
                has changed then.
        """
        course = self._running("step()")
        agent = self.agent_selection
        asked = self._asked
        if asked is None:
            if action is not None:
                raise UsageError(
                    f"{agent} of {self.environment} is done: its only action is None, not {action!r}."
                )
            self._was_dead_step(None)
            return
        option = self._legal(asked, action)
        self._cumulative_rewards[agent] = 0.0
        self.rewards = course.take(option)
        self.infos = {seat: {} for seat in self.agents}
        self.moves += 1
        if self.moves == self.max_cycles and course.pending is not None:
            self.truncations = dict.fromkeys(self.agents, True)
        self._find_mover(course)
        self._accumulate_rewards()

    def turn(self, agent: str | None = None) -> Turn:
        """All that the seat to play may know.

        Raises:
            UsageError: the episode has not started or is over, or it is another seat's turn.
        """
        course = self._running("turn()")
        node = self._asked
        if node is None:
            raise UsageError(
                f"Nobody is to move in {self.environment}: call reset() to start another episode."
            )
        agent = self.agent_selection if agent is None else agent
        if agent != self.agent_selection:
            raise UsageError(f"It is {self.agent_selection}'s turn in {self.environment}, not {agent!r}'s.")
        past = (finished[agent] for finished in course.past)
        return Turn(
            environment=self.environment,
            agent=agent,
            role=node.role,
            node=node.label,
            options=tuple(Option(number, name) for number, name in enumerate(node.options)),
            observation=self.observe(agent),
            game=self.game,
            known=node.known,
            past=tuple(PastRound(seen.role, seen.path, dict(seen.payoffs)) for seen in past),
            round=len(course.past),
            rounds=self.rounds,
            method=self.method,
            facts={"roles": self.roles},
        )

    def render(self) -> str | NDArray[np.uint8] | None:
        """The tree with the path taken so far, as `render_mode` says; None for ``"human"``, which prints.

        Before the first move of a later round, the round before it is shown.
        """
        if self.render_mode is None:
            gymnasium.logger.warn(f"{self.environment} has no render_mode: pass one when making it.")
            return None
        from ludens.envs.tree.drawing import picture, show, text

        path, caption = self._shown()
        if self.render_mode == "rgb_array":
            return picture(self.game, path, caption)
        if self.render_mode == "ansi":
            return text(self.game, path, caption)
        show(self.game, path, caption)
        return None

    def close(self) -> None:
        """Nothing is held open."""

    def _find_mover(self, course: TreePlay) -> None:
        """Point at the seat to step: the mover, or the first of the seats that are done."""
        if course.pending is None:
            self.terminations = dict.fromkeys(self.agents, True)
        if course.pending is None or self.truncations[self.agents[0]]:
            self._asked = None
            self.agent_selection = self.agents[0]
            return
        self._asked = course.pending
        self.agent_selection = course.mover

    def _legal(self, asked: InformationSet, action: int | None) -> str:
        number = whole_number(action)
        if number is not None and 0 <= number < len(asked.options):
            return asked.options[number]
        choices = ", ".join(f"{place} ({name})" for place, name in enumerate(asked.options))
        raise UsageError(
            f"{action!r} is no legal action of {self.agent_selection} at {asked.label!r} "
            f"of {self.environment}: choose {choices}."
        )

    def _clear_rewards(self) -> None:
        # PettingZoo's own writes the integer 0; rewards are floats here from first to last.
        self.rewards = dict.fromkeys(self.rewards, 0.0)

    def _shown(self) -> tuple[tuple[Step, ...], str]:
        """The path to draw, and a caption that says whose it is."""
        course = self._course
        if course is None:
            return (), ""
        path, number, sitting = tuple(course.path), len(course.past) + 1, course.sitting
        if course.past and (not path or course.pending is None):
            path, number = course.past[-1][self.possible_agents[0]].path, len(course.past)
            sitting = {seen.role: agent for agent, seen in course.past[-1].items()}
        caption = ", ".join(f"{role}: {sitting[role]}" for role in self.game.roles)
        if self.method == "strategy" and self.roles == "random" and not path:
            caption = "roles are drawn once all have answered"
        return path, f"Round {number} of {self.rounds}, {caption}" if self.rounds > 1 else caption

    def _started(self, call: str) -> TreePlay:
        check_started(self.environment, call, self._course is not None)
        assert self._course is not None
        return self._course

    def _running(self, call: str) -> TreePlay:
        course = self._started(call)  # there are no `agents` before it
        check_running(self.environment, call, True, self.agents)
        return course
