"""The turn of a player of a simultaneous game, and the same turn of the game written as a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.envs.strategic.actions import Actions, Interval
from ludens.envs.strategic.game import Floats, StrategicGame
from ludens.envs.strategic.tree_form import node_of, seat_roles, tree_form
from ludens.envs.turn import Option, PastRound, Scale, Step, Turn

MOST_NAMED = 12

MOST_WORDED = 64
"""A game of up to this many profiles is worded as a tree, with one row for every profile."""


def strategic_turn(
    game: StrategicGame,
    role: str,
    *,
    environment: str,
    agent: str,
    observation: Mapping[str, NDArray[np.generic]],
    past: Sequence[Floats] = (),
    round: int = 0,  # the word for it
    rounds: int = 1,
    facts: Mapping[str, Any] | None = None,
) -> Turn:
    """Return all that a player may know where it must decide.

    Args:
        game: the rules.
        role: the player's role.
        environment: the id that the turn names.
        agent: the seat.
        observation: as the environment gives it.
        past: the action values of the finished rounds, oldest first, as the player saw them; every profile
            has the player's own action first in its role.
        round: the number of the present round, from 0.
        rounds: how many there will be at most.
        facts: anything else that a prompt may need.
    """
    actions = game.actions[role]
    interval: tuple[float, float] | None
    options: tuple[Option, ...]
    if isinstance(actions, Interval):
        interval, options = (float(actions.low), float(actions.high)), ()
    else:
        interval, options = None, tuple(Option(number, name) for number, name in enumerate(actions.names))
    return Turn(
        environment=environment,
        agent=agent,
        role=role,
        node=game.node(role),
        options=options,
        observation=observation,
        game=game,
        past=tuple(past_round(game, role, profile) for profile in past),
        round=round,
        rounds=rounds,
        facts=dict(facts or {"roles": "fixed"}),
        interval=interval,
        scale=amounts(actions),
    )


def amounts(actions: Actions | Interval) -> Scale | None:
    """Return the scale of actions that are whole numbers, several of them, or the numbers of an interval, so
    that a player can name one; None for others.
    """
    if isinstance(actions, Interval):
        return Scale("number", float(actions.low), float(actions.high), step=0)
    if (step := actions.step) is None:
        return actions.shared
    return Scale("number", int(actions.values[0]), int(actions.values[-1]), step)


def past_round(game: StrategicGame, role: str, profile: Floats) -> PastRound:
    """Return a finished round as a player of `role` saw it. Its steps and payoffs name every player by its
    own role in the tree (`seat_roles`); the player itself is the first of its role.
    """
    names = seat_roles(game)
    steps = tuple(
        Step(node_of(name), _called(game, seat, value), name)
        for name, seat, value in zip(names, game.seats, profile.tolist(), strict=True)
    )
    paid = game.payoffs_of(profile).tolist()
    return PastRound(names[game.seats.index(role)], steps, dict(zip(names, paid, strict=True)))


def as_tree(turn: Turn) -> Turn | None:
    """Return the turn of the same player in the game's tree; None where the game is no small simultaneous
    one.
    """
    game = turn.game
    if not isinstance(game, StrategicGame) or game.continuous or game.profiles > MOST_WORDED:
        return None
    if any(len(actions) < 2 or amounts(actions) is not None for actions in game.finite.values()):
        return None
    own = seat_roles(game)[game.seats.index(turn.role)]
    return replace(turn, game=tree_form(game), role=own, node=node_of(own))


def _called(game: StrategicGame, role: str, value: float) -> str:
    actions = game.actions[role]
    if isinstance(actions, Interval):
        return f"{value:.12g}"
    return actions.names[actions.values.index(value)]
