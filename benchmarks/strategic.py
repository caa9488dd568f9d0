"""Games in which all move at once: environment steps beside PettingZoo's rock paper scissors, a population's
payoffs beside a plain loop, and utilities of a hundred players.

    python benchmarks/strategic.py [--seconds 1] [--repetitions 7]

Environments play 100 rounds per episode at random through the Parallel API, in turn with the peer; medians of
processor time are reported. Rock paper scissors needs pygame (`pip install pygame`).
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pettingzoo import make

    from ludens.envs import find_game, uniform_strategy
    from ludens.preferences import Preferences, homo_moralis
    from ludens.preferences.strategic import strategic_utility

ROUNDS = 100
GROUPS = 100_000


def rounds_per_second(env: Any, seconds: float) -> float:
    """Play episodes at random for about `seconds`, and return the rounds per second of processor time."""
    env.reset(seed=0)
    sizes = [int(env.action_space(agent).n) for agent in env.possible_agents]
    drawn = np.random.default_rng(0).integers(0, sizes, (1000, len(sizes))).tolist()
    rounds, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        if not env.agents:
            env.reset()
        env.step(dict(zip(env.agents, drawn[rounds % 1000], strict=True)))
        rounds += 1
    return rounds / (time.process_time() - start)


def seconds_of(call: Callable[[], object], repetitions: int) -> float:
    """Return the median of the seconds of wall time that a call takes."""
    taken = []
    for _ in range(repetitions):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--repetitions", type=int, default=7)
    arguments = parser.parse_args()
    environments = {
        "rps": make("parallel", "classic/rps-v2", max_cycles=ROUNDS),
        "prisoner's dilemma": make("parallel", "ludens/prisoners_dilemma-v0", rounds=ROUNDS),
        "public goods, 4": make("parallel", "ludens/public_goods-v0", rounds=ROUNDS),
    }
    found: dict[str, list[float]] = {name: [] for name in environments}
    for _ in range(arguments.repetitions):
        for name, env in environments.items():
            found[name].append(rounds_per_second(env, arguments.seconds))
    peer = statistics.median(found["rps"])
    for name, rates in found.items():
        rate = statistics.median(rates)
        print(f"{name:20} {rate:10,.0f} rounds/s   {rate / peer:5.2f} times rps")

    game = find_game("PG1")
    rng = np.random.default_rng(0)
    population = rng.integers(0, 21, (GROUPS, 4)).astype(float)
    together = seconds_of(lambda: game.payoffs_of(population), arguments.repetitions)
    alone = seconds_of(lambda: [game.payoffs_of(row) for row in population[:1000]], 3) * GROUPS / 1000
    print(
        f"{GROUPS:,} groups of 4: {1000 * together:.1f} ms, {alone / together:,.0f} times a loop over groups"
    )

    large = find_game("PG3")
    uniform = uniform_strategy(large)
    for name, preferences in (
        ("homo moralis", homo_moralis(0.4)),
        ("with comparisons", Preferences(0.5, 0.3, 0.4)),
    ):
        own = rng.dirichlet(np.ones(large.width))
        taken = seconds_of(lambda p=preferences, x=own: strategic_utility(large, p, x, uniform, None), 9)
        print(f"utility of a mixed strategy of one of 100 contributors, {name}: {1000 * taken:.1f} ms")


if __name__ == "__main__":
    main()
