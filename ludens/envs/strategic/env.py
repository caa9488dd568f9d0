"""The environment of a simultaneous game: PettingZoo's Parallel API, one step for every round.

An episode repeats the game a fixed or a random number of times, among fixed partners or among partners that
are drawn anew for every round, in one group or in several. What a seat sees of the others can be noisy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ludens.checks import check_count, real_number, whole_number
from ludens.envs.base import (
    Info,
    Observation,
    ObservationForm,
    RenderMode,
    SimultaneousEnv,
    StepResult,
    observation_space,
)
from ludens.envs.repetition import Matching, Monitoring, repetition
from ludens.envs.strategic import drawing
from ludens.envs.strategic.actions import Interval
from ludens.envs.strategic.game import Floats, StrategicGame
from ludens.envs.strategic.tree_form import own_first
from ludens.envs.strategic.turns import MOST_NAMED, strategic_turn
from ludens.envs.turn import Turn
from ludens.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TABULATED = 4096
_TABULATED_SUMS = 65_536


class StrategicEnv(SimultaneousEnv):
    """A simultaneous game, repeated.

    Args:
        game: the rules.
        environment: the id that turns and errors name.
        rounds, continuation, groups, matching, history, noise: see `Repetition`. There are `groups` times n
            seats, and a seat keeps its role. Payoffs follow from what was really done; the payoffs that turns
            show follow from what the seat saw.
        memory: how many of the last rounds are observed; turns hold all of them.
        max_cycles: the episode is truncated after so many steps.
        render_mode, observation: see `BaseEnv`.

    Raises:
        UsageError: an argument is wrong.
    """

    def __init__(
        self,
        game: StrategicGame,
        environment: str | None = None,
        *,
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
        name = environment or game.name
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
        self.groups, self.noise = self.repetition.groups, self.repetition.noise
        self.matching, self.history = self.repetition.matching, self.repetition.history
        seats = [f"player_{seat}" for seat in range(self.groups * len(game.seats))]
        super().__init__(name, seats, render_mode, observation)
        self.game = game
        self.memory = check_count(name, "memory", memory, least=0)
        self.max_cycles = None if max_cycles is None else check_count(name, "max_cycles", max_cycles)
        self._number = {agent: number for number, agent in enumerate(seats)}
        self._role = [game.seats[number % len(game.seats)] for number in range(len(seats))]
        self._continuous = [isinstance(game.actions[role], Interval) for role in self._role]
        self._values = {role: np.array(actions.values) for role, actions in game.finite.items()}
        self._masks = {role: np.ones(len(actions), dtype=np.int8) for role, actions in game.finite.items()}
        self._table = self._payoff_table()
        self._by_sum = None if self._table is not None else self._payoffs_by_sum()
        self._orders = [own_first(game, place) for place in range(len(game.seats))]
        self._base: dict[str, NDArray[np.float32]] = {}
        self._set_spaces(
            {agent: self._actions_of(agent) for agent in seats},
            {agent: self._observed_space(agent) for agent in seats},
        )
        self._forget()

    @property
    def stochastic(self) -> bool:
        """Whether the seed matters before anybody has drawn an action."""
        return self.repetition.stochastic

    @property
    def round(self) -> int:
        """How many rounds have been played."""
        return len(self._played)

    @property
    def played(self) -> Floats:
        """The action values of all seats, shape (rounds played, seats)."""
        return np.array([values for values, _ in self._played]).reshape(self.round, len(self.possible_agents))

    @property
    def paid(self) -> Floats:
        """The payoffs of all seats, in points, shape (rounds played, seats)."""
        return np.array([paid for _, paid in self._played]).reshape(self.round, len(self.possible_agents))

    def _forget(self) -> None:
        self._played: list[tuple[list[float], list[float]]] = []
        self._grouped: list[list[list[int]]] = []
        self._seen: list[Floats | None] = []
        self._groups: list[list[int]] = []
        self._place: list[tuple[int, int]] = []

    def _open(self, rng: np.random.Generator) -> list[str]:
        self._forget()
        self._regroup(rng)
        return self.possible_agents[:]

    def _regroup(self, rng: np.random.Generator) -> None:
        """Put every seat into a group: at the beginning, and before every round where partners are drawn."""
        if self._groups and not self.repetition.random_partners:
            return
        self._groups = self.repetition.meetings(tuple(self.game.players.values()), rng)
        self._place = [(0, 0)] * len(self.possible_agents)
        for number, members in enumerate(self._groups):
            for place, seat in enumerate(members):
                self._place[seat] = (number, place)

    def _legal(self, agent: str, action: Any) -> Any:
        seat = self._number[agent]
        role = self._role[seat]
        if not self._continuous[seat]:
            number = whole_number(action)
            if number is not None and 0 <= number < len(self._values[role]):
                return number
            names = self.game.finite[role].names
            listed = ", ".join(f"{place} ({name})" for place, name in enumerate(names[:MOST_NAMED]))
            more = f" … {len(names) - 1} ({names[-1]})" if len(names) > MOST_NAMED else ""
            raise UsageError(
                f"{action!r} is not a legal action of {agent} in {self.environment}: choose {listed}{more}."
            )
        space = self.game.actions[role]
        assert isinstance(space, Interval)
        if isinstance(action, np.ndarray) and action.shape == (1,) and action.dtype.kind in "fiu":
            action = action[0]
        number_chosen = real_number(action)
        if number_chosen is None or not space.low <= number_chosen <= space.high:
            raise UsageError(
                f"{action!r} is not a legal action of {agent} in {self.environment}: choose a number from "
                f"{space.low:g} to {space.high:g}."
            )
        return number_chosen

    def _play(self, moves: Mapping[str, Any]) -> StepResult:
        rng = self._rng
        assert rng is not None
        chosen = list(moves.values())
        if self._table is not None:
            paid = [0.0] * len(chosen)
            for members in self._groups:
                earned = self._table[tuple([chosen[seat] for seat in members])]
                for seat, points in zip(members, earned, strict=True):
                    paid[seat] = points
            values = [float(self._values[role][move]) for role, move in zip(self._role, chosen, strict=True)]
        elif self._by_sum is not None:
            first, step, by_sum = self._by_sum
            paid, values = [0.0] * len(chosen), [first + step * move for move in chosen]
            for members in self._groups:
                total = sum([chosen[seat] for seat in members])
                for seat in members:
                    move = chosen[seat]
                    paid[seat] = by_sum[move][total - move]
        else:
            values = [
                move if free else float(self._values[role][move])
                for role, move, free in zip(self._role, chosen, self._continuous, strict=True)
            ]
            table = np.array(self._groups)
            earned_by_group = self.game.payoffs_of(np.array(values)[table])
            points_of = np.empty(len(values))
            points_of[table] = earned_by_group
            paid = points_of.tolist()
        return self._end_round(values, paid, rng)

    def _end_round(self, values: list[float], paid: list[float], rng: np.random.Generator) -> StepResult:
        """Keep a round with the action values and the payoffs of all seats, and open the next one."""
        self._played.append((values, paid))
        self._grouped.append(self._groups)
        self._seen.append(self._misread(values, rng))
        over = self.repetition.is_over(self.round, rng)
        cut = not over and self._is_cut()
        agents = self.agents
        if not over and not cut:
            self._regroup(rng)
        observed = self._observations(agents)
        infos = self._infos(agents)
        if over or cut:
            self.agents = []
        return (
            observed,
            dict(zip(agents, paid, strict=True)),
            dict.fromkeys(agents, over),
            dict.fromkeys(agents, cut),
            infos,
        )

    def _is_cut(self) -> bool:
        return self.max_cycles is not None and self.round >= self.max_cycles

    def _misread(self, values: list[float], rng: np.random.Generator) -> Floats | None:
        """Return what every seat (row) takes the actions of all seats (columns) to be; None if all see
        right.
        """
        if not self.noise:
            return None
        seen = np.tile(np.array(values), (len(values), 1))
        wrong = rng.random(seen.shape) < self.noise
        np.fill_diagonal(wrong, val=False)
        for observer, seat in zip(*np.nonzero(wrong), strict=True):
            others = self._values[self._role[seat]]
            others = others[others != values[seat]]
            if len(others):
                seen[observer, seat] = rng.choice(others)
        return seen

    def _info(self, agent: str) -> Info:
        return {}

    def _turn(self, agent: str) -> Turn:
        seat = self._number[agent]
        return strategic_turn(
            self.game,
            self._role[seat],
            environment=self.environment,
            agent=agent,
            observation=self._observed(agent),
            past=[self._profile(seat, number) for number in range(self.round)],
            round=self.round,
            rounds=self.rounds,
            facts=self._facts(seat),
        )

    def _facts(self, seat: int) -> dict[str, Any]:
        facts: dict[str, Any] = {"roles": "fixed", **self.repetition.facts}
        if self.history == "reputation":
            group, place = self._place[seat]
            partners = [self._groups[group][other] for other in self._orders[place] if other != place]
            facts["reputation"] = tuple(
                tuple(self._name(other, self._sight(seat, number)[other]) for number in range(self.round))
                for other in partners
            )
        return facts

    def _sight(self, seat: int, number: int) -> Sequence[float]:
        seen = self._seen[number]
        return self._played[number][0] if seen is None else seen[seat].tolist()

    def _profile(self, seat: int, number: int) -> Floats:
        """Return the actions in a seat's group of a past round as the seat saw them, its own first in its
        role.
        """
        members = next(each for each in self._grouped[number] if seat in each)
        sight = self._sight(seat, number)
        return np.array([sight[members[place]] for place in self._orders[members.index(seat)]])

    def _name(self, seat: int, value: float) -> str:
        role = self._role[seat]
        if self._continuous[seat]:
            return f"{value:.12g}"
        return self.game.finite[role].names[int(np.flatnonzero(self._values[role] == value)[0])]

    # Observations

    def _observed_space(self, agent: str) -> gymnasium.spaces.Dict:
        seat = self._number[agent]
        order = self._orders[seat % len(self.game.seats)]
        values = [self._values[self.game.seats[place]] for place in order]
        block_low = [0.0, *(min(0.0, float(each.min())) for each in values)]
        block_high = [1.0, *(max(0.0, float(each.max())) for each in values)]
        own = [float(role == self._role[seat]) for role in self.game.roles]
        numbers = [float(value) for value in self.game.parameters.values()]
        low = [*(0.0 for _ in own), *self.memory * block_low, *(min(0.0, value) for value in numbers), 0.0]
        high = [*(1.0 for _ in own), *self.memory * block_high, *(max(0.0, value) for value in numbers), 1.0]
        empty = [*own, *(0.0 for _ in range(self.memory * len(block_low))), *numbers, 0.0]
        self._base[agent] = np.array(empty, dtype=np.float32)
        actions = None if self._continuous[seat] else len(self._values[self._role[seat]])
        return observation_space(low, high, actions)

    def _observations(self, agents: Sequence[str]) -> dict[str, Observation]:
        return {agent: self._observed(agent) for agent in agents}

    def _observed(self, agent: str) -> Observation:
        seat = self._number[agent]
        vector = self._base[agent].copy()
        done = self.round
        if done:
            block = len(self.game.seats) + 1
            start = len(self.game.players) + self.memory * block
            for back in range(1, min(self.memory, done) + 1):
                start -= block
                vector[start] = 1
                vector[start + 1 : start + block] = self._profile(seat, done - back)
            vector[-1] = done / self.rounds
        if self._continuous[seat]:
            return {"observation": vector}
        return {"observation": vector, "action_mask": self._masks[self._role[seat]].copy()}

    def _actions_of(self, agent: str) -> gymnasium.spaces.Space[Any]:
        space = self.game.actions[self._role[self._number[agent]]]
        if isinstance(space, Interval):
            return gymnasium.spaces.Box(space.low, space.high, (1,), dtype=np.float64)
        return gymnasium.spaces.Discrete(len(space))

    def _declaration(self, agent: str) -> dict[str, Any]:
        role = self._role[self._number[agent]]
        return {"kind": "strategic", "family": self.game.name, "memory": self.memory, "roles": [role]}

    def _payoff_table(self) -> dict[tuple[int, ...], list[float]] | None:
        """Return the payoffs of all profiles of a small finite game, which plain Python reads fastest."""
        if self.game.continuous or self.game.profiles > _TABULATED:
            return None
        payoffs = self.game.payoffs
        return {index: payoffs[index].tolist() for index in np.ndindex(payoffs.shape[:-1])}

    def _payoffs_by_sum(self) -> tuple[float, float, list[list[float]]] | None:
        """Return the payoffs of a game in which they follow from the own action and the sum of the others',
        where actions are evenly spaced: the lowest action, the step, and a table by the number of the own
        action and the sum of the numbers of the others'.
        """
        game = self.game
        if game.own_payoff is None or game.continuous:
            return None
        values = self._values[game.roles[0]]
        step = float(values[1] - values[0]) if len(values) > 1 else 0.0
        others = len(game.seats) - 1
        size = len(values) * (others * (len(values) - 1) + 1)
        if size > _TABULATED_SUMS or not np.array_equal(values, values[0] + step * np.arange(len(values))):
            return None
        sums = others * values[0] + step * np.arange(others * (len(values) - 1) + 1)
        return float(values[0]), step, game.own_payoffs(values[:, None], sums).tolist()

    # Pictures

    def _text(self) -> str:
        return drawing.text(self.game, *self._shown())

    def _figure(self) -> Figure:
        return drawing.figure(self.game, *self._shown())

    def _shown(self) -> tuple[tuple[float, ...], str]:
        """Return the profile of the first group in the last round, and a caption."""
        if not self._played:
            return (), ""
        values = self._played[-1][0]
        members = self._grouped[-1][0]
        ends = f"of {self.rounds}" if self.continuation is None else f"(goes on with {self.continuation:g})"
        caption = f"Round {self.round} {ends}" if self.rounds > 1 else ""
        return tuple(values[seat] for seat in members), caption
