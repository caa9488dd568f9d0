"""Other formats of a data set: pairs for DPO, prompts and a reward for GRPO, Parquet, `datasets`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ludens.agents.llm.prompts.tree import rotation
from ludens.agents.llm.reading.choices import read_choice
from ludens.errors import UsageError
from ludens.experiments.runs.files import draft_of
from ludens.training.data.dataset import DataSet, DataSetError
from ludens.training.data.example import Example
from ludens.training.data.values import numbers_of

if TYPE_CHECKING:
    import datasets

UNREADABLE = -1.0
"""The reward of a completion from which no option can be read; the worst option earns 0."""


def dpo_rows(examples: Iterable[Example]) -> list[dict[str, Any]]:
    """Return pairs in TRL's conversational preference format: prompt, chosen, rejected.

    The rejected completion is the chosen one with another option as its answer: the reasoning is the same, so
    that only the answer is rejected. Turns at which every option is optimal have no pair.
    """
    rows = []
    for example in examples:
        worse = [
            label
            for label, name in zip(example.labels, example.options, strict=True)
            if name not in example.optimal
        ]
        rows += [
            {
                "prompt": [dict(message) for message in example.prompt],
                "chosen": [{"role": "assistant", "content": example.completion}],
                "rejected": [{"role": "assistant", "content": _answering(example, label)}],
            }
            for label in worse
        ]
    return rows


def _answering(example: Example, label: str) -> str:
    """Return the completion with another answer: a label or number, or several numbers, of a line each."""
    if example.asks not in ("allocation", "numbers"):
        return example.completion.removesuffix(example.answer) + label
    shares = numbers_of(label) if example.asks == "numbers" else (100 - int(label), int(label))
    lines = example.completion.splitlines()
    asked = zip(lines[-len(shares) :], rotation(len(shares), example.order), strict=True)
    ending = (f"{line.partition(':')[0]}: {shares[place]}" for line, place in asked)
    return "\n".join([*lines[: -len(shares)], *ending])


def grpo_rows(examples: Iterable[Example]) -> list[dict[str, Any]]:
    """Return prompts in TRL's conversational format with the columns that `regret_reward` reads.

    Turns that ask for points have no utilities, and no prompt here.
    """
    return [
        {
            "prompt": [dict(message) for message in example.prompt],
            "labels": list(example.labels),
            "utilities": list(example.utilities),
            "reasoning": example.reasoning != "none",
        }
        for example in examples
        if example.utilities
    ]


def regret_reward(
    completions: Sequence[str | Sequence[Mapping[str, str]]],
    labels: Sequence[Sequence[str]],
    utilities: Sequence[Sequence[float]],
    reasoning: Sequence[bool] | None = None,
    **_: Any,
) -> list[float]:
    """Return rewards for TRL's `GRPOTrainer`: 1 − regret / (best − worst option's utility).

    An optimal option earns 1, the worst 0, and a reply from which no option can be read `UNREADABLE` (−1). If
    all options are equally good, each earns 1.

    Args:
        completions: texts, or messages in the conversational format.
        labels: the labels of the options, by completion.
        utilities: the utility of the best whole strategy with each option, in points, by completion.
        reasoning: whether reasoning was asked for, by completion; None if it always was.
    """
    asked = reasoning if reasoning is not None else [True] * len(completions)
    rewards = []
    for said, offered, worth, thinking in zip(completions, labels, utilities, asked, strict=True):
        text = said if isinstance(said, str) else said[-1]["content"]
        reading = read_choice(text, list(offered), (), thinking)
        if reading.outcome != "ok" or reading.place is None:
            rewards.append(UNREADABLE)
            continue
        spread = max(worth) - min(worth)
        rewards.append(1 - (max(worth) - worth[reading.place]) / spread if spread else 1.0)
    return rewards


def to_datasets(data: DataSet) -> datasets.DatasetDict:
    """Return a data set in the form of Hugging Face `datasets`, without empty splits.

    Raises:
        UsageError: the package `datasets` is missing.
    """
    try:
        from datasets import Dataset, DatasetDict
    except ImportError:
        raise UsageError("The export needs the package datasets: pip install 'ludens[train]'.") from None
    rows = {name: [example.to_row() for example in split] for name, split in data.splits.items() if split}
    return DatasetDict({name: Dataset.from_list(entries) for name, entries in rows.items()})


def write_parquet(data: DataSet, directory: str | os.PathLike[str]) -> list[Path]:
    """Write a Parquet file for each split that has examples, with the columns of the JSON lines.

    Raises:
        UsageError: the package `datasets` is missing.
        DataSetError: the files cannot be written.
    """
    splits = to_datasets(data)
    folder = Path(directory)
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, split in splits.items():
            target = folder / f"{name}.parquet"
            with draft_of(target) as draft:
                split.to_parquet(draft)
            written.append(target)
    except OSError as why:
        raise DataSetError(f"Parquet files could not be written to {folder}: {why}.") from why
    return written
