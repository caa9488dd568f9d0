"""The environment of a game whose rounds have several stages: PettingZoo's Parallel API, one step a stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ludens.checks import whole_number
from ludens.envs.base import StepResult, observation_space
from ludens.envs.strategic.env import StrategicEnv
from ludens.envs.strategic.mechanisms.mechanism import Stage, StagedGame
from ludens.envs.strategic.tree_form import own_first, seat_roles
from ludens.envs.strategic.turns import MOST_NAMED, amounts
from ludens.envs.turn import Option, PastRound, Step, Turn
from ludens.errors import UsageError


class StagedEnv(StrategicEnv):
    """A game with a mechanism whose rounds have several stages, repeated.

    Every round pays at its end. An observation is that of the base game, followed by the number of the
    present stage as a share of all, and for each stage of the round what every player did, numbered from 1,
    the own action first in its role; 0 where that is not known.

    Args:
        staged: the rules.
        environment: the id that turns and errors name.
        options: as for `StrategicEnv`, without `noise`. `max_cycles` counts steps, which are stages.

    Raises:
        UsageError: an argument is wrong.
    """

    def __init__(self, staged: StagedGame, environment: str | None = None, **options: Any) -> None:
        name = environment or staged.base.name
        if options.get("noise"):
            raise UsageError(
                f"{name} got noise={options['noise']!r} with {staged.mechanism.kind}: what happens in stages "
                "is seen as it is; leave noise out."
            )
        self.staged = staged
        super().__init__(staged.base, name, **options)

    def _forget(self) -> None:
        super()._forget()
        self._steps = 0
        self._history: list[list[int]] = []
        self._past: list[list[list[int]]] = []

    @property
    def stage(self) -> int:
        """The number of the present stage, from 0."""
        return len(self._history)

    def _legal(self, agent: str, action: Any) -> Any:
        stage, place = self._stage_of(self._number[agent])
        names = stage.games[place].finite[stage.roles[place]].names
        number = whole_number(action)
        if number is not None and 0 <= number < len(names):
            return number
        listed = ", ".join(f"{place} ({name})" for place, name in enumerate(names[:MOST_NAMED]))
        more = f" … {len(names) - 1} ({names[-1]})" if len(names) > MOST_NAMED else ""
        raise UsageError(
            f"{action!r} is not a legal action of {agent} in {self.environment} at the {stage.label}: choose "
            f"{listed}{more}."
        )

    def _play(self, moves: Mapping[str, Any]) -> StepResult:
        rng = self._rng
        assert rng is not None
        self._history.append(list(moves.values()))
        self._steps += 1
        agents = self.agents
        if self.stage < len(self.staged.widths):
            cut = self._is_cut()
            observed, infos = self._observations(agents), self._infos(agents)
            if cut:
                self.agents = []
            return (
                observed,
                dict.fromkeys(agents, 0.0),
                dict.fromkeys(agents, False),
                dict.fromkeys(agents, cut),
                infos,
            )
        values, paid = [0.0] * len(agents), [0.0] * len(agents)
        for members in self._groups:
            history = self._of_group(self._history, members)
            chosen, earned = self.staged.choices(history), self.staged.payoffs(history).tolist()
            for seat, action, points in zip(members, chosen, earned, strict=True):
                values[seat], paid[seat] = float(self._values[self._role[seat]][int(action)]), points
        self._past.append(self._history)
        self._history = []
        return self._end_round(values, paid, rng)

    def _is_cut(self) -> bool:
        return self.max_cycles is not None and self._steps >= self.max_cycles

    def _turn(self, agent: str) -> Turn:
        seat = self._number[agent]
        members, own = self._groups[self._place[seat][0]], self._place[seat][1]
        stage, place = self._stage_of(seat)
        game, role = stage.games[place], stage.roles[place]
        names = game.finite[role].names
        return Turn(
            environment=self.environment,
            agent=agent,
            role=role,
            node=game.node(role),
            options=tuple(Option(number, name) for number, name in enumerate(names)),
            observation=self._observed(agent),
            game=game,
            known=self._known(own, self._of_group(self._history, members)),
            past=tuple(self._past_round(seat, number) for number in range(self.round)),
            round=self.round,
            rounds=self.rounds,
            facts=self._facts(seat),
            scale=amounts(game.finite[role]),
        )

    def _facts(self, seat: int) -> dict[str, Any]:
        return {
            **super()._facts(seat),
            "mechanism": self.staged.mechanism.kind,
            "stage": self.stage,
        }

    def _stage_of(self, seat: int) -> tuple[Stage, int]:
        """Return the stage that a seat is in, and its place in its group."""
        group, place = self._place[seat]
        return self.staged.stage(self._of_group(self._history, self._groups[group])), place

    def _of_group(self, history: list[list[int]], members: list[int]) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(moves[seat] for seat in members) for moves in history)

    def _known(self, own: int, history: tuple[tuple[int, ...], ...]) -> tuple[Step, ...]:
        """Return the moves of this round that a player knows: those of all in stages that are seen, and its
        own.
        """
        return tuple(
            step
            for number, who, step in self._moves(own, history)
            if who == own or self.staged.is_seen(number)
        )

    def _moves(self, own: int, history: tuple[tuple[int, ...], ...]) -> list[tuple[int, int, Step]]:
        names, called = seat_roles(self.game), [""] * len(self.game.seats)
        for name, place in zip(names, own_first(self.game, own), strict=True):
            called[place] = name
        return [
            (number, who, self.staged.step(number, who, moves[who], called))
            for number, moves in enumerate(history)
            for who in own_first(self.game, own)
        ]

    def _past_round(self, seat: int, number: int) -> PastRound:
        members = next(each for each in self._grouped[number] if seat in each)
        own = members.index(seat)
        names, order = seat_roles(self.game), own_first(self.game, own)
        steps = self._moves(own, self._of_group(self._past[number], members))
        paid = self._played[number][1]
        return PastRound(
            names[order.index(own)],
            tuple(step for _, _, step in steps),
            {name: paid[members[place]] for name, place in zip(names, order, strict=True)},
        )

    # Observations

    def _observed_space(self, agent: str) -> gymnasium.spaces.Dict:
        base = super()._observed_space(agent)["observation"]
        assert isinstance(base, gymnasium.spaces.Box)
        widths = self.staged.widths
        highest = [1.0, *(float(width) for width in widths for _ in self.game.seats)]
        low = np.concatenate([base.low, np.zeros(len(highest), dtype=np.float32)])
        high = np.concatenate([base.high, np.array(highest, dtype=np.float32)])
        return observation_space(low, high, max(widths))

    def _observed(self, agent: str) -> dict[str, NDArray[np.generic]]:
        seat = self._number[agent]
        base = super()._observed(agent)["observation"]
        group, own = self._place[seat]
        members, order = self._groups[group], own_first(self.game, own)
        count, players = len(self.staged.widths), len(order)
        added = np.zeros(1 + count * players, dtype=np.float32)
        added[0] = self.stage / count
        for number, moves in enumerate(self._history):
            for place, other in enumerate(order):
                if other == own or self.staged.is_seen(number):
                    added[1 + number * players + place] = moves[members[other]] + 1
        stage, place = self._stage_of(seat)
        mask = np.zeros(max(self.staged.widths), dtype=np.int8)
        mask[: len(stage.games[place].finite[stage.roles[place]])] = 1
        return {"observation": np.concatenate([base, added]), "action_mask": mask}

    def _actions_of(self, agent: str) -> gymnasium.spaces.Space[Any]:
        return gymnasium.spaces.Discrete(max(self.staged.widths))

    def _declaration(self, agent: str) -> dict[str, Any]:
        return {**super()._declaration(agent), "kind": "staged", "mechanism": self.staged.mechanism.kind}
