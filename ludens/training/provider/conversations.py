"""Data sets as conversations, and the files that providers accept."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ludens.errors import UsageError

Conversation = tuple[Mapping[str, Any], ...]
"""Messages with `role` and `content`; the last one is the reply to learn."""


@dataclass(frozen=True)
class Conversations:
    """The conversations that a model is tuned on, and those for validation, which may be empty."""

    train: tuple[Conversation, ...]
    validation: tuple[Conversation, ...] = ()


def conversations(data: object) -> Conversations:
    """Return the training and validation examples of a data set.

    Args:
        data: a data set with `train` and `validation`; a folder that holds ``train.jsonl`` and may hold
            ``validation.jsonl``; or one JSONL file of training examples. A row has `prompt` and `completion`,
            or `messages`.

    Raises:
        UsageError: there is no such file, or a row has another format; the message names the line.
    """
    if isinstance(data, str | os.PathLike):
        path = Path(data)
        if path.is_dir():
            train, validation = path / "train.jsonl", path / "validation.jsonl"
            return Conversations(_read(train), _read(validation) if validation.exists() else ())
        return Conversations(_read(path))
    train_rows, validation_rows = getattr(data, "train", None), getattr(data, "validation", ())
    if train_rows is None:
        raise UsageError(
            "Data is a data set, a folder with train.jsonl, or a JSONL file; "
            f"got an object of type {type(data).__name__}."
        )
    return Conversations(_rows(train_rows, "train"), _rows(validation_rows or (), "validation"))


def chat_lines(examples: Iterable[Conversation], *, mark: bool = False) -> bytes:
    """Return JSONL in OpenAI's chat format, UTF-8, with a byte-order mark if `mark` is set."""
    text = "".join(
        json.dumps({"messages": [dict(m) for m in one]}, ensure_ascii=False) + "\n" for one in examples
    )
    # Half a character is refused by the rules, which this is made for too.
    return text.encode("utf-8-sig" if mark else "utf-8", "surrogatepass")


def contents_lines(examples: Iterable[Conversation]) -> bytes:
    """Return JSONL in Google's format: ``systemInstruction``, and ``contents`` of user and model."""
    lines = []
    for one in examples:
        system = [m for m in one if m["role"] in ("system", "developer")]
        row: dict[str, Any] = {}
        if system:
            row["systemInstruction"] = {"role": "system", "parts": [{"text": m["content"]} for m in system]}
        row["contents"] = [
            {"role": "model" if m["role"] == "assistant" else "user", "parts": [{"text": m["content"]}]}
            for m in one
            if m not in system
        ]
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(lines).encode()


def _read(path: Path) -> tuple[Conversation, ...]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as why:
        raise UsageError(f"{path} cannot be read as training data ({why}); name a JSONL file.") from None
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as why:
            raise UsageError(f"Line {number} of {path} is not JSON ({why}); correct it.") from None
        found.append(_conversation(row, f"Line {number} of {path}"))
    return tuple(found)


def _rows(rows: Sequence[object], split: str) -> tuple[Conversation, ...]:
    return tuple(_conversation(row, f"Example {number} of {split}") for number, row in enumerate(rows, 1))


def _conversation(row: object, where: str) -> Conversation:
    if isinstance(row, Mapping):
        messages, prompt, completion = row.get("messages"), row.get("prompt"), row.get("completion")
    else:
        messages, prompt, completion = (
            getattr(row, name, None) for name in ("messages", "prompt", "completion")
        )
    if messages is None and prompt is not None and completion is not None:
        if isinstance(prompt, str):
            prompt = [{"role": "user", "content": prompt}]
        if isinstance(completion, str):
            completion = [{"role": "assistant", "content": completion}]
        if isinstance(prompt, list | tuple) and isinstance(completion, list | tuple):
            messages = [*prompt, *completion]
    if not isinstance(messages, list | tuple) or not all(isinstance(m, Mapping) for m in messages):
        raise UsageError(f"{where} has neither messages nor a prompt and a completion; correct it.")
    return tuple(dict(message) for message in messages)
