"""One event loop from which all models are asked.

LiteLLM's clients and its bookkeeping are bound to the event loop in which they were first used. With one loop
for all requests they keep their connections, they do not block the caller's loop, and code that is not
asynchronous can use them too, whether or not a loop runs in its thread (as one does in a notebook).

The loop runs in a thread of its own, except while a run is played: a run takes the loop over (`play`), so
that its requests need no hop from one thread to another. A run that is played in a loop of its caller's asks
from there (`here`).
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import os
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

STOP_WAIT = 2.0

_asking_loop: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar("ludens_asking_loop", default=None)
_tended: dict[asyncio.AbstractEventLoop, AsyncGenerator[None, None]] = {}


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine, wait for it and return its result. It sees the context variables of the caller."""
    # A policy that is not asynchronous may be asked within a run: then its thread is the loop's own.
    home = _spare if _models.is_running_here() else _models
    future = asyncio.run_coroutine_threadsafe(coroutine, home.running())
    try:
        return future.result()
    except BaseException:
        # Ctrl-C reaches the waiting thread alone; the requests it waits for must end as well.
        future.cancel()
        raise


@asynccontextmanager
async def here() -> AsyncIterator[None]:
    """Let requests be made in the event loop that runs: those in this context, and in tasks begun in it."""
    loop = asyncio.get_running_loop()
    if loop not in _tended:
        _tended[loop] = _tending()
        await anext(_tended[loop])
    token = _asking_loop.set(loop)
    try:
        yield
    finally:
        _asking_loop.reset(token)


async def _tending() -> AsyncGenerator[None, None]:
    """Close LiteLLM's clients of the event loop that runs when it ends: `asyncio.run` ends its generators
    before it closes the loop, and connections left open in a closed one are lost.
    """
    try:
        yield
    finally:
        loop = asyncio.get_running_loop()
        del _tended[loop]
        if (litellm := sys.modules.get("litellm")) is not None:
            cache = litellm.in_memory_llm_clients_cache
            for key in [key for key in cache.cache_dict if key.endswith(f"-{id(loop)}")]:
                client = cache.cache_dict[key]
                cache.delete_cache(key)  # another loop may get the number of this one
                if inspect.iscoroutinefunction(close := getattr(client, "close", None)):
                    with suppress(Exception):
                        await close()


async def shared(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine in the shared loop, while the caller's own loop is free; or `here`."""
    if _models.is_running_here() or _spare.is_running_here():
        return await coroutine
    if _asking_loop.get() is asyncio.get_running_loop():
        return await coroutine
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, _models.running()))


def play(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in this thread, which has no event loop running, and return its result. It is the
    shared loop that runs here meanwhile, unless another thread plays in it already.
    """
    loop = _models.take_over()
    if loop is None:
        return asyncio.run(coroutine)
    try:
        task = loop.create_task(coroutine)
        try:
            return loop.run_until_complete(task)
        finally:
            if not task.done():  # Ctrl-C
                task.cancel()
            while not task.done():
                # What ends a process comes out of the loop once more from each task that it passes.
                with suppress(KeyboardInterrupt, SystemExit):
                    loop.run_until_complete(asyncio.wait({task}))
    finally:
        _models.give_back()


class _Home:
    """An event loop and the thread that runs it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._owner = 0
        self._taken = False

    def is_running_here(self) -> bool:
        """Return whether this thread runs the loop right now."""
        return self._loop is not None and asyncio._get_running_loop() is self._loop

    def running(self) -> asyncio.AbstractEventLoop:
        """Return the loop, which runs in some thread."""
        with self._lock:
            loop = self._made()
            if not self._taken and self._thread is None:
                self._start(loop)
            return loop

    def take_over(self) -> asyncio.AbstractEventLoop | None:
        """Return the loop for this thread to run until it gives it back; None if another one has it."""
        with self._lock:
            loop = self._made()
            if self._taken:
                return None
            self._taken = True
            if self._thread is not None:
                loop.call_soon_threadsafe(loop.stop)
                self._thread.join()
                self._thread = None
            return loop

    def give_back(self) -> None:
        """Let the loop go on in a thread of its own: others may wait for answers."""
        with self._lock:
            self._taken = False
            self._start(self._made())

    def _made(self) -> asyncio.AbstractEventLoop:
        # A forked child inherits the loop but not the thread.
        if self._loop is None or self._owner != os.getpid():
            self._loop, self._owner = asyncio.new_event_loop(), os.getpid()
            self._thread, self._taken = None, False
            atexit.register(self._stop, self._loop, self._owner)
        return self._loop

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._thread = threading.Thread(target=loop.run_forever, name="ludens-models", daemon=True)
        self._thread.start()

    def _stop(self, loop: asyncio.AbstractEventLoop, owner: int) -> None:
        """End the loop with the process: LiteLLM leaves tasks in it that Python would complain of at exit."""
        if owner != os.getpid() or (thread := self._thread) is None:
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


_models, _spare = _Home(), _Home()
