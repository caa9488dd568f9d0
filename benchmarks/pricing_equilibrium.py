"""Nash prices of logit markets, compared with pyblp, and profits of many prices, with a plain loop.

    python benchmarks/pricing_equilibrium.py

Both sides solve the same market (one product per firm for J = 2, otherwise ten) without results of earlier
rounds, and must agree to 1e-9. pyblp uses its default, the same ζ map, to 1e-14, on a simulation that was
built beforehand and is not timed. Times are medians of interleaved rounds.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np

from ludens.envs.pricing import Market
from ludens.envs.pricing.theory.benchmarks import nash_prices

ROWS = 1_000_000


def market_of(products: int) -> Market:
    """Return a new market of different products, without stored prices."""
    if products == 2:
        return Market.symmetric()
    rng = np.random.default_rng(products)
    owners = [product // 10 for product in range(products)]
    return Market(rng.uniform(1, 3, products), rng.uniform(0.5, 1.5, products), owners=owners)


def peer(market: Market) -> Callable[[], np.ndarray]:
    """Return the same market in pyblp, ready to be solved."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyblp

    pyblp.options.verbose = False
    data = {
        "market_ids": np.zeros(market.products, dtype=int),
        "firm_ids": market.owners,
        "quality": market.qualities,
    }
    simulation = pyblp.Simulation(
        (pyblp.Formulation("0 + prices + quality"),),
        data,
        beta=[-1 / market.mu, 1 / market.mu],
        xi=np.zeros(market.products),
    )
    steps = pyblp.Iteration("simple", {"atol": 1e-13})

    def solve() -> np.ndarray:
        # Prices only: the checks of second-order conditions would take most of the time of large markets.
        found = simulation.replace_endogenous(
            costs=market.costs, iteration=steps, compute_gradients=False, compute_hessians=False
        )
        return found.product_data.prices[:, 0]

    return solve


def seconds(function: Callable[[], object]) -> float:
    """Return the wall-clock seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    """Check that both agree, time them, and print the ratios."""
    for products in (2, 100, 1000):
        theirs = peer(market_of(products))
        gap = float(np.abs(nash_prices(market_of(products)) - theirs()).max())
        assert gap < 1e-9, f"the two sides differ by {gap} at J = {products}"
        rounds = []
        for _ in range(15 if products < 500 else 5):
            fresh = market_of(products)
            rounds.append((seconds(partial(nash_prices, fresh)), seconds(theirs)))
        ours, other = (statistics.median(side) for side in zip(*rounds, strict=True))
        print(
            f"Nash, J = {products:4d}: {ours * 1e6:8.0f} µs, pyblp {other * 1e3:8.2f} ms,"
            f" ratio {other / ours:6.1f}, apart {gap:.1e}"
        )
    market, prices = Market.symmetric(), np.random.default_rng(0).uniform(1, 2, (ROWS, 2))
    market.profits(prices)
    batch = statistics.median(seconds(lambda: market.profits(prices)) for _ in range(5))
    loop = seconds(lambda: [market.profits(row) for row in prices[:2000]]) * ROWS / 2000
    rate = ROWS / batch / 1e6
    print(f"profits, n = 2: {rate:.1f} M rows/s in one call, {loop / batch:.0f} times a loop over rows")


if __name__ == "__main__":
    main()
