"""Cheap talk (Farrell & Rabin, Journal of Economic Perspectives 10(3), 1996): before acting, every player
sends one of finitely many messages, all at once, and all see them. Payoffs stay what they are, so that by
backward induction every message is worth the same: the oracles babble.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from ludens.envs.strategic.actions import MAX_ACTIONS, named
from ludens.envs.strategic.game import Floats, StrategicGame
from ludens.envs.strategic.mechanisms.foresight import selfish_play
from ludens.envs.strategic.mechanisms.mechanism import (
    CHOICE,
    Foresight,
    History,
    Mechanism,
    Stage,
    StagedGame,
    StageGame,
    anticipating,
    choice_in,
    on_grid,
    role_payoffs,
)
from ludens.envs.strategic.tree_form import node_of
from ludens.envs.tree.nodes import GameError
from ludens.envs.turn import Step

MESSAGE = "message"
SILENCE = "say nothing"


@dataclass(frozen=True)
class CheapTalk(Mechanism):
    """A message of everybody before all act.

    Attributes:
        messages: what can be said; None to announce one of one's actions, or to say nothing.
    """

    kind: ClassVar[str] = "cheap_talk"
    title: ClassVar[str] = "Cheap talk"
    source: ClassVar[str] = "Farrell & Rabin 1996"

    messages: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.messages is None:
            return
        given = self.messages
        if isinstance(given, list):
            object.__setattr__(self, "messages", tuple(given))
        texts = isinstance(given, list | tuple) and all(isinstance(each, str) and each for each in given)
        if not texts or not 2 <= len(given) <= MAX_ACTIONS or len(set(given)) < len(given):
            raise GameError(
                f"Cheap talk needs messages, at least two different texts; got messages={given!r}."
            )

    def around(self, game: StrategicGame) -> StagedGame:
        """Return the game with a stage of messages before it.

        Raises:
            GameError: the game has one player.
        """
        return _Talk(on_grid(game, self), self)


class _Talk(StagedGame):
    mechanism: CheapTalk

    @property
    def widths(self) -> tuple[int, ...]:
        """The largest number of actions that somebody has in each stage."""
        sizes = [len(actions) for actions in self.base.finite.values()]
        return (max(len(self._messages(role)) for role in self.base.roles), max(sizes))

    def stage(self, history: History) -> Stage:
        """Return the next stage after a history that is shorter than a round."""
        seats = self.base.seats
        if history:
            return Stage(CHOICE, (self._last,) * len(seats), seats)
        return Stage(MESSAGE, (self._first,) * len(seats), seats)

    def choices(self, history: History) -> Sequence[float]:
        """Return the actions of the base game in a whole round."""
        return history[1]

    def payoffs(self, history: History) -> Floats:
        """Return what a whole round pays, (n,), in points."""
        values = self.chosen_values(history[1])
        return self.base.payoffs_of(values)

    def step(self, number: int, who: int, action: int, called: Sequence[str]) -> Step:
        """Return what a player did in a stage, for records."""
        role = self.base.seats[who]
        if number:
            return Step(node_of(called[who]), self.base.finite[role].names[action], called[who])
        return Step(f"{MESSAGE} of {called[who]}", self._messages(role)[action], called[who])

    def rule(self, stage: str, good: str, bad: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        """Return what a rule does in a stage: it announces what it will do.

        Raises:
            GameError: messages announce nothing.
        """
        if stage != MESSAGE:
            return good, bad
        if self.mechanism.messages is not None:
            raise GameError(
                f"A scripted rule cannot tell which of {', '.join(self.mechanism.messages)} announces what "
                "it does: leave messages out, or name another policy."
            )
        return announcement(good), tuple(map(announcement, bad))

    def _messages(self, role: str) -> tuple[str, ...]:
        if self.mechanism.messages is not None:
            return self.mechanism.messages
        return (*map(announcement, self.base.finite[role].names), SILENCE)

    @cached_property
    def _last(self) -> StageGame:
        return choice_in(self.base, self)

    @cached_property
    def _first(self) -> StageGame:
        messages = {role: named(*self._messages(role)) for role in self.base.roles}
        following = anticipating(_follows, self._last)
        return StageGame(
            f"{self.base.name} {MESSAGE}",
            dict(self.base.players),
            messages,
            following(selfish_play),
            parameters=dict(self.base.parameters),
            protocol=self.base.protocol,
            stage=MESSAGE,
            base=self.base,
            mechanism=self.mechanism,
            staged=self,
            anticipated=following,
        )


def announcement(action: str) -> str:
    """Return the message that announces an action."""
    return f"announce {action}"


def _follows(game: StrategicGame, foresight: Foresight, profiles: Floats) -> Floats:
    """Return what everybody earns after any messages, the same after all."""
    paid: Floats = np.broadcast_to(role_payoffs(game, foresight), profiles.shape)
    return paid
