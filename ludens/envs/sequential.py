"""The PettingZoo face (AEC) of any game tree.

Version history of the ``-v0`` environments: v0, first release.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, get_args

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pettingzoo import AECEnv

from ludens.envs.tree import ChanceNode, DecisionNode, GameTree, Node, PayoffNode, Step
from ludens.envs.turn import Method, Option, PastRound, Turn
from ludens.errors import UsageError

Roles = Literal["random", "fixed"]
RenderMode = Literal["ansi", "human", "rgb_array"]
Observation = dict[str, NDArray[np.generic]]


class SequentialEnv(AECEnv[str, Observation, int | None]):
    """One seat per role plays the tree, `rounds` times.

    Args:
        game: the rules.
        environment: the id that turns and errors name.
        roles: ``"random"`` draws who plays which part anew at every round; ``"fixed"`` gives seat i role i.
        method: ``"direct"`` plays move by move. ``"strategy"`` asks every seat for its move at every information set
            that it could face (in all roles if they are random) before anybody learns anything; then the round is
            played out from these answers (the strategy method).
        rounds: how often the game is played, at least 1.
        max_cycles: truncate after so many moves, counted over all seats; None for no limit.
        render_mode: ``"ansi"`` returns text, ``"human"`` prints it, ``"rgb_array"`` returns the tree as a picture
            with the path taken, shape (height, width, 3), uint8.

    Observations are a dict of ``observation`` (float32: own role, information set to decide at, own role and outcome
    of the last round, all one-hot; payoffs of all leaves; share of rounds done) and ``action_mask`` (int8). Actions
    are option numbers in the game's own order. Rewards are payoffs in points, paid when a round ends.

    Raises:
        UsageError: an argument is out of its range.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "name": "sequential_v0",
        "render_modes": ["ansi", "human", "rgb_array"],
        "is_parallelizable": True,
        "render_fps": 2,
    }

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
        self.environment = environment or game.name
        _check_choice(self.environment, "roles", roles, get_args(Roles))
        _check_choice(self.environment, "method", method, get_args(Method))
        _check_choice(self.environment, "render_mode", render_mode, (None, *get_args(RenderMode)))
        _check_count(self.environment, "rounds", rounds)
        if max_cycles is not None:
            _check_count(self.environment, "max_cycles", max_cycles)
        self.game = game
        self.roles = roles
        self.method = method
        self.rounds = rounds
        self.max_cycles = max_cycles
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "name": self.environment.removeprefix("ludens/").replace("-", "_")}
        self.possible_agents = [f"player_{seat}" for seat in range(len(game.roles))]
        self._nodes = {node.label: (place, node) for place, node in enumerate(game.information_sets)}
        self._leaf_of = {leaf.path: place for place, leaf in enumerate(game.leaves)}
        most = max((len(node.options) for node in game.information_sets), default=1)
        self._masks = {node.label: _mask(len(node.options), most) for node in game.information_sets}
        self._idle_mask = _mask(most, most)
        self._action_spaces = {agent: gymnasium.spaces.Discrete(most) for agent in self.possible_agents}
        low, high = _bounds(game)
        self._observation_spaces = {
            agent: gymnasium.spaces.Dict(
                observation=gymnasium.spaces.Box(low, high, dtype=np.float32),
                action_mask=gymnasium.spaces.Box(0, 1, (most,), dtype=np.int8),
            )
            for agent in self.possible_agents
        }
        self._rng: np.random.Generator | None = None
        self._started = False

    def observation_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """The space of one seat's observations (the same object each time)."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """The space of one seat's actions (the same object each time)."""
        return self._action_spaces[agent]

    def reset(self, seed: int | None = None, options: Mapping[str, Any] | None = None) -> None:
        """Start an episode. A seed starts the environment's own generator anew; without one it goes on. `options` are
        accepted and ignored, as PettingZoo asks."""
        if seed is not None or self._rng is None:
            self._rng = np.random.default_rng(seed)
        self._started = True
        self.agents = self.possible_agents[:]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}
        self.past: list[dict[str, PastRound]] = []
        self.moves = 0
        self._begin_round()

    def observe(self, agent: str) -> Observation:
        """The seat's numeric observation, in arrays of its own."""
        acting = self._pending is not None and agent == self.agent_selection
        mask = self._masks[self._pending.information] if acting and self._pending is not None else self._idle_mask
        return {"observation": self._vector(agent, acting), "action_mask": mask.copy()}

    def step(self, action: int | None) -> None:
        """Take the move of the seat to play.

        Raises:
            UsageError: `reset` has not been called, or the action is not legal; nothing has changed then.
        """
        if not self._started:
            raise UsageError(f"Call reset() before step() on {self.environment}.")
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        option = self._legal(agent, action)
        self._cumulative_rewards[agent] = 0.0
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self.moves += 1
        self._take(agent, option)
        if self.max_cycles is not None and self.moves >= self.max_cycles and not any(self.terminations.values()):
            self.truncations = dict.fromkeys(self.agents, True)
        self._accumulate_rewards()

    def turn(self, agent: str | None = None) -> Turn:
        """All that the seat to play may know.

        Raises:
            UsageError: the episode has not started or is over, or it is another seat's turn.
        """
        if not self._started or self._pending is None or not self.agents:
            raise UsageError(f"Nobody is to move in {self.environment}: call reset() to start an episode.")
        agent = self.agent_selection if agent is None else agent
        if agent != self.agent_selection:
            raise UsageError(f"It is {self.agent_selection}'s turn in {self.environment}, not {agent!r}'s.")
        _, node = self._nodes[self._pending.information]
        return Turn(
            environment=self.environment,
            agent=agent,
            role=node.role,
            node=node.label,
            options=tuple(Option(number, name) for number, name in enumerate(node.options)),
            observation=self.observe(agent),
            game=self.game,
            known=node.known,
            past=tuple(rounds[agent] for rounds in self.past),
            round=len(self.past),
            rounds=self.rounds,
            method=self.method,
        )

    def render(self) -> str | NDArray[np.uint8] | None:
        """The tree with the path taken so far, as `render_mode` says; None for ``"human"``, which prints."""
        if self.render_mode is None:
            gymnasium.logger.warn(f"{self.environment} has no render_mode: pass one when making it.")
            return None
        # Drawing loads matplotlib: only those who look pay for it.
        from ludens.envs import drawing

        path = tuple(self._path) if self._started else ()
        if self.render_mode == "rgb_array":
            return drawing.picture(self.game, path)
        text = drawing.text(self.game, path)
        if self.render_mode == "ansi":
            return text
        print(text)
        return None

    def close(self) -> None:
        """Nothing is held open."""

    def _begin_round(self) -> None:
        assert self._rng is not None
        order = self._rng.permutation(len(self.possible_agents)) if self.roles == "random" else range(len(self.possible_agents))
        self.seats = dict(zip(self.game.roles, (self.possible_agents[place] for place in order), strict=True))
        self._role_of = {agent: role for role, agent in self.seats.items()}
        self._path: list[Step] = []
        self._answers: dict[tuple[str, str], str] = {}
        self._questions = self._all_questions() if self.method == "strategy" else []
        self._pending: DecisionNode | None = None
        if self.method == "direct":
            self._walk_on(self.game.root)
        else:
            self._ask_next()

    def _take(self, agent: str, option: str) -> None:
        node = self._pending
        assert node is not None
        if self.method == "direct":
            self._path.append(Step(node.information, option, node.role))
            self._walk_on(node.options[option])
        else:
            self._answers[agent, node.information] = option
            self._ask_next()

    def _walk_on(self, node: Node) -> None:
        """Go on to the next decision or to the end of the round, drawing nature's moves."""
        assert self._rng is not None
        while not isinstance(node, PayoffNode):
            if isinstance(node, ChanceNode):
                names = list(node.branches)
                drawn = names[int(self._rng.choice(len(names), p=[node.branches[name][0] for name in names]))]
                self._path.append(Step(node.label, drawn, None))
                node = node.branches[drawn][1]
            elif self.method == "strategy":
                option = self._answers[self.seats[node.role], node.information]
                self._path.append(Step(node.information, option, node.role))
                node = node.options[option]
            else:
                self._pending = node
                self.agent_selection = self.seats[node.role]
                return
        self._end_round(node)

    def _all_questions(self) -> list[tuple[str, DecisionNode]]:
        first: dict[str, DecisionNode] = {}
        for node in _decisions(self.game.root):
            first.setdefault(node.information, node)
        return [
            (agent, node)
            for agent in self.possible_agents
            for node in first.values()
            if self.roles == "random" or self._role_of[agent] == node.role
        ]

    def _ask_next(self) -> None:
        if self._questions:
            self.agent_selection, self._pending = self._questions.pop(0)
        else:
            self._walk_on(self.game.root)

    def _end_round(self, node: PayoffNode) -> None:
        payoffs = {role: float(value) for role, value in zip(self.game.roles, node.payoffs, strict=True)}
        self.rewards = {agent: payoffs[self._role_of[agent]] for agent in self.agents}
        path = tuple(self._path)
        self.past.append({agent: PastRound(self._role_of[agent], path, payoffs) for agent in self.agents})
        if len(self.past) < self.rounds:
            self._begin_round()
            return
        self._pending = None
        self.terminations = dict.fromkeys(self.agents, True)
        self.agent_selection = self.agents[0]

    def _legal(self, agent: str, action: int | None) -> str:
        node = self._pending
        assert node is not None
        names = list(node.options)
        whole = isinstance(action, int | np.integer) and not isinstance(action, bool)
        if whole and action is not None and 0 <= action < len(names):
            return names[int(action)]
        choices = ", ".join(f"{number} ({name})" for number, name in enumerate(names))
        raise UsageError(f"{action!r} is no legal action of {agent} at {node.information!r} of {self.environment}: choose {choices}.")

    def _vector(self, agent: str, acting: bool) -> NDArray[np.float32]:
        game = self.game
        roles, sets, leaves = len(game.roles), len(game.information_sets), len(game.leaves)
        vector = np.zeros(2 * roles + sets + leaves + game.payoffs.size + 1, dtype=np.float32)
        # With the strategy method a seat does not yet know the role that it will play: its question names one.
        role = self._role_of[agent]
        if acting and self._pending is not None:
            role = self._pending.role
            vector[roles + self._nodes[self._pending.information][0]] = 1
        if acting or self.method == "direct" or self.roles == "fixed":
            vector[game.roles.index(role)] = 1
        if self.past:
            last = self.past[-1][agent]
            vector[roles + sets + game.roles.index(last.role)] = 1
            vector[2 * roles + sets + self._leaf_of[last.path]] = 1
        vector[2 * roles + sets + leaves : -1] = game.payoffs.ravel()
        vector[-1] = len(self.past) / self.rounds
        return vector


def _decisions(root: Node) -> list[DecisionNode]:
    from ludens.envs.tree import walk

    return [node for _, node in walk(root) if isinstance(node, DecisionNode)]


def _mask(legal: int, most: int) -> NDArray[np.int8]:
    mask = np.zeros(most, dtype=np.int8)
    mask[:legal] = 1
    return mask


def _bounds(game: GameTree) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    flags = 2 * len(game.roles) + len(game.information_sets) + len(game.leaves)
    payoffs = game.payoffs.ravel().astype(np.float32)
    low = np.concatenate([np.zeros(flags), np.minimum(payoffs, 0), [0]]).astype(np.float32)
    high = np.concatenate([np.ones(flags), np.maximum(payoffs, 0), [1]]).astype(np.float32)
    return low, high


def _check_choice(environment: str, name: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{environment} got {name}={value!r}; choose one of {', '.join(map(repr, choices))}.")


def _check_count(environment: str, name: str, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError(f"{environment} got {name}={value!r}; it must be a whole number of at least 1.")
