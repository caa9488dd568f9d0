"""Decisions per second of a tuned model in the light engine, compared with its base.

    python benchmarks/tuned_engine.py [--games 8] [--repetitions 3]

The model is tuned for two steps, which change every weight and teach nothing, and is exported as GGUF with
16-bit and with 8-bit weights; the base has 4-bit weights. All answer the same prompts about new games with
one token and its log-probabilities, taking turns within each repetition. Medians are reported.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from pathlib import Path
from typing import Literal

from embedded_model import MODEL, SETTINGS, games, ours

from ludens.agents.local import close_all, register
from ludens.preferences import HOMO_ECONOMICUS
from ludens.training import build_dataset
from ludens.training.tuning import export, tune

WEIGHTS: tuple[Literal["BF16", "Q8_0"], ...] = ("BF16", "Q8_0")


def main() -> None:
    """Tune, export, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--games", type=int, default=8, help="games in each measurement, three prompts each")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    register(settings=SETTINGS)
    with tempfile.TemporaryDirectory() as folder:
        data = build_dataset(HOMO_ECONOMICUS, examples=8, validation=0, test=0)
        tuned = tune(MODEL, data, Path(folder) / "tuned")
        models = {"base": MODEL}
        for weights in WEIGHTS:
            place = Path(folder) / f"{weights}.gguf"
            models[weights] = f"local/{export(tuned.folder, place, weights=weights)}"
        rng = random.Random(0)
        for model in models.values():
            ours(games(1, rng), 1, model)
        seconds: dict[str, list[float]] = {name: [] for name in models}
        for _ in range(options.repetitions):
            prompts = games(options.games, rng)
            for name, model in models.items():
                seconds[name].append(ours(prompts, 8, model)[0] / len(prompts))
        close_all()
    for name, found in seconds.items():
        rate = statistics.median(1 / each for each in found)
        ratio = statistics.median(base / own for base, own in zip(seconds["base"], found, strict=True))
        print(f"{name}: {rate:.2f} decisions/s ({ratio:.2f} of the base)")


if __name__ == "__main__":
    main()
