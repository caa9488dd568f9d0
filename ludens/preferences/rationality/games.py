"""Whether one vector of preferences explains what is played in several games.

In each game the most probable pure strategy x must be optimal under a belief: for all strategies x′,

    π(x) − π(x′) + κ·Δ(universalised − own) − α·Δ(behind) − β·Δ(ahead) ≥ 0.

The largest number of games for which one (α, β, κ) does that is an integer programme with three numbers and a
yes or no for each game: the index of Houtman & Maks (1985) within these preferences, and the largest jointly
rationalisable share of menus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ludens.envs import AnyGame, Strategy, pure_strategies, uniform_strategy
from ludens.preferences.terms import utility_terms

Floats = NDArray[np.float64]

_REACH = 10.0  # the largest |α| and |β| considered
_TIE = 1e-7  # points by which an optimal strategy may lose to rounding


@dataclass(frozen=True)
class Rationalised:
    """How many of several games one vector of preferences explains.

    Attributes:
        games: the number of games.
        explained: the largest number whose most probable strategies one (α, β, κ) makes optimal.
        alpha, beta, kappa: such a vector.
    """

    games: int
    explained: int
    alpha: float
    beta: float
    kappa: float


def rationalise(played: Sequence[tuple[AnyGame, Strategy]]) -> Rationalised:
    """Return the largest number of games that one (α, β, κ) with κ in [0, 1] explains under uniform beliefs.

    Args:
        played: games with behaviour strategies; the most probable option at every node is used, and where
            several are, the first.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    if not played:
        return Rationalised(0, 0, 0.0, 0.0, 0.0)
    gaps = [_gaps(game, strategy) for game, strategy in played]
    count = len(gaps)
    rows = np.concatenate(gaps)
    owner = np.repeat(np.arange(count), [len(gap) for gap in gaps])
    reach = np.array([_REACH, _REACH, 1.0])
    # Without the demand on a game its strategy may lose as much as it can.
    slack = np.abs(rows[:, 1:]) @ reach + np.abs(rows[:, 0]) + 1
    table = np.zeros((len(rows), 3 + count))
    table[:, :3] = rows[:, 1:]
    table[np.arange(len(rows)), 3 + owner] = -slack
    solved = milp(
        np.concatenate([np.zeros(3), -np.ones(count)]),
        constraints=LinearConstraint(table, -rows[:, 0] - slack - _TIE, np.inf),
        integrality=np.concatenate([np.zeros(3), np.ones(count)]),
        bounds=Bounds([-_REACH, -_REACH, 0.0] + [0.0] * count, [_REACH, _REACH, 1.0] + [1.0] * count),
    )
    assert solved.x is not None  # leaving out every game is always possible
    alpha, beta, kappa = solved.x[:3].tolist()
    return Rationalised(count, int((solved.x[3:] > 0.5).sum()), alpha, beta, kappa)


def _gaps(game: AnyGame, strategy: Strategy) -> Floats:
    """Return by how much the most probable strategy beats each other one, in the attributes of utility:
    own, −behind, −ahead and universalised − own; shape (strategies − 1, 4).
    """
    plans = pure_strategies(game)
    chosen = np.zeros(plans.shape[1])
    for node in game.information_sets:
        chosen[node.columns.start + int(np.argmax(strategy[node.columns]))] = 1.0
    terms = utility_terms(game, uniform_strategy(game))
    table = np.stack([terms.own, -terms.behind, -terms.ahead, terms.universalised - terms.own], axis=-1)
    place = int(np.argmax((plans == chosen).all(axis=1)))
    return np.asarray(np.delete(table[place] - table, place, axis=0))
