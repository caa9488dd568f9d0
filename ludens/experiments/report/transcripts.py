"""Every decision of a run as data for the report's transcript browser, safe inside a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from ludens.agents.policy import Call, Decision
from ludens.experiments.report.names import policy_name
from ludens.experiments.runs.records import DecisionRecord


def transcripts(decisions: Iterable[DecisionRecord]) -> str:
    """JSON for a ``<script type="application/json">``: prompts stand once in ``texts``, decisions name them.

    Characters with which text could leave the script element, or that JavaScript treats as line ends, are
    written as escapes; the page shows the text through ``textContent`` alone, so nothing in it is ever
    markup.
    """
    texts: dict[str, int] = {}
    entries = [_entry(record, texts) for record in decisions]
    data = json.dumps({"texts": list(texts), "decisions": entries}, ensure_ascii=True, separators=(",", ":"))
    return data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _entry(record: DecisionRecord, texts: dict[str, int]) -> dict[str, Any]:
    answer, labels = record.decision, record.labels
    choice = answer if isinstance(answer, Decision) else None
    return {
        "episode": record.episode,
        "question": record.question,
        "policy": policy_name(str(labels["policy"])),
        "protocol": record.protocol,
        "node": record.node,
        "role": record.role,
        "framing": labels["framing"],
        "order": labels["order"],
        "replicate": labels["replicate"],
        "status": answer.status,
        "options": record.options,
        "shown": _shown(record),
        "chosen": record.choice,
        "probabilities": _rounded(answer.probabilities),
        "provenance": choice.provenance if choice else None,
        "reasoning": choice.reasoning if choice else None,
        "wording": answer.wording and f"{answer.wording.template} · {answer.wording.hash}",
        "calls": [_call(call, texts) for call in answer.calls],
    }


def _shown(record: DecisionRecord) -> list[list[str]]:
    """The options as they stood, for every order that was shown."""
    wording = record.decision.wording
    return [[record.options[place] for place in order] for order in wording.orders] if wording else []


def _call(call: Call, texts: dict[str, int]) -> dict[str, Any]:
    messages = [
        [message.get("role", "?"), texts.setdefault(_plain(message.get("content", "")), len(texts))]
        for message in call.messages
    ]
    return {
        "model": call.model,
        "messages": messages,
        "reply": call.reply,
        "outcome": call.outcome,
        "detail": call.detail,
        "probabilities": _rounded(call.option_probabilities),
        "tokens": [call.prompt_tokens, call.completion_tokens],
        "cost": call.cost,
        "seconds": round(call.seconds, 3),
        "retries": call.transport_retries,
    }


def _plain(content: object) -> str:
    return content if isinstance(content, str) else json.dumps(content, default=str)


def _rounded(shares: Sequence[float] | None) -> list[float] | None:
    return None if shares is None else [round(share, 6) for share in shares]
