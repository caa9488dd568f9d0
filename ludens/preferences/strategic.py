"""Utilities in simultaneous games, for one preference and belief or for many.

A strategy says what to do in every role, and roles are drawn with the shares that they have of the seats.
With x the own strategy, y that of the others and n players,

    u_κ(x, y) = E[π_i(x, x̃)] − α·E[behind] − β·E[ahead],

where every other's strategy is x with probability κ and y otherwise, independently of each other (Alger &
Weibull, Games and Economic Behavior 98, 2016). Since payoffs are linear in the strategy of each other
player, each plays z = (1−κ)·y + κ·x, and E[π_i] = π(x, z): the sum over who is replaced is exact and needs
no enumeration. With two players this is (1−κ)·π(x, y) + κ·π(x, x). Where a game says itself what an action
pays if everybody takes it (`StrategicGame.universal`), that is weighed by κ. The comparisons with others
are expected over what happens against y, as in game trees (`ludens.preferences.terms`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs import (
    AnyGame,
    StrategicGame,
    check_strategy,
    expected_outcomes,
    pure_strategies,
    uniform_strategy,
)
from ludens.envs.strategic.expectations import Expected, expected_payoffs_of, is_exact
from ludens.errors import UsageError
from ludens.preferences.preference import Preferences, preference_array

Floats = NDArray[np.float64]

LINEAR_WITHIN = 1e-9
SLACK = 1e-9
MANY_STARTS = 6
MAX_ASCENTS, MAX_REFINEMENTS = 100, 12
COARSE = np.linspace(0, 1, 17)
FINE = np.linspace(-1, 1, 9)


def plan_utilities(game: StrategicGame, preferences: ArrayLike | Preferences, beliefs: ArrayLike) -> Floats:
    """Return the utility of every pure strategy, in the order of `pure_strategies`; shape (..., strategies).

    Args:
        game: the rules.
        preferences: as for `preference_array`; its leading axes broadcast against those of the beliefs.
        beliefs: what the others play, shape (..., width).

    Raises:
        GameError: a belief is not a strategy of the game.
        ValueError: the leading axes do not broadcast.
    """
    weights = preference_array(preferences)
    plays = check_strategy(game, beliefs)
    lead = np.broadcast_shapes(weights.shape[:-1], plays.shape[:-1])
    weights = np.broadcast_to(weights, (*lead, 3)).reshape(-1, 3)
    plays = np.broadcast_to(plays, (*lead, game.width)).reshape(-1, game.width)
    rows = [
        _utilities(game, play.tobytes(), *weight.tolist())
        for weight, play in zip(weights, plays, strict=True)
    ]
    return np.array(rows).reshape(*lead, -1)


def strategic_utility(
    game: StrategicGame, preferences: Preferences, strategy: ArrayLike, belief: ArrayLike, role: str | None
) -> Floats:
    """Return the utility of a strategy, pure or mixed; see `ludens.preferences.utility`.

    Raises:
        GameError: the strategy or the belief is not a strategy of the game, or there is no such role.
    """
    own, others = np.broadcast_arrays(check_strategy(game, strategy), check_strategy(game, belief))
    kappa = preferences.kappa
    replaced = (1 - kappa) * others + kappa * own
    social = bool(preferences.alpha or preferences.beta)
    total: Floats = np.zeros(own.shape[:-1])
    for each, count in game.players.items():
        share = count / len(game.seats)
        columns = game.information_set(game.node(each)).columns
        met = expected_outcomes(game, each, others, comparisons=social)
        felt = (1 - kappa) * met.own - preferences.alpha * met.behind - preferences.beta * met.ahead
        if game.universal is None:
            universal = expected_outcomes(game, each, replaced, comparisons=False).own - (1 - kappa) * met.own
        else:
            universal = kappa * np.array(game.universal)
        weight = share if role is None else float(each == role)
        total = total + (own[..., columns] * (weight * felt + share * universal)).sum(-1)
    if role is not None and role not in game.players:
        game.information_set(game.node(role))
        raise UsageError(f"{game!r} has no role {role!r}; its roles are {', '.join(game.roles)}.")
    return total


def strategic_terms(game: StrategicGame, beliefs: ArrayLike) -> tuple[Floats, Floats, Floats, Floats]:
    """Return own, behind, ahead and universalised of every pure strategy, each of shape (..., strategies).

    With more than two players utility is linear in κ only where payoffs are linear in how many others do
    alike, as in the linear public good.

    Raises:
        GameError: a belief is not a strategy of the game.
        UsageError: utility is not linear in κ in this game.
    """
    plays = check_strategy(game, beliefs)
    lead, flat = plays.shape[:-1], plays.reshape(-1, game.width)
    if not linear_in_kappa(game):
        raise UsageError(
            f"In {game!r} with {len(game.seats)} players utility is not linear in κ, so that it cannot be "
            "estimated from its terms: estimate from games of two players or with linear payoffs."
        )
    rows = []
    for play in flat:
        key = play.tobytes()
        own, behind, ahead = _met(game, key)
        rows.append((own, behind, ahead, _replaced(game, key, 1.0)))
    own, behind, ahead, universal = (
        np.array(part).reshape(*lead, -1) for part in (zip(*rows, strict=True) if rows else [[], [], [], []])
    )
    return own, behind, ahead, universal


def alone_and_together(game: StrategicGame, belief: ArrayLike) -> tuple[Floats, Floats]:
    """Return what every pure strategy pays against a belief, and if everybody uses it, in points.

    Raises:
        GameError: the belief is not a strategy of the game.
    """
    key = check_strategy(game, belief).tobytes()
    return _replaced(game, key, 0.0), _replaced(game, key, 1.0)


def others_payoffs(game: StrategicGame, belief: ArrayLike) -> Floats:
    """Return what the others get on average against every pure strategy of one player, in points.

    Raises:
        GameError: the belief is not a strategy of the game.
    """
    own, behind, ahead = _met(game, check_strategy(game, belief).tobytes())
    return own + behind - ahead


def best_mixture(
    game: StrategicGame, preferences: Preferences, belief: ArrayLike
) -> tuple[Floats, float] | None:
    """Return a mixed strategy that is better than every pure one, and its utility; None if there is none.

    Where several players have one role and κ > 0, utility is a polynomial in the own strategy, π(x, x) for
    instance is quadratic, and a mixture can be the only optimum. It is sought by line searches from several
    starts, which move probability from one action to another; not where expected payoffs are means over
    draws, whose errors would pass for gains.

    Raises:
        GameError: the belief is not a strategy of the game.
    """
    kappa = preferences.kappa
    if not kappa or max(game.players.values()) == 1 or game.universal is not None:
        return None
    if not is_exact(game):
        return None
    plans = pure_strategies(game)
    others = check_strategy(game, belief)
    pure = plan_utilities(game, preferences, others)
    low, high = payoff_range(game)
    if low == high:
        return None  # every strategy is worth the same
    slack = SLACK * (high - low) * (1 + abs(preferences.alpha) + abs(preferences.beta))
    # Comparisons are linear in the own strategy; what would be if others did alike is not.
    linear = pure - _replaced(game, others.tobytes(), kappa)

    def worth(strategies: Floats) -> Floats:
        replaced = (1 - kappa) * others + kappa * strategies
        total = _social(game, preferences, strategies, linear, plans)
        for role, count in game.players.items():
            columns = game.information_set(game.node(role)).columns
            earned = expected_outcomes(game, role, replaced, comparisons=False).own
            total = total + count / len(game.seats) * (strategies[..., columns] * earned).sum(-1)
        return total

    best, top = plans[pure.argmax()], float(pure.max())
    middles = (best + plans) / 2
    bent = worth(middles) - (top + pure) / 2
    if np.abs(bent).max() <= slack and np.abs(worth(plans.mean(axis=0)) - pure.mean()) <= slack:
        return None  # linear in the own strategy, as in the linear public good
    starts = [best, plans.mean(axis=0)]
    if len(plans) <= MANY_STARTS:
        starts += [*plans, *((one + other) / 2 for one, other in itertools.combinations(plans, 2))]
    for start in starts:
        reached, utility = _ascent(worth, plans, start, slack)
        if utility > top + slack:
            best, top = reached, utility
    return (best, top) if top > pure.max() + slack else None


def _social(
    game: StrategicGame, preferences: Preferences, strategies: Floats, linear: Floats, plans: Floats
) -> Floats:
    """Return the part of utility that comparisons make up, for mixed strategies; 0 without them."""
    if not (preferences.alpha or preferences.beta):
        return np.zeros(strategies.shape[:-1])
    # A number for every column that adds up to `linear` at every pure strategy.
    by_column = np.linalg.lstsq(plans, linear, rcond=None)[0]
    social: Floats = strategies @ by_column
    return social


def _ascent(
    worth: Callable[[Floats], Floats], plans: Floats, start: Floats, slack: float
) -> tuple[Floats, float]:
    """Go up from a strategy along one line at a time, as long as that gains anything: to a pure strategy, or
    by moving all of one action's probability to another.
    """
    at, height = start, float(worth(start))
    one_role = len(plans) == plans.shape[-1]
    for _ in range(MAX_ASCENTS):
        lines = plans - at
        if one_role and len(plans) <= MANY_STARTS:
            moved = at[:, None, None] * (plans[None, :, :] - plans[:, None, :])
            lines = np.concatenate([lines, moved.reshape(-1, plans.shape[-1])])
        tried = worth(at + COARSE[:, None, None] * lines)  # (points, lines)
        point, line = np.unravel_index(tried.argmax(), tried.shape)
        if tried[point, line] <= height + slack:
            break
        middle, width = float(COARSE[point]), float(COARSE[1])
        for _ in range(MAX_REFINEMENTS):
            near = np.clip(middle + width * FINE, 0, 1)
            middle, width = float(near[worth(at + near[:, None] * lines[line]).argmax()]), width / 4
        at = np.maximum(at + middle * lines[line], 0)
        height = float(worth(at))
    return at, height


def payoff_range(game: StrategicGame) -> tuple[float, float]:
    """Return the smallest and the largest payoff, of a large game among the profiles that are looked at."""
    paid = game._fingerprint
    return float(paid.min()), float(paid.max())


@lru_cache(maxsize=256)
def linear_in_kappa(game: AnyGame) -> bool:
    """Return whether utility is linear in κ, as estimators need: in game trees, in games of two players who
    move at once, and in those of more players whose payoffs are linear in how many others do alike.
    """
    if not isinstance(game, StrategicGame) or len(game.seats) <= 2:
        return True
    low, high = payoff_range(game)
    key = uniform_strategy(game).tobytes()
    middle = (_replaced(game, key, 0.0) + _replaced(game, key, 1.0)) / 2
    return bool(np.abs(_replaced(game, key, 0.5) - middle).max() <= LINEAR_WITHIN * max(high - low, 1e-300))


@lru_cache(maxsize=65536)
def _utilities(game: StrategicGame, belief: bytes, alpha: float, beta: float, kappa: float) -> Floats:
    utility = _replaced(game, belief, kappa)
    if alpha or beta:
        _, behind, ahead = _met(game, belief)
        utility = utility - alpha * behind - beta * ahead
    utility.setflags(write=False)
    return utility


@lru_cache(maxsize=4096)
def _met(game: StrategicGame, belief: bytes) -> tuple[Floats, Floats, Floats]:
    """Return what every pure strategy expects against a belief: own payoff, behind, ahead."""
    play = np.frombuffer(belief)
    parts = [expected_outcomes(game, role, play) for role in game.roles]
    own, behind, ahead = (
        _by_plan(game, [getattr(part, name) for part in parts]) for name in Expected._fields[:3]
    )
    return own, behind, ahead


@lru_cache(maxsize=4096)
def _replaced(game: StrategicGame, belief: bytes, kappa: float) -> Floats:
    """Return π(x, (1−κ)·y + κ·x) of every pure strategy x."""
    play = np.frombuffer(belief)
    if kappa == 0:
        return _by_plan(
            game, [expected_outcomes(game, role, play, comparisons=False).own for role in game.roles]
        )
    if game.universal is not None:
        return (1 - kappa) * _replaced(game, belief, 0.0) + kappa * np.array(game.universal)
    plans = pure_strategies(game)
    mixed = (1 - kappa) * play + kappa * plans
    total = np.zeros(len(plans))
    for role, count in game.players.items():
        actions = plans[:, game.information_set(game.node(role)).columns].argmax(-1)
        total += count / len(game.seats) * expected_payoffs_of(game, role, actions, mixed)
    return total


def _by_plan(game: StrategicGame, by_role: list[Floats]) -> Floats:
    """Return the mean over seats of numbers by action of each role, for every pure strategy."""
    plans = pure_strategies(game)
    total = np.zeros(len(plans))
    for (role, count), numbers in zip(game.players.items(), by_role, strict=True):
        total += count / len(game.seats) * (plans[:, game.information_set(game.node(role)).columns] @ numbers)
    return total
