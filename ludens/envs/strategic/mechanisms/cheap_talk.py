"""Cheap talk (Farrell & Rabin, Journal of Economic Perspectives 10(3), 1996): before acting, every player
sends one of finitely many messages, all at once, and all see them. Payoffs stay what they are, so that by
backward induction every message is worth the same: the oracles babble.

With ``messages="free"`` language models and people write a sentence of their own, or say nothing. Whoever has
no words says `GREETING`, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from ludens.checks import whole_number
from ludens.envs.strategic.actions import MAX_ACTIONS
from ludens.envs.strategic.game import Floats, StrategicGame
from ludens.envs.strategic.mechanisms.mechanism import (
    Foresight,
    History,
    Mechanism,
    StagedGame,
    StageGame,
    anticipating,
    choice_in,
    on_grid,
    role_payoffs,
)
from ludens.envs.strategic.mechanisms.opening import OpenedGame
from ludens.envs.tree.nodes import GameError

MESSAGE = "message"
SILENCE = "say nothing"
FREE, SPEAK = "free", "say something"
GREETING = "Hello."
"""What a policy says that says something and has no words."""
MOST_CHARACTERS = 1000
MOST_ASKED = 4


@dataclass(frozen=True)
class CheapTalk(Mechanism):
    """A message of everybody before all act.

    Attributes:
        messages: what can be said; None to announce one of one's actions, or to say nothing; ``"free"`` for
            texts in one's own words.
        limit: the most characters of such a text.
    """

    kind: ClassVar[str] = "cheap_talk"
    title: ClassVar[str] = "Cheap talk"
    source: ClassVar[str] = "Farrell & Rabin 1996"
    unasked: ClassVar[str] = (
        "messages are not asked, since all of them pay the same, so that no oracle prefers one"
    )

    messages: tuple[str, ...] | Literal["free"] | None = None
    limit: int = 300

    def __post_init__(self) -> None:
        limit = whole_number(self.limit)
        if limit is None or not 1 <= limit <= MOST_CHARACTERS:
            raise GameError(
                f"A message has at most from 1 to {MOST_CHARACTERS} characters; got limit={self.limit!r}."
            )
        object.__setattr__(self, "limit", limit)
        if self.messages is None or self.messages == FREE:
            return
        given = self.messages
        if isinstance(given, list):
            object.__setattr__(self, "messages", tuple(given))
        texts = isinstance(given, list | tuple) and all(isinstance(each, str) and each for each in given)
        if not texts or not 2 <= len(given) <= MAX_ACTIONS or len(set(given)) < len(given):
            raise GameError(
                f"Cheap talk needs messages, at least two different texts, or {FREE!r}; got "
                f"messages={given!r}."
            )

    def around(self, game: StrategicGame) -> StagedGame:
        """Return the game with a stage of messages before it.

        Raises:
            GameError: the game has one player.
        """
        return _Talk(on_grid(game, self), self)


class _Talk(OpenedGame):
    mechanism: CheapTalk
    opening: ClassVar[str] = MESSAGE

    def sayings(self, role: str) -> tuple[str, ...]:
        """Return the messages that a player of a role can send; in one's own words, whether it sends one."""
        if isinstance(self.mechanism.messages, str):
            return SILENCE, SPEAK
        if self.mechanism.messages is not None:
            return self.mechanism.messages
        return (*map(announcement, self.base.finite[role].names), SILENCE)

    def act(self, said: Sequence[float]) -> StageGame:
        """Return the game itself, whatever was said."""
        return self._last

    @property
    def following(self) -> Callable[[Foresight], Callable[[Floats], Floats]]:
        """From a foresight to what everybody earns, the same after all messages."""
        return anticipating(_follows, self._last)

    def rule(self, stage: str, good: str, bad: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        """Return what a rule does in a stage: it announces what it will do.

        Raises:
            GameError: messages announce nothing.
        """
        if stage != MESSAGE:
            return good, bad
        if self.mechanism.messages == FREE:
            return SILENCE, (SILENCE,)
        if self.mechanism.messages is not None:
            raise GameError(
                f"A scripted rule cannot tell which of {', '.join(self.mechanism.messages)} announces what "
                "it does: leave messages out, or name another policy."
            )
        return announcement(good), tuple(map(announcement, bad))

    @property
    def longest_text(self) -> int | None:
        """The most characters of a message in one's own words; None where there are none."""
        return self.mechanism.limit if self.mechanism.messages == FREE else None

    def asked(self) -> Mapping[str, History]:
        """Return the choice after every message that all can send, of many the first and the last two."""
        said = [self.sayings(role) for role in self.base.seats]
        most = max(map(len, said))
        places = range(most) if most <= MOST_ASKED else (0, most - 2, most - 1)
        sent = [tuple(min(place, len(each) - 1) for each in said) for place in places]
        if self.mechanism.messages is None:  # to say nothing is the last message in every role
            sent[-1] = tuple(len(each) - 1 for each in said)
        named = {}
        for profile in sent:
            texts = dict.fromkeys(each[place] for each, place in zip(said, profile, strict=True))
            named[f"choice after all {' and '.join(texts)}"] = (profile,)
        return named

    @cached_property
    def _last(self) -> StageGame:
        return choice_in(self.base, self)


def announcement(action: str) -> str:
    """Return the message that announces an action."""
    return f"announce {action}"


def _follows(game: StrategicGame, foresight: Foresight, profiles: Floats) -> Floats:
    """Return what everybody earns after any messages, the same after all."""
    paid: Floats = np.broadcast_to(role_payoffs(game, foresight), profiles.shape)
    return paid
