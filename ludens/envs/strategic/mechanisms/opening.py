"""Games before which everybody says one of finitely many things, all at once, and all learn what was said."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import ClassVar

from ludens.envs.strategic.actions import named
from ludens.envs.strategic.game import Floats
from ludens.envs.strategic.mechanisms.foresight import selfish_play
from ludens.envs.strategic.mechanisms.mechanism import (
    CHOICE,
    Foresight,
    History,
    Stage,
    StagedGame,
    StageGame,
)
from ludens.envs.strategic.tree_form import node_of
from ludens.envs.turn import Step


class OpenedGame(StagedGame):
    """A game with an opening stage; what was said there decides in which game all act.

    Attributes:
        opening: the name of the opening stage.
    """

    opening: ClassVar[str]

    @abstractmethod
    def sayings(self, role: str) -> tuple[str, ...]:
        """Return what a player of a role can say."""

    @abstractmethod
    def act(self, said: Sequence[float]) -> StageGame:
        """Return the game in which all act after what was said, the numbers of sayings by seat."""

    @property
    @abstractmethod
    def following(self) -> Callable[[Foresight], Callable[[Floats], Floats]]:
        """From a foresight to what everybody earns after what is said; see `StageGame.anticipated`."""

    @property
    def widths(self) -> tuple[int, ...]:
        """The largest number of actions that somebody has in each stage."""
        sizes = map(len, self.base.finite.values())
        return (max(len(self.sayings(role)) for role in self.base.roles), max(sizes))

    def stage(self, history: History) -> Stage:
        """Return the next stage after a history that is shorter than a round."""
        seats = self.base.seats
        if history:
            return Stage(CHOICE, (self.act(history[0]),) * len(seats), seats)
        return Stage(self.opening, (self._first,) * len(seats), seats)

    def choices(self, history: History) -> Sequence[float]:
        """Return the actions of the base game in a whole round."""
        return history[1]

    def payoffs(self, history: History) -> Floats:
        """Return what a whole round pays, (n,), in points."""
        return self.act(history[0]).payoffs_of(self.chosen_values(history[1]))

    def step(self, number: int, who: int, action: int, called: Sequence[str]) -> Step:
        """Return what a player did in a stage, for records."""
        role = self.base.seats[who]
        if number:
            return Step(node_of(called[who]), self.base.finite[role].names[action], called[who])
        return Step(f"{self.opening} of {called[who]}", self.sayings(role)[action], called[who])

    @cached_property
    def _first(self) -> StageGame:
        return StageGame(
            f"{self.base.name} {self.opening}",
            dict(self.base.players),
            {role: named(*self.sayings(role)) for role in self.base.roles},
            self.following(selfish_play),
            parameters=dict(self.base.parameters),
            protocol=self.base.protocol,
            stage=self.opening,
            base=self.base,
            mechanism=self.mechanism,
            staged=self,
            anticipated=self.following,
        )
