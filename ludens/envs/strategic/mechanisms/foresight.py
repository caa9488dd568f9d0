"""What players who care for their own payoff alone do in a simultaneous game, all players of a role alike."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from ludens.envs.strategic.expectations import expected_outcomes
from ludens.envs.strategic.game import Floats, StrategicGame
from ludens.envs.strategic.solutions import MAX_SUPPORT, TOLERANCE, mixed_nash
from ludens.envs.tree.strategies import uniform_strategy

MAX_COMBINATIONS = 4096


@lru_cache(maxsize=1024)
def selfish_play(game: StrategicGame) -> Floats:
    """Return a strategy (width,): the Nash equilibrium in which all players of a role act alike.

    Among those in pure strategies it is the one with the largest sum of payoffs, of several the first. Where
    there is none, it is the first mixed one of two players that treats players of one role alike; where that
    is not to be had either, everybody draws an action at random.
    """
    best, most = None, -math.inf
    for actions in alike(game):
        strategy = pure(game, actions)
        total, stable = 0.0, True
        for role, action in actions.items():
            earned = expected_outcomes(game, role, strategy, comparisons=False).own
            slack = TOLERANCE * max(1.0, float(np.abs(earned).max()))
            stable = stable and earned[action] >= earned.max() - slack
            total += game.players[role] * float(earned[action])
        if stable and total > most + TOLERANCE * max(1.0, abs(most) if best is not None else 1.0):
            best, most = strategy, total
    if best is not None:
        best.setflags(write=False)
        return best
    if len(game.seats) == 2 and max(map(len, game.finite.values())) <= MAX_SUPPORT:
        for mixed in mixed_nash(game):
            if not game.symmetric:
                return np.concatenate([mixed.first, mixed.second])
            if np.allclose(mixed.first, mixed.second):
                return mixed.first
    return uniform_strategy(game)


def alike(game: StrategicGame) -> list[dict[str, int]]:
    """Return the profiles in which all players of a role take one action, by role; of a game with many the
    first and the last actions alone.
    """
    sizes = [len(actions) for actions in game.finite.values()]
    if math.prod(sizes) > MAX_COMBINATIONS:
        places = [sorted({0, size - 1}) for size in sizes]
    else:
        places = [list(range(size)) for size in sizes]
    return [dict(zip(game.roles, row, strict=True)) for row in itertools.product(*places)]


def pure(game: StrategicGame, actions: Mapping[str, int]) -> Floats:
    """Return the strategy in which all players of a role take one action, (width,)."""
    strategy = np.zeros(game.width)
    for node in game.information_sets:
        strategy[node.columns.start + actions[node.role]] = 1
    return strategy


def together(game: StrategicGame, actions: Mapping[str, int]) -> Floats:
    """Return the profile in which all players of a role take one action, (n,), as values."""
    return np.array([game.finite[role].values[actions[role]] for role in game.seats])


def efficient_alike(game: StrategicGame) -> dict[str, int]:
    """Return the action of each role, the same for all its players, with the largest sum of payoffs."""
    rows = alike(game)
    totals = game.payoffs_of(np.array([together(game, row) for row in rows])).sum(-1)
    return rows[int(np.flatnonzero(totals >= totals.max() - 1e-9 * max(1.0, float(np.abs(totals).max())))[0])]
