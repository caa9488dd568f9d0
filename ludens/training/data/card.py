"""The data card: the contents of a data set, and how it was built."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ludens.errors import UsageError
from ludens.training.data.example import Example
from ludens.version import installed_version

COUNTED = ("domain", "family", "node", "option", "answer", "order", "framing")


@dataclass(frozen=True)
class Card:
    """A description of a data set.

    Attributes:
        settings: the settings it was built with: preferences, belief, families, payoffs, seed, versions etc.
        counts: for each split the numbers of examples and of games, and the counts of values by column.
        margins: for each split the smallest, the median and the largest finite margin, in points.
        hash: SHA-256 of all prompts, completions and labels, in order.
    """

    settings: Mapping[str, Any]
    counts: Mapping[str, Any]
    margins: Mapping[str, Any]
    hash: str

    def to_json(self) -> str:
        """Return the card as JSON text."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Return the card from the JSON text that `to_json` made.

        Raises:
            UsageError: the text is not a card.
        """
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as why:
            raise UsageError(f"This is not a data card ({why})") from None

    def to_markdown(self) -> str:
        """Return the card as Markdown, for readers."""
        lines = ["# Data card", "", f"Hash `{self.hash}`.", "", "| setting | value |", "|---|---|"]
        lines += [f"| {name} | {_shown(value)} |" for name, value in self.settings.items()]
        for split, counts in self.counts.items():
            lines += ["", f"## {split}", "", f"{counts['examples']} examples of {counts['games']} games."]
            lines += ["", "| column | counts |", "|---|---|"]
            for column in COUNTED:
                listed = ", ".join(f"{name} {number}" for name, number in counts[column].items())
                lines.append(f"| {column} | {listed} |")
            if self.margins[split]:
                listed = ", ".join(f"{name} {value:g}" for name, value in self.margins[split].items())
                lines.append(f"| margin in points | {listed} |")
        return "\n".join(lines) + "\n"


def make_card(splits: Mapping[str, Sequence[Example]], settings: Mapping[str, Any]) -> Card:
    """Make the card of a data set."""
    digest = hashlib.sha256()
    for name, examples in splits.items():
        for example in examples:
            digest.update(json.dumps([name, example.to_row()], sort_keys=True).encode())
    counts = {name: _counts(examples) for name, examples in splits.items()}
    margins = {name: _margins(examples) for name, examples in splits.items()}
    stored = json.loads(json.dumps({"ludens": installed_version()} | dict(settings)))
    return Card(stored, counts, margins, digest.hexdigest()[:16])


def _counts(examples: Sequence[Example]) -> dict[str, Any]:
    columns = {
        name: dict(sorted(Counter(str(getattr(example, name)) for example in examples).items()))
        for name in COUNTED
    }
    return {"examples": len(examples), "games": len({example.game for example in examples}), **columns}


def _margins(examples: Sequence[Example]) -> dict[str, float]:
    finite = sorted(example.margin for example in examples if example.margin != float("inf"))
    if not finite:
        return {}
    return {"least": finite[0], "median": finite[len(finite) // 2], "largest": finite[-1]}


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
