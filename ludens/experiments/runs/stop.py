"""Stop a run in order: nothing new is asked, and answers under way are waited for and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class StoppedError(Exception):
    """The run is to stop, or another episode of it failed: ask nothing more."""


class Stop:
    """The wish to stop a run, which may come from any thread and from a signal handler.

    Attributes:
        requested: whether to stop.
        under_way: how many policies are being asked right now.
    """

    def __init__(self) -> None:
        self.requested = False
        self.under_way = 0
        self._dropped = False
        self._job: tuple[asyncio.AbstractEventLoop, asyncio.Task[None]] | None = None

    def check(self) -> None:
        """Raise StoppedError if nothing more is to be asked."""
        if self.requested:
            raise StoppedError

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Count a policy as being asked while the block runs."""
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    def drop(self) -> None:
        """Drop what is under way as well."""
        self.requested = self._dropped = True
        if self._job is not None:
            self.soon(self._job[1].cancel)

    def soon(self, callback: Callable[[], object]) -> None:
        """Call a function in the run's event loop, if it runs."""
        if self._job is not None:
            with suppress(RuntimeError):  # the loop is closed: the run is over
                self._job[0].call_soon_threadsafe(callback)

    def begun(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
        """Name the task that plays the run, which `drop` cancels."""
        self._job = loop, task
        if self._dropped:
            self.drop()
