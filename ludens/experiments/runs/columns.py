"""The tables that every run has, column by column: what each column holds, in which type and unit.

Rows are made from these columns (`decision_rows` …), data frames take their types from them, and the page of
the documentation is printed from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ludens.agents.policy import BeliefReport, Call
from ludens.experiments.runs.records import DecisionRecord, EpisodeRecord

ColumnType = Literal["integer", "number", "text", "boolean", "texts", "numbers", "JSON"]
"""``"texts"`` and ``"numbers"`` are lists; ``"JSON"`` is a text that holds JSON."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: its name.
        type: what its cells hold, where they are not empty.
        meaning: what they mean, in a few words.
        unit: of numbers; empty where they have none.
        empty: when a cell is empty; an empty text where none is.
    """

    name: str
    type: ColumnType
    meaning: str
    unit: str = ""
    empty: str = ""


Row = dict[str, Any]


def _sum_of(name: str) -> Callable[[DecisionRecord], Any]:
    return lambda record: sum(getattr(call, name) for call in record.decision.calls)


def _chosen(name: str) -> Callable[[DecisionRecord], Any]:
    """Return what reads an attribute of a choice, which a report of beliefs lacks."""

    def read(record: DecisionRecord) -> Any:
        return None if isinstance(record.decision, BeliefReport) else getattr(record.decision, name)

    return read


def _own(name: str) -> Callable[[Any], Any]:
    return lambda record: getattr(record, name)


_DECISION: tuple[tuple[Column, Callable[[DecisionRecord], Any]], ...] = (
    (Column("episode", "integer", "the episode's number, from 0"), _own("episode")),
    (Column("step", "integer", "the decision's number within its episode, from 0"), _own("step")),
    (
        Column("question", "text", "`choice`, or `belief` where the policy was asked what others do"),
        _own("question"),
    ),
    (Column("agent", "text", "the seat that decided"), _own("agent")),
    (Column("policy", "text", "the policy's name"), _own("policy")),
    (Column("environment", "text", "the environment's id"), _own("environment")),
    (
        Column("protocol", "text", "the name of the game's payoffs", empty="payoffs without a name"),
        _own("protocol"),
    ),
    (Column("role", "text", "the part that the seat played"), _own("role")),
    (Column("node", "text", "the decision node"), _own("node")),
    (Column("round", "integer", "the round of the episode, from 0"), _own("round")),
    (
        Column("options", "texts", "the legal options in the game's order; none where a number was chosen"),
        lambda record: list(record.options),
    ),
    (
        Column(
            "choice", "text", "the option taken, or the number chosen", empty="no valid decision, or a belief"
        ),
        _own("choice"),
    ),
    (
        Column("status", "text", "`valid`, `invalid` (no reply could be read), `refused` or `low_mass`"),
        lambda record: record.decision.status,
    ),
    (
        Column(
            "probabilities",
            "numbers",
            "of the options, in their order; of a belief, the share of people who take each",
            "share",
            "unknown",
        ),
        lambda record: None if record.decision.probabilities is None else list(record.decision.probabilities),
    ),
    (
        Column(
            "provenance",
            "text",
            "where the probabilities come from: `exact`, `logprobs`, or `sample` for a bare draw",
            empty="a belief",
        ),
        _chosen("provenance"),
    ),
    (
        Column(
            "answer_mass",
            "number",
            "how much of the model's probability lay on any of the options",
            "share",
            "no log-probabilities were read",
        ),
        _chosen("answer_mass"),
    ),
    (
        Column("reasoning", "text", "the policy's own words on the choice", empty="it gave none"),
        _chosen("reasoning"),
    ),
    (
        Column("calls", "integer", "requests to a model for this decision"),
        lambda record: len(record.decision.calls),
    ),
    (
        Column("prompt_tokens", "integer", "of all calls, as the provider counted them", "tokens"),
        _sum_of("prompt_tokens"),
    ),
    (
        Column("completion_tokens", "integer", "of all calls, as the provider counted them", "tokens"),
        _sum_of("completion_tokens"),
    ),
    (
        Column("cost", "number", "of all calls; 0 where the price is unknown", "US dollars"),
        lambda record: float(sum(call.cost for call in record.decision.calls)),
    ),
    (
        Column("seconds", "number", "from request to reply, summed over calls", "seconds"),
        lambda record: float(sum(call.seconds for call in record.decision.calls)),
    ),
)

_CALL: tuple[tuple[Column, Callable[[Call], Any]], ...] = (
    (Column("model", "text", "the id of the model that was asked"), _own("model")),
    (
        Column("messages", "JSON", "what was sent, in OpenAI's shape"),
        lambda call: [dict(message) for message in call.messages],
    ),
    (Column("reply", "text", "the text that came back", empty="there was none"), _own("reply")),
    (
        Column(
            "outcome", "text", "`ok`, `invalid`, `refused`, or `error` (the server takes no such request)"
        ),
        _own("outcome"),
    ),
    (
        Column("detail", "text", "why the outcome is not `ok`, and why a request was made beside a question"),
        _own("detail"),
    ),
    (
        Column("parameters", "JSON", "sampling parameters that were sent, without secrets"),
        lambda call: dict(call.parameters),
    ),
    (
        Column(
            "option_probabilities",
            "numbers",
            "of the options in the game's order, from log-probabilities; the rest lay on other words",
            "share",
            "not asked for, or not given",
        ),
        lambda call: None if call.option_probabilities is None else list(call.option_probabilities),
    ),
    (Column("prompt_tokens", "integer", "as the provider counted them", "tokens"), _own("prompt_tokens")),
    (
        Column("completion_tokens", "integer", "as the provider counted them", "tokens"),
        _own("completion_tokens"),
    ),
    (Column("cost", "number", "0 where the price is unknown", "US dollars"), _own("cost")),
    (Column("seconds", "number", "from request to reply, repetitions included", "seconds"), _own("seconds")),
    (
        Column(
            "transport_retries", "integer", "repetitions after 429, 5xx, a time-out or a broken connection"
        ),
        _own("transport_retries"),
    ),
    (
        Column(
            "marks",
            "texts",
            "what came with the reply beside its text: `cut` (it reached the limit of tokens), `thoughts` "
            "(in a field of their own), `refused` (the provider's word); `counted` (the provider counts no "
            "tokens, and they were counted here), `cached` (it came from a cache)",
        ),
        lambda call: list(call.marks),
    ),
)

_PLACE = (
    Column("episode", "integer", "the episode's number, from 0"),
    Column("step", "integer", "the decision's number within its episode, from 0"),
)

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "decisions": (
        *(column for column, _ in _DECISION),
        Column(
            "label_…",
            "text",
            "a label of the episode that no other column holds, one column for each; numbers where all of "
            "them are",
        ),
    ),
    "calls": (
        *_PLACE,
        Column("call", "integer", "the call's number within its decision, from 0"),
        *(column for column, _ in _CALL),
    ),
    "episodes": (
        Column("episode", "integer", "the episode's number, from 0"),
        Column(
            "…",
            "text",
            "each label of the episode under its own name: policy, protocol …; numbers where all of them "
            "are, as in replicate",
        ),
        Column("status", "text", "`planned`, `running`, `done`, `dropped`, `forfeited` or `aborted`"),
        Column(
            "payoff …",
            "number",
            "what the seat of that name earned, summed over rounds",
            "points",
            "undefined, as in a dropped episode",
        ),
        Column("detail", "text", "why an episode was dropped, forfeited or aborted; an empty text otherwise"),
    ),
}
"""The tables of every run by name; ``…`` in a name stands for what differs between runs."""


def decision_rows(records: Iterable[DecisionRecord]) -> Iterator[Row]:
    """Yield one row per decision: its place, what was decided, what it took, and the episode's labels where
    they say more.
    """
    rows = [({column.name: read(record) for column, read in _DECISION}, record.labels) for record in records]
    labels = dict.fromkeys(
        name for row, labels in rows for name, value in labels.items() if row.get(name) != value
    )
    for row, own in rows:
        yield row | {f"label_{name}": own.get(name) for name in labels}


def call_rows(calls: Iterable[tuple[tuple[int, int], Call]]) -> Iterator[Row]:
    """Yield one row per call: its place, the request, the reply, and what it took.

    Args:
        calls: each with the episode and the step of its decision, in the order in which they were made.
    """
    numbers = Counter[tuple[int, int]]()
    for (episode, step), call in calls:
        place = {"episode": episode, "step": step, "call": numbers[episode, step]}
        numbers[episode, step] += 1
        yield place | {column.name: read(call) for column, read in _CALL}


def episode_rows(records: Iterable[EpisodeRecord]) -> Iterator[Row]:
    """Yield one row per episode: number, labels, status, ``payoff <seat>`` of every seat, detail."""
    for record in records:
        yield {
            "episode": record.index,
            **record.labels,
            "status": record.status,
            **{f"payoff {seat}": payoff for seat, payoff in record.payoffs.items()},
            "detail": record.detail,
        }


def described(columns: Iterable[Column]) -> str:
    """Return columns as a table in Markdown."""
    lines = ["| column | type | unit | meaning |", "|---|---|---|---|"]
    for column in columns:
        empty = f"; empty: {column.empty}" if column.empty else ""
        lines.append(f"| `{column.name}` | {column.type} | {column.unit} | {column.meaning}{empty} |")
    return "\n".join(lines) + "\n"
