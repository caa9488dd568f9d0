"""What episodes tell at about the same time, kept in one transaction.

A transaction costs more than the rows in it. Episodes that are played concurrently therefore hand their
changes to one `Commits`, which writes all that has gathered in one turn of the event loop at once, and each
goes on after the transaction that holds its own (group commit; Gray & Reuter, *Transaction Processing*, 1993,
section 10.4).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from ludens.experiments.runs.store import MovedError, Store

MOST = 256
"""Changes after which a transaction is not put off any longer."""

Change = Callable[[], None]
"""Writes one change through the store."""


class Commits:
    """The changes of a run that is being written; made in the event loop that plays it.

    Args:
        store: the run.
        fail: takes what went wrong while nobody waited for it.
    """

    def __init__(self, store: Store, fail: Callable[[Exception], None]) -> None:
        self._store, self._fail = store, fail
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._gathered: list[tuple[Change, Change]] = []
        self._written: asyncio.Future[None] | None = None
        self._error: Exception | None = None

    def add(self, change: Change, after: Change = lambda: None) -> None:
        """Take a change, and what is to be called after it was written. From another thread it is written at
        once.

        Raises:
            StoreError: it cannot be written, from another thread.
        """
        if threading.get_ident() != self._thread:
            change()
            after()
            return
        self._gathered.append((change, after))
        if self._written is None:
            self._written = self._loop.create_future()
            self._loop.call_soon(self.write)
        elif len(self._gathered) >= MOST:
            self.write()

    async def settled(self) -> None:
        """Wait until the changes so far are written, and let other tasks and Ctrl-C have their turn. Another
        thread's own are.

        Raises:
            Exception: one could not be written, now or earlier.
        """
        if self._written is None or threading.get_ident() != self._thread:
            await asyncio.sleep(0)
        else:
            await asyncio.shield(self._written)
        if self._error is not None:
            raise self._error

    def write(self) -> None:
        """Write what has gathered."""
        written, gathered = self._written, self._gathered
        self._written, self._gathered = None, []
        if written is None:
            return
        try:
            self._write(gathered)
        except Exception as error:
            self._error = self._error or error
            self._fail(error)  # nobody may wait for it
        written.set_result(None)

    def _write(self, gathered: list[tuple[Change, Change]]) -> None:
        moved: MovedError | None = None
        try:
            with self._store.together():
                for change, _ in gathered:
                    change()
        except MovedError as error:
            moved = error
        except Exception:
            if len(gathered) == 1:
                raise
            self._write_singly(gathered)  # all but the one at fault are kept
            return
        for _, after in gathered:
            after()
        if moved is not None:
            raise moved

    def _write_singly(self, gathered: list[tuple[Change, Change]]) -> None:
        errors: list[Exception] = []
        for each in gathered:
            try:
                self._write([each])
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]
