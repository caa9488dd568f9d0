"""Progress of a run on a terminal: how far it is, and what it cost so far."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.runs.recorder import Progress as Standing

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def progress_bar(console: Console, title: str, *, hidden: bool = False) -> Iterator[OnProgress | None]:
    """Show a bar with the cost so far while the block runs; nothing where `console` is not a terminal."""
    if hidden or not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[spent]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None, spent="")

        def report(standing: Standing) -> None:
            spent = f"{standing.calls} calls · {dollars(standing.cost)}" if standing.calls else ""
            bar.update(task, completed=standing.done, total=standing.total, spent=spent)

        yield report


def dollars(cost: float) -> str:
    """Return US dollars with as many digits as small prices need."""
    return f"${cost:.2f}" if cost >= 1 or cost == 0 else f"${cost:.4f}"
