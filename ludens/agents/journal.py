"""The journal of model calls: what makes a killed run pay for nothing twice.

Whoever runs episodes opens a journal around each decision (`recording`); the language-model client asks it
for the reply to its n-th call before it goes to the network, and hands it every finished call. The journal
writes durably before it returns.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from ludens.agents.policy import Call


class Journal(Protocol):
    """The calls of one decision, in the order in which they are made."""

    def replay(self) -> Call | None:
        """The next call if it was already made in an earlier life of the run, else None."""
        ...

    def record(self, call: Call) -> None:
        """Keep a finished call, durably."""
        ...


_current: ContextVar[Journal | None] = ContextVar("ludens_journal", default=None)


@contextmanager
def recording(journal: Journal) -> Iterator[None]:
    """Within this context (and the tasks started in it) model calls go through the journal."""
    token = _current.set(journal)
    try:
        yield
    finally:
        _current.reset(token)


def current_journal() -> Journal | None:
    """The journal of the decision under way, or None outside a run."""
    return _current.get()
