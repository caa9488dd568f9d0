"""In which order requests reach an engine that remembers the prompts it has just read.

On a CPU reading the prompt is most of the work of a short reply: 200 tokens of prompt cost as much as 50 of
reply. Two prompts that begin alike need that beginning read only once, if they follow one another; side by
side in two slots both read it in full, and running together gains nothing, since reading already keeps every
core busy. So short replies run one at a time, each after the prompt that shares most with it. Long replies do
gain from company (their tokens are generated together) and run in as many slots as there are besides.
"""

from __future__ import annotations

import bisect
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

# A request that waits is passed over at most this often by ones that share more with the last prompt.
PATIENCE = 64


@dataclass(order=True)
class _Job(Generic[T]):
    prompt: str
    number: int
    work: Callable[[int], T] = field(compare=False)
    future: Future[T] = field(compare=False)


class Scheduler(Generic[T]):
    """Runs submitted work in threads of its own: one for short requests, the others for long ones.

    Args:
        name: of the threads.
        long: how many long requests may run together; 0 runs everything in the one thread.
    """

    def __init__(self, name: str, long: int) -> None:
        self._ready = threading.Condition()
        self._short: list[_Job[T]] = []  # sorted by prompt, so that the nearest to a prompt is a neighbour
        self._long: deque[_Job[T]] = deque()
        self._numbers = itertools.count()
        self._last = ""
        self._passed_over = 0
        self._alone = long == 0
        self._closed = False
        self._threads = [
            # Daemons, because Python awaits other threads before it calls atexit, where `close` stops these.
            threading.Thread(target=self._run, args=(i, take), name=f"{name}-{i}", daemon=True)
            for i, take in enumerate([self._take_short, *[self._take_long] * long])
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, prompt: str, work: Callable[[int], T], *, short: bool) -> Future[T]:
        """Queue `work`, which is called with the number of its thread: 0 for short requests, above for long.

        `prompt` is the text whose beginning decides the order among short requests.
        """
        job = _Job(prompt, next(self._numbers), work, Future[T]())
        with self._ready:
            if self._closed:
                raise RuntimeError("the engine is closed")
            if short or self._alone:
                bisect.insort(self._short, job)
            else:
                self._long.append(job)
            self._ready.notify_all()
        return job.future

    def close(self) -> None:
        """Cancel what waits, let what runs finish, end the threads."""
        with self._ready:
            self._closed = True
            waiting = [*self._short, *self._long]
            self._short.clear()
            self._long.clear()
            self._ready.notify_all()
        for job in waiting:
            job.future.cancel()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    def _run(self, thread: int, take: Callable[[], _Job[T] | None]) -> None:
        while True:
            with self._ready:
                while (job := take()) is None:
                    if self._closed:
                        return
                    self._ready.wait()
            if not job.future.set_running_or_notify_cancel():
                continue
            try:
                job.future.set_result(job.work(thread))
            except BaseException as error:
                job.future.set_exception(error)
            del job  # or the reply would be kept alive until the next request

    def _take_long(self) -> _Job[T] | None:
        return self._long.popleft() if self._long else None

    def _take_short(self) -> _Job[T] | None:
        if not self._short:
            return None
        chosen = nearest([job.prompt for job in self._short], self._last)
        oldest = min(range(len(self._short)), key=lambda i: self._short[i].number)
        if chosen != oldest:
            self._passed_over += 1
            if self._passed_over > PATIENCE:
                chosen = oldest
        if chosen == oldest:
            self._passed_over = 0
        job = self._short.pop(chosen)
        self._last = job.prompt
        return job


def nearest(prompts: list[str], last: str) -> int:
    """The index of the prompt that shares the longest beginning with `last`; `prompts` is sorted.

    Among equals it is the first in sorting order, so that prompts of a kind come one after another.
    """
    place = bisect.bisect_left(prompts, last)
    best, shared = 0, 0
    for i in (place - 1, place):
        if 0 <= i < len(prompts):
            length = len(os.path.commonprefix([prompts[i], last]))  # noqa: RUF071 - texts, not paths
            if length > shared:
                best, shared = i, length
    return best
