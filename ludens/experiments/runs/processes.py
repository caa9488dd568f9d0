"""Processes that compute for a run: each takes one task at a time, as JSON, and ends when the run does.

A module that computes ends with ``if __name__ == "__main__": serve(work)``. Its processes read a task from
each line of standard input and write its result as a line; an error that a user can understand comes back as
one, anything else ends the process.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ludens.errors import LudensError

_Process = subprocess.Popen[str]


class Processes:
    """The processes of one run, started when there is something to do, and ended with this object.

    Args:
        module: the module that serves.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._idle: list[_Process] = []
        weakref.finalize(self, _end, self._idle)

    async def do(self, task: Any) -> Any:
        """Return the result of a task, made of JSON values; as many processes run as tasks are awaited.

        Raises:
            LudensError: the task is refused, or its process ended.
        """
        process = self._idle.pop() if self._idle else self._start()
        try:
            line = await asyncio.to_thread(_ask, process, json.dumps(task))
        except BaseException:  # nobody waits for the result any longer
            process.kill()
            raise
        if not line:
            code = process.wait()
            _end([process])
            raise LudensError(
                f"A process of {self._module} ended with code {code} before its result: look at the free "
                "memory, or let fewer run at once (concurrency)."
            )
        self._idle.append(process)
        answer = json.loads(line)
        if "refused" in answer:
            raise LudensError(answer["refused"])
        return answer["result"]

    def _start(self) -> _Process:
        # A session of its own keeps Ctrl-C away: the run decides what is waited for.
        return subprocess.Popen(
            [sys.executable, "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )


def _ask(process: _Process, task: str) -> str:
    """Give a process a task, and return the line with its result; empty if it ended before."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(OSError):
        process.stdin.write(task + "\n")
        process.stdin.flush()
        return process.stdout.readline()
    return ""


def _end(processes: list[_Process]) -> None:
    for process in processes:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
    processes.clear()


def serve(work: Callable[[Any], Any]) -> None:
    """Compute the result of every task on standard input, until it is closed.

    A task under way when standard input is closed is given up: whoever asked for it is gone.
    """
    tasks: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            tasks.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    out, sys.stdout = sys.stdout, sys.stderr  # what is printed meanwhile is no result
    while True:
        try:
            answer: dict[str, Any] = {"result": work(json.loads(tasks.get()))}
        except LudensError as why:
            answer = {"refused": str(why)}
        out.write(json.dumps(answer) + "\n")
        out.flush()
