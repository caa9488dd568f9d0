"""The journal of model calls, thanks to which a run that was killed pays for no call twice.

A run opens a journal around each decision (`recording`). The client of language models asks it for the reply
to its n-th call before it goes to the network, and hands it every finished call, which the journal writes
durably before it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from ludens.agents.policy import Call

if TYPE_CHECKING:
    from ludens.agents.llm.cache import CachePlace


class Paid(Protocol):
    """What a reply took: a `Call`, or the reply to a request."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt."""
        ...

    @property
    def completion_tokens(self) -> int:
        """Tokens of the reply."""
        ...

    @property
    def cost(self) -> float:
        """US dollars."""
        ...


class Journal(Protocol):
    """The calls of one decision, in the order in which they are made, and what the run knows of servers."""

    @property
    def servers(self) -> MutableMapping[str, Any]:
        """What policies have learnt of servers, by the server's name; all decisions of a run share it."""
        ...

    @property
    def reread(self) -> Callable[[Call], None] | None:
        """What takes up each call of an earlier life as its reply is read today; None where it counts as it
        was read then.
        """
        ...

    @property
    def cache(self) -> CachePlace | None:
        """The cache of replies that the run shares with others, and the decision's place in it."""
        ...

    def replay(self) -> Call | None:
        """Return the next call if it was made before the run was interrupted, else None."""
        ...

    def record(self, call: Call) -> None:
        """Keep a finished call, durably."""
        ...

    def asking(self, model: str) -> AbstractAsyncContextManager[Callable[[Paid], None]]:
        """Count a request as under way while the block runs, which hands what its reply took to the function.
        Raise what ends the decision if the run's budget allows no further request.
        """
        ...

    def check(self) -> None:
        """Raise what ends the decision if nothing more is to be asked."""
        ...

    def remember(self, server: str, facts: Mapping[str, Any]) -> None:
        """Keep durably, as JSON values, what is to be known of a server when the run goes on."""
        ...

    def remembered(self, server: str) -> Mapping[str, Any]:
        """Return what was kept of a server; empty if nothing was."""
        ...


_current: ContextVar[Journal | None] = ContextVar("ludens_journal", default=None)


@contextmanager
def recording(journal: Journal) -> Iterator[None]:
    """Send model calls in this context, and in tasks started in it, through the journal."""
    token = _current.set(journal)
    try:
        yield
    finally:
        _current.reset(token)


def current_journal() -> Journal | None:
    """Return the journal of the decision under way, or None outside a run."""
    return _current.get()


def check_going_on() -> None:
    """Raise what ends the decision under way if its run is to stop; does nothing outside a run."""
    if (journal := current_journal()) is not None:
        journal.check()


def asking(model: str) -> AbstractAsyncContextManager[Callable[[Paid], None]]:
    """Count a request with the run of the decision under way; see `Journal.asking`. Outside a run nothing is
    counted.
    """
    journal = current_journal()
    return nullcontext(lambda paid: None) if journal is None else journal.asking(model)
