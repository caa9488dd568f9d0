"""Preparation of a job before any money is spent: files that keep the provider's rules, and an estimate."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ludens.errors import UsageError
from ludens.training.provider.conversations import chat_lines, contents_lines, conversations
from ludens.training.provider.prices import Estimate, estimate
from ludens.training.provider.rules import RULES, check_file


@dataclass(frozen=True)
class Prepared:
    """A job that is ready to start: the files that would be sent, and the estimate of its cost."""

    model: str
    files: Mapping[str, tuple[bytes, int]]
    estimate: Estimate
    epochs: int | None

    @property
    def key(self) -> str:
        """Eight characters that depend only on model, files and epochs."""
        parts = [
            self.model,
            str(self.epochs),
            *(hashlib.sha256(f[0]).hexdigest() for f in self.files.values()),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]

    @property
    def folder(self) -> Path:
        """The default folder of the job. The same job has the same folder, so that a command that is repeated
        after a kill does not start, and pay for, a second job.
        """
        return Path("tuned") / f"{re.sub(r'[^A-Za-z0-9.-]+', '-', self.model)}-{self.key}"


def prepare(model: str, data: object, *, epochs: int | None = None) -> Prepared:
    """Check a data set against the provider's rules and estimate the price, without sending anything.

    Args:
        model: ``openai/…``, ``azure/…`` or ``vertex_ai/…``.
        data: a data set, its folder, or a JSONL file; see `conversations`.
        epochs: passes over the examples, at least 1; None lets the provider choose.

    Raises:
        UsageError: a rule is broken, or an argument is invalid.
    """
    provider, _, base = model.partition("/")
    if provider not in RULES or not base:
        raise UsageError(
            f"Tuning is offered at {', '.join(RULES)}, named as openai/gpt-4.1-mini-2025-04-14; "
            f"got {model!r}."
        )
    if epochs is not None and epochs < 1:
        raise UsageError(f"epochs is at least 1; got {epochs}.")
    from ludens.agents.llm.abilities import load

    litellm, rules, found = load(model), RULES[provider], conversations(data)

    def tokens(one: Any) -> int:
        return int(litellm.token_counter(model=model, messages=[dict(message) for message in one]))

    files: dict[str, tuple[bytes, int]] = {}
    counts: list[int] = []
    for split, examples in (("train", found.train), ("validation", found.validation)):
        if split == "validation" and not examples:
            continue
        # What a rule finds wrong could not always be converted, so the size is that of OpenAI's shape, which
        # is close to that of Google's.
        size = len(chat_lines(examples, mark=rules.mark))
        counted = check_file(provider, base, split, examples, size=size, tokens=tokens)
        counts = counts or counted
        if split == "validation" and rules.contents:
            continue  # LiteLLM names the field for it otherwise than Google's API does
        content = contents_lines(examples) if rules.contents else chat_lines(examples, mark=rules.mark)
        files[split] = (content, len(examples))
    return Prepared(model, files, estimate(provider, base, counts, epochs), epochs)
