"""What a mechanism is: a rule around a game that makes another game of it.

With some mechanisms all still move at once, and the result is a `StrategicGame`. With others a round has
several *stages*, each of which is a simultaneous game in which earlier stages are known: a `StagedGame`. The
game of a stage, a `StageGame`, pays at once what follows in the later stages, so that whatever plays
simultaneous games plays it. What follows is a matter of foresight: unless another is asked for
(`StageGame.foreseen`), later stages are played as players who care for their own payoff alone would.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import ClassVar

import numpy as np

from ludens.envs.strategic.expectations import expected_payoff
from ludens.envs.strategic.game import Floats, StrategicGame
from ludens.envs.tree.nodes import GameError
from ludens.envs.turn import Step

CHOICE = "choice"
"""The stage in which the players of the base game act."""

History = Sequence[Sequence[float]]
"""The numbers of the actions of all players in each stage so far, both in the order of the game's seats."""

Foresight = Callable[[StrategicGame], Floats]
"""From the game of a later stage to the strategy (width,) that everybody is expected to play in it."""


@dataclass(frozen=True)
class Mechanism(ABC):
    """A rule around a game; its attributes are what can be set."""

    kind: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    unasked: ClassVar[str] = ""
    """The stages that benchmarks do not ask and the reason, as one sentence; empty where they ask all."""

    @abstractmethod
    def around(self, game: StrategicGame) -> StrategicGame | StagedGame:
        """Return the game with this mechanism.

        Raises:
            GameError: the mechanism does not fit the game, or a setting is wrong.
        """


@dataclass(frozen=True, eq=False, repr=False)
class StageGame(StrategicGame):
    """A simultaneous game with a mechanism, or one stage of it with what follows as payoffs.

    Attributes:
        stage: the name of the stage; it names the information sets.
        base: the game that the mechanism is around.
        mechanism: the rule.
        staged: the game of whose rounds this is a stage; None where all move at once.
        anticipated: from a foresight to the payoff function; None where nothing follows that depends on it.
    """

    stage: str = CHOICE
    base: StrategicGame | None = None
    mechanism: Mechanism | None = None
    staged: StagedGame | None = None
    anticipated: Callable[[Foresight], Callable[[Floats], Floats]] | None = None

    def __getstate__(self) -> dict[str, object]:
        own = ("stage", "base", "mechanism", "staged", "anticipated")
        return super().__getstate__() | {name: getattr(self, name) for name in own}

    def node(self, role: str) -> str:
        """Return the name of the information set of a role."""
        return self.stage if len(self.players) == 1 else f"{self.stage} of {role}"

    @cached_property
    def _identity(self) -> tuple[object, ...]:
        # Under another rule another future follows, which the payoffs do not tell before it is foreseen.
        return (*super()._identity, self.stage, repr(self.mechanism), self.anticipated is not None)

    def foreseen(self, foresight: Foresight) -> StrategicGame:
        """Return the same stage paid by what follows if everybody plays later stages as `foresight` says."""
        if self.anticipated is None:
            return self
        return replace(self, payoff=self.anticipated(foresight), own_payoff=None, anticipated=None)


@dataclass(frozen=True)
class Stage:
    """One stage as every player meets it.

    Attributes:
        label: its name.
        games: the game of each player, in the order of seats.
        roles: the role of each player in its game.
    """

    label: str
    games: tuple[StageGame, ...]
    roles: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class StagedGame(ABC):
    """A game of which a round has several stages.

    Attributes:
        base: the game that the mechanism is around; its actions are finite.
        mechanism: the rule.
    """

    base: StrategicGame
    mechanism: Mechanism

    def __getstate__(self) -> dict[str, object]:
        return {"base": self.base, "mechanism": self.mechanism}  # the rest is derived

    @property
    @abstractmethod
    def widths(self) -> tuple[int, ...]:
        """The largest number of actions that somebody has in each stage."""

    @abstractmethod
    def stage(self, history: History) -> Stage:
        """Return the next stage after a history that is shorter than a round."""

    @abstractmethod
    def choices(self, history: History) -> Sequence[float]:
        """Return the actions of the base game in a whole round."""

    @abstractmethod
    def payoffs(self, history: History) -> Floats:
        """Return what a whole round pays, (n,), in points."""

    def chosen_values(self, chosen: Sequence[float]) -> Floats:
        """Return the values of actions of the base game, (n,), from their numbers."""
        numbers = zip(self.base.seats, chosen, strict=True)
        return np.array([self.base.finite[role].values[int(number)] for role, number in numbers])

    @property
    def longest_text(self) -> int | None:
        """The most characters of what can be said in one's own words in the first stage; None where nothing
        can.
        """
        return None

    @abstractmethod
    def asked(self) -> Mapping[str, History]:
        """Return what happened before the stages that benchmarks ask, by what these are called, in order:
        those that oracles can label.
        """

    def rule(self, stage: str, good: str, bad: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        """Return the cooperative option of a stage and the others that a scripted rule may take, from those
        of the base game.
        """
        return good, bad

    def is_seen(self, number: int) -> bool:
        """Return whether the others learn before the next stage what each does in stage `number`."""
        return True

    @abstractmethod
    def step(self, number: int, who: int, action: int, called: Sequence[str]) -> Step:
        """Return what a player did in a stage, for records.

        Args:
            number: of the stage, from 0.
            who: the player, by its seat.
            action: the number of its action.
            called: what the players are called, by seat.
        """


def choice_in(game: StrategicGame, staged: StagedGame) -> StageGame:
    """Return a game as the stage of a round in which its players act."""
    return StageGame(
        game.name,
        dict(game.players),
        dict(game.actions),
        game.payoff,
        game.own_payoff,
        dict(game.parameters),
        game.protocol,
        base=staged.base,
        mechanism=staged.mechanism,
        staged=staged,
    )


def role_payoffs(game: StrategicGame, foresight: Foresight) -> Floats:
    """Return what each player earns, (n,), in points, if everybody plays as `foresight` says."""
    strategy = foresight(game)
    by_role = {role: float(expected_payoff(game, strategy, strategy, role)) for role in game.roles}
    return np.array([by_role[role] for role in game.seats])


def on_grid(game: StrategicGame, mechanism: Mechanism) -> StrategicGame:
    """Return a game of several players with finite actions, those that stand for intervals.

    Raises:
        GameError: the game has one player.
    """
    if len(game.seats) < 2:
        raise GameError(f"{mechanism.title} needs at least two players, and {game!r} has one.")
    return replace(game, actions=game.finite) if game.continuous else game


def anticipating(
    payoff: Callable[..., Floats], *given: object
) -> Callable[[Foresight], Callable[[Floats], Floats]]:
    """Return, from a function of given things, a foresight and profiles, what `StageGame.anticipated` is."""
    return partial(_foreseeing, payoff, given)


def _foreseeing(
    payoff: Callable[..., Floats], given: tuple[object, ...], foresight: Foresight
) -> Callable[[Floats], Floats]:
    return partial(payoff, *given, foresight)
