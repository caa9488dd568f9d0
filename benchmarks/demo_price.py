"""Seconds of the play part of `make demo-price`, with a limit of three minutes on two cores.

python benchmarks/demo_price.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from ludens.experiments import report
from ludens.experiments.pricing import play_pricing

LIMIT = 180.0
MODEL = "local/smollm2-135m"


def main() -> None:
    """Measure and print."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for rival in ("myopic", "qlearning"):
            begun = time.perf_counter()
            run = play_pricing([MODEL, rival], periods=30, path=Path(folder) / f"{rival}.db")
            (found,) = report(run.path).analysis.measures
            price = "no mean price" if found.price is None else f"mean price {found.price:.3f}"
            took = time.perf_counter() - begun
            print(f"against {rival}: {found.status} after {found.played} periods, {price}, {took:.1f} s")
    spent = time.perf_counter() - start
    print(f"both with their reports: {spent:.1f} s, {spent / LIMIT:.2f} of the limit of {LIMIT:.0f} s")


if __name__ == "__main__":
    main()
