"""A worker: another process that carries out tasks and tells the writing process of them.

Frames are pickles. From the writing process come ``("work", paths, secrets, work)`` once, then
``("do", task number, task)``, ``("heard", [(task number, answer, error), …])``, ``("drop", task number)`` and
``("stop", whether begun tasks are to ask nothing more)``. Back go ``("ready",)`` or ``("unfit", error)``,
then ``("told", task number, message)``, ``("done", task number, result)`` and ``("failed", task number,
error)``. ``("refused", refusal)`` goes from one worker through the writing process to all others.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import pickle
import struct
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

import cloudpickle

from ludens.agents.llm.circuit import heed_refusal, share_refusals
from ludens.agents.llm.loop import play
from ludens.agents.secrets import mask_error, remember_all
from ludens.errors import LudensError
from ludens.experiments.runs.executors.base import Common, Work
from ludens.experiments.runs.stop import StoppedError

LENGTH = struct.Struct("!Q")
"""Before each frame in a pipe: how many bytes it has."""

Send = Callable[[bytes], None]
"""Hands a frame over to the writing process; from any thread."""


def packed(*message: Any) -> bytes:
    """Return a message as a frame."""
    try:
        return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, AttributeError, TypeError):  # what stands in no module goes by value
        whole: bytes = cloudpickle.dumps(message)
        return whole


def portable(error: BaseException) -> BaseException:
    """Return an error as it can be raised in another process, with its place if it is nobody's message."""
    mask_error(error)
    expected = isinstance(error, LudensError | StoppedError)
    if not expected:
        lines = "".join(traceback.format_exception(error))
        error.add_note(f"It was raised in a worker:\n{lines}")
    try:
        pickle.loads(packed(error))
    except Exception:  # whatever a class of errors does when it is made again
        plain: Exception = LudensError(str(error)) if expected else RuntimeError(repr(error))
        for note in getattr(error, "__notes__", ()):
            plain.add_note(note)
        return plain
    return error


class Worker:
    """Carries out the tasks that it is given, in the event loop of its process."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._common = Common()
        self._work: Work | None = None
        self._open: dict[int, tuple[asyncio.Task[None], _Line]] = {}

    def receive(self, frame: bytes) -> None:
        """Take a frame of the writing process; called in the event loop."""
        match pickle.loads(frame):
            case "work", paths, secrets, work:
                self._begin(paths, secrets, work)
            case "do", number, task:
                self._do(number, task)
            case "heard", answers:
                for number, answer, error in answers:
                    if number in self._open:
                        self._open[number][1].heard(answer, error)
            case "drop", number if number in self._open:
                self._open[number][0].cancel()
            case "refused", refusal:
                heed_refusal(refusal)
            case "stop", at_once:
                self._common.stop.requested = at_once
                self._common.fail(StoppedError())

    def _begin(self, paths: list[str], secrets: set[str], work: bytes) -> None:
        sys.path += [path for path in paths if path not in sys.path]
        remember_all(secrets)
        share_refusals(lambda refusal: self._send(packed("refused", refusal)))
        try:
            self._work = pickle.loads(work)
        except Exception as error:
            self._send(packed("unfit", portable(error)))
        else:
            self._send(packed("ready"))

    def _do(self, number: int, task: Any) -> None:
        line = _Line(number, self._send, self._common)
        self._open[number] = asyncio.get_running_loop().create_task(self._carry(number, task, line)), line

    async def _carry(self, number: int, task: Any, line: _Line) -> None:
        assert self._work is not None
        try:
            frame = packed("done", number, await self._work(task, line))
        except asyncio.CancelledError:
            return
        except Exception as error:
            frame = packed("failed", number, portable(error))
        finally:
            del self._open[number]
        self._send(frame)


class _Line:
    """The line of one task of a worker."""

    def __init__(self, number: int, send: Send, common: Common) -> None:
        self._number, self._send = number, send
        self._unheard: deque[concurrent.futures.Future[Any]] = deque()
        self._lock = threading.Lock()
        self._error: Exception | None = None
        self.common = common

    def tell(self, message: Any) -> None:
        """Hand over a message."""
        self._tell(message)

    async def settled(self) -> None:
        """Wait until all messages have been heard."""
        with self._lock:
            last = list(self._unheard)[-1:]  # they are heard in their order
        for each in last:
            await asyncio.wrap_future(each)
        if self._error is not None:
            raise self._error
        await asyncio.sleep(0)

    async def ask(self, message: Any) -> Any:
        """Return the answer to a message."""
        return await asyncio.wrap_future(self._tell(message))

    def heard(self, answer: Any, error: Exception | None) -> None:
        """Take the answer to the earliest message that has none."""
        with self._lock:
            first = self._unheard.popleft()
        self._error = self._error or error
        if not first.set_running_or_notify_cancel():
            return
        if error is not None:
            first.set_exception(error)
        else:
            first.set_result(answer)

    def _tell(self, message: Any) -> concurrent.futures.Future[Any]:
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        frame = packed("told", self._number, message)
        with self._lock:
            self._unheard.append(future)
            self._send(frame)
        return future


def main() -> None:
    """Work on the frames from standard input until it is closed: then nobody waits for results any longer."""
    frames = os.fdopen(os.dup(0), "rb")
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    # What is printed meanwhile is no frame, and nobody answers what is asked.
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123  # a device, not a path
        os.dup2(nothing.fileno(), 0)
    with suppress(KeyboardInterrupt):
        play(_serve(frames, out))


async def _serve(frames: BinaryIO, out: BinaryIO) -> None:
    lock, loop = threading.Lock(), asyncio.get_running_loop()

    def send(frame: bytes) -> None:
        rest = memoryview(LENGTH.pack(len(frame)) + frame)
        with lock:
            while rest:
                rest = rest[out.write(rest) :]

    worker = Worker(send)

    def read() -> None:
        while header := frames.read(LENGTH.size):
            (length,) = LENGTH.unpack(header)
            if len(frame := frames.read(length)) == length:
                loop.call_soon_threadsafe(worker.receive, frame)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    await asyncio.Event().wait()
