"""Lives of a run, one after the other, in processes of their own that may be killed.

A server forks each of them from a process that has imported LiteLLM, which takes seconds. It reads one life
per line from stdin, and answers with the process id and, when the life is over, with the exit code.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Life:
    """One process, from its beginning to its end."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.over = threading.Event()


class Lives:
    """Begins lives, one at a time, and kills the present one."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._life: Life | None = None
        self._begun = threading.Event()

    def live(self, *arguments: Any, **named: Any) -> int:
        """Live on these arguments and return the exit code, negative for a signal."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([arguments, named], default=str) + "\n")
        self._process.stdin.flush()
        self._life = Life(int(self._process.stdout.readline()))
        self._begun.set()
        code = int(self._process.stdout.readline())
        self._begun.clear()
        self._life.over.set()
        return code

    def kill(self) -> None:
        """Kill the process by SIGKILL, and return when it is dead."""
        self.send(signal.SIGKILL).over.wait()

    def send(self, number: int) -> Life:
        """Send the process a signal, and return it."""
        self._begun.wait()
        life = self._life
        assert life is not None
        os.kill(life.pid, number)
        return life


@contextmanager
def lives_of(server: str) -> Iterator[Lives]:
    """Lives that a server, a module which calls `serve`, forks."""
    environment = {**os.environ, "OPENAI_API_KEY": "none", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-m", server], env=environment, **pipes) as process:
        yield Lives(process)
        process.stdin.close()


def serve(life: Callable[..., int]) -> None:
    """Fork a process for each line of stdin, which calls `life` with the arguments there."""
    import litellm  # noqa: F401  # for the children

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            arguments, named = json.loads(line)
            with open(os.devnull, "w") as nowhere:  # noqa: PTH123  # a device, not a path
                os.dup2(nowhere.fileno(), 1)
            os._exit(life(*arguments, **named))
        print(child, flush=True)  # noqa: T201  # the answer
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201
