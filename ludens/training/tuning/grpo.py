"""GRPO (Shao et al., arXiv 2402.03300) with the oracle's regret as the reward, by TRL's `GRPOTrainer`.

A tuned model writes several replies to each turn, and those with less regret than the others become more
likely: 1 for an optimal option, 0 for the worst, −1 for a reply from which no option can be read
(`ludens.training.data.exports.regret_reward`). Like `ludens.training.tuning.tune` it works in a process of
its own. It writes thousands of tokens for each step: without a GPU a few steps are for trying it out.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ludens.errors import UsageError
from ludens.experiments.runs.recorder import Progress
from ludens.training.data.dataset import DataSet
from ludens.training.tuning.recipe import Recipe
from ludens.training.tuning.tune import (
    CARD,
    FAILED,
    WORK,
    Tuned,
    check_devices,
    check_libraries,
    checked_start,
    finish,
    read_tuned,
    train,
    work_folder,
)

MODULE = "ludens.training.tuning.grpo"


@dataclass(frozen=True)
class Reinforcement:
    """The settings of a training by reward; the defaults are our choice.

    Attributes:
        steps: optimisation steps.
        turns: turns in each step.
        generations: replies to each turn, at least 2.
        max_tokens: largest number of tokens in a reply.
        learning_rate: the learning rate, constant.
        beta: weight of the divergence from the model before.
        seed: of all draws.

    Raises:
        UsageError: a number is out of its range.
    """

    steps: int = 50
    turns: int = 4
    generations: int = 4
    max_tokens: int = 256
    learning_rate: float = 1e-5
    beta: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        bounds = {"steps": 1, "turns": 1, "generations": 2, "max_tokens": 1, "seed": 0}
        for name, least in bounds.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise UsageError(
                    f"A reinforcement's {name} is a whole number of at least {least}; got {value!r}."
                )
        if not self.learning_rate > 0 or not self.beta >= 0:
            raise UsageError(
                "A reinforcement has a learning rate above 0 and a beta of at least 0; got "
                f"{self.learning_rate!r} and {self.beta!r}."
            )


def reinforce(
    tuned: str | os.PathLike[str],
    data: DataSet | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    settings: Reinforcement | None = None,
    device: str = "auto",
    threads: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Tuned:
    """Train the adapters of a tuned model further by the reward, and return the new model.

    Args:
        tuned: the folder of a model that was tuned by adapters.
        data: a data set, or the folder that holds one; turns at which a choice is made are used.
        out: the folder for the new model, which is new, empty, or holds the same training that failed.
        settings: how to train; None for the defaults.
        device: as in a `Recipe`.
        threads: as in a `Recipe`.
        progress: called after each step.

    Raises:
        UsageError: an argument is invalid, or the folder holds something else; nothing was written.
        TuningError: a library is missing, or the training failed.
    """
    wanted = settings or Reinforcement()
    before = read_tuned(tuned)
    check_libraries()
    # Replies are written, and learnt from, in one process, however many trained the model.
    changed = {"device": device, "threads": threads, "seed": wanted.seed, "processes": 1}
    recipe = Recipe(**before.card["recipe"] | changed)
    check_devices(recipe)
    given = data if isinstance(data, DataSet) else DataSet.read(data)
    usable = tuple(each for each in given.train if each.asks == "choice" and len(set(each.utilities)) > 1)
    if not usable:
        raise UsageError("The data set has no turns at which choices differ in utility; build another.")
    job: dict[str, Any] = {
        "kind": before.card["kind"],
        "base": before.card["base"],
        "data": {"hash": given.card.hash, **dict(given.card.settings)},
        "recipe": recipe.to_json(),
        "grpo": asdict(wanted),
    }
    job["start"] = checked_start(tuned, job)
    folder = Path(out)
    begun = (folder / WORK).is_dir() and not (folder / CARD).exists()
    if folder.exists() and any(folder.iterdir()) and not begun:
        raise UsageError(f"{folder} is not empty: name another folder.")
    work = work_folder(folder, job, replace(given, train=usable))
    train(work, recipe, progress, MODULE, again="begins anew")
    return finish(folder, work)


def main(work: Path) -> None:
    """Train in this process."""
    import torch
    from datasets import Dataset
    from peft import PeftModel
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    from ludens.agents.local.resolve import resolve
    from ludens.training.data.exports import regret_reward
    from ludens.training.tuning.base import computes_bfloat16, load_base
    from ludens.training.tuning.worker import device_name, read_rows, save

    job = json.loads((work / "job.json").read_text(encoding="utf-8"))
    recipe, wanted = Recipe(**job["recipe"]), Reinforcement(**job["grpo"])
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    cpu = recipe.device == "cpu" or (recipe.device == "auto" and not torch.cuda.is_available())
    device = "cpu" if cpu else "cuda"
    base, tokenizer = load_base(resolve(job["base"]), trained=False, device=device)
    model = PeftModel.from_pretrained(base, job["start"], is_trainable=True)
    columns = ("prompt", "labels", "utilities", "thinks")
    rows = [{key: row[key] for key in columns} for row in read_rows(work / "train.jsonl")]

    def reward(completions: Any, labels: Any, utilities: Any, thinks: Any, **_: Any) -> list[float]:
        return regret_reward(completions, labels, utilities, thinks)

    class StepReporter(TrainerCallback):  # type: ignore[misc]  # Transformers is read as untyped
        """A callback that reports each step."""

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            sys.stdout.write(json.dumps({"step": state.global_step, "steps": state.max_steps}) + "\n")
            sys.stdout.flush()

    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        args=GRPOConfig(
            output_dir=str(work / "checkpoints"),
            max_steps=wanted.steps,
            per_device_train_batch_size=wanted.turns * wanted.generations,
            num_generations=wanted.generations,
            max_completion_length=wanted.max_tokens,
            learning_rate=wanted.learning_rate,
            lr_scheduler_type="constant",
            beta=wanted.beta,
            temperature=1.0,
            seed=wanted.seed,
            data_seed=wanted.seed,
            bf16=computes_bfloat16(device),
            use_cpu=cpu,
            save_strategy="no",
            logging_strategy="steps",
            logging_steps=1,
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=not cpu,
        ),
    )
    trainer.add_callback(StepReporter())
    begun = time.monotonic()
    trainer.train()
    bare = trainer.accelerator.unwrap_model(trainer.model)
    save(bare, tokenizer, job["base"], recipe, work / "model")
    history = [entry for entry in trainer.state.log_history if "reward" in entry]
    measured = {
        "rewards": [[entry["step"], entry["reward"]] for entry in history],
        "losses": [[entry["step"], entry["loss"]] for entry in history if "loss" in entry],
        "agreement": [],
        "steps": trainer.state.global_step,
        "stopped_early": False,
        "seconds": time.monotonic() - begun,
        "trained_parameters": sum(p.numel() for p in bare.parameters() if p.requires_grad),
        "device": device_name(trainer.args.device),
        "threads": int(torch.get_num_threads()),
    }
    (work / "measured.json").write_text(json.dumps(measured), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except Exception as error:
        if os.environ.get("LUDENS_DEBUG"):
            raise
        sys.stderr.write(f"\n{FAILED}{type(error).__name__}: {' '.join(str(error).split())}\n")
        raise SystemExit(1) from None
