"""Steps per second of many episodes against policies, stepped together and one after another.

    python benchmarks/vector_env.py [--episodes 256] [--seconds 1] [--repetitions 5]

One environment (`ludens.agents.against`), Gymnasium's `SyncVectorEnv` of many of them, and
`ludens.agents.against_many` play at random in one run; repetitions alternate, and medians are reported. A
step is one action in one episode; the steps with which Gymnasium starts an episode anew count in both
vectorised forms. The last two columns are ratios of rates: above 1 means that the batch is faster.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PettingZoo's deprecations
    from ludens.agents import against, against_many

SHOCK = {"kind": "DemandShock", "period": 30, "until": 60, "qualities": 0.25}
REGULATOR = {"kind": "Regulator", "threshold": 1.7, "fine": 0.05, "probability": 0.2}
MOVES = [{"kind": "Entrant", "period": 30, "firm": 2}, {"kind": "Exit", "period": 60, "firm": 3}]
GAMES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "trust, one round": ("trust", "homo_moralis:0.5", {}),
    "trust, 20 rounds": ("trust", "tit_for_tat", {"rounds": 20}),
    "trust, strategy method": ("trust", "random", {"rounds": 20, "method": "strategy"}),
    "prisoners' dilemma, 20 rounds": ("sequential_prisoners_dilemma", "grim", {"rounds": 20}),
    "market, 2 firms": ("bertrand", "matching", {}),
    "market, 3 firms": ("bertrand", "myopic", {"firms": 3}),
    "market, any price": ("bertrand", "nash", {"actions": "continuous"}),
    "market, shock and regulator": ("bertrand", "matching", {"interventions": [SHOCK, REGULATOR]}),
    "market, entrant and exit": ("bertrand", "myopic", {"firms": 4, "points": 9, "interventions": MOVES}),
    "market, prices in turns": ("bertrand_sequential", "matching", {}),
    "adoption, 10 people": ("av_adoption", "homo_moralis:0.5", {}),
    "adoption, accidents drawn": ("av_adoption", "random", {"payoffs": "realised"}),
}


def one(env: Any, seconds: float) -> float:
    """Return the steps per second of one environment."""
    env.action_space.seed(0)
    steps, start = 0, time.perf_counter()
    env.reset(seed=0)
    while (spent := time.perf_counter() - start) < seconds:
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        steps += 1
        if terminated or truncated:
            env.reset()
    return steps / spent


def many(env: gymnasium.vector.VectorEnv[Any, Any, Any], seconds: float) -> float:
    """Return the steps per second of a vectorised environment, in all episodes together."""
    env.action_space.seed(0)
    env.reset(seed=0)
    steps, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        env.step(env.action_space.sample())
        steps += env.num_envs
    return steps / spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=256, help="stepped together")
    parser.add_argument("--seconds", type=float, default=1.0, help="per repetition")
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    count = arguments.episodes
    print(f"{count} episodes, steps per second")
    print(f"{'game':<30} {'one':>10} {'sync':>10} {'batch':>12} {'batch/one':>10} {'batch/sync':>11}")
    for name, (env, policy, options) in GAMES.items():
        single = against(env, policy, **options)
        rows: dict[str, Callable[[], float]] = {}
        sync = gymnasium.vector.SyncVectorEnv([lambda: against(env, policy, **options)] * count)  # noqa: B023
        batch = against_many(env, policy, number=count, **options)
        batch.reset(seed=0)
        # What is worked out once, in every regime of a market, is worked out before.
        for _ in range(105):
            batch.step(batch.action_space.sample())
        rows = {
            "one": lambda: one(single, arguments.seconds),  # noqa: B023  # called in this turn of the loop
            "sync": lambda: many(sync, arguments.seconds),  # noqa: B023
            "batch": lambda: many(batch, arguments.seconds),  # noqa: B023
        }
        rates: dict[str, list[float]] = {row: [] for row in rows}
        for _ in range(arguments.repetitions):
            for row, measure in rows.items():
                rates[row].append(measure())
        median = {row: statistics.median(measured) for row, measured in rates.items()}
        print(
            f"{name:<30} {median['one']:>10,.0f} {median['sync']:>10,.0f} {median['batch']:>12,.0f} "
            f"{median['batch'] / median['one']:>10.1f} {median['batch'] / median['sync']:>11.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
