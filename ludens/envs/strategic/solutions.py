"""What players who maximise their payoffs do in a finite simultaneous game: best replies, Nash equilibria,
dominated actions; and which profiles are efficient.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ludens.envs.strategic.expectations import expected_outcomes
from ludens.envs.strategic.game import Floats, StrategicGame
from ludens.envs.tree.nodes import GameError

TOLERANCE = 1e-9
MAX_SUPPORT = 12
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
        stable &= paid >= paid.max(axis=seat, keepdims=True) - _slack(table)
    return tuple(_named(game, place) for place in np.argwhere(stable))


def efficient(game: StrategicGame) -> tuple[tuple[str, ...], ...]:
    """Return the profiles with the largest sum of payoffs.

    Raises:
        GameError: the game has too many profiles for a table.
    """
    total = game.payoffs.sum(-1)
    return tuple(_named(game, place) for place in np.argwhere(total >= total.max() - _slack(game.payoffs)))


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
    slack = _slack(game.payoffs)
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
        GameError: there are not two players, or one has more than twelve actions.
    """
    if len(game.seats) != 2 or max(game.payoffs.shape[:2]) > MAX_SUPPORT:
        raise GameError(
            f"Mixed equilibria are computed for two players with at most {MAX_SUPPORT} actions; {game!r} has "
            f"{' × '.join(str(len(game.finite[role])) for role in game.seats)}."
        )
    table = np.asarray(game.payoffs)
    first, second = table[..., 0], table[..., 1]
    found: list[MixedEquilibrium] = []
    for rows, columns in _supports(*first.shape):
        own = _indifferent(second[np.ix_(rows, columns)].T, len(first), rows)
        other = _indifferent(first[np.ix_(rows, columns)], len(first.T), columns)
        if own is None or other is None:
            continue
        earned, lost = first @ other, own @ second
        slack = _slack(table)
        if earned.max() > earned[list(rows)].min() + slack or lost.max() > lost[list(columns)].min() + slack:
            continue
        found.append(MixedEquilibrium(own, other, (float(own @ earned), float(lost @ other))))
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


def _supports(rows: int, columns: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    for size in range(1, min(rows, columns) + 1):
        for one in itertools.combinations(range(rows), size):
            for other in itertools.combinations(range(columns), size):
                yield one, other


def _indifferent(payoffs: NDArray[np.float64], width: int, support: tuple[int, ...]) -> Floats | None:
    """Return the mixture over `support` that makes all rows of `payoffs` (rows, support) pay alike, with
    positive weights, as a vector over all actions; None if there is none or several.
    """
    size = len(support)
    system = np.zeros((size + 1, size + 1))
    system[:size, :size], system[:size, size], system[size, :size] = payoffs, -1, 1
    target = np.zeros(size + 1)
    target[size] = 1
    if np.linalg.matrix_rank(system) <= size:
        return None
    weights = np.linalg.solve(system, target)[:size]
    if weights.min() <= TOLERANCE:
        return None
    mixture = np.zeros(width)
    mixture[list(support)] = weights / weights.sum()
    return mixture


def _named(game: StrategicGame, places: NDArray[np.intp]) -> tuple[str, ...]:
    return tuple(game.finite[role].names[place] for role, place in zip(game.seats, places, strict=True))


def _slack(payoffs: Floats) -> float:
    return TOLERANCE * max(1e-300, float(np.ptp(payoffs)))
