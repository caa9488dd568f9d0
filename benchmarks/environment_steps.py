"""Environment steps per second of ludens' environments, compared with PettingZoo's rock paper scissors.

    python benchmarks/environment_steps.py [--seconds 1] [--repetitions 9] [--before FOLDER]

All are made by `pettingzoo.make` and played at random. Turn-based ones play in PettingZoo's own loop (`last`,
a legal action, `step`) with 15 games per episode; a step is one move. Those in which all move at once play
through the Parallel API, 100 rounds per episode, and a step is one round of all seats; the column of moves
counts those of all seats. Repetitions alternate; medians are reported. A ratio above 1 means faster than
rock paper scissors with the same API. Seconds are those of the processor, so that other programs matter less.
Rock paper scissors needs pygame (`pip install pygame`).

With ``--before`` the environments of an earlier version, whose files are in that folder (`git worktree
add FOLDER COMMIT`), take turns with these in processes of their own, and two columns compare the versions.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
with warnings.catch_warnings():
    # PettingZoo's environments and pygame warn that they are deprecated.
    warnings.simplefilter("ignore")
    from pettingzoo import ParallelEnv, make

    import ludens.envs  # noqa: F401  # importing it registers the environments

    try:
        make("aec", "classic/rps-v2")
    except ModuleNotFoundError:
        raise SystemExit(
            "Rock paper scissors, the peer of this benchmark, needs pygame: pip install pygame"
        ) from None

GAMES, ROUNDS = 15, 100
PEER, PARALLEL_PEER = "rps", "rps, parallel"
ENVIRONMENTS: dict[str, Callable[[], Any]] = {
    PEER: lambda: make("aec", "classic/rps-v2", max_cycles=GAMES),
    "trust, direct": lambda: make("aec", "ludens/trust-v0", rounds=GAMES),
    "trust, strategy method": lambda: make("aec", "ludens/trust-v0", rounds=GAMES, method="strategy"),
    "trust, one round": lambda: make("aec", "ludens/trust-v0"),
    PARALLEL_PEER: lambda: make("parallel", "classic/rps-v2", max_cycles=ROUNDS),
    "market, any price": lambda: make("parallel", "ludens/bertrand-v0", actions="continuous", periods=ROUNDS),
    "market, grid": lambda: make("parallel", "ludens/bertrand-v0", periods=ROUNDS),
    "adoption, 10 people": lambda: make("parallel", "ludens/av_adoption-v0", rounds=ROUNDS),
    "adoption, 1,000 people": lambda: make("parallel", "ludens/av_adoption-v0", people=1000, rounds=ROUNDS),
}


def steps_per_second(env: Any, seconds: float, rng: np.random.Generator) -> float:
    """Play whole episodes at random for about `seconds`, and return the steps per second.

    Resets and the steps of seats that are done are included.
    """
    if isinstance(env, ParallelEnv):
        return _rounds_per_second(env, seconds)
    steps = 0
    draws: Iterator[float] = iter(())
    start = time.process_time()
    while (spent := time.process_time() - start) < seconds:
        env.reset()
        for _ in env.agent_iter():
            observation, _, terminated, truncated, _ = env.last()
            if terminated or truncated:
                action = None
            else:
                draw = next(draws, None)
                if draw is None:
                    draws = iter(rng.random(4096).tolist())
                    draw = next(draws)
                # Both sides draw in the same way: rock paper scissors has three actions and no mask, ours
                # have a mask of legal actions.
                legal = int(observation["action_mask"].sum()) if isinstance(observation, dict) else 3
                action = int(draw * legal)
            env.step(action)
            steps += 1
    return steps / spent


def _rounds_per_second(env: Any, seconds: float) -> float:
    """Play whole episodes for about `seconds` with actions drawn beforehand, and return the rounds per
    second.
    """
    env.reset(seed=0)
    for number, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(number)
    joint = [{agent: env.action_space(agent).sample() for agent in env.agents} for _ in range(64)]
    rounds, start = 0, time.process_time()
    while (spent := time.process_time() - start) < seconds:
        env.reset()
        while env.agents:
            env.step(joint[rounds % len(joint)])
            rounds += 1
    return rounds / spent


def measured(seconds: float) -> dict[str, float]:
    """Return the steps per second of every environment, measured once."""
    rng = np.random.default_rng(0)
    return {name: steps_per_second(build(), seconds, rng) for name, build in ENVIRONMENTS.items()}


def measured_in(folder: str, seconds: float) -> dict[str, float]:
    """Return what `measured` does for the version of ludens in a folder, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--seconds", str(seconds), "--once"],
        env={**os.environ, "PYTHONPATH": folder},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    rates: dict[str, float] = json.loads(done.stdout)
    return rates


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="per repetition")
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--before", metavar="FOLDER", help="an earlier version, to compare with")
    parser.add_argument("--once", action="store_true", help="measure once, and print JSON")
    arguments = parser.parse_args()
    if arguments.once:
        print(json.dumps(measured(arguments.seconds)))
        return
    runs: list[dict[str, float]] = []
    earlier: list[dict[str, float]] = []
    for _ in range(arguments.repetitions):
        runs.append(measured(arguments.seconds))
        if arguments.before:
            earlier.append(measured_in(arguments.before, arguments.seconds))
    compared = f"{'before':>10} {'now/before':>11} " if earlier else ""
    print(f"{'environment':<24} {compared}{'steps/s':>10} {'moves/s':>12} {'now/rps':>9}   lowest to highest")
    medians = {name: statistics.median(run[name] for run in runs) for name in ENVIRONMENTS}
    for name, median in medians.items():
        env = ENVIRONMENTS[name]()
        at_once = isinstance(env, ParallelEnv)
        moves = median * (len(env.possible_agents) if at_once else 1)
        against = median / medians[PARALLEL_PEER if at_once else PEER]
        rates = [run[name] for run in runs]
        if earlier:
            before = statistics.median(run[name] for run in earlier)
            compared = f"{before:>10,.0f} {median / before:>11.2f} "
        spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
        print(f"{name:<24} {compared}{median:>10,.0f} {moves:>12,.0f} {against:>9.2f}   {spread}")


if __name__ == "__main__":
    main()
