"""The workers of a run, as the writing process sees them: who has which task, and who has died."""

from __future__ import annotations

import asyncio
import itertools
import pickle
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import cloudpickle

from ludens.agents.secrets import remembered
from ludens.errors import LudensError, UsageError
from ludens.experiments.runs.budget import BudgetSpentError
from ludens.experiments.runs.executors.base import Carry, Common, Listen, Work
from ludens.experiments.runs.executors.worker import packed, portable
from ludens.experiments.runs.stop import StoppedError

LIVES = 3
"""How many workers may die over one task, and at their start, before the run fails."""

PULSE = 0.1
"""Seconds until workers know that the run is to stop."""


class Link(Protocol):
    """The connection to one worker."""

    def send(self, frame: bytes) -> None:
        """Hand over a frame."""
        ...

    async def receive(self) -> bytes | None:
        """Return the next frame; None when the worker is gone."""
        ...

    async def close(self) -> str:
        """End the worker, and return how it ended, for the middle of a sentence."""
        ...


class _LostError(Exception):
    """The worker that had the task is gone."""


class _Member:
    """One worker.

    Attributes:
        ready: whether it has taken the work.
        open: its tasks, each with who listens and where the result goes.
    """

    def __init__(self) -> None:
        self.ready = False
        self.open: dict[int, tuple[Listen, asyncio.Future[Any]]] = {}
        self.link: Link | None = None
        self._unanswered: list[tuple[int, Listen, Any, BaseException | None]] = []
        self._answering: asyncio.Task[None] | None = None

    def told(self, number: int, message: Any) -> None:
        """Hear what one of a worker's tasks tells."""
        if number not in self.open:
            return
        listen, answer, error = self.open[number][0], None, None
        try:
            answer = listen(message)
        except Exception as why:
            error = portable(why)
        self._unanswered.append((number, listen, answer, error))
        if self._answering is None:
            self._answering = asyncio.create_task(self._answer())

    def ended(self, number: int, result: Any, error: BaseException | None) -> None:
        """Take how one of a worker's tasks ended."""
        future = self.open[number][1] if number in self.open else None
        if future is None or future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    async def _answer(self) -> None:
        """Tell the worker what has been heard, in its order, when that is durable."""
        assert self.link is not None
        while waiting := self._unanswered:
            self._unanswered, faults = [], dict[Listen, BaseException]()
            for listen in dict.fromkeys(listen for _, listen, _, _ in waiting):
                try:
                    await listen.settled()
                except Exception as why:
                    faults[listen] = portable(why)
            answers = [(each, answer, error or faults.get(listen)) for each, listen, answer, error in waiting]
            self.link.send(packed("heard", answers))
        self._answering = None


class _Crew:
    def __init__(
        self,
        start: Callable[[], Awaitable[Link]],
        workers: int,
        places: int | None,
        work: bytes,
        common: Common,
    ) -> None:
        self._start, self._workers, self._work, self._common = start, workers, work, common
        self._most = 1 if places is None else -(-places // workers)
        self._numbers = itertools.count()
        self._members: dict[_Member, asyncio.Task[None]] = {}
        self._changed = asyncio.Condition()
        self._failures = 0
        self._failure: Exception | None = None
        self._stop: bytes | None = None

    async def carry(self, task: Callable[[], Any], listen: Listen) -> Any:
        lost = ""
        for _ in range(LIVES):
            member = await self._free()
            self._common.check()  # it may have taken long; and what ends the run may end its workers too
            try:
                return await self._hand_over(member, task(), listen)
            except _LostError as why:
                lost = str(why)
        raise LudensError(
            f"{LIVES} workers died over the same task, the last {lost}: look at the free memory, or let "
            "fewer run at once (workers, concurrency)."
        )

    async def close(self) -> None:
        for task in self._members.values():
            task.cancel()
        await asyncio.gather(*self._members.values(), return_exceptions=True)

    async def heed(self) -> None:
        """Tell the workers when nothing more is to be begun, and when begun tasks are to ask nothing more."""
        while True:
            await asyncio.sleep(PULSE)
            try:
                self._common.check()
            except StoppedError:
                pass
            except Exception as why:
                self._common.fail(why)
            else:
                continue
            # Where a budget is spent, nobody waits for a server any longer either.
            at_once = self._common.stop.requested or isinstance(self._common.failure, BudgetSpentError)
            if (stop := packed("stop", at_once)) != self._stop:
                self._stop = stop
                for member in self._members:
                    if member.link is not None:
                        member.link.send(stop)

    async def _free(self) -> _Member:
        """Return the worker with the fewest tasks, when one has a free place."""
        async with self._changed:
            while True:
                if self._failure is not None:
                    raise self._failure
                while len(self._members) < self._workers:
                    member = _Member()
                    self._members[member] = asyncio.create_task(self._attend(member))
                free = [each for each in self._members if each.ready and len(each.open) < self._most]
                if free:
                    return min(free, key=lambda each: len(each.open))
                await self._changed.wait()

    async def _hand_over(self, member: _Member, task: Any, listen: Listen) -> Any:
        assert member.link is not None
        number, future = next(self._numbers), asyncio.get_running_loop().create_future()
        member.open[number] = listen, future
        try:
            with self._common.stop.asking():
                member.link.send(packed("do", number, task))
                return await future
        except asyncio.CancelledError:
            member.link.send(packed("drop", number))
            raise
        finally:
            member.open.pop(number, None)
            await self._notify()

    async def _attend(self, member: _Member) -> None:
        """Start a worker, and hear it until it is gone."""
        ended = "could not be started"
        try:
            member.link = link = await self._start()
            link.send(packed("work", sys.path, remembered(), self._work))
            while (frame := await link.receive()) is not None:
                match pickle.loads(frame):
                    case ("ready",):
                        member.ready, self._failures = True, 0
                        if self._stop is not None:
                            link.send(self._stop)
                        await self._notify()
                    case "unfit", error:
                        self._failure = error
                        return
                    case "told", number, message:
                        member.told(number, message)
                    case "refused", _:
                        for other in self._members:
                            if other is not member and other.ready and other.link is not None:
                                other.link.send(frame)
                    case "done", number, result:
                        member.ended(number, result, None)
                    case "failed", number, error:
                        member.ended(number, None, error)
        except LudensError as error:
            self._failure = error
        finally:
            if member.link is not None:
                ended = await member.link.close()
            del self._members[member]
            for _, future in member.open.values():
                if not future.done():
                    future.set_exception(_LostError(ended))
            if not member.ready:
                self._failures += 1
                if self._failures >= LIVES and self._failure is None:
                    self._failure = LudensError(
                        f"{LIVES} workers in a row came to nothing, the last {ended}: what they printed says "
                        "why."
                    )
            await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def crew(
    start: Callable[[], Awaitable[Link]], workers: int, work: Work, common: Common, places: int | None
) -> AsyncIterator[Carry]:
    """Return a context in which workers carry out tasks; they start with the first task, and one that dies
    is replaced.

    Args:
        start: starts one.
        workers: how many.
        work: what they do.
        common: says when to stop.
        places: how many tasks are open at once, over all workers; None for one at each.

    Raises:
        UsageError: the work holds what cannot be sent to another process.
    """
    try:
        whole = cloudpickle.dumps(work)
    except Exception as error:  # whatever an object does that was not made to be copied
        raise UsageError(
            f"The run holds a Python object that cannot be sent to another process ({error}): name it as "
            "module:object, or let one process play the run (--executor asyncio)."
        ) from error
    team = _Crew(start, workers, places, whole, common)
    heeding = asyncio.create_task(team.heed())
    try:
        yield team.carry
    finally:
        heeding.cancel()
        with suppress(asyncio.CancelledError):
            await heeding
        await team.close()
