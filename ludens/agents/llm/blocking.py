"""Running a coroutine from code that is not asynchronous, whether or not an event loop runs in its thread.

One event loop in a thread of its own serves the whole process: clients that keep connections open are bound
to the loop that they were made in, and a notebook's own loop must not be run twice.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_owner = 0


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The coroutine's result. Context variables of the caller (the journal among them) hold inside it."""
    future = asyncio.run_coroutine_threadsafe(coroutine, _running_loop())
    try:
        return future.result()
    except BaseException:
        # Ctrl-C reaches the waiting thread only: what it waited for must not go on asking.
        future.cancel()
        raise


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop, _owner  # one loop per process
    with _lock:
        # A forked child inherits the variable but not the thread.
        if _loop is None or _owner != os.getpid():
            _loop, _owner = asyncio.new_event_loop(), os.getpid()
            threading.Thread(target=_loop.run_forever, name="ludens-models", daemon=True).start()
        return _loop
