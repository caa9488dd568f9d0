"""Expected payoffs of simultaneous games: what each own action earns if every other player draws its action
independently from the strategy of its role.

Three ways, of which the first that the game admits is taken:

* *sums*, where a payoff depends on the others through the sum of their actions
  (`StrategicGame.own_payoff`): the distribution of the sum is the (n − 1)-fold convolution of one player's,
  which is exact and takes milliseconds for a hundred players;
* *counts*: exchangeable players are told apart by nothing but their actions, so that it is enough to go
  through how many of them choose what, with multinomial weights. Exact;
* *draws*: a fixed number of random profiles, with the standard error of the mean.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs.strategic.game import Floats, StrategicGame
from ludens.envs.tree.nodes import GameError
from ludens.envs.tree.strategies import check_strategy

MAX_OUTCOMES = 200_000
"""Distributions of the others' actions are enumerated up to this many."""

MAX_ENTRIES = 40_000_000

DRAWS = 4096


class Expected(NamedTuple):
    """What each own action leads to, in points, each of shape (..., actions of the role).

    Attributes:
        own: the expected payoff.
        behind: the expected mean, over the others, of what they are ahead.
        ahead: the expected mean, over the others, of what they are behind.
        error: the standard error of `own`; 0 where it is exact.
    """

    own: Floats
    behind: Floats
    ahead: Floats
    error: Floats


def expected_outcomes(
    game: StrategicGame, role: str, others: ArrayLike, comparisons: bool = True
) -> Expected:
    """Return what each action of a player in `role` leads to if every other plays `others`.

    Args:
        game: the rules.
        role: the player's role.
        others: strategies, shape (..., width).
        comparisons: compute `behind` and `ahead` too; else they are 0.

    Raises:
        GameError: `others` is not a strategy of the game, or there is no such role.
    """
    if role not in game.players:
        raise GameError(f"{game!r} has no role {role!r}; its roles are {', '.join(game.roles)}.")
    plays = check_strategy(game, others)
    # A strategy written with six digits must not shift payoffs: its probabilities sum to exactly 1.
    plays = plays.copy()
    for node in game.information_sets:
        plays[..., node.columns] /= plays[..., node.columns].sum(-1, keepdims=True)
    if game.own_payoff is not None and _lattice(game) is not None:
        return _by_sums(game, plays, comparisons)
    if _is_counted(game, role):
        table = _counted(game, role)
        weights = table.weights(plays)
        own = _times(weights, table.own)
        none = np.zeros_like(own)
        if not comparisons:
            return Expected(own, none, none, none)
        return Expected(own, _times(weights, table.behind), _times(weights, table.ahead), none)
    return _by_draws(game, role, plays, comparisons)


def expected_payoffs_of(
    game: StrategicGame, role: str, actions: NDArray[np.intp], others: ArrayLike
) -> Floats:
    """Return what one action of a player in `role` earns for each strategy of the others, in points.

    Args:
        game: the rules.
        role: the player's role.
        actions: numbers of its actions, shape (k,).
        others: strategies, shape (k, width).

    Raises:
        GameError: `others` is not a strategy of the game.
    """
    plays = check_strategy(game, others)
    if game.own_payoff is not None and _lattice(game) is not None:
        _, places, _, earned = _sums(game)
        reached = _sum_distribution(plays, places, len(game.seats) - 1)
        together: Floats = np.einsum("kt,kt->k", reached, earned[actions])
        return together
    if _is_counted(game, role):
        table = _counted(game, role)
        counted: Floats = np.einsum("ko,ko->k", table.weights(plays), table.own[actions])
        return counted
    return _by_draws(game, role, plays, False, actions).own[np.arange(len(actions)), actions]


def is_exact(game: StrategicGame) -> bool:
    """Return whether expected payoffs are exact in all roles, and not means over draws."""
    if game.own_payoff is not None and _lattice(game) is not None:
        return True
    return all(_is_counted(game, role) for role in game.roles)


def expected_payoff(
    game: StrategicGame, own: ArrayLike, others: ArrayLike, role: str | None = None
) -> NDArray[np.float64]:
    """Return π(x, y) in points: one player plays `own`, all the others play `others`, strategies of shape
    (..., width). With `role` the player has that role; without, every seat is equally likely.

    Raises:
        GameError: they are not strategies of the game, or there is no such role.
    """
    mine, theirs = check_strategy(game, own), check_strategy(game, others)
    roles = game.roles if role is None else (role,)
    total: Floats = np.zeros(())
    for each in roles:
        earned = expected_outcomes(game, each, theirs, comparisons=False).own
        node = game.information_set(game.node(each))
        share = game.players[each] / len(game.seats) if role is None else 1.0
        total = total + share * (mine[..., node.columns] * earned).sum(-1)
    return total


# Sums


@lru_cache(maxsize=64)
def _lattice(game: StrategicGame) -> tuple[float, float, NDArray[np.intp]] | None:
    """Return the lowest value, the step and the places of actions that are equally spaced; else None."""
    (actions,) = game.finite.values()
    values = np.array(actions.values)
    if len(values) == 1:
        return float(values[0]), 1.0, np.zeros(1, dtype=np.intp)
    step = float(np.diff(np.sort(values)).min())
    places = (values - values.min()) / step
    whole = np.rint(places)
    if np.abs(places - whole).max() > 1e-6 or whole.max() * len(game.seats) > 1 << 22:
        return None
    return float(values.min()), step, whole.astype(np.intp)


def _by_sums(game: StrategicGame, plays: Floats, comparisons: bool) -> Expected:
    others = len(game.seats) - 1
    (low, step), places, values, earned = _sums(game)
    own = _sum_distribution(plays, places, others) @ earned.T
    behind, ahead = np.zeros_like(own), np.zeros_like(own)
    if comparisons and others:
        rest = _sum_distribution(plays, places, others - 1)
        sums = (others - 1) * low + step * np.arange((others - 1) * places.max() + 1)
        for place, value in enumerate(values):
            mine = game.own_payoffs(np.full((1, 1), value), values[:, None] + sums[None, :])
            gap = game.own_payoffs(values[:, None], value + sums[None, :]) - mine  # (other's action, sum)
            behind[..., place] = (plays * (rest @ np.maximum(gap, 0).T)).sum(-1)
            ahead[..., place] = (plays * (rest @ np.maximum(-gap, 0).T)).sum(-1)
    return Expected(own, behind, ahead, np.zeros_like(own))


@lru_cache(maxsize=64)
def _sums(game: StrategicGame) -> tuple[tuple[float, float], NDArray[np.intp], Floats, Floats]:
    """Return the lowest value and the step of the actions, their places, their values, and what each earns
    with every sum of the others' actions, shape (actions, sums).
    """
    others = len(game.seats) - 1
    low, step, places = _lattice(game) or (0.0, 1.0, np.zeros(1, dtype=np.intp))
    values: Floats = low + step * places.astype(np.float64)
    rests = others * low + step * np.arange(others * places.max() + 1)
    return (low, step), places, values, game.own_payoffs(values[:, None], rests[None, :])


def _sum_distribution(plays: Floats, places: NDArray[np.intp], count: int) -> Floats:
    """Return the distribution of the sum of `count` independent draws of places, shape (..., sums)."""
    single = np.zeros((*plays.shape[:-1], int(places.max()) + 1))
    np.add.at(np.moveaxis(single, -1, 0), places, np.moveaxis(plays, -1, 0))
    length = count * int(places.max()) + 1
    if count == 0:
        return np.ones((*plays.shape[:-1], 1))
    size = 1 << (length - 1).bit_length()  # powers of two are transformed fastest
    together = np.fft.irfft(np.fft.rfft(single, size, axis=-1) ** count, size, axis=-1)[..., :length]
    clipped = np.maximum(together, 0)
    distribution: Floats = clipped / clipped.sum(-1, keepdims=True)
    return distribution


# Counts


class _Counted:
    """The others' actions up to exchanges of exchangeable players, and what they and each own action pay.

    Attributes:
        own, behind, ahead: shape (own actions, outcomes).
    """

    def __init__(self, game: StrategicGame, role: str) -> None:
        self._sets = [
            (game.information_set(game.node(each)).columns, game.finite[each]) for each in game.roles
        ]
        counts = [game.players[each] - (each == role) for each in game.roles]
        rows = [
            list(itertools.combinations_with_replacement(range(len(actions)), count))
            for (_, actions), count in zip(self._sets, counts, strict=True)
        ]
        self._tallies, self._ways = [], []
        for (_, actions), count, listed in zip(self._sets, counts, rows, strict=True):
            tally = np.zeros((len(listed), len(actions)))
            if count:
                np.add.at(tally, (np.repeat(np.arange(len(listed)), count), np.array(listed).ravel()), 1)
            self._tallies.append(tally)
            self._ways.append(_multinomial(tally))
        sizes = [len(listed) for listed in rows]
        self._index = [part.ravel() for part in np.indices(sizes)]
        start, columns = 0, []
        seat = 0
        own = game.finite[role].values
        for each, (_, actions), listed, index in zip(game.roles, self._sets, rows, self._index, strict=True):
            values = np.array(actions.values)
            chosen = values[np.array(listed, dtype=np.intp).reshape(len(listed), -1)][index]
            if each == role:
                seat = start
                columns.append(np.zeros((len(index), 1)))
            columns.append(chosen)
            start += game.players[each]
        others = np.concatenate(columns, axis=1)
        self.own, self.behind, self.ahead = (np.empty((len(own), len(others))) for _ in range(3))
        for place, value in enumerate(own):
            others[:, seat] = value
            self.own[place], self.behind[place], self.ahead[place] = _compared(game.payoffs_of(others), seat)

    def weights(self, plays: Floats) -> Floats:
        """Return the probability of every outcome, shape (..., outcomes)."""
        total: Floats = np.ones(())
        for (columns, _), tally, ways, index in zip(
            self._sets, self._tallies, self._ways, self._index, strict=True
        ):
            shares = plays[..., columns]
            # Products of powers, by way of logarithms; what is never done has probability 0 if it comes up.
            part = ways * np.exp(_times(np.log(np.where(shares > 0, shares, 1)), tally))
            part[_times((shares <= 0).astype(np.float64), tally) > 0] = 0
            total = total * part[..., index]
        return total


def _times(stacked: Floats, rows: Floats) -> Floats:
    """Return ``stacked @ rows.T`` as one product of two matrices.

    `@` makes one small product after another of a stack of matrices, and where other programs use the cores
    the threads of each wait for each other longer than they compute.
    """
    product: Floats = np.tensordot(stacked, rows, axes=(-1, -1))
    return product


@lru_cache(maxsize=64)
def _counted(game: StrategicGame, role: str) -> _Counted:
    return _Counted(game, role)


def _compared(paid: Floats, seat: int) -> tuple[Floats, Floats, Floats]:
    """Return a seat's payoff, and how far it is behind and ahead of the others on average; (..., n) →
    (...).
    """
    own = paid[..., seat]
    if paid.shape[-1] == 1:
        return own, np.zeros_like(own), np.zeros_like(own)
    gap = np.delete(paid, seat, axis=-1) - own[..., None]
    return own, np.maximum(gap, 0).mean(-1), np.maximum(-gap, 0).mean(-1)


def _multinomial(tally: Floats) -> Floats:
    """Return in how many orders the actions of each tally can be taken."""
    factorial = np.array([math.lgamma(count + 1) for count in range(int(tally.sum(-1).max(initial=0)) + 1)])
    places = tally.astype(np.intp)
    ways: Floats = np.exp(factorial[places.sum(-1)] - factorial[places].sum(-1))
    return ways


def _outcomes(game: StrategicGame, role: str) -> int:
    total = 1
    for each, actions in game.finite.items():
        count = game.players[each] - (each == role)
        total *= math.comb(count + len(actions) - 1, count)
    return total


def _is_counted(game: StrategicGame, role: str) -> bool:
    return _outcomes(game, role) <= MAX_OUTCOMES and _entries(game, role) <= MAX_ENTRIES


def _entries(game: StrategicGame, role: str) -> int:
    return _outcomes(game, role) * len(game.seats) * len(game.finite[role])


# Draws


def _by_draws(
    game: StrategicGame,
    role: str,
    plays: Floats,
    comparisons: bool,
    only: NDArray[np.intp] | None = None,
) -> Expected:
    """Return means over random profiles; with `only` for this one action of each strategy, and 0 for
    others.
    """
    flat = plays.reshape(-1, plays.shape[-1])
    seat = game.seats.index(role)
    values = game.finite[role].values
    shape = (len(flat), len(values))
    own, behind, ahead, error = (np.zeros(shape) for _ in range(4))
    # The same uniform numbers for all actions and strategies, so that differences between them are sharp.
    uniform = np.random.default_rng(0).random((DRAWS, len(game.seats)))
    for row, strategy in enumerate(flat):
        profiles = np.empty_like(uniform)
        start = 0
        for each, count in game.players.items():
            shares = strategy[game.information_set(game.node(each)).columns]
            edges = np.cumsum(shares)[:-1]
            drawn = np.searchsorted(edges, uniform[:, start : start + count], side="right")
            profiles[:, start : start + count] = np.array(game.finite[each].values)[drawn]
            start += count
        for place in range(len(values)) if only is None else only[row : row + 1].tolist():
            profiles[:, seat] = values[place]
            paid = game.payoffs_of(profiles)
            earned = paid[:, seat]
            own[row, place] = earned.mean()
            error[row, place] = earned.std(ddof=1) / math.sqrt(DRAWS)
            if comparisons:
                _, worse, better = _compared(paid, seat)
                behind[row, place], ahead[row, place] = worse.mean(), better.mean()
    whole = (*plays.shape[:-1], len(values))
    return Expected(*(part.reshape(whole) for part in (own, behind, ahead, error)))
