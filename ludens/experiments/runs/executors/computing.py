"""A function of many tasks, carried out by an executor: simulation studies, bootstraps, labelling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from ludens.agents.llm.loop import run
from ludens.experiments.runs.executors.base import MOST, Common, Executor, Line
from ludens.experiments.runs.executors.choice import ExecutorName, make_executor

T = TypeVar("T")


def compute(
    function: Callable[[Any], T],
    tasks: Iterable[Any],
    *,
    executor: ExecutorName | None = "processes",
    workers: int | None = None,
    address: str | None = None,
) -> list[T]:
    """Return the results of a function of one argument, in the order of the tasks; also in a notebook.

    Nothing is drawn here: a function that draws takes its seed with its task, as a child of
    ``numpy.random.SeedSequence(seed).spawn(n)``, so that the results are the same on every executor.

    Args:
        function: any function, of a script or a notebook too; other processes need what it imports.
        tasks: its arguments.
        executor: as of a study.
        workers: how many processes; None for one per core.
        address: of a Ray cluster; None for that of this machine.

    Raises:
        UsageError: the function cannot be sent to other processes, or the executor is wrong.
        LudensError: workers died over one and the same task.
        Exception: what the function raised first.
    """
    return run(gathered(make_executor(executor, workers, address), function, list(tasks)))


async def gathered(executor: Executor, function: Callable[[Any], T], tasks: Sequence[Any]) -> list[T]:
    """Return the results of a function of one argument, in the order of the tasks.

    Raises:
        Exception: what the function raised first.
    """
    queue, results = iter(enumerate(tasks)), {}
    if not tasks:
        return []
    places = min(MOST if executor.separate else executor.places(1), len(tasks))
    async with executor.opened(_Computation(function), Common(), places, alone=True) as carry:

        async def work() -> None:
            for number, task in queue:
                results[number] = await carry(partial(_itself, task), _Deaf())

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(places):
                    group.create_task(work())
        except ExceptionGroup as several:
            raise several.exceptions[0] from None
    return [results[number] for number in range(len(tasks))]


class _Computation:
    """Work that is a plain function, done in a thread, so that its process stays within reach."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    async def __call__(self, task: Any, line: Line) -> Any:
        return await asyncio.to_thread(self._function, task)


def _itself(task: Any) -> Any:
    return task


class _Deaf:
    """Hears nothing: a plain function tells nothing."""

    def __call__(self, message: Any) -> None:
        raise AssertionError(f"a plain function tells nothing; got {message!r}")

    async def settled(self) -> None:
        await asyncio.sleep(0)
