"""Seconds of the play part of `make demo`, with a limit of three minutes on two cores.

python benchmarks/demo.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from ludens.experiments import bench

LIMIT = 180.0


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        result = bench(["local/smollm2-135m"], path=Path(folder) / "demo.db")
        spent = time.perf_counter() - start
        decisions = sum(policy.costs.decisions for policy in result.measures)
    print(
        f"{decisions} decisions with report: {spent:.1f} s, {spent / LIMIT:.2f} of the limit of {LIMIT:.0f} s"
    )


if __name__ == "__main__":
    main()
