"""Where the time of a training step goes, compared with the machine's floor.

    python benchmarks/align_steps.py [--to moralis] [--kappa 0.5] [--domains games,av,pricing]
                                     [--surfaces 100] [--replay 1] [--steps 8] [--threads N]

Trains the embedded model for a few steps as `ludens align` does, and times forward (with replay), backward,
optimiser and the rest (reading rows, bookkeeping). The floor is 6 × parameters × tokens floating-point
operations (Kaplan et al. 2020: 2 forward, 4 backward) at the largest speed that matrix products of the
training's own type, of sizes like the model's, reach here. With adapters the weights' own gradients are not
computed, so that 4 × parameters × tokens is a floor too. Times are CPU seconds over all threads, so that a
busy machine changes them little.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ludens.training.alignment import make_plan
from ludens.training.alignment.stages import build_for
from ludens.training.tuning import worker

MODEL = "local/smollm2-135m"
WARM = 2
"""Steps before the clock starts."""


def main() -> None:
    """Train, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", default="moralis", choices=("economicus", "moralis"))
    parser.add_argument("--kappa", type=float, default=0.5)
    parser.add_argument("--domains", default="games,av,pricing")
    parser.add_argument("--surfaces", type=int, default=100)
    parser.add_argument("--replay", type=float, default=0.0)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=0, help="0 for as many as there are cores")
    options = parser.parse_args()
    plan = make_plan(
        MODEL,
        options.to,
        kappa=options.kappa if options.to == "moralis" else None,
        domains=options.domains.split(","),
        surfaces=options.surfaces,
        replay=options.replay,
    )
    recipe = plan.recipe()
    steps = WARM + options.steps
    data = build_for(plan, steps * recipe.batch)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        data.write(work / "data")
        for name in ("train", "validation"):
            (work / f"{name}.jsonl").write_bytes((work / "data" / f"{name}.jsonl").read_bytes())
        import torch

        if options.threads:
            torch.set_num_threads(options.threads)
        trainer, _, _ = worker._trainer(work, MODEL, recipe)  # the trainer itself is what is measured
        clock = Clock(trainer, options.steps)
        trainer.train()
    print(clock.table(recipe.batch))


class Clock:
    """What the parts of a trainer's steps take."""

    def __init__(self, trainer: Any, steps: int) -> None:
        self.spent: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.steps = steps
        self._model = trainer.model
        self._step = 0
        self._begun = 0.0
        trainer.add_callback(self._callback())
        trainer.compute_loss = self._timed("forward", trainer.compute_loss, self._count)
        trainer.accelerator.backward = self._timed("backward", trainer.accelerator.backward)
        create = trainer.create_optimizer

        def created(*given: Any, **more: Any) -> Any:
            made = create(*given, **more)
            trainer.optimizer.step = self._timed("optimiser", trainer.optimizer.step)
            return made

        trainer.create_optimizer = created

    def _timed(self, name: str, call: Callable[..., Any], first: Callable[..., None] | None = None) -> Any:
        def timed(*given: Any, **more: Any) -> Any:
            if first is not None:
                first(*given, **more)
            begun = time.process_time()
            made = call(*given, **more)
            if self._step >= WARM:
                self.spent[name] += time.process_time() - begun
            return made

        return timed

    def _count(self, model: Any, inputs: Any, **_: Any) -> None:
        if self._step >= WARM:
            self.counts["tokens"] += int(inputs["attention_mask"].sum())
            self.counts["padded"] += inputs["input_ids"].numel()
            self.counts["learnt"] += int((inputs["labels"] != -100).sum())

    def _callback(self) -> Any:
        from transformers import TrainerCallback

        clock = self

        class Steps(TrainerCallback):  # type: ignore[misc]  # Transformers is read as untyped
            def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                clock._step = state.global_step
                if state.global_step == WARM:
                    clock._begun = time.process_time()

            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                clock.spent["all"] = time.process_time() - clock._begun

        return Steps()

    def table(self, rows: int) -> str:
        """Return where the time went, and how far it is from the floor."""
        import torch

        everything = sum(p.numel() for p in self._model.parameters())
        head = self._model.get_output_embeddings().weight.numel()
        tokens, learnt = self.counts["tokens"], self.counts["learnt"]
        dtype = next(p for p in self._model.parameters() if not p.requires_grad).dtype
        peak = peak_flops(dtype)
        # The output layer is computed at the tokens of completions alone, and embeddings are looked up.
        work = (everything - head) * tokens + head * learnt
        parts = {name: self.spent[name] for name in ("forward", "backward", "optimiser")}
        parts["rest"] = self.spent["all"] - sum(parts.values())
        lines = [
            f"{self.steps} steps of {rows} examples, {tokens / self.steps:.0f} tokens each, of which "
            f"{learnt / self.steps:.0f} are learnt (padding to equal lengths would be "
            f"{1 - tokens / self.counts['padded']:.0%} of a batch), {torch.get_num_threads()} threads, "
            f"{dtype}",
            "",
            "| part | CPU s per step | share |",
            "|---|---|---|",
            *(
                f"| {name} | {spent / self.steps:.2f} | {spent / self.spent['all']:.0%} |"
                for name, spent in parts.items()
            ),
            "",
            f"Matrix products reach {peak / 1e9:.0f} GFLOP per CPU second.",
        ]
        for factor, words in ((6, "all weights trained"), (4, "adapters")):
            floor = factor * work / peak
            lines.append(f"Floor, {words}: {floor / self.steps:.2f} s per step; the step takes "
                         f"{self.spent['all'] / floor:.1f} times as long.")  # fmt: skip
        lines.append(json.dumps({"spent": dict(self.spent), "counts": dict(self.counts), "peak": peak}))
        return "\n".join(lines)


def peak_flops(dtype: Any) -> float:
    """Return the largest number of floating-point operations per CPU second over some matrix products."""
    import torch

    best = 0.0
    for rows, inner, columns in ((512, 576, 1536), (1024, 1024, 1024), (2048, 2048, 2048)):
        left, right = torch.randn(rows, inner).to(dtype), torch.randn(inner, columns).to(dtype)
        left @ right
        for _ in range(5):
            begun = time.process_time()
            for _ in range(4):
                left @ right
            best = max(best, 8.0 * rows * inner * columns / max(time.process_time() - begun, 1e-9))
    return best


if __name__ == "__main__":
    main()
