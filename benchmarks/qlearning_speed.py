"""Periods of Q-learning per second until convergence, on one core, compared with two plain loops.

    python benchmarks/qlearning_speed.py [--sessions 20] [--repetitions 5]

All learn in the published market (Calvano, Calzolari, Denicolò & Pastorello, AER 2020: two firms, 15 prices,
memory 1, α = 0.15, β = 4e-6). The plain loops follow the textbook: they search a state for its highest value
whenever it is needed, and draw from NumPy's generator. One is compiled by numba; the other runs on NumPy
arrays, is hundreds of times slower, and plays only a part of a session. Repetitions alternate, and medians
are reported; compilation is not timed.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable

import numpy as np
from numba import njit

from ludens.agents.qlearning import QLearning, learning_tables
from ludens.agents.qlearning.session import start_session
from ludens.envs.pricing import Market

TABLES = learning_tables(Market.symmetric(), QLearning())
START = TABLES.initial().swapaxes(0, 1)  # (firms, states, points)
PROFITS = TABLES.expected
ALPHA, BETA, DISCOUNT, POINTS, WINDOW = 0.15, 4e-6, 0.95, 15, 100_000
PLAIN_PERIODS = 20_000


def ours(seed: int) -> int:
    """Run one session of ludens to convergence, and return the periods played."""
    session = start_session(TABLES, seed, 0)
    while not session.over:
        session.advance(1 << 22)
    return session.periods


@njit
def compiled_loop(q: np.ndarray, profits: np.ndarray, rng: np.random.Generator, window: int) -> int:
    """Run the textbook algorithm to convergence, compiled by numba."""
    state = rng.integers(0, POINTS * POINTS)
    period, stable = 0, 0
    actions = np.empty(2, np.int64)
    while stable < window:
        epsilon = math.exp(-BETA * period)
        for i in range(2):
            if rng.random() < epsilon:
                actions[i] = rng.integers(0, POINTS)
            else:
                actions[i] = np.argmax(q[i, state])
        following = actions[0] * POINTS + actions[1]
        same = True
        targets = (
            profits[following, 0] + DISCOUNT * q[0, following].max(),
            profits[following, 1] + DISCOUNT * q[1, following].max(),
        )
        for i in range(2):
            before = np.argmax(q[i, state])
            q[i, state, actions[i]] = (1 - ALPHA) * q[i, state, actions[i]] + ALPHA * targets[i]
            if np.argmax(q[i, state]) != before:
                same = False
        stable = stable + 1 if same else 0
        state = following
        period += 1
    return period


def numpy_loop(seed: int) -> int:
    """Run the textbook algorithm with NumPy for some periods."""
    rng = np.random.default_rng(seed)
    q = START.copy()
    firms = np.arange(2)
    state = int(rng.integers(POINTS * POINTS))
    stable = 0
    for period in range(PLAIN_PERIODS):
        greedy = q[:, state].argmax(axis=1)
        explores = rng.random(2) < math.exp(-BETA * period)
        actions = np.where(explores, rng.integers(POINTS, size=2), greedy)
        following = int(actions[0] * POINTS + actions[1])
        target = PROFITS[following] + DISCOUNT * q[:, following].max(axis=1)
        q[firms, state, actions] = (1 - ALPHA) * q[firms, state, actions] + ALPHA * target
        same = np.array_equal(q[:, state].argmax(axis=1), greedy)
        stable = stable + 1 if same else 0
        state = following
    return PLAIN_PERIODS


LOOPS: dict[str, Callable[[int], int]] = {
    "ludens": ours,
    "plain numba loop": lambda seed: compiled_loop(
        START.copy(), PROFITS, np.random.default_rng(seed), WINDOW
    ),
    "plain NumPy loop": numpy_loop,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=20, help="of ludens, per repetition")
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    session = start_session(TABLES, 0, 0)
    session.advance(1)
    compiled_loop(START.copy(), PROFITS, np.random.default_rng(0), 1)
    # The plain loops get fewer sessions: they take that much longer.
    sessions = {"ludens": arguments.sessions, "plain numba loop": max(1, arguments.sessions // 10)}
    rates: dict[str, list[float]] = {name: [] for name in LOOPS}
    for repetition in range(arguments.repetitions):
        for name, play in LOOPS.items():
            seeds = range(sessions.get(name, 1))
            start = time.process_time()
            periods = sum(play(1000 * repetition + seed) for seed in seeds)
            rates[name].append(periods / (time.process_time() - start))
    best = statistics.median(rates["ludens"])
    print(f"{'':<18} {'periods/s':>12} {'ludens is':>16}   lowest to highest")
    for name, measured in rates.items():
        median = statistics.median(measured)
        spread = f"{min(measured):,.0f} to {max(measured):,.0f}"
        print(f"{name:<18} {median:>12,.0f} {best / median:>9.1f} times   {spread}")


if __name__ == "__main__":
    main()
