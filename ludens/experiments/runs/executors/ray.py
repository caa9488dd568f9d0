"""Tasks on the machines of a Ray cluster (the extra ``ray``).

Each worker is an actor. The writing process gives it frames and takes its own by two methods, so that nothing
but Ray's connections is needed between the machines. An actor whose machine is gone is lost, as a process
that died; one that the writing process no longer asks for its frames ends by itself.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from ludens.agents.llm.loop import here
from ludens.errors import LudensError
from ludens.experiments.runs.executors.base import Carry, Common, Executor, Work, check_workers
from ludens.experiments.runs.executors.crew import Link, crew
from ludens.experiments.runs.executors.worker import Worker
from ludens.experiments.runs.manifest import versions

if TYPE_CHECKING:
    from types import ModuleType

logger = logging.getLogger("ludens")

SILENCE = 120.0
"""Seconds after which an actor ends that is no longer asked for its frames: what it would go on to pay for,
nobody would keep."""

PATIENCE = 20.0
"""Seconds in which a cluster answers."""

TURN = 10.0
"""Seconds for which an actor waits until it has a frame to give."""


class RayCluster(Executor):
    """Carries out tasks in actors of a Ray cluster, one core each.

    Args:
        workers: how many; None for one per core of the cluster.
        address: the cluster's, as of `ray.init`; ``"auto"`` for the one that this machine belongs to.
    """

    name = "ray"
    separate = True

    def __init__(self, workers: int | None = None, address: str = "auto") -> None:
        self.workers = None if workers is None else check_workers(workers)
        self.address = address
        _ray()

    def places(self, concurrency: int) -> int:
        """Return the concurrency, and at least one place for each actor whose number is given."""
        return max(concurrency, self.workers or 1)

    @asynccontextmanager
    async def opened(
        self, work: Work, common: Common, places: int, *, alone: bool = False
    ) -> AsyncIterator[Carry]:
        """Return a context in which tasks are carried out in actors, which end with it.

        Raises:
            LudensError: no cluster answers at the address.
        """
        ray = _ray()
        joined = not ray.is_initialized()
        if joined:
            await asyncio.to_thread(_join, ray, self.address)
        try:
            workers = self.workers or int(ray.cluster_resources().get("CPU", 1))
            actor = ray.remote(num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD")(_Actor)

            async def start() -> Link:
                return _Frames(ray, actor.remote())

            shared = None if alone else places
            async with crew(start, min(workers, places), work, common, shared) as carry:
                yield carry
        finally:
            if joined:
                await asyncio.to_thread(ray.shutdown)


class _Actor:
    """A worker on some machine of the cluster."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._some: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._worker = Worker(self._send)
        self._asked = 0.0

    async def versions(self) -> dict[str, str]:
        """Return what is installed there."""
        self._loop, self._some = asyncio.get_running_loop(), asyncio.Event()
        self._asked = self._loop.time()
        self._watch()
        return versions()

    async def give(self, frames: list[bytes]) -> None:
        """Take frames of the writing process."""
        async with here():
            for frame in frames:
                self._worker.receive(frame)

    async def take(self) -> list[bytes]:
        """Return the frames for the writing process, as soon as there are some."""
        assert self._loop is not None
        assert self._some is not None
        self._asked = self._loop.time()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._some.wait(), TURN)
        self._some.clear()
        frames, self._frames = self._frames, []
        return frames

    def _send(self, frame: bytes) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._add, frame)

    def _add(self, frame: bytes) -> None:
        assert self._some is not None
        self._frames.append(frame)
        self._some.set()

    def _watch(self) -> None:
        assert self._loop is not None
        if (left := self._asked + SILENCE - self._loop.time()) <= 0:
            os._exit(1)
        self._loop.call_later(left, self._watch)


class _Frames:
    """The connection to an actor."""

    def __init__(self, ray: ModuleType, actor: Any) -> None:
        self._ray, self._actor = ray, actor
        self._given: list[bytes] = []
        self._taken: list[bytes] = []
        self._some = asyncio.Event()
        self._ended = "was lost with its machine"
        self._begun = False
        self._giving = asyncio.create_task(self._give())

    def send(self, frame: bytes) -> None:
        """Hand over a frame."""
        self._given.append(frame)
        self._some.set()

    async def receive(self) -> bytes | None:
        """Return the next frame; None when the actor is lost."""
        try:
            if not self._begun:
                self._begun = await self._met()
            while not self._taken:
                self._taken = await self._actor.take.remote()
        except self._ray.exceptions.RayError as error:
            logger.debug("A worker is lost: %s", error)
            return None
        return self._taken.pop(0)

    async def close(self) -> str:
        """End the actor."""
        self._giving.cancel()
        with suppress(asyncio.CancelledError):
            await self._giving
        self._ray.kill(self._actor)
        return self._ended

    async def _met(self) -> bool:
        """See that the actor's machine has this machine's ludens, before it gets any frame.

        Raises:
            LudensError: it has another one.
        """
        here, there = versions(), await self._actor.versions.remote()
        self._some.set()
        for name in ("ludens", "python"):
            one, other = here.get(name), there.get(name)
            if one is not None and _release(name, one) != _release(name, other or "none"):
                raise LudensError(
                    f"A machine of the cluster has {name} {other or 'not installed'} and this one {one}: "
                    "install the same on all."
                )
        self._begun = True
        return True

    async def _give(self) -> None:
        with suppress(self._ray.exceptions.RayError):  # `receive` says so
            while True:
                await self._some.wait()
                self._some.clear()
                if self._begun and self._given:
                    frames, self._given = self._given, []
                    await self._actor.give.remote(frames)


def _release(name: str, version: str) -> str:
    """Return what must be equal: pickles of one Python may hold what a much older one does not read."""
    return version.rpartition(".")[0] if name == "python" else version


def _ray() -> ModuleType:
    try:
        import ray
    except ImportError:
        raise LudensError(
            "The executor ray needs Ray, which is not installed: pip install 'ludens[ray]'."
        ) from None
    module: ModuleType = ray
    return module


def _join(ray: ModuleType, address: str) -> None:
    try:
        host, colon, port = address.rpartition(":")
        if colon and "://" not in address:  # Ray would try for minutes
            socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise LudensError(
            f"No Ray cluster answers at {address!r} ({str(error).splitlines()[0]}): begin one by `ray start "
            "--head`, or name its address (--address)."
        ) from error
