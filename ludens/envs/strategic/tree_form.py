"""A simultaneous game written as a game tree: players move one after another and do not see earlier moves."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ludens.envs.strategic.game import StrategicGame
from ludens.envs.tree.nodes import DecisionNode, GameError, Node, PayoffNode
from ludens.envs.tree.tree import GameTree

MAX_LEAVES = 4096


@lru_cache(maxsize=256)
def tree_form(game: StrategicGame) -> GameTree:
    """Return the game as a tree with hidden moves, in which every player has a role of its own.

    Raises:
        GameError: it has more than 4096 profiles, or a player has fewer than two actions.
    """
    if game.profiles > MAX_LEAVES:
        raise GameError(
            f"{game!r} has {game.profiles} profiles, and a tree is built for at most {MAX_LEAVES}."
        )
    roles = seat_roles(game)
    table = game.payoffs

    def below(place: int, chosen: tuple[int, ...]) -> Node:
        if place == len(roles):
            return PayoffNode(tuple(np.asarray(table[chosen]).tolist()))
        names = game.finite[game.seats[place]].names
        where = " ".join(game.finite[game.seats[at]].names[number] for at, number in enumerate(chosen))
        return DecisionNode(
            f"{node_of(roles[place])} after {where}" if where else node_of(roles[place]),
            roles[place],
            {name: below(place + 1, (*chosen, number)) for number, name in enumerate(names)},
            information_set=node_of(roles[place]),
        )

    return GameTree(game.name, roles, below(0, ()), game.parameters, game.protocol)


def seat_roles(game: StrategicGame) -> tuple[str, ...]:
    """Return the role of every seat in the tree: the game's own, numbered where several players have it."""
    names, number = [], dict.fromkeys(game.roles, 0)
    for role in game.seats:
        number[role] += 1
        names.append(role if game.players[role] == 1 else f"{role} {number[role]}")
    return tuple(names)


def own_first(game: StrategicGame, place: int) -> tuple[int, ...]:
    """Return the places of a group as the player at one of them numbers them: itself first in its role."""
    order = [other for other in range(len(game.seats)) if other != place]
    order.insert(game.seats.index(game.seats[place]), place)
    return tuple(order)


def node_of(role: str) -> str:
    """Return the information set of a role in the tree."""
    return f"choice of {role}"


def node_in_game(game: StrategicGame, label: str) -> str:
    """Return the information set of the game to which that of the tree with this label belongs."""
    for name, role in zip(seat_roles(game), game.seats, strict=True):
        if node_of(name) == label:
            return game.node(role)
    return label
