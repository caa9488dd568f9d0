"""One event loop, in a thread of its own, from which all models are asked.

LiteLLM's clients and its bookkeeping are bound to the event loop in which they were first used. With one loop
for all requests they keep their connections, they do not block the caller's loop, and code that is not
asynchronous can use them too, whether or not a loop runs in its thread (as one does in a notebook).
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

STOP_WAIT = 2.0

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_owner = 0


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine, wait for it and return its result. It sees the context variables of the caller."""
    future = asyncio.run_coroutine_threadsafe(coroutine, _running_loop())
    try:
        return future.result()
    except BaseException:
        # Ctrl-C reaches the waiting thread alone; the requests it waits for must end as well.
        future.cancel()
        raise


async def shared(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine in the shared loop, while the caller's own loop is free."""
    loop = _running_loop()
    if asyncio.get_running_loop() is loop:
        return await coroutine
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop))


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop, _owner  # one loop per process
    with _lock:
        # A forked child inherits the variable but not the thread.
        if _loop is None or _owner != os.getpid():
            _loop, _owner = asyncio.new_event_loop(), os.getpid()
            thread = threading.Thread(target=_loop.run_forever, name="ludens-models", daemon=True)
            thread.start()
            atexit.register(_stop, _loop, thread, _owner)
        return _loop


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread, owner: int) -> None:
    """End the loop with the process: LiteLLM leaves tasks in it that Python would complain of at exit."""
    if owner != os.getpid():
        return

    async def cancel_all() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    try:
        asyncio.run_coroutine_threadsafe(cancel_all(), loop).result(STOP_WAIT)
    except TimeoutError:
        return
    loop.call_soon_threadsafe(loop.stop)
    thread.join(STOP_WAIT)
    if not loop.is_running():
        loop.close()
