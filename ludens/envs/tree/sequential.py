"""The PettingZoo environment of any game tree, with the AEC API.

Version history of the ``-v0`` environments: v0, first release.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

import gymnasium
import numpy as np

from ludens.checks import check_choice, check_count, whole_number
from ludens.envs.base import Observation, ObservationForm, RenderMode, TurnBasedEnv, observation_space
from ludens.envs.repetition import Matching, Monitoring, repetition
from ludens.envs.tree import drawing
from ludens.envs.tree.encoding import Encoding, Masks
from ludens.envs.tree.nodes import ChanceNode, walk
from ludens.envs.tree.play import Roles, TreePlay
from ludens.envs.tree.tree import GameTree, InformationSet
from ludens.envs.tree.turns import tree_turn
from ludens.envs.turn import Method, PastRound, Step, Turn
from ludens.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SequentialEnv(TurnBasedEnv):
    """A game tree, repeated, with one seat per role and group.

    Args:
        game: the rules.
        environment: the id that turns and errors name.
        roles: ``"random"`` draws the seats' roles in every round; ``"fixed"`` gives seat i role i of its
            group.
        method: ``"direct"`` plays move by move. ``"strategy"`` asks every seat for its move at every
            information set that it could reach (in all roles if they are random) before anybody learns
            anything; then these answers determine the round (the strategy method).
        rounds, continuation, groups, matching, history, noise: see `Repetition`. Payoffs follow from what was
            really done; what a seat learns of finished rounds can be wrong, where that does not contradict
            what it did and learnt in them.
        memory: k, how many of the last rounds are observed: who moved how in them.
        max_cycles: truncate after so many moves, counted over all seats; None for no limit.
        render_mode: ``"ansi"`` returns text, ``"human"`` prints it, ``"rgb_array"`` returns the tree as a
            picture with the path taken, shape (height, width, 3), uint8. Before the first move of a later
            round, the round before it is shown.
        observation: ``"dict"``, ``"box"`` or ``"rllib"``: the form of observations, see `BaseEnv`.

    Observations are a dict of ``observation`` (float32, see `ludens.envs.tree.encoding`) and ``action_mask``
    (int8). Actions are option numbers in the game's own order. Rewards are payoffs in points, paid when a
    round ends. Infos are empty but for the mask, where observations are vectors alone.

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
        rounds: int | None = None,
        continuation: float | None = None,
        groups: int = 1,
        matching: Matching = "fixed",
        history: Monitoring = "own",
        noise: float = 0.0,
        memory: int = 1,
        max_cycles: int | None = None,
        render_mode: RenderMode | None = None,
        observation: ObservationForm = "dict",
    ) -> None:
        if not isinstance(game, GameTree):
            raise UsageError(f"SequentialEnv plays a GameTree; got {game!r}: make_env makes one by its name.")
        name = environment or game.name
        check_choice(name, "roles", roles, get_args(Roles))
        check_choice(name, "method", method, get_args(Method))
        self.repetition = repetition(
            name,
            rounds=rounds,
            continuation=continuation,
            groups=groups,
            matching=matching,
            history=history,
            noise=noise,
        )
        self.rounds, self.continuation = self.repetition.rounds, self.repetition.continuation
        seats = [f"player_{seat}" for seat in range(self.repetition.groups * len(game.roles))]
        super().__init__(name, seats, render_mode, observation)
        if not game.information_sets:
            raise UsageError(f"{game!r} asks nobody to decide anything: give it a decision node to play it.")
        self.game = game
        self.roles = roles
        self.method = method
        self.memory = check_count(name, "memory", memory, least=0)
        self.max_cycles = None if max_cycles is None else check_count(name, "max_cycles", max_cycles)
        self.moves = 0
        self._encoding = Encoding(game, self.rounds, self.memory)
        self._masks = Masks(game)
        options = self._masks.length
        self._set_spaces(
            {agent: gymnasium.spaces.Discrete(options) for agent in self.possible_agents},
            {
                agent: observation_space(self._encoding.low, self._encoding.high, options)
                for agent in self.possible_agents
            },
        )
        self._progress: TreePlay | None = None
        self._asked: InformationSet | None = None

    @property
    def stochastic(self) -> bool:
        """Whether the seed matters before anybody has drawn an action."""
        nature = any(isinstance(node, ChanceNode) for _, node in walk(self.game.root))
        return self.roles == "random" or nature or self.repetition.stochastic

    def _declaration(self, agent: str) -> dict[str, Any]:
        own = self.game.roles[self.possible_agents.index(agent) % len(self.game.roles)]
        roles = list(self.game.roles) if self.roles == "random" else [own]
        return {"kind": "tree", "family": self.game.name, "memory": self.memory, "roles": roles}

    def _open(self, rng: np.random.Generator) -> dict[str, float]:
        self._progress = TreePlay(
            self.game,
            self.possible_agents,
            roles=self.roles,
            method=self.method,
            repetition=self.repetition,
            rng=rng,
        )
        self.moves = 0
        self._select_mover()
        return self._progress.opening_payoffs.copy()

    def _play(self, agent: str, action: Any) -> dict[str, float]:
        progress, asked = self._progress, self._asked
        assert progress is not None
        assert asked is not None
        paid = progress.take(self._option(asked, action))
        self.moves += 1
        if self.moves == self.max_cycles and progress.pending is not None:
            self.truncations = dict.fromkeys(self.agents, True)
        self._select_mover()
        return paid

    def _observations(self, agents: Sequence[str]) -> dict[str, Observation]:
        return {agent: self._observed(agent) for agent in agents}

    def _observed(self, agent: str) -> Observation:
        progress = self._progress
        assert progress is not None
        asked = self._asked if agent == self.agent_selection else None
        role: str | None = progress.role_of[agent]
        if self.method == "strategy" and self.roles == "random":
            # The seat does not know yet which role it will play: its question names one.
            role = None if asked is None else asked.role
        node = None if asked is None else asked.label
        done = len(progress.past)
        past = [finished[agent] for finished in progress.past[max(0, done - self.memory) :]] if done else ()
        vector = self._encoding.vector(role, node, past, done)
        return {"observation": vector, "action_mask": self._masks.mask(node)}

    def _turn(self, agent: str) -> Turn:
        progress, node = self._progress, self._asked
        assert progress is not None
        assert node is not None
        past = (finished[agent] for finished in progress.past)
        facts = self.repetition.facts
        if self.repetition.history == "reputation":
            facts["reputation"] = progress.reputation(agent)
        return tree_turn(
            self.game,
            node,
            environment=self.environment,
            agent=agent,
            observation=self._observed(agent),
            past=[PastRound(seen.role, seen.path, dict(seen.payoffs)) for seen in past],
            round=len(progress.past),
            rounds=self.rounds,
            method=self.method,
            roles=self.roles,
            facts=facts,
        )

    def _text(self) -> str:
        return drawing.text(self.game, *self._shown())

    def _print(self) -> None:
        drawing.show(self.game, *self._shown())

    def _figure(self) -> Figure:
        return drawing.figure(self.game, *self._shown())

    def _select_mover(self) -> None:
        """Select the seat to step: the mover, or the first seat once the episode is over."""
        progress = self._progress
        assert progress is not None
        if progress.pending is None:
            self.terminations = dict.fromkeys(self.agents, True)
        over = progress.pending is None or self.truncations[self.agents[0]]
        self._asked = None if over else progress.pending
        self.agent_selection = self.agents[0] if over else progress.mover

    def _option(self, asked: InformationSet, action: Any) -> str:
        number = whole_number(action)
        if number is not None and 0 <= number < len(asked.options):
            return asked.options[number]
        choices = ", ".join(f"{place} ({name})" for place, name in enumerate(asked.options))
        raise UsageError(
            f"{action!r} is not a legal action of {self.agent_selection} at {asked.label!r} "
            f"of {self.environment}: choose {choices}."
        )

    def _shown(self) -> tuple[tuple[Step, ...], str]:
        """Return the path to draw, and a caption that says in which round who played which role."""
        progress = self._progress
        if progress is None:
            return (), ""
        shown, number = progress.present, len(progress.past) + 1
        if progress.past and (not any(each.path for each in progress.groups) or progress.pending is None):
            shown, number = progress.finished[-1][0], len(progress.past)
        path, sitting = tuple(shown.path), shown.sitting
        caption = ", ".join(f"{role}: {sitting[role]}" for role in self.game.roles)
        if self.method == "strategy" and self.roles == "random" and not path:
            caption = "roles are drawn once all have answered"
        ends = f"of {self.rounds}" if self.continuation is None else f"(goes on with {self.continuation:g})"
        return path, f"Round {number} {ends}, {caption}" if self.rounds > 1 else caption
