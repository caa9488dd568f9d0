"""Agreement of a model in training with the optimal options of held-out turns, for early stopping."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ludens.agents.llm.reading.choices import read_choice
from ludens.experiments.runs.files import write_whole
from ludens.training.tuning.base import computes_bfloat16, plainly
from ludens.training.tuning.recipe import Recipe

BATCH = 32


class AgreementCheck:
    """A check of agreement every few steps, with greedy decoding; unreadable replies do not agree.

    Attributes:
        measured: pairs [step, agreement] with agreement in [0, 1], including those before a training was
            resumed.
    """

    def __init__(
        self, held_out: Sequence[Mapping[str, Any]], tokenizer: Any, recipe: Recipe, record: Path
    ) -> None:
        self._held_out = held_out
        self._tokenizer = tokenizer
        self._recipe = recipe
        self._record = record
        self.measured: list[list[float]] = []
        if record.is_file():
            self.measured = json.loads(record.read_text(encoding="utf-8"))

    def callback(self) -> Any:
        """Return the check as a callback of the trainer."""
        from transformers import TrainerCallback

        check = self

        class OnStep(TrainerCallback):  # type: ignore[misc]  # Transformers is read as untyped
            def on_step_end(
                self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any
            ) -> None:
                assert check._recipe.check_steps is not None
                if state.global_step % check._recipe.check_steps or state.global_step == state.max_steps:
                    return
                if check.stops(state.global_step, model, first=state.is_world_process_zero):
                    control.should_training_stop = True
                    # A training that is killed before its model is written comes to this step again.
                    control.should_save = False

        return OnStep()

    def stops(self, step: int, model: Any, *, first: bool = True) -> bool:
        """Measure agreement, write it to the file, and return whether to stop the training.

        Of several processes only the first measures, and either all stop or none.
        """
        self.measured = [entry for entry in self.measured if entry[0] < step]
        value = agreement(model, self._tokenizer, self._held_out) if first else 0.0
        self.measured.append([step, _of_the_first(value)])
        values = [value for _, value in self.measured]
        if first:
            write_whole(self._record, json.dumps(self.measured))
            sys.stderr.write(f"step {step}: agreement {values[-1]:.2f}\n")
        patience = self._recipe.patience
        stale = (
            patience is not None
            and len(values) > patience
            and max(values[-patience:]) <= max(values[:-patience])
        )
        return values[-1] >= self._recipe.enough or stale


def _of_the_first(value: float) -> float:
    """Return the first process's value in all processes."""
    import torch

    if not torch.distributed.is_initialized():
        return value
    shared = [value]
    torch.distributed.broadcast_object_list(shared)
    return shared[0]


def agreement(model: Any, tokenizer: Any, rows: Sequence[Mapping[str, Any]]) -> float:
    """Return the share of turns at which the model's greedy reply takes an optimal option.

    Args:
        model: a causal language model.
        tokenizer: the model's tokenizer, with a chat template.
        rows: ``prompt`` messages, ``completion`` (for its length), ``labels``, ``optimal`` and ``thinks``.
    """
    if not rows:
        return float("nan")
    right = 0
    for row, text in zip(rows, replies(model, tokenizer, rows), strict=True):
        reading = read_choice(text, row["labels"], reasoning=row["thinks"])
        if reading.place is not None:
            right += row["labels"][reading.place] in row["optimal"]
    return right / len(rows)


def replies(
    model: Any, tokenizer: Any, rows: Sequence[Mapping[str, Any]], *, sampled: bool = False
) -> list[str]:
    """Return the model's replies to prompts, written many at once.

    Args:
        model: a causal language model.
        tokenizer: the model's tokenizer, with a chat template.
        rows: ``prompt`` messages and ``completion`` (for its length).
        sampled: draw at temperature 1, by torch's global generator, in place of greedy decoding.
    """
    import torch

    was_training, side = model.training, tokenizer.padding_side
    model.eval()
    tokenizer.padding_side = "left"
    found: list[str] = []
    try:
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            prompts = [
                tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, tokenize=False)
                for row in batch
            ]
            given = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False).to(
                model.device
            )
            longest = max(len(tokenizer(row["completion"][0]["content"])["input_ids"]) for row in batch)
            half = torch.autocast(
                model.device.type, dtype=torch.bfloat16, enabled=computes_bfloat16(model.device.type)
            )
            with torch.no_grad(), half:
                written = model.generate(
                    **given,
                    generation_config=plainly(
                        model, tokenizer, tokens=longest + longest // 4 + 8, sampled=sampled
                    ),
                )
            length = given["input_ids"].shape[1]
            found += [tokenizer.decode(reply[length:], skip_special_tokens=True) for reply in written]
    finally:
        tokenizer.padding_side = side
        model.train(was_training)
    return found
