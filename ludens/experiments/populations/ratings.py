"""Ratings of the players of a tournament, from who won and from what each earns against each.

Bradley & Terry (Biometrika 39, 1952)   P(i beats j) = 1/(1 + exp(r_j − r_i)); a draw is half a win of each
α-rank (Omidshafiei et al., Scientific Reports 9, 2019)   the share of time of each type in a population in
    which mutations are rare, here of one population
Nash averaging (Balduzzi et al., NeurIPS 2018)   the equilibrium of greatest entropy of the zero-sum game
    A − Aᵀ: a copy of a player changes nobody's rating
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.errors import UsageError
from ludens.experiments.populations.finite import residents_over_time
from ludens.preferences.symmetric import symmetric_payoffs

Floats = NDArray[np.float64]

_PRIOR = 0.1  # wins and losses of each player against an average one, so that nobody's rating is infinite


@dataclass(frozen=True, eq=False)
class BradleyTerry:
    """Ratings on the scale of log-odds; their mean is 0.

    Attributes:
        ratings: r, shape (players,).
        errors: standard errors from the inverse Hessian, shape (players,).
    """

    ratings: Floats
    errors: Floats

    @property
    def intervals(self) -> Floats:
        """95 % intervals, shape (players, 2)."""
        reach = 1.959964 * self.errors
        return np.stack([self.ratings - reach, self.ratings + reach], axis=1)


def bradley_terry(wins: ArrayLike) -> BradleyTerry:
    """Estimate ratings from wins.

    Args:
        wins: how often the row beat the column, shape (players, players); a draw counts half for both. Each
            player also has a tenth of a win and of a loss against an average player, without which a player
            who always won would have no rating.

    Raises:
        UsageError: the table is not square, or a number is negative.
    """
    table = symmetric_payoffs(wins).copy()
    if np.any(table < 0):
        raise UsageError("A player wins a number of times from 0 on.")
    np.fill_diagonal(table, 0.0)
    count = len(table)
    met, ratings = table + table.T, np.zeros(count)
    hessian = np.eye(count)
    for _ in range(200):
        odds = 1 / (1 + np.exp(ratings[None, :] - ratings[:, None]))
        average = 1 / (1 + np.exp(-ratings))
        slope = (table - met * odds).sum(axis=1) + _PRIOR * (1 - 2 * average)
        weights = met * odds * (1 - odds)
        hessian = np.diag(weights.sum(axis=1) + 2 * _PRIOR * average * (1 - average)) - weights
        step = np.linalg.solve(hessian, slope)
        ratings = ratings + step * min(1.0, 2.0 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() < 1e-10:
            break
    centre = np.eye(count) - 1 / count
    covariance = centre @ np.linalg.inv(hessian) @ centre
    return BradleyTerry(ratings - ratings.mean(), np.sqrt(np.diag(covariance)))


def alpha_rank(payoffs: ArrayLike, alpha: float = 100.0, population: int = 50) -> Floats:
    """Return the share of time of each player in one population with rare mutations, shape (players,).

    A mutant j among residents i takes over with probability (1 − e^{−αd})/(1 − e^{−mαd}), where
    d = A_ji − A_ij is what it earns more when both meet.

    Args:
        payoffs: A, what the row earns against the column, shape (players, players).
        alpha: the intensity of selection, per point.
        population: m, at least 2.

    Raises:
        UsageError: the table is not square, or an argument lies outside its range.
    """
    table = symmetric_payoffs(payoffs)
    if len(table) < 2 or not alpha > 0 or population < 2:
        raise UsageError("α-rank needs two players or more, a positive α and a population of at least 2.")
    ahead = alpha * (table.T - table)  # of a mutant j (column) among residents i (row)
    size = np.maximum(np.abs(ahead), 1e-12)
    upward = _log_one_less(size) - _log_one_less(population * size)
    logs = np.where(ahead >= 0, upward, upward - (population - 1) * size)
    return residents_over_time(logs)


def nash_average(payoffs: ArrayLike) -> tuple[Floats, Floats]:
    """Return the equilibrium of greatest entropy of A − Aᵀ, and each player's payoff against it in that game.

    Both have shape (players,); the payoff of those that the equilibrium plays is 0, of the others negative.

    Raises:
        UsageError: the table is not square or not finite.
    """
    from scipy.optimize import LinearConstraint, linprog, minimize

    table = symmetric_payoffs(payoffs)
    game = table - table.T
    count, scale = len(game), max(float(np.abs(game).max()), 1e-300)
    game = game / scale
    found = linprog(
        np.zeros(count), A_ub=game, b_ub=np.full(count, 1e-9), A_eq=np.ones((1, count)), b_eq=[1.0]
    )
    start: Floats = np.asarray(found.x, dtype=np.float64)

    def disorder(p: Floats) -> float:
        return float(np.sum(p * np.log(np.maximum(p, 1e-300))))

    def slope(p: Floats) -> Floats:
        return np.log(np.maximum(p, 1e-300)) + 1

    rules: Any = (
        LinearConstraint(np.ones((1, count)), 1.0, 1.0),
        LinearConstraint(game, -np.inf, 0.0),
    )
    options: Any = {"maxiter": 1000, "ftol": 1e-14}
    best = minimize(
        disorder, 0.9 * start + 0.1 / count, jac=slope, bounds=[(0.0, 1.0)] * count, constraints=rules,
        method="SLSQP", options=options,
    )  # fmt: skip
    shares = start
    if best.success and np.all(game @ best.x <= 1e-6):
        shares = np.clip(best.x, 0.0, None)
        shares = np.where(shares < 1e-6, 0.0, shares)
        shares = shares / shares.sum()
    return shares, scale * (game @ shares)


def _log_one_less(values: Floats) -> Floats:
    """Return ln(1 − exp(−x))."""
    return np.log(-np.expm1(-values))
