"""Tasks of one process that wait for their answers concurrently."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from ludens.experiments.runs.executors.base import Carry, Common, Direct, Executor, Listen, Work


class Asyncio(Executor):
    """Carries out tasks concurrently in this process, in one event loop."""

    name = "asyncio"

    @asynccontextmanager
    async def opened(
        self, work: Work, common: Common, places: int, *, alone: bool = False
    ) -> AsyncIterator[Carry]:
        """Return a context in which tasks are carried out here."""

        async def carry(task: Callable[[], Any], listen: Listen) -> Any:
            return await work(task(), Direct(listen, common))

        yield carry
