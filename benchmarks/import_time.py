"""Seconds that `import ludens` takes beyond a bare Python, and the import of each package.

    python benchmarks/import_time.py [--repetitions 15]

Every repetition starts a fresh interpreter; the commands alternate, and medians are reported. The limit for
`import ludens` is 0.15 s above bare Python. LiteLLM is shown for comparison: ludens loads it only when a
language model is called.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

LIMIT = 0.15
STATEMENTS = {
    "bare Python": "pass",
    "ludens": "import ludens",
    "ludens.envs": "import ludens.envs",
    "ludens.preferences": "import ludens.preferences",
    "ludens.agents": "import ludens.agents",
    "ludens.experiments": "import ludens.experiments",
    "pettingzoo (peer)": "import pettingzoo",
    "litellm (for scale)": "import os; os.environ['LITELLM_LOCAL_MODEL_COST_MAP'] = 'True'; import litellm",
}


def seconds(statement: str) -> float:
    """Return the wall-clock seconds of a fresh interpreter that runs the statement."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", statement], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=15)
    repetitions = parser.parse_args().repetitions
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for statement in STATEMENTS.values():
        seconds(statement)  # the first start reads the files from disk
    for _ in range(repetitions):
        for name, statement in STATEMENTS.items():
            times[name].append(seconds(statement))
    bare = statistics.median(times["bare Python"])
    print(f"{'import':<22} {'median s':>9} {'above bare':>11} {'of the limit':>13}")
    for name, measured in times.items():
        above = statistics.median(measured) - bare
        share = f"{above / LIMIT:.2f}" if name == "ludens" else ""
        print(f"{name:<22} {statistics.median(measured):>9.3f} {above:>11.3f} {share:>13}")


if __name__ == "__main__":
    main()
