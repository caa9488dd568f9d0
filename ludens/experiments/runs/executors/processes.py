"""Tasks in processes of this machine, so that a run uses more than one core."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import AbstractAsyncContextManager, suppress

from ludens.experiments.runs.executors.base import Carry, Common, Executor, Work, check_workers
from ludens.experiments.runs.executors.crew import Link, crew
from ludens.experiments.runs.executors.worker import LENGTH, main

WAIT = 5.0
"""Seconds in which a process ends that has closed its pipe."""


class Processes(Executor):
    """Carries out tasks in so many processes, which share what is open at once.

    Args:
        workers: how many; None for one per core.
    """

    name = "processes"
    separate = True

    def __init__(self, workers: int | None = None) -> None:
        self.workers = os.cpu_count() or 1 if workers is None else check_workers(workers)

    def places(self, concurrency: int) -> int:
        """Return the concurrency, and at least one place for each process."""
        return max(concurrency, self.workers)

    def opened(
        self, work: Work, common: Common, places: int, *, alone: bool = False
    ) -> AbstractAsyncContextManager[Carry]:
        """Return a context in which tasks are carried out in processes; they end with it, and with the
        process that writes the run.
        """
        return crew(_start, min(self.workers, places), work, common, None if alone else places)


class _Pipes:
    """The connection to a process by its standard input and output."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._in, self._out = process, process.stdin, process.stdout
        self._gone = False

    def send(self, frame: bytes) -> None:
        """Write a frame; the pipe of a process that is gone swallows it."""
        self._in.write(LENGTH.pack(len(frame)) + frame)

    async def receive(self) -> bytes | None:
        """Return the next frame, also those that a process left behind."""
        try:
            (length,) = LENGTH.unpack(await self._out.readexactly(LENGTH.size))
            return await self._out.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            self._gone = True
            return None

    async def close(self) -> str:
        """End the process, if it has not ended by itself."""
        if self._gone:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), WAIT)
        with suppress(ProcessLookupError):
            self._process.kill()
        return f"process ended with code {await self._process.wait()}"


async def _start() -> Link:
    # A session of its own keeps Ctrl-C away: the run decides what is waited for.
    return _Pipes(
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", f"from {main.__module__} import main; main()"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    )
