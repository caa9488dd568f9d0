"""Seconds of the alignment of `make demo-align`, with a limit of six minutes on two cores.

python benchmarks/demo_align.py
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ludens.training.alignment import align, load_result, make_plan
from ludens.training.alignment.files import BASE_DIRECT, TUNED
from ludens.training.alignment.plan import SMALL

LIMIT = 360.0
MODEL = "local/smollm2-135m"


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Print how long a stage took."""
    begun = time.perf_counter()
    yield None
    print(f"{name}: {time.perf_counter() - begun:.1f} s", flush=True)


def main() -> None:
    """Measure and print."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(
            MODEL, "economicus", families=("trust",), payoffs=(1, 9), examples=128, paraphrases=False,
            sizes=SMALL,
        )  # fmt: skip
        found = load_result(align(plan, Path(folder) / "demo", stage=stage).folder)
        for who in (BASE_DIRECT, TUNED):
            for name in ("held-out", "partner cooperates"):
                score = found.score(who, name)
                if score is not None and score.agreement.value is not None:
                    shares = f"agreement {score.agreement.value:.2f}, right of all {score.right.value:.2f}"
                    print(f"{who}, {name}: {shares} (n={score.asked})")
    spent = time.perf_counter() - start
    print(f"all with the report: {spent:.1f} s, {spent / LIMIT:.2f} of the limit of {LIMIT:.0f} s")


if __name__ == "__main__":
    main()
