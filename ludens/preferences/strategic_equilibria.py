"""Equilibria of simultaneous games among players with the same preferences, and models of limited foresight.

* symmetric equilibria x ∈ argmax u(·, x), with *homo moralis* among the preferences (Alger & Weibull 2013,
2016); * logit quantal response equilibria, p ∝ exp(precision · u(·, p)) (McKelvey & Palfrey, GEB 10, 1995);
* level-k (Stahl & Wilson 1995; Nagel 1995) and the Poisson cognitive hierarchy (Camerer, Ho & Chong, QJE
  119(3), 2004).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.checks import real_number, whole_number
from ludens.envs import (
    StrategicGame,
    check_strategy,
    expected_outcomes,
    pure_strategies,
    uniform_strategy,
)
from ludens.errors import UsageError
from ludens.preferences.choice import logit
from ludens.preferences.grid import TOLERANCE, solve_game
from ludens.preferences.preference import HOMO_ECONOMICUS, Preferences
from ludens.preferences.strategic import best_mixture, payoff_range, strategic_utility

Floats = NDArray[np.float64]

MAX_STRATEGIES = 1024
_TREMBLE = 1e-6
_GRID = 201
_STEPS = 15
_MOST_STEPS = 50


def strategic_equilibria(game: StrategicGame, preferences: Preferences) -> Floats:
    """Return the symmetric equilibria: strategies that are optimal if everybody uses them; shape (n, width).

    They are all pure ones that survive small trembles (an equilibrium with ties must stay optimal among the
    tied strategies if every other plays another action with a small probability) and, in games of one role
    with two actions, the mixed ones.

    Raises:
        UsageError: there are more than 1024 pure strategies.
    """
    table = pure_strategies(game)
    if len(table) > MAX_STRATEGIES:
        raise UsageError(
            f"{game!r} has {len(table)} pure strategies; equilibria are sought in at most {MAX_STRATEGIES}."
        )
    solution = solve_game(game, preferences, table)
    found = [
        table[place]
        for place in np.flatnonzero(solution.best.diagonal())
        if best_mixture(game, preferences, table[place]) is None
        and _survives(game, preferences, table, int(place), solution.best[place])
    ]
    if game.symmetric and game.width == 2:
        found += [np.array([share, 1 - share]) for share in _interior(game, preferences)]
    return np.array(found).reshape(-1, game.width)


def quantal_response_equilibrium(
    game: StrategicGame, precision: float, preferences: Preferences = HOMO_ECONOMICUS
) -> Floats:
    """Return the logit quantal response equilibrium on the branch that begins at uniform choice; shape
    (width,).

    Args:
        game: the rules.
        precision: λ ≥ 0 in 1/points; it multiplies utilities, as in McKelvey & Palfrey, and is 1/noise of
            `choice_probabilities`.
        preferences: of all players.

    Raises:
        UsageError: the precision is negative or not finite, or the iteration does not settle.
    """
    number = real_number(precision)
    if number is None or not 0 <= number < math.inf:
        raise UsageError(
            f"The precision of a quantal response is a finite number of at least 0; got {precision!r}."
        )
    strategy = uniform_strategy(game)
    low, high = payoff_range(game)
    # Small steps in the precision keep the iteration on one branch.
    steps = min(_MOST_STEPS, max(1, math.ceil(number * (high - low) / 2)))
    for step in range(1, steps + 1):
        strategy = _settled(game, preferences, number * step / steps, strategy)
    return strategy


def level_k(
    game: StrategicGame,
    level: int,
    preferences: Preferences = HOMO_ECONOMICUS,
    start: ArrayLike | None = None,
) -> Floats:
    """Return the strategy of level k: level 0 plays `start` (uniformly by default), and every level is
    optimal against the one below, with ties played equally often. Shape (width,).

    Raises:
        UsageError: the level is not a whole number of at least 0.
        GameError: `start` is not a strategy of the game.
    """
    number = whole_number(level)
    if number is None or number < 0:
        raise UsageError(f"A level of reasoning is a whole number of at least 0; got {level!r}.")
    strategy = uniform_strategy(game) if start is None else check_strategy(game, start)
    for _ in range(number):
        strategy = _optimal(game, preferences, strategy)
    return strategy


def cognitive_hierarchy(
    game: StrategicGame,
    tau: float,
    preferences: Preferences = HOMO_ECONOMICUS,
    levels: int = 20,
    start: ArrayLike | None = None,
) -> tuple[Floats, Floats]:
    """Return the strategies of levels 0, 1, … and their shares, Poisson with mean `tau`.

    Level k is optimal against the lower levels in their relative shares; level 0 plays `start`.

    Returns:
        Strategies of shape (levels + 1, width), and shares that sum to 1, shape (levels + 1,).

    Raises:
        UsageError: tau is negative or not finite, or `levels` is not a whole number of at least 0.
        GameError: `start` is not a strategy of the game.
    """
    mean, most = real_number(tau), whole_number(levels)
    if mean is None or not 0 <= mean < math.inf:
        raise UsageError(f"The mean level tau is a finite number of at least 0; got {tau!r}.")
    if most is None or most < 0:
        raise UsageError(f"The highest level is a whole number of at least 0; got {levels!r}.")
    shares = np.array([math.exp(-mean) * mean**level / math.factorial(level) for level in range(most + 1)])
    strategies = [uniform_strategy(game) if start is None else check_strategy(game, start)]
    for level in range(1, most + 1):
        below = shares[:level]
        weights = below / below.sum() if below.sum() > 0 else np.eye(level)[-1]
        strategies.append(_optimal(game, preferences, weights @ np.array(strategies)))
    return np.array(strategies), shares / shares.sum()


def _survives(
    game: StrategicGame, preferences: Preferences, table: Floats, place: int, tied: NDArray[np.bool_]
) -> bool:
    rivals = np.flatnonzero(tied)
    if len(rivals) == 1:
        return True
    trembling = (1 - _TREMBLE) * table[place] + _TREMBLE * uniform_strategy(game)
    utilities = solve_game(game, preferences, trembling).utilities
    low, high = payoff_range(game)
    return bool(utilities[place] >= utilities[rivals].max() - 1e-6 * _TREMBLE * (high - low))


def _interior(game: StrategicGame, preferences: Preferences) -> list[float]:
    """Return the probabilities of the first of two actions in equilibria in which both are played."""
    from scipy.optimize import brentq

    low, high = payoff_range(game)
    slack = TOLERANCE * (high - low) * (1 + abs(preferences.alpha) + abs(preferences.beta))
    step = 1e-5

    def worth(own: float | Floats, others: float) -> Floats:
        shares = np.asarray(own)
        mixed = np.stack([shares, 1 - shares], axis=-1)
        return strategic_utility(game, preferences, mixed, [others, 1 - others], None)

    def slope(share: float) -> float:
        ends = worth(np.array([share - step, share + step]), share)
        return float(ends[1] - ends[0]) / (2 * step)

    points = np.linspace(2 * step, 1 - 2 * step, _GRID)
    slopes = [slope(float(point)) for point in points]
    if max(map(abs, slopes)) <= slack / step:
        return []  # everything is an equilibrium, and the two pure ones stand for it
    found = []
    for place in range(_GRID - 1):
        if slopes[place] * slopes[place + 1] > 0 or slopes[place + 1] == 0:
            continue
        share = float(brentq(slope, points[place], points[place + 1], xtol=1e-14))
        rivals = worth(np.linspace(0, 1, _GRID), share)
        if float(worth(share, share)) >= rivals.max() - max(slack, 1e-12 * abs(rivals).max()):
            found.append(share)
    return found


def _optimal(game: StrategicGame, preferences: Preferences, others: Floats) -> Floats:
    solution = solve_game(game, preferences, others)
    mean: Floats = solution.strategies[solution.best].mean(axis=0)
    return mean


def _settled(game: StrategicGame, preferences: Preferences, precision: float, start: Floats) -> Floats:
    """Return the logit response to itself near `start`."""
    from scipy.optimize import root

    def gap(vector: Floats) -> Floats:
        strategy = _on_simplex(game, vector)
        return _response(game, preferences, precision, strategy) - vector

    strategy = start
    for _ in range(_STEPS):
        moved = _response(game, preferences, precision, strategy)
        if float(np.abs(moved - strategy).max()) < 1e-12:
            return moved
        strategy = (strategy + moved) / 2
    # Where replies run in circles, as in matching pennies, the equation is solved directly.
    for begin in (start, strategy):
        solved = root(gap, begin, method="hybr", tol=1e-13)
        found = _on_simplex(game, solved.x)
        if float(np.abs(_response(game, preferences, precision, found) - found).max()) < 1e-8:
            return found
    raise UsageError(
        f"The quantal response equilibrium of {game!r} does not settle at precision {precision:g}: lower it."
    )


def _on_simplex(game: StrategicGame, vector: Floats) -> Floats:
    strategy = np.clip(vector, 1e-12, None)
    for node in game.information_sets:
        strategy[node.columns] /= strategy[node.columns].sum()
    return strategy


def _response(game: StrategicGame, preferences: Preferences, precision: float, others: Floats) -> Floats:
    response = others.copy()
    social = bool(preferences.alpha or preferences.beta)
    for node in game.information_sets:
        if not preferences.kappa:
            met = expected_outcomes(game, node.role, others, comparisons=social)
            felt = met.own - preferences.alpha * met.behind - preferences.beta * met.ahead
            response[node.columns] = logit(precision * felt, np.ones(()))
            continue
        plans = np.tile(others, (len(node.options), 1))
        plans[:, node.columns] = np.eye(len(node.options))
        utilities = strategic_utility(game, preferences, plans, others, node.role)
        response[node.columns] = logit(precision * utilities, np.ones(()))
    return response
