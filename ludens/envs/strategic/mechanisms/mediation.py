"""Mediation (Monderer & Tennenholtz, Strong mediated equilibrium, Artificial Intelligence 173(1), 2009).

Every player acts for itself or delegates to a mediator, who then plays for it, depending on who delegated.
All move at once, so that the result is a simultaneous game with one more action. Unless told otherwise the
mediator plays the efficient profile where everybody delegates, and otherwise what holds down most those who
did not: in the prisoner's dilemma to delegate is then weakly dominant, and all cooperate.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ludens.envs.strategic.actions import named
from ludens.envs.strategic.game import Floats, StrategicGame
from ludens.envs.strategic.mechanisms.foresight import alike, efficient_alike, together
from ludens.envs.strategic.mechanisms.mechanism import Mechanism, StageGame, on_grid
from ludens.envs.tree.nodes import GameError

DELEGATE = "delegate"
MOST_PLAYERS = 12
"""A rule that is given as a function is asked for every set of delegating players, of at most so many."""

Rule = Callable[[tuple[bool, ...]], Sequence[str]]
"""From who delegates, by seat, to the action that the mediator plays for each seat; those of seats that act
for themselves are ignored."""


@dataclass(frozen=True)
class Mediation(Mechanism):
    """Every player may delegate to a mediator.

    Attributes:
        all_delegate: the action for everybody where all delegate; None for the efficient one, that with the
            largest sum of payoffs where all players of a role act alike.
        otherwise: the action for those who delegate where somebody does not; None for the one against which
            a single player who acts for itself earns least at best.
        rule: in place of both, a function; see `Rule`.
    """

    kind: ClassVar[str] = "mediation"
    title: ClassVar[str] = "Mediation"
    source: ClassVar[str] = "Monderer & Tennenholtz 2009"

    all_delegate: str | None = None
    otherwise: str | None = None
    rule: Rule | None = None

    def __post_init__(self) -> None:
        if self.rule is not None and not callable(self.rule):
            raise GameError(f"The mediator's rule is a function of who delegates; got {self.rule!r}.")
        if self.rule is not None and (self.all_delegate, self.otherwise) != (None, None):
            raise GameError("Mediation takes a rule, or the actions all_delegate and otherwise, not both.")

    def around(self, game: StrategicGame) -> StrategicGame:
        """Return the game with one more action in every role.

        Raises:
            GameError: the game has one player or the action "delegate", or the rule names no action of it.
        """
        game = on_grid(game, self)
        for role, actions in game.finite.items():
            if DELEGATE in actions.names:
                raise GameError(
                    f"{game!r} has an action {DELEGATE!r} of its own in role {role!r}: rename it."
                )
        if self.rule is None:
            everybody, some = (self._by_seat(game, plan) for plan in self.plans(game))
            play = partial(_by_unanimity, everybody, some)
        else:
            play = partial(_by_table, self._table(game, self.rule))
        return StageGame(
            f"{game.name}_with_mediation",
            dict(game.players),
            {role: named(*actions.names, DELEGATE) for role, actions in game.finite.items()},
            partial(_payoff, game, play),
            parameters=dict(game.parameters),
            protocol=game.protocol,
            base=game,
            mechanism=self,
        )

    def plans(self, game: StrategicGame) -> tuple[dict[str, str], dict[str, str]]:
        """Return what the mediator plays for each role where all delegate, and where somebody does not;
        without a rule that is a function.

        Raises:
            GameError: an action is none of the game's.
        """
        usual = ((self.all_delegate, efficient_alike), (self.otherwise, _holding_down))
        both = []
        for named_, chosen in usual:
            places = (
                chosen(game) if named_ is None else {role: _place(game, role, named_) for role in game.roles}
            )
            both.append({role: game.finite[role].names[place] for role, place in places.items()})
        return both[0], both[1]

    def _by_seat(self, game: StrategicGame, plan: dict[str, str]) -> NDArray[np.intp]:
        return np.array([_place(game, role, plan[role]) for role in game.seats])

    def _table(self, game: StrategicGame, rule: Rule) -> NDArray[np.intp]:
        players = len(game.seats)
        if players > MOST_PLAYERS:
            raise GameError(
                f"The mediator's rule is asked for every set of players, of at most {MOST_PLAYERS}; {game!r} "
                f"has {players}: give all_delegate and otherwise."
            )
        rows = []
        for who in itertools.product((False, True), repeat=players):
            said = rule(who)
            if isinstance(said, str) or not isinstance(said, Sequence) or len(said) != players:
                raise GameError(
                    f"The mediator's rule gives {said!r} where {who} delegate: give one action for each of "
                    f"the {players} players."
                )
            rows.append([
                _place(game, role, name) if delegates else 0
                for role, name, delegates in zip(game.seats, said, who, strict=True)
            ])  # fmt: skip
        return np.array(rows, dtype=np.intp).reshape(*(2,) * players, players)


def _holding_down(game: StrategicGame) -> dict[str, int]:
    """Return the action of each role against which a single player who deviates earns least at best, summed
    over roles; of several, the one that pays the others most.
    """
    best, least = {}, (math.inf, math.inf)
    for row in alike(game):
        profile = together(game, row)
        reached, left = 0.0, float(game.payoffs_of(profile).sum())
        for role in game.roles:
            seat = game.seats.index(role)
            values = np.array(game.finite[role].values)
            deviations = np.tile(profile, (len(values), 1))
            deviations[:, seat] = values
            reached += float(game.payoffs_of(deviations)[:, seat].max())
        if (round(reached, 9), -left) < least:
            best, least = row, (round(reached, 9), -left)
    return best


def _place(game: StrategicGame, role: str, name: object) -> int:
    names = game.finite[role].names
    if name not in names:
        raise GameError(
            f"The mediator cannot play {name!r} for {role!r} in {game!r}: name one of {', '.join(names)}."
        )
    return names.index(str(name))


def _by_unanimity(
    everybody: NDArray[np.intp], some: NDArray[np.intp], delegates: NDArray[np.bool_]
) -> NDArray[np.intp]:
    played: NDArray[np.intp] = np.where(delegates.all(-1, keepdims=True), everybody, some)
    return played


def _by_table(table: NDArray[np.intp], delegates: NDArray[np.bool_]) -> NDArray[np.intp]:
    played: NDArray[np.intp] = table[tuple(np.moveaxis(delegates.astype(np.intp), -1, 0))]
    return played


def _payoff(
    game: StrategicGame, play: Callable[[NDArray[np.bool_]], NDArray[np.intp]], profiles: Floats
) -> Floats:
    places = profiles.astype(np.intp)
    sizes = np.array([len(game.finite[role]) for role in game.seats])
    delegates = places == sizes
    chosen = np.where(delegates, play(delegates), places)
    values = np.empty(chosen.shape)
    for seat, role in enumerate(game.seats):
        values[..., seat] = np.array(game.finite[role].values)[chosen[..., seat]]
    return game.payoffs_of(values)
