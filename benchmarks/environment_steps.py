"""Environment steps per second of `ludens/trust-v0`, compared with PettingZoo's rock paper scissors.

    python benchmarks/environment_steps.py [--seconds 1] [--repetitions 9]

Both are made by `pettingzoo.make` and played at random in PettingZoo's own loop (`last`, a legal action,
`step`), with 15 games per episode. Repetitions alternate between the two; medians are reported. A ratio above
1 means faster than PettingZoo's environment. Rock paper scissors needs pygame (`pip install pygame`).
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
    # PettingZoo's environments and pygame warn that they are deprecated.
    warnings.simplefilter("ignore")
    from pettingzoo import make

    import ludens.envs  # noqa: F401  # importing it registers the environments

    try:
        make("aec", "classic/rps-v2")
    except ModuleNotFoundError:
        raise SystemExit(
            "Rock paper scissors, the peer of this benchmark, needs pygame: pip install pygame"
        ) from None

GAMES = 15
PEER = "rps"
ENVIRONMENTS: dict[str, Callable[[], Any]] = {
    PEER: lambda: make("aec", "classic/rps-v2", max_cycles=GAMES),
    "trust, direct": lambda: make("aec", "ludens/trust-v0", rounds=GAMES),
    "trust, strategy method": lambda: make("aec", "ludens/trust-v0", rounds=GAMES, method="strategy"),
    "trust, one round": lambda: make("aec", "ludens/trust-v0"),
}


def steps_per_second(env: Any, seconds: float, rng: np.random.Generator) -> float:
    """Play whole episodes at random for about `seconds`, and return the steps per second.

    Resets and the steps of seats that are done are included.
    """
    steps = 0
    draws = iter(())
    start = time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="per repetition")
    parser.add_argument("--repetitions", type=int, default=9)
    arguments = parser.parse_args()
    envs = {name: build() for name, build in ENVIRONMENTS.items()}
    rates: dict[str, list[float]] = {name: [] for name in envs}
    rng = np.random.default_rng(0)
    for _ in range(arguments.repetitions):
        for name, env in envs.items():
            rates[name].append(steps_per_second(env, arguments.seconds, rng))
    medians = {name: statistics.median(measured) for name, measured in rates.items()}
    print(f"{'environment':<24} {'steps/s':>10} {'against rps':>12}   lowest to highest")
    for name, median in medians.items():
        spread = f"{min(rates[name]):,.0f} to {max(rates[name]):,.0f}"
        print(f"{name:<24} {median:>10,.0f} {median / medians[PEER]:>12.2f}   {spread}")


if __name__ == "__main__":
    main()
