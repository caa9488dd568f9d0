"""Run a run from ordinary code: a script, a notebook whose event loop runs already, a terminal.

Ctrl-C starts nothing new and waits for the answers under way, which are paid for; a second one leaves at
once. What else ends a process (SIGTERM, a terminal that closes) does the same, and waits some seconds only.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from ludens.agents.llm.loop import play as run_here
from ludens.experiments.runs.database import StoreError
from ludens.experiments.runs.stop import Stop, StoppedError
from ludens.experiments.runs.store import Store

GRACE = 5.0
"""Seconds that SIGTERM leaves to the answers under way; most supervisors kill after ten or more."""

PULSE = 0.5
"""Seconds after which a wait begins anew: Python may miss a signal that comes just as a wait begins."""

ENDINGS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))

Job = Callable[[Stop], Coroutine[Any, Any, None]]
"""Plays a run, and heeds the wish to stop."""


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C during a run; the message says how to go on with it."""


class RunTerminated(SystemExit):
    """SIGTERM or SIGHUP during a run: the process is to end with 128 plus the signal's number.

    How to go on was printed on stderr; the run is in order.
    """


def run_blocking(store: Store, job: Job) -> None:
    """Run a job to its end and close the store, also where an event loop runs already (a notebook).

    Raises:
        RunInterrupted: Ctrl-C. Answers under way were waited for, unless it came twice.
        RunTerminated: SIGTERM or SIGHUP. Answers under way were waited for, at most for `GRACE` seconds.
    """
    stop = Stop()
    signals = _Signals(stop)
    play = _play_in_thread if _loop_runs() else _play_here
    try:
        with signals.handled():
            play(job, stop)
    except (KeyboardInterrupt, SystemExit, asyncio.CancelledError, StoppedError) as why:
        if not stop.requested and not isinstance(why, KeyboardInterrupt):
            raise
        raise signals.farewell(store) from why
    finally:
        store.close()


class _Signals:
    """The signals that end a process, turned into the wish to stop while a run is played."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._number: int = signal.SIGINT
        self._counts = dict.fromkeys((signal.SIGINT, *ENDINGS), 0)

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle them while the block runs, in the main thread and where nobody else does."""
        earlier: dict[signal.Signals, Any] = {}
        if threading.current_thread() is threading.main_thread():
            if _is_default(signal.getsignal(signal.SIGINT)):
                earlier[signal.SIGINT] = signal.signal(signal.SIGINT, self._interrupt)
            for each in ENDINGS:
                if signal.getsignal(each) is signal.SIG_DFL:
                    earlier[each] = signal.signal(each, self._end)
        try:
            yield
        finally:
            for each, handler in earlier.items():
                signal.signal(each, handler)

    def farewell(self, store: Store) -> BaseException:
        """Leave the run in order, and return what to raise."""
        with suppress(StoreError):
            if store.manifest["status"] == "running":
                store.set_status("interrupted")
        way = f"go on with `ludens resume {store.path}`"
        with suppress(StoreError):
            if store.manifest["status"] == "done":
                way = f"the run is complete, `ludens report {store.path}` measures it"
        if self._number == signal.SIGINT:
            return RunInterrupted(f"Interrupted: {way}.")
        _say(f"Terminated: {way}.")
        return RunTerminated(128 + self._number)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._number = number
        self._counts[signal.SIGINT] += 1
        if self._counts[signal.SIGINT] > 2:  # a policy that never lets go
            raise KeyboardInterrupt
        if self._stop.requested:
            self._stop.drop()
            return
        self._stop.requested = True
        self._stop.soon(lambda: self._announce("press Ctrl-C again to leave at once"))

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._number = number
        self._counts[signal.Signals(number)] += 1
        self._stop.requested = True
        # A prompt takes Ctrl-C for itself, and waits for a line on through any other signal.
        prompting = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if prompting or self._counts[signal.Signals(number)] > 1:
            self._stop.drop()
            raise RunTerminated(128 + number)
        self._stop.soon(lambda: self._announce(f"for at most {GRACE:g} seconds"))
        self._stop.soon(lambda: asyncio.get_running_loop().call_later(GRACE, self._stop.drop))

    def _announce(self, how: str) -> None:
        if count := self._stop.under_way:
            _say(f"Waiting for the {count} call{'s' if count > 1 else ''} under way: {how}.")


def _say(sentence: str) -> None:
    with suppress(OSError, ValueError):  # a terminal that is gone
        print(sentence, file=sys.stderr, flush=True)  # noqa: T201


def _is_default(handler: Any) -> bool:
    """Return whether Ctrl-C is handled by Python itself, or by asyncio, which would only cancel a task that
    waits for this very call.
    """
    owner = getattr(getattr(handler, "func", None), "__self__", None)
    return handler is signal.default_int_handler or isinstance(owner, asyncio.Runner)


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _play_here(job: Job, stop: Stop) -> None:
    async def play() -> None:
        task = asyncio.ensure_future(job(stop))
        stop.begun(asyncio.get_running_loop(), task)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=PULSE)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            raise
        await task

    run_here(play())


def _play_in_thread(job: Job, stop: Stop) -> None:
    outcome: list[BaseException] = []
    ended = threading.Event()

    def run() -> None:
        try:
            _play_here(job, stop)
        except BaseException as error:  # whatever it is, it belongs to the caller's thread
            outcome.append(error)
        finally:
            ended.set()

    threading.Thread(target=run, name="ludens-run").start()
    try:
        # Not Thread.join: after an interrupt it takes the thread for ended while it still writes.
        while not ended.wait(PULSE):
            continue
    except BaseException:
        stop.drop()
        ended.wait()
        raise
    if outcome:
        raise outcome[0]
