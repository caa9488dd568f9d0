"""Requests that are rendered and not sent, to know what a run would ask before anything is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ludens.agents.llm.endpoint import Endpoint
from ludens.agents.llm.logprobs import Token
from ludens.agents.llm.reply import Reply

Note = Callable[[Endpoint, Sequence[Mapping[str, str]], Mapping[str, Any]], None]
"""Takes a request, with its messages and parameters."""

WORDS = "Nothing is known yet, and this stands for a note of a usual length. " * 4

LIKELY = Token("A", (("A", 0.6), ("B", 0.3), ("C", 0.1)))

_current: ContextVar[Note | None] = ContextVar("ludens_rehearsal", default=None)


class RehearsedError(Exception):
    """The rehearsal of a decision has nothing more to learn: its last reply was not readable."""


@contextmanager
def rehearsing(note: Note) -> Iterator[None]:
    """Send no request in this context, and hand all of them to the function."""
    token = _current.set(note)
    try:
        yield
    finally:
        _current.reset(token)


def rehearsed(
    endpoint: Endpoint, messages: Sequence[Mapping[str, str]], parameters: Mapping[str, Any]
) -> Reply | None:
    """Return a reply that nobody gave where requests are rehearsed, and None elsewhere."""
    if (note := _current.get()) is None:
        return None
    note(endpoint, messages, parameters)
    form = parameters.get("response_format")
    if isinstance(form, Mapping):
        return Reply(json.dumps(_instance(form["json_schema"]["schema"])))
    return Reply("A", tokens=(LIKELY,) if parameters.get("logprobs") else ())


def _instance(schema: Mapping[str, Any]) -> Any:
    """Return a value that a JSON schema allows, as our own schemas are written."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: _instance(each) for name, each in schema["properties"].items()}
    if kind == "string":
        return "1" if "pattern" in schema else WORDS[: schema.get("maxLength", len(WORDS))]
    return schema.get("minimum", 1)
