"""Moral Machine scenarios per second, compared with a plain Python loop that draws the same kind.

    python benchmarks/moral_machine.py

The loop draws one scenario at a time from the same pairs of characters and the same structural factors.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

from ludens.envs.av.moral_machine.scenarios import _PAIRS, CHARACTERS, MOST, TYPES, draw_scenarios

SCENARIOS, PLAIN = 100_000, 5_000


def plain(n: int, rng: random.Random) -> list[tuple[object, ...]]:
    """Draw scenarios in a plain loop."""
    found = []
    for place in range(n):
        kind = TYPES[place % len(TYPES)]
        groups: tuple[list[str], list[str]] = ([], [])
        if kind == "random":
            for group in groups:
                group += [rng.choice(CHARACTERS) for _ in range(rng.randint(1, MOST))]
        elif kind == "number":
            pairs = rng.randint(1, MOST - 1)
            who = [rng.choice(CHARACTERS) for _ in range(pairs + rng.randint(1, MOST - pairs))]
            groups = (who, who[:pairs])
        else:
            for _ in range(rng.randint(1, MOST)):
                for group, name in zip(groups, rng.choice(_PAIRS[kind]), strict=True):
                    group.append(name)
        factors = [rng.randrange(2), rng.randrange(3), rng.randrange(2), rng.randrange(2), rng.randrange(2)]
        found.append((kind, groups if factors.pop() else groups[::-1], *factors))
    rng.shuffle(found)
    return found


def rate(draw: Callable[[], object], n: int) -> float:
    """Return the scenarios per second, as the median of five measurements."""
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        draw()
        seconds.append(time.perf_counter() - begun)
    return n / statistics.median(seconds)


def main() -> None:
    """Measure and print."""
    draw_scenarios(10)
    ours = rate(lambda: draw_scenarios(SCENARIOS, seed=1), SCENARIOS)
    loop = rate(lambda: plain(PLAIN, random.Random(1)), PLAIN)
    print(f"ludens {ours:,.0f} scenarios/s, plain loop {loop:,.0f}: {ours / loop:.1f} times faster")


if __name__ == "__main__":
    main()
