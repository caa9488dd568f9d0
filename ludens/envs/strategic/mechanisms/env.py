"""The environment of a game whose rounds have several stages: PettingZoo's Parallel API, one step a stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ludens.checks import said, whole_number
from ludens.envs.base import StepResult, observation_space
from ludens.envs.strategic.actions import Actions
from ludens.envs.strategic.env import StrategicEnv
from ludens.envs.strategic.mechanisms.cheap_talk import GREETING, SILENCE
from ludens.envs.strategic.mechanisms.mechanism import Stage, StagedGame
from ludens.envs.strategic.tree_form import own_first, seat_roles
from ludens.envs.strategic.turns import MOST_NAMED, amounts
from ludens.envs.turn import Option, PastRound, Scale, Step, Turn
from ludens.errors import UsageError


class StagedEnv(StrategicEnv):
    """A game with a mechanism whose rounds have several stages, repeated.

    Every round pays at its end. An observation is that of the base game, followed by the number of the
    present stage as a share of all, and for each stage of the round what every player did, numbered from 1,
    the own action first in its role; 0 where that is not known. Of messages in one's own words it tells
    whether there were any; turns hold them.

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
        self._saying: dict[str, str] = {}
        self._said: list[str | None] = []
        self._past_said: list[list[str | None]] = []

    @property
    def stage(self) -> int:
        """The number of the present stage, from 0."""
        return len(self._history)

    def say(self, agent: str, text: str) -> None:
        """Send a text with the agent's next action, if that is to say something; the last one counts.

        Raises:
            UsageError: nothing can be said in one's own words now, the agent does not exist, or the text is
                empty, too long, or the words for silence.
        """
        self._check_running("say()")
        self._check_seat(agent)
        longest = self.staged.longest_text
        if longest is None or self.stage:
            raise UsageError(
                f"Nothing can be said in {self.environment} now: messages in one's own words are sent in the "
                'first stage of cheap talk with messages="free".'
            )
        message = " ".join(said(text, 1, longest).split())
        if message.casefold() == SILENCE:
            raise UsageError(
                f"To {SILENCE} is an action of its own in {self.environment}: take it, or say something else."
            )
        self._saying[agent] = message

    def keep_notes(self, agent: str, notes: Mapping[str, str]) -> None:
        """Send the ``message`` among the notes of a decision, where words can be sent.

        Raises:
            UsageError: as for `say`.
        """
        if self.staged.longest_text is not None and not self.stage and notes.get("message"):
            self.say(agent, notes["message"])

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
        if self.staged.longest_text is not None and not self.stage:
            spoke = moves.items()
            self._said = [self._saying.get(agent, GREETING) if move else None for agent, move in spoke]
        self._saying = {}
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
        self._past_said.append(self._said)
        self._history, self._said = [], []
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
            known=self._known(own, self._of_group(self._history, members), self._words(self._said, members)),
            past=tuple(self._past_round(seat, number) for number in range(self.round)),
            round=self.round,
            rounds=self.rounds,
            facts=self._facts(seat),
            scale=self._scale(game.finite[role]),
        )

    def _scale(self, actions: Actions) -> Scale | None:
        longest = self.staged.longest_text
        return amounts(actions) if longest is None or self.stage else Scale("message", 1, longest)

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

    def _words(self, said: list[str | None], members: list[int]) -> tuple[str | None, ...]:
        """Return what the members of a group said in their own words; empty where nobody could."""
        return tuple(said[seat] for seat in members) if said else ()

    def _known(
        self, own: int, history: tuple[tuple[int, ...], ...], said: tuple[str | None, ...]
    ) -> tuple[Step, ...]:
        """Return the moves of this round that a player knows: those of all in stages that are seen, and its
        own.
        """
        return tuple(
            step
            for number, who, step in self._moves(own, history, said)
            if who == own or self.staged.is_seen(number)
        )

    def _moves(
        self, own: int, history: tuple[tuple[int, ...], ...], said: tuple[str | None, ...]
    ) -> list[tuple[int, int, Step]]:
        names, called = seat_roles(self.game), [""] * len(self.game.seats)
        for name, place in zip(names, own_first(self.game, own), strict=True):
            called[place] = name
        steps = []
        for number, moves in enumerate(history):
            for who in own_first(self.game, own):
                step = self.staged.step(number, who, moves[who], called)
                text = said[who] if said and not number else None
                steps.append((number, who, step if text is None else replace(step, option=text)))
        return steps

    def _past_round(self, seat: int, number: int) -> PastRound:
        members = next(each for each in self._grouped[number] if seat in each)
        own = members.index(seat)
        names, order = seat_roles(self.game), own_first(self.game, own)
        said = self._words(self._past_said[number], members)
        steps = self._moves(own, self._of_group(self._past[number], members), said)
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
