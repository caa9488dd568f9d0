"""Every decision of a run as data for the page's browser, small and safe inside a page.

A firm is shown the last hundred periods in every period, so that prompts repeat each other almost wholly.
Decisions are therefore kept in pieces: in each of them every different line stands once, and a text is a list
of ranges of lines. Pieces are compressed, and the page's script unpacks one when a decision in it is shown.
What the list of decisions shows stands apart, compressed too. Nothing is lost, and a run of thousands of
prompts is a page of a few megabytes that opens at once.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ludens.agents.policy import Call, Decision
from ludens.display.table import Table
from ludens.experiments.report.names import policy_name
from ludens.experiments.runs.records import NO_FRAMING, DecisionRecord

_STATUS = {"invalid": "unreadable", "low_mass": "low answer mass"}


@dataclass(frozen=True)
class Entry:
    """How one decision is named, and by what it can be filtered.

    Attributes:
        title: its name in the list and above its text.
        labels: what readers may filter by, in the order of the filters; values are shown as text. A filter
            appears only where values differ.
        brief: a line below the title in the list.
        about: a line below the title above the text.
        asked: a sentence on an unusual question.
        outcome: the decision in a few words, for the list; empty for the option taken, or the probabilities.
        taken: the word before what was done.
    """

    title: str
    labels: Mapping[str, object]
    brief: str = ""
    about: str = ""
    asked: str = ""
    outcome: str = ""
    taken: str = "Taken"


def plain_entry(record: DecisionRecord) -> Entry:
    """Name a decision by its episode, seat, node and round, whatever the game."""
    seat = record.agent.replace("_", " ")
    policy = policy_name(record.policy)
    place = [record.protocol or "", record.node, f"round {record.round + 1}"]
    return Entry(
        title=f"Episode {record.episode}, {seat}",
        labels={
            "policy": policy,
            "protocol": record.protocol or "-",
            "seat": seat,
            "role": record.role,
            "node": record.node,
            "question": record.question,
            "status": record.decision.status,
        },
        brief=policy,
        about=" · ".join(each for each in (policy, f"as {record.role}", *place) if each),
    )


def question_entry(record: DecisionRecord) -> Entry:
    """Name a decision of a run of questions by protocol and node; labels hold framing, order and
    replicate.
    """
    labels = record.labels
    policy = policy_name(str(labels.get("policy", record.policy)))
    framing, order = labels["framing"], labels["order"]
    worded = framing != NO_FRAMING
    about = [
        policy,
        f"as {record.role}",
        f"{framing} framing, order {order}" if worded else "asked without words",
        f"replicate {labels['replicate']}",
        f"episode {record.episode}",
    ]
    belief = record.question == "belief"
    return Entry(
        title=f"{record.protocol}, {record.node}",
        labels={
            "policy": policy,
            "protocol": record.protocol,
            "node": record.node,
            "framing": framing,
            "order": order,
            "question": record.question,
            "status": record.decision.status,
        },
        brief=policy + f", {framing}, order {order}" * worded + ", belief" * belief,
        about=" · ".join(about),
        asked="Asked what share of people choose each option." if belief else "",
    )


@dataclass(frozen=True)
class Transcripts:
    """The decisions that readers of a page can browse.

    Attributes:
        records: in the order of the list.
        entry: names each of them.
        start: a label that holds whole numbers, from which on decisions are shown; empty for none.
        caption: what is to be read.
    """

    records: Sequence[DecisionRecord]
    entry: Callable[[DecisionRecord], Entry] = plain_entry
    start: str = ""
    caption: str = "Every decision, with what was asked and what came back."


PIECE = 1 << 19
"""Characters of JSON after which a piece is closed: little enough to be unpacked while a reader waits."""


def page_data(tables: Sequence[Table] = (), transcripts: Transcripts | None = None) -> str:
    """Return JSON for a ``<script type="application/json">``: tables as text to copy, and the decisions.

    Its ``list`` and each of its ``pieces`` are JSON too, compressed by gzip and written in base64. The list
    holds title, labels (in the order of ``names``), brief line and outcome of each decision; ``firsts`` are
    the numbers of the first decisions of the pieces, each of which holds ``lines`` and ``decisions``.

    Characters with which text could leave the script element, or that JavaScript treats as line ends, are
    written as escapes; the page shows the text through ``textContent`` alone, so nothing in it is ever
    markup.
    """
    named = [] if transcripts is None else [(each, transcripts.entry(each)) for each in transcripts.records]
    names = list(dict.fromkeys(name for _, entry in named for name in entry.labels))
    pieces = [_Piece(0)]
    for number, (record, entry) in enumerate(named):
        if pieces[-1].size > PIECE:
            pieces.append(_Piece(number))
        pieces[-1].add(record, entry)
    listed = [
        [
            entry.title,
            [str(entry.labels.get(name, "-")) for name in names],
            entry.brief,
            entry.outcome or _outcome(record),
        ]
        for record, entry in named
    ]
    content = {
        "tables": [{"Markdown": table.to_markdown(), "CSV": table.to_csv()} for table in tables],
        "start": "" if transcripts is None else transcripts.start,
        "names": names,
        "list": _packed(listed),
        "firsts": [piece.first for piece in pieces],
        "pieces": [_packed({"lines": piece.lines.known, "decisions": piece.decisions}) for piece in pieces],
    }
    return _json(content).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


class _Piece:
    """Decisions that follow each other, with the lines of their texts; `first` is the number of the first."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.lines = _Lines()
        self.decisions: list[dict[str, Any]] = []
        self._written = 0

    @property
    def size(self) -> int:
        """Characters of JSON, about."""
        return self._written + self.lines.size

    def add(self, record: DecisionRecord, named: Entry) -> None:
        entry = _entry(record, named, self.lines)
        self.decisions.append(entry)
        self._written += len(_json(entry))


class _Lines:
    """Texts as ranges of the lines known so far: [first, count, first, count, …]."""

    def __init__(self) -> None:
        self.known: list[str] = []
        self.size = 0
        self._places: dict[str, int] = {}

    def __call__(self, text: str) -> list[int]:
        ranges: list[int] = []
        for line in text.split("\n"):
            place = self._places.setdefault(line, len(self.known))
            if place == len(self.known):
                self.known.append(line)
                self.size += len(line)
            if ranges and ranges[-2] + ranges[-1] == place:
                ranges[-1] += 1
            else:
                ranges += [place, 1]
        return ranges


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def _packed(value: object) -> str:
    """Return a value as JSON, compressed by gzip, in base64; the same value gives the same text."""
    return base64.b64encode(gzip.compress(_json(value).encode(), mtime=0)).decode()


def _entry(record: DecisionRecord, named: Entry, lines: _Lines) -> dict[str, Any]:
    answer = record.decision
    choice = answer if isinstance(answer, Decision) else None
    notes = (choice.notes if choice else None) or {}
    reasoning = (choice.reasoning if choice else None) or ""
    if reasoning in notes.values():  # shown among the notes
        reasoning = ""
    entry = {
        "about": named.about,
        "asked": named.asked,
        "taken": named.taken if named.taken != "Taken" else "",
        "chosen": record.choice,
        "options": record.options,
        "shown": _shown(record),
        "probabilities": _rounded(answer.probabilities),
        "provenance": choice.provenance if choice else None,
        "notes": [[name, lines(text)] for name, text in notes.items()],
        "reasoning": lines(reasoning) if reasoning else None,
        "wording": answer.wording and f"{answer.wording.template} · {answer.wording.hash}",
        "calls": [_call(call, lines) for call in answer.calls],
    }
    return _filled(entry)


def _outcome(record: DecisionRecord) -> str:
    answer = record.decision
    if answer.status != "valid":
        return _STATUS.get(answer.status, answer.status)
    if answer.probabilities is not None:
        pairs = zip(record.options, answer.probabilities, strict=False)
        return ", ".join(f"{name} {_percent(share)}" for name, share in pairs)
    return record.choice or ""


def _percent(share: float) -> str:
    return f"{100 * share:.{1 if 0 < share < 0.1 else 0}f} %"


def _shown(record: DecisionRecord) -> list[list[str]]:
    """Return the options in every order in which they were shown."""
    wording = record.decision.wording
    return [[record.options[place] for place in order] for order in wording.orders] if wording else []


def _call(call: Call, lines: _Lines) -> dict[str, Any]:
    entry = {
        "model": call.model,
        "messages": [
            [message.get("role", "?"), lines(_plain(message.get("content", "")))] for message in call.messages
        ],
        "reply": None if call.reply is None else lines(call.reply),
        "outcome": call.outcome,
        "detail": call.detail,
        "probabilities": _rounded(call.option_probabilities),
        "tokens": [call.prompt_tokens, call.completion_tokens],
        "cost": call.cost,
        "seconds": round(call.seconds, 3),
        "retries": call.transport_retries,
    }
    return _filled(entry)


def _filled(entry: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is empty, which the page's script expects: it would stand in hundreds of entries."""
    return {name: value for name, value in entry.items() if value not in (None, "", [], ())}


def _plain(content: object) -> str:
    return content if isinstance(content, str) else json.dumps(content, default=str)


def _rounded(shares: Sequence[float] | None) -> list[float] | None:
    return None if shares is None else [round(share, 6) for share in shares]
