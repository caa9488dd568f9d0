"""Evolution in finite populations beside egttools, in one run.

python benchmarks/evolve.py [--population 100000] [--generations 10000]

egttools (pip install egttools) has the pairwise process and the fixation probabilities of ludens; without it
ludens is measured alone. Each process is compiled before it is timed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ludens.experiments.populations.dynamics import shares_over_time
from ludens.experiments.populations.finite import fixation_log_probability, simulate

HAWK_DOVE = np.array([[-1.0, 4.0], [0.0, 2.0]])
ROCK = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds of processor time that a call takes, and what it returns."""
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


def simulated(process: Any, payoffs: Any, population: int, generations: int) -> Callable[[], Any]:
    """Return a call that simulates one population from equal shares."""
    types = len(payoffs)
    start = np.full(types, population // types)
    start[0] += population - start.sum()
    return lambda: simulate(
        process, payoffs, start, generations, selection=0.01, mutation=1e-3, rng=np.random.default_rng(1)
    )


def main() -> None:
    """Print a line for each comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--population", type=int, default=100_000)
    parser.add_argument("--generations", type=int, default=10_000)
    given = parser.parse_args()
    events = given.population * given.generations
    for process in ("wright_fisher", "moran", "pairwise"):
        for name, payoffs in (("hawk-dove", HAWK_DOVE), ("rock-paper-scissors", ROCK)):
            simulated(process, payoffs, 100, 2)()
            seconds, _ = timed(simulated(process, payoffs, given.population, given.generations))
            print(
                f"{process:14} {name:20} {given.population} members × {given.generations} generations: "
                f"{seconds:.1f} s ({events / seconds / 1e6:.0f} M events/s)"
            )
    try:
        from egttools.analytical import PairwiseComparison, replicator_equation
        from egttools.games import Matrix2PlayerGameHolder
        from egttools.numerical import PairwiseComparisonNumerical
    except ImportError:
        print("egttools is not installed: nothing to stand beside.")
        return
    for name, payoffs, population in (("hawk-dove", HAWK_DOVE, 1000), ("rock-paper-scissors", ROCK, 1000)):
        game = Matrix2PlayerGameHolder(len(payoffs), payoffs)
        theirs = PairwiseComparisonNumerical(population, game, 100_000)
        start = np.full(len(payoffs), population // len(payoffs))
        start[0] += population - start.sum()
        steps = 1000 * population  # one of its generations is one comparison
        rival, _ = timed(partial(theirs.evolve, steps, 0.01, 1e-3, start))
        ours, _ = timed(simulated("pairwise", payoffs, population, 1000))
        print(f"pairwise, {name}, {population} × 1000: ludens {ours:.2f} s, egttools {rival:.2f} s: "
              f"{rival / ours:.1f} times")  # fmt: skip
    game = Matrix2PlayerGameHolder(2, HAWK_DOVE)
    exact = PairwiseComparison(100, game)
    rival, known = timed(lambda: [exact.calculate_fixation_probability(1, 0, 0.1) for _ in range(100)])
    ours, found = timed(lambda: [fixation_log_probability(HAWK_DOVE, 100, 0.1) for _ in range(100)])
    print(
        f"fixation of a dove among 99 hawks: ludens {np.exp(found[0]):.10f}, egttools {known[0]:.10f}; "
        f"{rival / ours:.1f} times"
    )
    start = np.array([0.5, 0.3, 0.2])

    def euler() -> Any:
        shares = start
        for _ in range(10_000):
            shares = shares + 0.001 * replicator_equation(shares, ROCK)
        return shares

    rival, last = timed(euler)
    ours, path = timed(lambda: shares_over_time("replicator", ROCK, start, [0, 10]))
    print(
        f"replicator to t = 10: ludens {ours:.4f} s, egttools' equation in Euler steps of .001 "
        f"{rival:.4f} s; "
        f"apart by {np.abs(path[-1] - last).max():.1e}"
    )


if __name__ == "__main__":
    main()
