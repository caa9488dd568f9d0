"""Tuning of a model on this machine, by a separate process that works in a folder of its own.

The trainer is TRL's `SFTTrainer`, which sets the global random generators of Python, NumPy and torch. In a
separate process this has no side effects, all memory is released, and the training can be killed: the same
call then resumes from the last checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ludens.agents.local.resolve import Reference, resolve
from ludens.errors import LudensError, UsageError
from ludens.experiments.runs.recorder import Progress
from ludens.training.data.dataset import DataSet
from ludens.training.tuning.recipe import Recipe

CARD = "card.json"
WORK = "work"
LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")
WORKER = "ludens.training.tuning.worker"
FAILED = "ludens: "
"""The beginning of the line that gives the reason, in the log of a failed training."""
KIND = "ludens tuned model"


class TuningError(LudensError):
    """Raised when a training fails, or something that it needs is missing."""


class NoGgufError(TuningError):
    """Raised for a model that cannot be written as one GGUF file."""


@dataclass(frozen=True)
class Tuned:
    """A tuned model.

    Attributes:
        folder: its folder; ``local/<folder>`` names it as a policy.
        card: the record of the training: base, data, recipe, versions, losses and seconds, as JSON values.
            ``losses`` and ``agreement`` are lists of [step, value].
    """

    folder: Path
    card: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The model's name for `ludens.agents.LLMPolicy`."""
        return f"local/{self.folder}"


def tune(
    base: str,
    data: DataSet | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    recipe: Recipe | None = None,
    start: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    **changes: Any,
) -> Tuned:
    """Tune a model on the completions of a data set's training examples.

    A tuning that was killed resumes from its last checkpoint when this is called again with the same
    arguments; if it is done, its result is returned.

    Args:
        base: ``smollm2-135m``, a GGUF file, a directory or a Hugging Face id, with or without ``local/``.
        data: a data set, or the folder that holds one.
        out: the folder for the adapter (or the whole model) and its card.
        recipe: hyper-parameters; None for the defaults.
        start: the folder of a model tuned from the same base by adapters, whose adapters are trained further;
            None for new ones.
        progress: called after each training step.
        changes: hyper-parameters that differ from the recipe, by name (``seed=1``, ``epochs=2``).

    Raises:
        UsageError: an argument is invalid, or the folder holds something else; nothing was written.
        TuningError: a library is missing, or the training failed; its checkpoints are kept.
        LocalModelError: there is no such base model.
        DataSetError: there is no such data set.
    """
    plan = _recipe(recipe, changes)
    check_libraries()
    check_devices(plan)
    reference = resolve(base)
    if reference.kind == "adapter":
        raise UsageError(
            f"{base} is an adapter itself: merge it into its base first (`ludens align export {base} "
            "--format safetensors`) and tune the result."
        )
    examples = data if isinstance(data, DataSet) else DataSet.read(data)
    if not examples.train:
        raise UsageError("The data set has no training examples; build one with more.")
    if plan.check_steps is not None and not any(each.asks == "choice" for each in examples.validation):
        raise UsageError(
            "The data set has no validation examples that ask for a choice, so agreement cannot be checked: "
            "build one with more, or leave check_steps out."
        )
    folder = Path(out)
    job = {
        "kind": KIND,
        "base": portable(reference),
        "data": {"hash": examples.card.hash, **dict(examples.card.settings)},
        "recipe": plan.for_data(len(examples.train)).to_json(),
    }
    if start is not None:
        job["start"] = checked_start(start, job)
    if (folder / CARD).is_file():
        done = read_tuned(folder)
        if any(done.card.get(key) != _plain(value) for key, value in job.items()):
            raise UsageError(
                f"{folder} holds a model tuned in another way: name another folder, or remove it."
            )
        return done
    work = work_folder(folder, job, examples)
    train(work, plan, progress)
    return finish(folder, work)


def checked_start(start: str | os.PathLike[str], job: Mapping[str, Any]) -> str:
    """Return the folder whose adapters are trained further.

    Raises:
        UsageError: its model has another base, other adapters, or none.
        TuningError: the folder holds no tuned model.
    """
    before, recipe = read_tuned(start).card, job["recipe"]
    if before["base"] != job["base"] or before["recipe"]["method"] != "lora" or recipe["method"] != "lora":
        raise UsageError(f"{start} has no adapters of the same base to train further: tune it anew.")
    if any(before["recipe"][name] != recipe[name] for name in ("rank", "scale")):
        raise UsageError(f"The adapters of {start} have another rank or scale than the recipe.")
    return str(Path(start).resolve())


def read_tuned(folder: str | os.PathLike[str]) -> Tuned:
    """Return the tuned model in a folder.

    Raises:
        TuningError: the folder holds no tuned model.
    """
    path = Path(folder)
    try:
        card = json.loads((path / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as why:
        raise TuningError(f"{path} holds no tuned model: its {CARD} cannot be read ({why}).") from why
    if not isinstance(card, dict) or card.get("kind") != KIND:
        raise TuningError(f"{path} holds no tuned model: its {CARD} was written by another program.")
    return Tuned(path, card)


def _recipe(recipe: Recipe | None, changes: Mapping[str, Any]) -> Recipe:
    plan = recipe or Recipe()
    unknown = set(changes) - set(plan.to_json())
    if unknown:
        raise UsageError(f"A recipe has no {min(unknown)!r}; it has {', '.join(plan.to_json())}.")
    given = {name: value for name, value in changes.items() if value is not None}
    return replace(plan, **given)


def check_libraries() -> None:
    """Check that everything that training needs is installed.

    Raises:
        TuningError: a library is missing.
    """
    for library in LIBRARIES:
        if find_spec(library) is None:
            raise TuningError(
                f"Tuning needs {library}, which is not installed: run `pip install 'ludens[train]'`."
            )


def check_devices(recipe: Recipe) -> None:
    """Check that this machine has the devices that a recipe needs.

    Raises:
        UsageError: there is no GPU, or there are fewer GPUs than processes.
    """
    if recipe.device == "cpu" or (recipe.device == "auto" and recipe.processes == 1):
        return
    import torch

    count = torch.cuda.device_count()
    if recipe.device == "cuda" and not count:
        raise UsageError("There is no GPU that torch can use here: choose the device cpu.")
    if count and recipe.processes > count:
        raise UsageError(
            f"{recipe.processes} processes need as many GPUs, and there are {count}: choose fewer, or the "
            "device cpu."
        )


def portable(reference: Reference) -> str:
    """Return the name of the base for an adapter's configuration, which `resolve` finds from any
    directory.
    """
    return reference.name if reference.kind in ("embedded", "hub") else reference.path


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def work_folder(folder: Path, job: Mapping[str, Any], examples: DataSet) -> Path:
    """Make, or find, the folder of a training's state, as a whole or not at all.

    Raises:
        UsageError: the folder holds another training, or other files.
    """
    work = folder / WORK
    if work.is_dir():
        stored = json.loads((work / "job.json").read_text(encoding="utf-8"))
        if stored != _plain(job):
            raise UsageError(
                f"{folder} holds an unfinished tuning of another kind: name another folder, or remove it."
            )
        return work
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} holds something other than a tuned model; name another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as place:
            draft = Path(place) / WORK
            draft.mkdir()
            (draft / "job.json").write_text(json.dumps(job, indent=2) + "\n", encoding="utf-8")
            for split in ("train", "validation"):
                rows = [
                    {
                        "prompt": [dict(message) for message in example.prompt],
                        "completion": [{"role": "assistant", "content": example.completion}],
                        "labels": list(example.labels),
                        "optimal": [
                            label
                            for label, option in zip(example.labels, example.options, strict=True)
                            if option in example.optimal
                        ],
                        "thinks": example.reasoning != "none",
                        "asks": example.asks,
                        "utilities": list(example.utilities),
                    }
                    for example in examples.splits[split]
                ]
                text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
                (draft / f"{split}.jsonl").write_text(text, encoding="utf-8")
            draft.rename(work)
    except OSError as why:
        raise TuningError(f"The tuning could not be prepared in {folder}: {why}.") from why
    return work


def train(
    work: Path,
    recipe: Recipe,
    progress: Callable[[Progress], None] | None,
    module: str = WORKER,
    again: str = "resumes from its last checkpoint",
) -> None:
    """Train in a separate process that runs a module, and report its progress; `again` says what another call
    does after a failure.

    Raises:
        TuningError: the training failed; its checkpoints are kept.
    """
    command = [sys.executable, "-m", module, str(work)]
    if recipe.processes > 1:  # Accelerate's own launcher starts one process where there is no GPU
        command[2:2] = [
            *("torch.distributed.run", "--standalone", f"--nproc_per_node={recipe.processes}"),
            *("--log-dir", str(work / "processes"), "-m"),
        ]
    with (work / "log.txt").open("a", encoding="utf-8") as log:
        begun = log.tell()
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            stdin=subprocess.DEVNULL,
            text=True,
            env=_surroundings(recipe),
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                report = _step_of(line)
                if report and progress is not None:
                    progress(Progress(report["step"], report["steps"], 0, 0, 0.0))
            code = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
            process.stdout.close()
    if code:
        said = (work / "log.txt").read_bytes()[begun:].decode(errors="replace").strip().splitlines()
        named = [line.removeprefix(FAILED) for line in said if line.startswith(FAILED)]
        ended = f"a process ended with {code}" if recipe.processes > 1 or not said else said[-1]
        reason = named[0] if named else ended  # if one process fails, the others fail too
        raise TuningError(
            f"The training stopped ({reason}): see {work / 'log.txt'}; called again with the same arguments, "
            f"it {again}."
        )


def _surroundings(recipe: Recipe) -> dict[str, str]:
    """Return the environment variables of the training processes.

    Each step allocates and frees the same hundreds of megabytes: memory that the process keeps costs nothing,
    while memory that it returns to the system has to be zeroed again. Waiting threads sleep, so that a busy
    machine does not stall them.
    """
    steady = {
        "MALLOC_MMAP_THRESHOLD_": "4294967296",
        "MALLOC_TRIM_THRESHOLD_": "17179869184",
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    if recipe.processes > 1:  # otherwise they would use one thread each
        steady["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // recipe.processes))
    return steady | dict(os.environ)


def _step_of(line: str) -> dict[str, Any] | None:
    try:
        report = json.loads(line)
    except ValueError:
        return None
    return report if isinstance(report, dict) and "step" in report else None


def finish(folder: Path, work: Path) -> Tuned:
    """Move the model out of the work folder; the card is written last, as a sign that everything is there."""
    try:
        for path in sorted((work / "model").iterdir()):
            path.replace(folder / path.name)
        job = json.loads((work / "job.json").read_text(encoding="utf-8"))
        measured = json.loads((work / "measured.json").read_text(encoding="utf-8"))
        card = job | {"versions": _versions()} | measured
        draft = work / CARD
        draft.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        draft.replace(folder / CARD)
    except (OSError, ValueError) as why:
        raise TuningError(f"The tuned model could not be put into {folder}: {why}.") from why
    shutil.rmtree(work, ignore_errors=True)
    return read_tuned(folder)


def _versions() -> dict[str, str]:
    versions = {}
    for name in ("ludens", *LIBRARIES):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
