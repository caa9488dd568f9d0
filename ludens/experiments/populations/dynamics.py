"""Evolution of the shares of types in a large population, from a table of payoffs.

    replicator  ẋ_i = x_i·(f_i(x) − x·f(x))                 Taylor & Jonker (Math. Biosciences 40, 1978)
    logit       ẋ_i = exp(f_i(x)/λ)/Σ exp(f_j(x)/λ) − x_i   Fudenberg & Levine (1998)

The latter rest at logit equilibria. With assortativity σ a member meets one of the own type with probability
σ, and a random member otherwise: f_i(x) = σ·A_ii + (1−σ)·(Ax)_i, which is the game of the table
`assorted(A, σ)` with random matching.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.errors import UsageError
from ludens.preferences.choice import logit
from ludens.preferences.stability import check_assortativity
from ludens.preferences.symmetric import symmetric_payoffs

Dynamics = Literal["replicator", "logit"]


def assorted(payoffs: ArrayLike, assortativity: float) -> NDArray[np.float64]:
    """Return the table (1−σ)·A_ij + σ·A_ii, shape (types, types).

    Raises:
        UsageError: A is not square or not finite, or σ lies outside [0, 1].
    """
    table = symmetric_payoffs(payoffs)
    check_assortativity(assortativity)
    return (1 - assortativity) * table + assortativity * np.diag(table)[:, None]


def shares_over_time(
    dynamics: Dynamics,
    payoffs: ArrayLike,
    start: ArrayLike,
    times: ArrayLike,
    *,
    assortativity: float = 0.0,
    noise: float = 1.0,
) -> NDArray[np.float64]:
    """Return the shares of types at each time, shape (times, types).

    Args:
        dynamics: ``"replicator"`` or ``"logit"``.
        payoffs: A, what the row type earns against the column type, in points, shape (types, types).
        start: the shares at time 0, shape (types,).
        times: ascending, from 0 on. One unit of time lets a share grow by the factor e for each point that
            its type earns above the mean (replicator), or a share 1 − 1/e revise their type (logit).
        assortativity: σ in [0, 1].
        noise: λ of the logit dynamics, in points.

    Raises:
        UsageError: an argument is wrong.
    """
    from scipy.integrate import solve_ivp

    table = assorted(payoffs, assortativity)
    shares, when = check_shares(start, len(table)), np.asarray(times, dtype=np.float64)
    if when.ndim != 1 or not len(when) or when[0] < 0 or np.any(np.diff(when) < 0):
        raise UsageError("The times of a path are ascending numbers from 0 on.")
    if dynamics == "logit" and not noise > 0:
        raise UsageError(f"The noise of logit dynamics is a positive number of points; got {noise!r}.")
    if when[-1] == 0:
        return np.repeat(shares[None], len(when), axis=0)

    def change(_: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
        fitness = table @ x
        if dynamics == "logit":
            return logit(fitness, noise) - x
        return x * (fitness - x @ fitness)

    path = solve_ivp(
        change, (0.0, float(when[-1])), shares, t_eval=when, method="LSODA", rtol=1e-9, atol=1e-12
    )
    found: NDArray[np.float64] = np.clip(path.y.T, 0.0, 1.0)
    found /= found.sum(axis=1, keepdims=True)
    return found


def logit_rest_point(payoffs: ArrayLike, noise: float, *, assortativity: float = 0.0) -> NDArray[np.float64]:
    """Return the shares at which logit dynamics from equal shares rest: a logit equilibrium.

    Raises:
        UsageError: an argument is wrong, or the path does not come to rest (it may cycle).
    """
    from scipy.optimize import root

    table = assorted(payoffs, assortativity)
    count = len(table)
    near = shares_over_time("logit", table, np.full(count, 1 / count), [0.0, 200.0], noise=noise)[-1]

    def gap(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return logit(table @ x, noise) - x

    shares: NDArray[np.float64] = root(gap, near, tol=1e-14).x
    if np.abs(gap(shares)).max() > 1e-9 or np.abs(shares - near).max() > 0.01:
        raise UsageError(f"Logit dynamics with noise {noise:g} do not come to rest from equal shares.")
    return shares


def check_shares(shares: ArrayLike, types: int) -> NDArray[np.float64]:
    """Return the shares of types, which sum to 1.

    Raises:
        UsageError: there are not as many as types, or they are no shares.
    """
    given = np.asarray(shares, dtype=np.float64)
    if given.shape != (types,) or not np.all(given >= 0) or abs(given.sum() - 1) > 1e-6:
        raise UsageError(
            f"Give each of the {types} types a share; together they are 1. Got {given.tolist()}."
        )
    shares_of_one: NDArray[np.float64] = given / given.sum()
    return shares_of_one
