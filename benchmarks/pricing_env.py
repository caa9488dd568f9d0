"""Pricing markets per second: the environment and the batched core against a plain loop over `Market`.

    python benchmarks/pricing_env.py [--seconds 0.5] [--repetitions 7] [--markets 1000]

All play the baseline market (two firms, 15 prices) at random. The plain loop looks up two prices and asks
`Market` for quantities and profits, as one would write it without an environment. One market in one period is
one market period; a step of the Parallel API is one of them (two seats' actions), as is a pass of the AEC
API through both seats. Repetitions take turns, and medians count; the ratio is against the plain loop.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from pettingzoo import make

import ludens.envs  # noqa: F401  # importing it registers the environments
from ludens.envs.pricing import Market, PricingCore
from ludens.envs.pricing.theory.benchmarks import price_grid

PEER = "plain Market loop"
HORIZON = 1000


def plain(market: Market, rng: np.random.Generator) -> Callable[[], int]:
    """Return a loop over periods of one market, without an environment."""
    grid = price_grid(market)

    def chunk() -> int:
        for first, second in rng.integers(15, size=(HORIZON, 2)):
            prices = [grid[first], grid[second]]
            market.quantities(prices)
            market.profits(prices)
        return HORIZON

    return chunk


def parallel(rng: np.random.Generator) -> Callable[[], int]:
    """Return a loop over whole episodes of `pettingzoo.make("parallel", …)`."""
    env = make("parallel", "ludens/bertrand-v0", periods=HORIZON)

    def chunk() -> int:
        env.reset()
        for first, second in rng.integers(15, size=(HORIZON, 2)).tolist():
            env.step({"firm_0": first, "firm_1": second})
        return HORIZON

    return chunk


def aec(rng: np.random.Generator) -> Callable[[], int]:
    """Return a loop over whole episodes of `pettingzoo.make("aec", …)`."""
    env = make("aec", "ludens/bertrand-v0", periods=HORIZON)

    def chunk() -> int:
        env.reset()
        moves = iter(rng.integers(15, size=2 * HORIZON).tolist())
        for _ in env.agent_iter():
            _, _, terminated, truncated, _ = env.last()
            env.step(None if terminated or truncated else next(moves))
        return HORIZON

    return chunk


def batched(
    market: Market, markets: int, rng: np.random.Generator, *, grid: bool = True
) -> Callable[[], int]:
    """Return a loop over many markets together, by `PricingCore`."""
    prices = price_grid(market)
    core = PricingCore(market, markets=markets, grid=prices if grid else None)

    def chunk() -> int:
        moves = rng.integers(15, size=(20, markets, 2))
        for joint in moves if grid else prices[moves]:
            core.step(joint)
        return 20 * markets

    return chunk


def rate(chunk: Callable[[], int], seconds: float) -> float:
    """Return the market periods per second."""
    done, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        done += chunk()
    return done / spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=0.5, help="per repetition")
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--markets", type=int, default=1000, help="in one batch")
    arguments = parser.parse_args()
    market, rng = Market.symmetric(), np.random.default_rng(0)
    sides = {
        PEER: plain(market, rng),
        "Parallel API": parallel(rng),
        "AEC API": aec(rng),
        f"core, {arguments.markets} markets, grid": batched(market, arguments.markets, rng),
        f"core, {arguments.markets} markets, any price": batched(market, arguments.markets, rng, grid=False),
    }
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(arguments.repetitions):
        for name, chunk in sides.items():
            rates[name].append(rate(chunk, arguments.seconds))
    medians = {name: statistics.median(measured) for name, measured in rates.items()}
    print(f"{'':<32} {'market periods/s':>17} {'against the loop':>17}   lowest to highest")
    for name, median in medians.items():
        spread = f"{min(rates[name]):,.0f} to {max(rates[name]):,.0f}"
        print(f"{name:<32} {median:>17,.0f} {median / medians[PEER]:>17.2f}   {spread}")


if __name__ == "__main__":
    main()
