"""The oracle on a grid of 10,290 problems, compared with a plain Python loop over the same ones.

    python benchmarks/oracle_grid.py

The grid is 6 protocols of the prisoner's dilemma × 49 preferences (α, β, κ) × 35 beliefs, with 8 strategies
each. Both sides compute every utility and the optimal set, and must agree. Times are medians of interleaved
rounds.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable

import numpy as np

from ludens.envs import PROTOCOLS
from ludens.preferences import payoff_table, solve_grid

GAMES = [PROTOCOLS[f"SPD{number}"] for number in range(1, 7)]
LEVELS = np.linspace(0, 1, 49)
PREFERENCES = np.stack([0.8 * LEVELS, 0.5 * LEVELS[::-1], LEVELS], axis=-1)
BELIEFS = np.random.default_rng(0).dirichlet((1, 1), size=(35, 3)).reshape(35, 6)
Numbers = tuple[float, ...]
STRATEGIES = list(itertools.product((1, 0), repeat=3))


def vectorised() -> np.ndarray:
    """Return which strategies are optimal, from one call for the whole grid, shape (6, 49, 35, 8)."""
    return solve_grid(GAMES[0], payoff_table(GAMES)[:, None, None], PREFERENCES[:, None], BELIEFS).best


def plain_loop() -> list[list[bool]]:
    """Solve one problem after another, by the formulas of the dilemma written out in floats."""
    beliefs = [(row[0], row[2], row[4]) for row in BELIEFS.tolist()]
    preferences = [tuple(row) for row in PREFERENCES.tolist()]
    found = []
    for game in GAMES:
        points = T, _, _, S = tuple(game.parameters.values())
        for weights in preferences:
            alpha, beta, _ = weights
            for belief in beliefs:
                values = [utility(points, weights, strategy, belief) for strategy in STRATEGIES]
                top = max(values) - 1e-9 * (T - S) * (1 + alpha + beta)
                found.append([value >= top for value in values])
    return found


def payoff(points: Numbers, x: Numbers, y: Numbers) -> float:
    """Return π(x, y) for cooperation probabilities at the opening, after cooperation and after defection."""
    T, R, P, S = points
    first = x[0] * (y[1] * R + (1 - y[1]) * S) + (1 - x[0]) * (y[2] * T + (1 - y[2]) * P)
    second = y[0] * (x[1] * R + (1 - x[1]) * T) + (1 - y[0]) * (x[2] * S + (1 - x[2]) * P)
    return (first + second) / 2


def utility(points: Numbers, weights: Numbers, x: Numbers, y: Numbers) -> float:
    """Return the utility of a pure strategy; only the outcomes (S, T) and (T, S) are unequal."""
    T, _, _, S = points
    alpha, beta, kappa = weights
    behind = (x[0] * (1 - y[1]) + (1 - y[0]) * x[2]) / 2 * (T - S)
    ahead = ((1 - x[0]) * y[2] + y[0] * (1 - x[1])) / 2 * (T - S)
    own = (1 - kappa) * payoff(points, x, y) + kappa * payoff(points, x, x)
    return own - alpha * behind - beta * ahead


def seconds(function: Callable[[], object]) -> float:
    """Return the wall-clock seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    """Check that both agree, time them, and print the ratio."""
    ours, loop = vectorised().reshape(-1, 8), np.array(plain_loop())
    assert np.array_equal(ours, loop), "the two sides found different optima"
    rounds = [(seconds(vectorised), seconds(plain_loop)) for _ in range(15)]
    fast, slow = (statistics.median(side) for side in zip(*rounds, strict=True))
    print(f"{len(loop):,} dilemma problems: optimal strategies, same on both sides")
    print(f"solve_grid    {fast * 1e3:8.1f} ms   {fast / len(loop) * 1e6:6.2f} µs each")
    print(f"plain loop    {slow * 1e3:8.1f} ms   {slow / len(loop) * 1e6:6.2f} µs each")
    print(f"ratio         {slow / fast:8.1f}")


if __name__ == "__main__":
    main()
