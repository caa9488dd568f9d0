"""The order in which requests reach an engine that caches the prompts it has just read.

On a CPU, reading the prompt is most of the work of a short reply: 200 tokens of prompt cost as much as 50 of
reply. If two prompts with the same beginning follow one another, that beginning is read only once; in two
slots, each reads it in full, and running them together gains nothing, since reading already keeps every core
busy. So short replies run one at a time, each after the prompt with the longest common beginning. Long
replies run concurrently in the remaining slots, which is faster because their tokens are generated together.
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

# A waiting request is passed over at most this often by requests that share more with the last prompt.
PATIENCE = 64


@dataclass(order=True)
class _Job(Generic[T]):
    prompt: str
    number: int
    work: Callable[[int], T] = field(compare=False)
    future: Future[T] = field(compare=False)


class Scheduler(Generic[T]):
    """A pool of threads: one runs short requests, the others run long ones.

    Args:
        name: of the threads.
        long: how many long requests may run concurrently; 0 runs all requests in a single thread.
    """

    def __init__(self, name: str, long: int) -> None:
        self._ready = threading.Condition()
        self._short: list[_Job[T]] = []  # sorted by prompt, so that the nearest ones are neighbours
        self._long: deque[_Job[T]] = deque()
        self._numbers = itertools.count()
        self._last = ""
        self._passed_over = 0
        self._alone = long == 0
        self._closed = False
        self._threads = [
            # Daemons, because Python waits for other threads before atexit, where `close` stops these.
            threading.Thread(target=self._run, args=(i, take), name=f"{name}-{i}", daemon=True)
            for i, take in enumerate([self._take_short, *[self._take_long] * long])
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, prompt: str, work: Callable[[int], T], *, short: bool) -> Future[T]:
        """Queue a request and return its future.

        Args:
            prompt: the text whose beginning determines the order among short requests.
            work: called with the number of its thread: 0 for short requests, above 0 for long ones.
            short: whether the request is a short one.
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
        """Cancel waiting requests, let running ones finish, and end the threads."""
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
    """Return the index of the prompt that shares the longest beginning with `last`; `prompts` is sorted.

    Of several such prompts it is the first in sorting order, so that similar prompts follow one another.
    """
    place = bisect.bisect_left(prompts, last)
    best, shared = 0, 0
    for i in (place - 1, place):
        if 0 <= i < len(prompts):
            length = len(os.path.commonprefix([prompts[i], last]))  # noqa: RUF071 - texts, not paths
            if length > shared:
                best, shared = i, length
    return best
