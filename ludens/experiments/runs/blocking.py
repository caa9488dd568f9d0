"""Run a run from ordinary code: a script, a notebook whose event loop runs already, a terminal."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any

from ludens.experiments.runs.store import Store


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C during a run; the message says how to go on with it."""


def run_blocking(store: Store, job: Coroutine[Any, Any, None], *, keyboard: bool = False) -> None:
    """Run the coroutine to its end and close the store, also where an event loop runs already (a notebook).

    With `keyboard` a person plays in this terminal, and Ctrl-C goes to the prompt and not to the event loop.

    Raises:
        RunInterrupted: Ctrl-C.
    """
    try:
        if _loop_runs():
            _run_in_thread(job)
        elif keyboard:
            _run_with_keyboard(job)
        else:
            asyncio.run(job)
    except KeyboardInterrupt as interrupt:
        raise RunInterrupted(f"Interrupted: go on with `ludens resume {store.path}`.") from interrupt
    finally:
        store.close()


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run_in_thread(job: Coroutine[Any, Any, None]) -> None:
    outcome: list[BaseException] = []
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []
    started, ended = threading.Event(), threading.Event()

    async def main() -> None:
        task = asyncio.ensure_future(job)
        running.append((asyncio.get_running_loop(), task))
        started.set()
        await task

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # whatever it is, it belongs to the caller's thread
            outcome.append(error)
        finally:
            started.set()
            ended.set()

    threading.Thread(target=run, name="ludens-run").start()
    try:
        # Not Thread.join: after an interrupt it takes the thread for ended while it still writes.
        ended.wait()
    except KeyboardInterrupt:
        started.wait()
        for loop, task in running:
            loop.call_soon_threadsafe(task.cancel)
        ended.wait()
        raise
    if outcome:
        raise outcome[0]


def _run_with_keyboard(job: Coroutine[Any, Any, None]) -> None:
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        asyncio.run(job)
        return
    # With a handler that is not Python's own, asyncio leaves Ctrl-C alone, and it reaches the prompt.
    earlier = signal.signal(signal.SIGINT, interrupt)
    try:
        asyncio.run(job)
    finally:
        signal.signal(signal.SIGINT, earlier)
