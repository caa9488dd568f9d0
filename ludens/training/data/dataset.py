"""Data sets of turns labelled by the oracle of chosen preferences, split by game; reading and writing."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ludens.display.notebook import Shown, View, clipped
from ludens.display.table import Table
from ludens.errors import LudensError, UsageError
from ludens.training.data.card import Card, make_card
from ludens.training.data.example import Example

SPLITS = ("train", "validation", "test")


class DataSetError(LudensError):
    """Raised when a data set cannot be read or written."""


@dataclass(frozen=True, repr=False)
class DataSet(Shown):
    """Examples in three splits that share no game, and the card that describes them."""

    shown_by: ClassVar[str] = "ludens.training.data.dataset:view"

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    card: Card

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(examples)} {split}" for split, examples in self.splits.items())
        return f"DataSet({counts}; hash {self.card.hash})"

    @classmethod
    def of(
        cls,
        train: Iterable[Example],
        validation: Iterable[Example],
        test: Iterable[Example],
        settings: Mapping[str, Any],
    ) -> DataSet:
        """Return a data set whose card is computed from the examples and the settings that they were built
        with.
        """
        splits = {"train": tuple(train), "validation": tuple(validation), "test": tuple(test)}
        return cls(**splits, card=make_card(splits, settings))

    @property
    def splits(self) -> Mapping[str, tuple[Example, ...]]:
        """The three splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def write(self, directory: str | os.PathLike[str]) -> Path:
        """Write the splits, their version for OpenAI's chat models under ``openai/``, and the card.

        The folder is written as a whole or not at all; a data set that it holds is replaced.

        Raises:
            DataSetError: the folder holds something else, or cannot be written.
        """
        target = Path(directory)
        if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not _is_ours(target))):
            raise DataSetError(f"{target} holds something other than a data set; name another folder.")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as folder:
                made = Path(folder) / "data"
                self._write_into(made)
                old = Path(folder) / "old"
                if target.exists():
                    target.rename(old)
                try:
                    made.rename(target)
                except OSError:
                    if old.exists():
                        old.rename(target)
                    raise
                shutil.rmtree(old, ignore_errors=True)
        except OSError as why:
            raise DataSetError(f"The data set could not be written to {target}: {why}.") from why
        return target

    def _write_into(self, folder: Path) -> None:
        (folder / "openai").mkdir(parents=True)
        for name, examples in self.splits.items():
            _write_lines(folder / f"{name}.jsonl", (example.to_row() for example in examples))
            _write_lines(folder / "openai" / f"{name}.jsonl", map(openai_row, examples))
        (folder / "card.json").write_text(self.card.to_json(), encoding="utf-8")
        (folder / "README.md").write_text(self.card.to_markdown(), encoding="utf-8")

    @classmethod
    def read(cls, directory: str | os.PathLike[str]) -> DataSet:
        """Read a data set that `write` wrote.

        Raises:
            DataSetError: the folder holds no data set, or its examples do not match its card.
        """
        folder = Path(directory)
        try:
            card = Card.from_json((folder / "card.json").read_text(encoding="utf-8"))
            splits = {name: tuple(read_examples(folder / f"{name}.jsonl")) for name in SPLITS}
        except (OSError, ValueError) as why:
            raise DataSetError(f"{folder} holds no data set that can be read: {why}.") from why
        found = make_card(splits, card.settings)
        if found.hash != card.hash:
            raise DataSetError(
                f"The examples in {folder} are not those that its card describes (hash {found.hash}, "
                f"card {card.hash}); build the data set anew."
            )
        return cls(**splits, card=card)


def openai_row(example: Example) -> dict[str, Any]:
    """Return an example in the format of OpenAI's fine-tuning, ``{"messages": […]}``."""
    reply = {"role": "assistant", "content": example.completion}
    return {"messages": [*(dict(message) for message in example.prompt), reply]}


def read_examples(path: Path) -> Iterable[Example]:
    """Read the examples of one file.

    Raises:
        UsageError: a line is not an example; the message names it.
    """
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except ValueError as why:
                raise UsageError(f"Line {number} of {path} is no JSON ({why})") from None
            if not isinstance(row, dict):
                raise UsageError(f"Line {number} of {path} is no JSON object")
            yield Example.from_row(row)


def _is_ours(folder: Path) -> bool:
    return (folder / "card.json").is_file() and (folder / "train.jsonl").is_file()


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def texts(examples: Sequence[Example]) -> list[str]:
    """Return prompt and completion of each example as one text, for counting tokens."""
    return ["\n".join([*(m["content"] for m in e.prompt), e.completion]) for e in examples]


def view(data: DataSet) -> View:
    """Return what a notebook shows of a data set: its splits, and how it was built."""
    rows = [
        (split, [f"{counts['examples']}", f"{counts['games']}", _listed(counts["node"])])
        for split, counts in data.card.counts.items()
    ]
    table = Table.of(
        "Splits", "No two share a game.", ["examples", "games", "at the nodes"], rows, corner="split"
    )
    facts = {name: clipped(value) for name, value in data.card.settings.items()}
    return View(
        "Turns labelled by an oracle", "data set", tables=[table], facts={**facts, "hash": data.card.hash}
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.items())
