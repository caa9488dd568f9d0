"""The tables of a run's file, and how records become rows and rows become records."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from ludens.agents.policy import BeliefReport, Call, Decision, Wording
from ludens.agents.secrets import masked, without_secrets
from ludens.experiments.runs.records import DecisionRecord, EpisodeRecord

SCHEMA_VERSION = 4
APPLICATION_ID = 0x4C55444E  # "LUDN": tells a run from any other SQLite file

SCHEMA = """
CREATE TABLE manifest (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE episodes (
    episode INTEGER PRIMARY KEY, labels TEXT NOT NULL, status TEXT NOT NULL, payoffs TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE TABLE decisions (
    episode INTEGER NOT NULL REFERENCES episodes, step INTEGER NOT NULL, question TEXT NOT NULL,
    agent TEXT NOT NULL, policy TEXT NOT NULL, environment TEXT NOT NULL, protocol TEXT, role TEXT NOT NULL,
    node TEXT NOT NULL, round INTEGER NOT NULL, options TEXT NOT NULL, action NUMERIC, status TEXT NOT NULL,
    probabilities TEXT, provenance TEXT NOT NULL, reasoning TEXT, framing TEXT, template TEXT,
    prompt_hash TEXT, orders TEXT, on_invalid TEXT NOT NULL, notes TEXT,
    PRIMARY KEY (episode, step)
) WITHOUT ROWID;
CREATE TABLE calls (
    episode INTEGER NOT NULL REFERENCES episodes, step INTEGER NOT NULL, number INTEGER NOT NULL,
    model TEXT NOT NULL, messages TEXT NOT NULL, reply TEXT, outcome TEXT NOT NULL, detail TEXT NOT NULL,
    parameters TEXT NOT NULL, option_probabilities TEXT, prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL, cost REAL NOT NULL, seconds REAL NOT NULL,
    transport_retries INTEGER NOT NULL, marks TEXT NOT NULL,
    PRIMARY KEY (episode, step, number)
) WITHOUT ROWID;
CREATE TABLE texts (hash TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
"""
"""A message's text stands once in `texts`, however many calls sent it; `calls.messages` names it by hash."""

_DECISION_COLUMNS = (
    "episode, step, question, agent, policy, environment, protocol, role, node, round, options, action, "
    "status, probabilities, provenance, reasoning, framing, template, prompt_hash, orders, on_invalid, notes"
)
_CALL_COLUMNS = (
    "episode, step, number, model, messages, reply, outcome, detail, parameters, option_probabilities, "
    "prompt_tokens, completion_tokens, cost, seconds, transport_retries, marks"
)


def insertion(schema: str) -> str:
    """Return how rows are inserted into a file of a run. A transaction over several files may be kept in some
    of them when the disk is full, and is then tried again.
    """
    return f"{'INSERT' if schema == 'main' else 'INSERT OR REPLACE'} INTO {schema}"


@cache
def _insertion(schema: str, table: str, columns: str) -> str:
    places = ", ".join("?" * len(columns.split(",")))
    return f"{insertion(schema)}.{table} ({columns}) VALUES ({places})"


def insert_decision(database: sqlite3.Connection, record: DecisionRecord, *, schema: str = "main") -> None:
    """Write one decision, without its calls, into one file of the run."""
    decision = record.decision
    choice = decision if isinstance(decision, Decision) else None
    wording = decision.wording
    row = (
        record.episode,
        record.step,
        record.question,
        record.agent,
        record.policy,
        record.environment,
        record.protocol,
        record.role,
        record.node,
        record.round,
        as_json(record.options),
        _chosen(choice) if choice else None,
        decision.status,
        as_json(decision.probabilities) if decision.probabilities is not None else None,
        choice.provenance if choice else "",
        choice.reasoning if choice else None,
        wording.framing if wording else None,
        wording.template if wording else None,
        wording.hash if wording else None,
        as_json(wording.orders) if wording else None,
        choice.on_invalid if choice else "",
        as_json(dict(choice.notes)) if choice and choice.notes is not None else None,
    )
    database.execute(_insertion(schema, "decisions", _DECISION_COLUMNS), _storable_row(row))


def _chosen(decision: Decision) -> int | float | str | None:
    """Return what the column of actions holds: a number, or several as a JSON list."""
    return as_json([decision.action, *decision.further]) if decision.further else decision.action


def insert_call(
    database: sqlite3.Connection, episode: int, step: int, number: int, call: Call, *, schema: str = "main"
) -> None:
    """Write one call into one file of the run, and those texts of its messages that the file lacks."""
    messages: list[dict[str, Any]] = []
    for message in call.messages:
        content = message.get("content")
        if isinstance(content, str):
            key = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:32]
            database.execute(f"INSERT OR IGNORE INTO {schema}.texts VALUES (?, ?)", (key, _storable(content)))
            rest = {name: part for name, part in message.items() if name != "content"}
            messages.append({**rest, "text": key})
        else:
            messages.append(dict(message))
    row = (
        episode,
        step,
        number,
        call.model,
        as_json(messages),
        call.reply and masked(call.reply),
        call.outcome,
        masked(call.detail),
        as_json(without_secrets(call.parameters)),
        as_json(call.option_probabilities) if call.option_probabilities is not None else None,
        call.prompt_tokens,
        call.completion_tokens,
        call.cost,
        call.seconds,
        call.transport_retries,
        " ".join(call.marks),
    )
    database.execute(_insertion(schema, "calls", _CALL_COLUMNS), _storable_row(row))


def select_episodes(database: sqlite3.Connection, most: int = -1) -> Iterator[EpisodeRecord]:
    """Return all episodes in their order, or the first `most`."""
    for episode, labels, status, payoffs, detail in database.execute(
        "SELECT episode, labels, status, payoffs, detail FROM episodes ORDER BY episode LIMIT ?", (most,)
    ):
        yield EpisodeRecord(episode, json.loads(labels), status, json.loads(payoffs), _stored(detail))


def select_labels(database: sqlite3.Connection, episode: int) -> dict[int, Mapping[str, Any]]:
    """Return the labels of one episode, by its number."""
    found = database.execute("SELECT episode, labels FROM episodes WHERE episode = ?", (episode,))
    return {number: json.loads(text) for number, text in found}


def select_decisions(
    database: sqlite3.Connection, labels: Mapping[int, Mapping[str, Any]], episode: int | None = None
) -> Iterator[DecisionRecord]:
    """Yield the decisions of one episode, or of all, one after the other, with their calls; `labels` are
    those of the episodes.
    """
    condition, values = ("", ()) if episode is None else (" WHERE episode = ?", (episode,))
    calls = _calls(database, condition, values)
    ahead = next(calls, None)
    query = f"SELECT {_DECISION_COLUMNS} FROM decisions{condition} ORDER BY episode, step"
    for row in database.execute(query, values):
        place, own = (row[0], row[1]), []
        while ahead is not None and ahead[0] <= place:
            if ahead[0] == place:  # others are of decisions that were not reached
                own.append(ahead[1])
            ahead = next(calls, None)
        yield _decision_record(row, labels[row[0]], tuple(own))


def select_calls(database: sqlite3.Connection, episode: int) -> dict[int, list[Call]]:
    """Return the calls of one episode by the step of their decision, in the order in which they were made."""
    calls: dict[int, list[Call]] = {}
    for (_, step), call in _calls(database, " WHERE episode = ?", (episode,)):
        calls.setdefault(step, []).append(call)
    return calls


def every_call(database: sqlite3.Connection) -> Iterator[tuple[tuple[int, int], Call]]:
    """Yield every call with the episode and step of its decision, also where the decision was not reached."""
    return _calls(database, "", ())


def _decision_record(
    row: Sequence[Any], labels: Mapping[str, Any], calls: tuple[Call, ...]
) -> DecisionRecord:
    values = [_stored(value) for value in row]
    (episode, step, question, agent, policy, environment, protocol, role, node, round_, options) = values[:11]
    action, status, shares, provenance, reasoning, framing, template, prompt_hash, orders, *last = values[11:]
    on_invalid, notes = last
    wording = None
    if prompt_hash is not None:
        wording = Wording(framing, template, prompt_hash, tuple(tuple(order) for order in json.loads(orders)))
    probabilities = tuple(json.loads(shares)) if shares is not None else None
    decision: Decision | BeliefReport
    if question == "belief":
        decision = BeliefReport(probabilities=probabilities, status=status, calls=calls, wording=wording)
    else:
        action, *further = json.loads(action) if isinstance(action, str) else (action,)
        # SQLite keeps 2.0 as 2: what was chosen from an interval, and not among options, is a float.
        chosen = float(action) if action is not None and not json.loads(options) else action
        kept = json.loads(notes) if notes is not None else None
        decision = Decision(
            chosen, status, probabilities, provenance, reasoning, wording, calls, on_invalid, kept,
            tuple(further),
        )  # fmt: skip
    return DecisionRecord(
        episode, labels, step, question, agent, policy, environment, protocol, role, node, round_,
        tuple(json.loads(options)), decision,
    )  # fmt: skip


def _calls(
    database: sqlite3.Connection, condition: str, values: tuple[int, ...]
) -> Iterator[tuple[tuple[int, int], Call]]:
    texts = _Texts(database)
    for row in database.execute(
        f"SELECT {_CALL_COLUMNS} FROM calls{condition} ORDER BY episode, step, number", values
    ):
        values_of = [_stored(value) for value in row]
        episode, step, _, model, messages, reply, outcome, detail, parameters, shares = values_of[:10]
        prompt_tokens, completion_tokens, cost, seconds, retries, marks = values_of[10:]
        yield (
            (episode, step),
            Call(
                model,
                tuple(texts.fill(message) for message in json.loads(messages)),
                reply,
                outcome,
                detail,
                json.loads(parameters),
                tuple(json.loads(shares)) if shares is not None else None,
                prompt_tokens,
                completion_tokens,
                cost,
                seconds,
                retries,
                tuple(marks.split()),
            ),
        )


class _Texts:
    """Texts by hash, each read once."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._known: dict[str, str] = {}

    def fill(self, message: dict[str, Any]) -> dict[str, Any]:
        key = message.pop("text", None)
        if key is None:
            return message
        if key not in self._known:
            (text,) = self._database.execute("SELECT text FROM texts WHERE hash = ?", (key,)).fetchone()
            self._known[key] = _stored(text)
        return {**message, "content": self._known[key]}


def as_json(value: object) -> str:
    """Compact JSON that SQLite can hold; what JSON does not know (numpy arrays, say) as lists or text."""
    text = _encode(value)
    if isinstance(_storable(text), str):
        return text
    return json.dumps(value, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    """Numpy scalars and arrays, and whatever else a client's parameters hold, as JSON."""
    to_list: Callable[[], Any] | None = getattr(value, "tolist", None)
    return to_list() if to_list is not None else str(value)


# Made once: `json.dumps` makes an encoder for each value.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain).encode


def _storable(value: Any) -> Any:
    """A value as SQLite takes it: names and replies may hold half a surrogate pair, kept as bytes."""
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")
    return value


def _storable_row(values: Iterable[Any]) -> list[Any]:
    # Most texts are plain, and need no call.
    return [x if not isinstance(x, str) or x.isascii() else _storable(x) for x in values]


def _stored(value: Any) -> Any:
    """The value that `_storable` made of it, again."""
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value
