"""Seconds of the play part of `make demo-av`, with a limit of three minutes on two cores.

python benchmarks/demo_av.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from ludens.experiments import report
from ludens.experiments.av import ask, moral_machine

LIMIT = 180.0
MODEL = "local/smollm2-135m"
ORACLES = ("homo_economicus", "homo_moralis:0.5", "altruist:0.2", "utilitarian")


def main() -> None:
    """Measure and print."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = ask([MODEL], studies=[1, 2, 3], framings=["neutral"], path=Path(folder) / "studies.db")
        found = report(run.path)
        took = time.perf_counter() - start
        print(f"studies 1 to 3: {found.ended} questions, {took:.1f} s")
        begun = time.perf_counter()
        machine = moral_machine(
            [MODEL, *ORACLES], scenarios=300, path=Path(folder) / "machine.db", order="random"
        )
        report(machine.path)
        took = time.perf_counter() - begun
        print(f"300 scenarios of the Moral Machine: {took:.1f} s")
    spent = time.perf_counter() - start
    print(f"both with their reports: {spent:.1f} s, {spent / LIMIT:.2f} of the limit of {LIMIT:.0f} s")


if __name__ == "__main__":
    main()
