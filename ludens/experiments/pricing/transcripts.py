"""Every decision of a pricing run as data for the page's browser, small enough for hundreds of periods.

A firm is shown the last hundred periods in every period, so that prompts repeat each other almost wholly.
Texts are therefore kept as lines: each different line stands once, and a text is a list of ranges of them.
Nothing is lost, and a run of thousands of prompts fits in a page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ludens.agents.policy import Call, Decision
from ludens.experiments.runs.records import DecisionRecord


def transcripts(decisions: Iterable[DecisionRecord]) -> str:
    """JSON for a ``<script type="application/json">``; no character in it can end the script element."""
    lines = _Lines()
    entries = [_entry(record, lines) for record in decisions]
    found = {"lines": lines.known, "decisions": entries}
    data = json.dumps(found, ensure_ascii=True, separators=(",", ":"))
    return data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


class _Lines:
    """Texts as ranges of the lines known so far: [first, count, first, count, …]."""

    def __init__(self) -> None:
        self.known: list[str] = []
        self._places: dict[str, int] = {}

    def __call__(self, text: str) -> list[int]:
        ranges: list[int] = []
        for line in text.split("\n"):
            place = self._places.setdefault(line, len(self.known))
            if place == len(self.known):
                self.known.append(line)
            if ranges and ranges[-2] + ranges[-1] == place:
                ranges[-1] += 1
            else:
                ranges += [place, 1]
        return ranges


def _entry(record: DecisionRecord, lines: _Lines) -> dict[str, Any]:
    decision = record.decision
    notes = decision.notes if isinstance(decision, Decision) else None
    return {
        "run": record.episode,
        "period": record.round + 1,
        "firm": record.agent.replace("_", " "),
        "policy": record.policy,
        "status": decision.status,
        "price": record.choice,
        "notes": [[name, lines(text)] for name, text in (notes or {}).items()],
        "wording": decision.wording and f"{decision.wording.template} · {decision.wording.hash}",
        "calls": [_call(call, lines) for call in decision.calls],
    }


def _call(call: Call, lines: _Lines) -> dict[str, Any]:
    return {
        "model": call.model,
        "messages": [
            [message.get("role", "?"), lines(_plain(message.get("content", "")))] for message in call.messages
        ],
        "reply": None if call.reply is None else lines(call.reply),
        "outcome": call.outcome,
        "detail": call.detail,
        "tokens": [call.prompt_tokens, call.completion_tokens],
        "cost": call.cost,
        "seconds": round(call.seconds, 3),
        "retries": call.transport_retries,
    }


def _plain(content: object) -> str:
    return content if isinstance(content, str) else json.dumps(content, default=str)
