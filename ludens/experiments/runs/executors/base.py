"""The protocol of executors.

A piece of *work* is an asynchronous function of a task and a *line* to the process that writes the run. An
executor carries out tasks in some place; what the work tells on its line is heard in the writing process, in
order, and durable there when `Line.settled` returns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Protocol

from ludens.checks import whole_number
from ludens.errors import UsageError
from ludens.experiments.runs.stop import Stop, StoppedError

MOST = 1024
"""The most tasks that are handed to an executor at once where each keeps a core busy."""


class Common:
    """What all tasks in one process share.

    Attributes:
        stop: the wish to stop.
        failure: what ends the run.
        servers: what policies have learnt of models' servers, by the server's name.
    """

    def __init__(self, stop: Stop | None = None) -> None:
        self.stop = stop or Stop()
        self.failure: Exception | None = None
        self.servers: dict[str, Any] = {}

    def fail(self, error: Exception) -> None:
        """Stop the run; the first failure counts."""
        if self.failure is None:
            self.failure = error

    def check(self) -> None:
        """Raise StoppedError if nothing more is to be begun: another task has failed, or the run is to
        stop.
        """
        self.stop.check()
        if self.failure is not None:
            raise StoppedError

    def check_answering(self) -> None:
        """Raise StoppedError if a task is to ask nothing more, though it has begun: a decision may take
        several calls, and is made in spite of a failure elsewhere.
        """
        self.stop.check()


class Line(Protocol):
    """The way from a task to the process that writes the run."""

    @property
    def common(self) -> Common:
        """What the tasks of this process share."""
        ...

    def tell(self, message: Any) -> None:
        """Hand over a message, from any thread, without waiting until it is heard."""
        ...

    async def settled(self) -> None:
        """Wait until all messages have been heard.

        Raises:
            Exception: what the writing process raised over one of them.
        """
        ...

    async def ask(self, message: Any) -> Any:
        """Hand over a message, and return what the writing process answers."""
        ...


class Listen(Protocol):
    """Hears a task's messages in the writing process."""

    def __call__(self, message: Any) -> Any:
        """Take a message, from any thread; what is returned answers `Line.ask`."""
        ...

    async def settled(self) -> None:
        """Wait until what was taken is durable, and let other tasks and Ctrl-C have their turn: a policy may
        never wait by itself.

        Raises:
            Exception: it cannot be kept.
        """
        ...


Work = Callable[[Any, Line], Awaitable[Any]]
"""Carries out one task. For other processes it can be pickled."""

Carry = Callable[[Callable[[], Any], Listen], Awaitable[Any]]
"""Carries out the task that a function returns, somewhere, and returns the result. The function is called
again if the process that had the task has died."""


class Executor(ABC):
    """A place where tasks are carried out.

    Attributes:
        name: on the command line.
        separate: whether tasks are carried out in other processes.
    """

    name: ClassVar[str]
    separate: ClassVar[bool] = False

    def places(self, concurrency: int) -> int:
        """Return how many tasks are open at once, of a run with this concurrency."""
        return concurrency

    @abstractmethod
    def opened(
        self, work: Work, common: Common, places: int, *, alone: bool = False
    ) -> AbstractAsyncContextManager[Carry]:
        """Return a context in which tasks of this work can be carried out.

        Args:
            work: what is done with a task.
            common: what the tasks of this process share; it says when to stop.
            places: the most tasks that are given at once.
            alone: whether another process has one task at a time, which keeps a core busy; further ones wait.

        Raises:
            UsageError: the work cannot be done there.
        """


class Direct:
    """The line of a task in the writing process itself."""

    def __init__(self, listen: Listen, common: Common) -> None:
        self._listen = listen
        self.common = common

    def tell(self, message: Any) -> None:
        """Hand over a message."""
        self._listen(message)

    async def settled(self) -> None:
        """Wait until all messages have been heard, and are durable."""
        await self._listen.settled()

    async def ask(self, message: Any) -> Any:
        """Return the answer to a message."""
        return self._listen(message)


def check_workers(workers: int) -> int:
    """Return the number of workers.

    Raises:
        UsageError: it is not a whole number of at least 1.
    """
    number = whole_number(workers)
    if number is None or number < 1:
        raise UsageError(f"The number of workers is a whole number of at least 1; got {workers!r}.")
    return number
