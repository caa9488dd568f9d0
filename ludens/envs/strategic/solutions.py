"""What players who maximise their payoffs do in a finite simultaneous game: best replies, Nash equilibria,
dominated actions; and which profiles are efficient.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ludens.envs.strategic.expectations import expected_outcomes
from ludens.envs.strategic.game import Floats, StrategicGame
from ludens.envs.tree.nodes import GameError

TOLERANCE = 1e-9
SINGULAR = 1e-12
MAX_SUPPORT = 10
"""Mixed equilibria are sought by support enumeration up to so many actions of either player."""


class MixedEquilibrium(NamedTuple):
    """One mixture over actions for each of two players, and what each of them earns, in points."""

    first: Floats
    second: Floats
    payoffs: tuple[float, float]


def best_replies(game: StrategicGame, role: str, others: Floats) -> tuple[str, ...]:
    """Return the actions that earn most in a role if every other player plays `others`, one strategy
    (width,).

    Raises:
        GameError: `others` is not a strategy of the game, or there is no such role.
    """
    earned = expected_outcomes(game, role, others, comparisons=False).own
    names = game.finite[role].names
    return tuple(names[place] for place in np.flatnonzero(earned >= earned.max() - _slack(earned)))


def pure_nash(game: StrategicGame) -> tuple[tuple[str, ...], ...]:
    """Return all Nash equilibria in pure strategies, as the action of every player.

    Raises:
        GameError: the game has too many profiles for a table.
    """
    table = game.payoffs
    stable = np.ones(table.shape[:-1], dtype=bool)
    for seat in range(table.shape[-1]):
        paid = table[..., seat]
        stable &= paid >= paid.max(axis=seat, keepdims=True) - _slack(paid)
    return tuple(_named(game, place) for place in np.argwhere(stable))


def efficient(game: StrategicGame) -> tuple[tuple[str, ...], ...]:
    """Return the profiles with the largest sum of payoffs.

    Raises:
        GameError: the game has too many profiles for a table.
    """
    total = game.payoffs.sum(-1)
    return tuple(_named(game, place) for place in np.argwhere(total >= total.max() - _slack(total)))


def dominated(game: StrategicGame, role: str, *, strictly: bool = True) -> tuple[str, ...]:
    """Return the actions of a role that another of its actions dominates: better against everything that the
    others can do, or with ``strictly=False`` never worse and better at least once.

    Raises:
        GameError: the game has too many profiles for a table, or there is no such role.
    """
    if role not in game.players:
        raise GameError(f"{game!r} has no role {role!r}; its roles are {', '.join(game.roles)}.")
    seat = game.seats.index(role)
    rows = np.moveaxis(game.payoffs[..., seat], seat, 0).reshape(len(game.finite[role]), -1)
    slack = _slack(rows)
    found = []
    for place, row in enumerate(rows):
        lead = np.delete(rows, place, axis=0) - row
        better = (lead > slack).all(-1) if strictly else (lead >= -slack).all(-1) & (lead > slack).any(-1)
        if better.any():
            found.append(game.finite[role].names[place])
    return tuple(found)


def mixed_nash(game: StrategicGame) -> tuple[MixedEquilibrium, ...]:
    """Return the Nash equilibria of a two-player game in pure and mixed strategies, by support enumeration.

    Of a game that is not degenerate they are all of them (Nash 1951; von Stengel, in Nisan et al.,
    Algorithmic Game Theory, 2007, algorithm 3.4); of a degenerate one, those with supports of equal size.

    Raises:
        GameError: there are not two players, or one has more than ten actions.
    """
    if len(game.seats) != 2 or max(game.payoffs.shape[:2]) > MAX_SUPPORT:
        raise GameError(
            f"Mixed equilibria are computed for two players with at most {MAX_SUPPORT} actions; {game!r} has "
            f"{' × '.join(str(len(game.finite[role])) for role in game.seats)}."
        )
    table = np.asarray(game.payoffs)
    first, second = table[..., 0], table[..., 1]
    slack, leeway = _slack(first), _slack(second)
    found: list[MixedEquilibrium] = []
    for size in range(1, min(first.shape) + 1):
        # All pairs of supports of one size at once: (pairs, size).
        rows, columns = _pairs(_subsets(len(first), size), _subsets(len(first.T), size))
        own = _equalising(second[rows[:, :, None], columns[:, None, :]].swapaxes(1, 2))
        other = _equalising(first[rows[:, :, None], columns[:, None, :]])
        for pair in np.flatnonzero((own.min(-1) > TOLERANCE) & (other.min(-1) > TOLERANCE)):
            one, two = np.zeros(len(first)), np.zeros(len(first.T))
            one[rows[pair]], two[columns[pair]] = own[pair], other[pair]
            earned, lost = first @ two, one @ second
            value, worth = float(one @ earned), float(lost @ two)
            if earned.max() <= value + slack and lost.max() <= worth + leeway:
                found.append(MixedEquilibrium(one, two, (value, worth)))
    return tuple(found)


def replies_to_all(game: StrategicGame, role: str) -> tuple[Floats, Floats]:
    """Return what all others can do alike, and the best reply to each; two arrays of action values.

    Where others have other actions than the role, the place of an action stands for it.
    """
    sizes = [len(actions) for actions in game.finite.values()]
    plays = np.zeros((max(sizes), game.width))
    for node, size in zip(game.information_sets, sizes, strict=True):
        for row in range(len(plays)):
            plays[row, node.columns.start + min(row, size - 1)] = 1
    earned = expected_outcomes(game, role, plays, comparisons=False).own
    values = np.array(game.finite[role].values)
    others = next((each for each in game.roles if each != role), role)
    met = np.array(game.finite[others].values)
    return met[np.minimum(np.arange(len(plays)), len(met) - 1)], values[earned.argmax(-1)]


def _subsets(count: int, size: int) -> NDArray[np.intp]:
    return np.array(list(itertools.combinations(range(count), size)), dtype=np.intp)


def _pairs(one: NDArray[np.intp], other: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.repeat(one, len(other), axis=0), np.tile(other, (len(one), 1))


def _equalising(payoffs: Floats) -> Floats:
    """Return the weights of columns that make all rows pay alike, shape (cases, columns), from square tables
    of shape (cases, rows, columns); −1 where there are none or several.
    """
    cases, size, _ = payoffs.shape
    system = np.zeros((cases, size + 1, size + 1))
    # What is added to all payoffs, and their unit, do not matter.
    low = payoffs.min(axis=(1, 2), keepdims=True)
    scale = payoffs.max(axis=(1, 2), keepdims=True) - low
    system[:, :size, :size] = (payoffs - low) / np.where(scale > 0, scale, 1)
    system[:, :size, size], system[:, size, :size] = -1, 1
    weights = np.full((cases, size), -1.0)
    regular = np.abs(np.linalg.det(system)) > SINGULAR
    target = np.zeros((size + 1, 1))
    target[size] = 1
    solved = np.linalg.solve(system[regular], np.broadcast_to(target, (int(regular.sum()), size + 1, 1)))
    weights[regular] = solved[:, :size, 0]
    return weights


def _named(game: StrategicGame, places: NDArray[np.intp]) -> tuple[str, ...]:
    return tuple(game.finite[role].names[place] for role, place in zip(game.seats, places, strict=True))


def _slack(payoffs: Floats) -> float:
    return TOLERANCE * max(1e-300, float(np.ptp(payoffs)))
