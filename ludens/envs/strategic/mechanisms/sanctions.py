"""Sanctions (Fehr & Gächter, American Economic Review 90(4), 2000; Nature 415, 2002): after all have acted
and seen what everybody did, every player can spend points to take points from others.

One question for each of the others asks how many points to assign to it. A point costs who assigns it `cost`
and who receives it `effect`, 1 and 3 by default; nobody learns what others assign before the round is over,
and payoffs can fall below zero. Who cares for the own payoff alone, or for what would be if all did alike,
assigns none, so that the first stage is as without sanctions; in games of few profiles players who compare
payoffs foresee what they will assign.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from ludens.checks import real_number, whole_number
from ludens.envs.strategic.actions import named, whole_numbers
from ludens.envs.strategic.game import Floats, StrategicGame
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
)
from ludens.envs.strategic.tree_form import node_of, own_first, seat_roles
from ludens.envs.tree.nodes import GameError
from ludens.envs.turn import Step

MOST_PLAYERS = 20
MOST_ASKED = 16
MOST_FORESEEN = 64
"""Sanctions are foreseen in games of up to this many profiles."""

NOTHING = "nothing"
POINTS = "points"


@dataclass(frozen=True)
class Sanctions(Mechanism):
    """Points that players take from each other after they have seen what everybody did.

    Attributes:
        cost: what a point costs who assigns it, in points of payoff.
        effect: what a point takes from who receives it.
        points: how many can be assigned to each of the others.
    """

    kind: ClassVar[str] = "sanctions"
    title: ClassVar[str] = "Sanctioning"
    source: ClassVar[str] = "Fehr & Gächter 2000"
    unasked: ClassVar[str] = (
        "points are asked for the first of the others alone, and in games of more than 64 profiles the "
        "choice before them is not, since what all will assign is not foreseen there"
    )

    cost: float = 1.0
    effect: float = 3.0
    points: int = 10

    def __post_init__(self) -> None:
        for name in ("cost", "effect"):
            number = real_number(getattr(self, name))
            if number is None or not 0 < number < math.inf:
                given = getattr(self, name)
                raise GameError(f"The {name} of a point of sanctions is a positive number; got {given!r}.")
            object.__setattr__(self, name, number)
        count = whole_number(self.points)
        if count is None or not 1 <= count <= 100:
            raise GameError(f"From 1 to 100 points can be assigned to a player; got points={self.points!r}.")

    def around(self, game: StrategicGame) -> StagedGame:
        """Return the game with one more stage for each of a player's others.

        Raises:
            GameError: the game has one player, or more than twenty.
        """
        game = on_grid(game, self)
        if len(game.seats) > MOST_PLAYERS:
            raise GameError(
                f"With sanctions every player is asked about each of the others, of games of at most "
                f"{MOST_PLAYERS} players; {game!r} has {len(game.seats)}."
            )
        return SanctionGame(game, self)


class SanctionGame(StagedGame):
    """A game after which players can take points from each other."""

    mechanism: Sanctions

    @property
    def widths(self) -> tuple[int, ...]:
        """The largest number of actions that somebody has in each stage."""
        acts = max(map(len, self.base.finite.values()))
        return (acts, *(self.mechanism.points + 1,) * (len(self.base.seats) - 1))

    def stage(self, history: History) -> Stage:
        """Return the next stage after a history that is shorter than a round."""
        seats = self.base.seats
        if not history:
            return Stage(CHOICE, (self._first,) * len(seats), seats)
        number = len(history)
        paid = self._earned(history[0])
        names = seat_roles(self.base)
        games, roles = [], []
        for seat, order in enumerate(self._orders):
            mine = order.index(seat)
            now = paid[list(order)].copy()
            for asked in range(1, number):
                place = _asked_about(mine, asked)
                now[mine] -= self.mechanism.cost * history[asked][seat]
                now[place] -= self.mechanism.effect * history[asked][seat]
            games.append(self._question(names, mine, _asked_about(mine, number), now, number))
            roles.append(names[mine])
        return Stage(_label(number), tuple(games), tuple(roles))

    def choices(self, history: History) -> Sequence[float]:
        """Return the actions of the base game in a whole round."""
        return history[0]

    def payoffs(self, history: History) -> Floats:
        """Return what a whole round pays, (n,), in points."""
        paid = self._earned(history[0])
        for seat, order in enumerate(self._orders):
            mine = order.index(seat)
            for number in range(1, len(history)):
                target = order[_asked_about(mine, number)]
                paid[seat] -= self.mechanism.cost * history[number][seat]
                paid[target] -= self.mechanism.effect * history[number][seat]
        return paid

    def is_seen(self, number: int) -> bool:
        """Return whether the others learn before the next stage what each does in stage `number`."""
        return number == 0

    def step(self, number: int, who: int, action: int, called: Sequence[str]) -> Step:
        """Return what a player did in a stage, for records."""
        role = self.base.seats[who]
        if not number:
            return Step(node_of(called[who]), self.base.finite[role].names[action], called[who])
        order = self._orders[who]
        target = order[_asked_about(order.index(who), number)]
        return Step(f"{POINTS} of {called[who]} for {called[target]}", str(action), called[who])

    def rule(self, stage: str, good: str, bad: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        """Return what a rule does in a stage: it assigns no points."""
        return (good, bad) if stage == CHOICE else ("0", ("0",))

    def asked(self) -> Mapping[str, History]:
        """Return the choice, and the points for one other after every profile; of many profiles, after those
        in which all do the first or the last action, or one player does and all others the other one.
        """
        names = [self.base.finite[role].names for role in self.base.seats]
        sizes = list(map(len, names))
        if self.base.profiles <= MOST_ASKED:
            profiles = list(np.ndindex(*sizes))
        else:
            ends = [(0, size - 1) for size in sizes]
            profiles = [
                tuple(end[side if seat == one else other] for seat, end in enumerate(ends))
                for one in range(2)  # who is asked first, and whom it is asked about
                for side, other in itertools.product((0, 1), repeat=2)
            ]
        named: dict[str, History] = {} if self.base.profiles > MOST_FORESEEN else {CHOICE: ()}
        for profile in dict.fromkeys(profiles):
            own, *others = (each[place] for each, place in zip(names, profile, strict=True))
            named[f"{POINTS} after {own} against {' '.join(others)}"] = (profile,)
        return named

    def about(self, seat: int, target: int, acts: Sequence[int], earned: Floats) -> tuple[StageGame, str]:
        """Return the question how many points a player assigns to another one as the first of its role, the
        rest of whom stand in the order of what they did, and the role of who is asked.
        """
        places = self.base.seats
        order = sorted(
            range(len(places)),
            key=lambda one: (places.index(places[one]), one != seat, one != target, acts[one]),
        )
        mine, place = order.index(seat), order.index(target)
        names = seat_roles(self.base)
        number = place + 1 if place < mine else place
        return self._question(names, mine, place, earned[order], number), names[mine]

    def _earned(self, chosen: Sequence[float]) -> Floats:
        values = self.chosen_values(chosen)
        return self.base.payoffs_of(values).copy()

    @cached_property
    def _orders(self) -> tuple[tuple[int, ...], ...]:
        return tuple(own_first(self.base, seat) for seat in range(len(self.base.seats)))

    @cached_property
    def _first(self) -> StageGame:
        last = choice_in(self.base, self)
        if self.base.profiles > MOST_FORESEEN:
            return last
        return replace(last, anticipated=anticipating(_foreseen, self))

    def _question(
        self, names: tuple[str, ...], mine: int, target: int, now: Floats, number: int
    ) -> StageGame:
        mover, rule = names[mine], self.mechanism
        return StageGame(
            f"{self.base.name} {POINTS}",
            dict.fromkeys(names, 1),
            {name: whole_numbers(0, rule.points) if name == mover else named(NOTHING) for name in names},
            _Assigned(now, mine, target, rule.cost, rule.effect),
            parameters={"cost": rule.cost, "effect": rule.effect},
            stage=_label(number),
            base=self.base,
            mechanism=self.mechanism,
            staged=self,
        )


@dataclass(frozen=True)
class _Assigned:
    """What everybody has after one player assigns points to another."""

    now: Floats
    mine: int
    target: int
    cost: float
    effect: float

    def __call__(self, profiles: Floats) -> Floats:
        points = profiles[..., self.mine]
        paid = np.broadcast_to(self.now, profiles.shape).copy()
        paid[..., self.mine] -= self.cost * points
        paid[..., self.target] -= self.effect * points
        return paid


def _foreseen(game: SanctionGame, foresight: Foresight, profiles: Floats) -> Floats:
    """Return what everybody has after all have assigned points as expected, in the mean.

    Every other is asked about as the first one of its role, before any points: so players in like positions
    expect, and are expected to do, alike.
    """
    base, rule = game.base, game.mechanism
    values = [np.array(base.finite[role].values) for role in base.seats]
    paid = np.empty((*(len(each) for each in values), len(values)))
    for acts in np.ndindex(paid.shape[:-1]):
        earned = game.payoffs((acts,))
        paid[acts] = earned
        for seat, target in itertools.permutations(range(len(values)), 2):
            asked, role = game.about(seat, target, acts, earned)
            points = _mean_points(asked, role, foresight)
            paid[acts][seat] -= rule.cost * points
            paid[acts][target] -= rule.effect * points
    places = tuple(np.abs(profiles[..., seat, None] - each).argmin(-1) for seat, each in enumerate(values))
    reached: Floats = paid[places]
    return reached


def _mean_points(game: StageGame, role: str, foresight: Foresight) -> float:
    columns = game.information_set(game.node(role)).columns
    return float(foresight(game)[columns] @ np.array(game.finite[role].values))


def _asked_about(mine: int, number: int) -> int:
    """Return the place, in one's own order, of the player that a question is about."""
    return number - 1 if number - 1 < mine else number


def _label(number: int) -> str:
    return f"{POINTS} for other {number}"
