"""The executors by their names."""

from __future__ import annotations

from typing import Literal, get_args

from ludens.errors import UsageError
from ludens.experiments.runs.executors.asynchronous import Asyncio
from ludens.experiments.runs.executors.base import Executor
from ludens.experiments.runs.executors.processes import Processes
from ludens.experiments.runs.executors.serial import Serial

ExecutorName = Literal["serial", "asyncio", "processes", "ray"]
EXECUTORS: tuple[ExecutorName, ...] = get_args(ExecutorName)


def make_executor(
    name: ExecutorName | None = None, workers: int | None = None, address: str | None = None
) -> Executor:
    """Make an executor.

    Args:
        name: None for processes where there is a number of workers, and for asyncio otherwise.
        workers: the number of processes; None for as many as the machine or the cluster has cores.
        address: of a Ray cluster; None for the one that this machine belongs to.

    Raises:
        UsageError: the executor has no workers, or no address.
    """
    name = name or ("asyncio" if workers is None else "processes")
    if address is not None and name != "ray":
        raise UsageError("An address is that of a Ray cluster: choose the executor ray, or leave it out.")
    if name in {"serial", "asyncio"}:
        if workers not in {None, 1}:
            raise UsageError(
                f"The executor {name} is one process: choose processes or ray for {workers} workers."
            )
        return Serial() if name == "serial" else Asyncio()
    if name == "processes":
        return Processes(workers)
    from ludens.experiments.runs.executors.ray import RayCluster

    return RayCluster(workers, address or "auto")
