"""A tuned model in the light engine, beside its base: decisions at once, and arguments written out.

    python benchmarks/tuned_engine.py [--games 8] [--repetitions 3]

The model is tuned for two steps, which changes every weight and teaches nothing, and written as GGUF with
16-bit and with 8-bit weights; the base has 4-bit weights. All answer the same prompts, of games that nobody
has seen before, in turns within each repetition: one token, and 128 tokens of reply. Ratios are medians.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

from embedded_model import MODEL, REQUEST, SETTINGS, Chat, games, ours

from ludens.agents.local import close_all, register
from ludens.preferences import HOMO_ECONOMICUS
from ludens.training import build_dataset
from ludens.training.tuning import export, tune

WEIGHTS: tuple[Literal["BF16", "Q8_0"], ...] = ("BF16", "Q8_0")
LONG = 128


def written(prompts: list[Chat], model: str) -> float:
    """Seconds for replies of `LONG` tokens, one after another."""
    import litellm

    request: dict[str, Any] = {"max_tokens": LONG, "temperature": 1.0, "seed": REQUEST["seed"]}
    begun = time.perf_counter()
    tokens = 0
    for prompt in prompts:
        reply = litellm.completion(model=model, messages=prompt, **request)
        tokens += reply.usage.completion_tokens
    return (time.perf_counter() - begun) / tokens


def main() -> None:
    """Tune, export, measure, print."""
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
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
        for _ in range(options.repetitions):
            prompts, others = games(options.games, rng), games(1, rng)
            for name, model in models.items():
                at_once = ours(prompts, 8, model)[0] / len(prompts)
                seconds[name].append((at_once, written(others, model)))
        close_all()
    for name, found in seconds.items():
        rates = [statistics.median(1 / each[place] for each in found) for place in (0, 1)]
        ratios = [
            statistics.median(
                base[place] / mine[place] for base, mine in zip(seconds["base"], found, strict=True)
            )
            for place in (0, 1)
        ]
        print(
            f"{name}: {rates[0]:.2f} decisions/s ({ratios[0]:.2f} of the base), {rates[1]:.0f} tokens/s of "
            f"long replies, prompts included ({ratios[1]:.2f})"
        )


if __name__ == "__main__":
    main()
