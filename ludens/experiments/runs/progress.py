"""Progress of a run: how far it is, and what it cost so far, on a terminal or in a notebook."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ludens.display.templates import HERE, fragment
from ludens.experiments.runs.budget import dollars
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.runs.recorder import Progress as Standing

if TYPE_CHECKING:
    from rich.console import Console

DELAY = 0.5
"""Seconds after which a notebook shows a bar: what is done sooner shows none."""

PAUSE = 0.25
"""The least number of seconds between two updates of a bar: to show one costs more than to count."""


@contextmanager
def progress_bar(console: Console, title: str, *, hidden: bool = False) -> Iterator[OnProgress | None]:
    """Show a bar with the cost so far while the block runs; nothing where nothing can be overwritten."""
    if hidden or not is_live(console):
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

        shown = -PAUSE

        def report(standing: Standing) -> None:
            nonlocal shown
            if (now := time.monotonic()) - shown < PAUSE and standing.done < standing.total:
                return
            shown = now
            bar.update(task, completed=standing.done, total=standing.total, spent=spent(standing))

        yield report


def is_live(console: Console) -> bool:
    """Return whether a console shows a terminal in which lines can be overwritten.

    A command that a notebook runs (``!ludens …``) seems to write to a terminal, and every line of it is kept.
    """
    return console.is_terminal and "JPY_PARENT_PID" not in os.environ


@contextmanager
def notebook_bar(
    title: str, given: OnProgress | None = None, *, hidden: bool = False
) -> Iterator[OnProgress | None]:
    """Show a bar in the notebook whose cell is running while the block runs; elsewhere nothing.

    One output is updated in place, so that a saved notebook holds the last state alone. It needs no widgets.

    Args:
        title: what is running.
        given: the caller's own way to report progress, which is yielded in place of a bar.
        hidden: show none.
    """
    if given is not None or hidden or not in_notebook():
        yield given
        return
    bar = _NotebookBar(title)
    try:
        yield bar.report
    finally:
        bar.close()


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    if "IPython" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


class _NotebookBar:
    """One output of a cell, updated in place."""

    def __init__(self, title: str) -> None:
        self._title = title
        # A notebook plays its run in a thread of its own, which does not know its cell.
        self._cell, self._lock = copy_context(), threading.Lock()
        self._begun = self._shown = time.monotonic()
        self._standing: Standing | None = None
        self._output: Any = None

    def report(self, standing: Standing) -> None:
        """Take how far the run is, and show it if the last time was a while ago."""
        self._standing = standing
        now = time.monotonic()
        if now - self._begun >= DELAY and (self._output is None or now - self._shown >= PAUSE):
            with self._lock:
                self._cell.run(self._show, standing, now)

    def close(self) -> None:
        """Show the last state, if anything was shown."""
        if self._output is not None and self._standing is not None:
            with self._lock:
                self._cell.run(self._show, self._standing, time.monotonic())

    def _show(self, standing: Standing, now: float) -> None:
        from IPython.display import display

        self._shown = now
        seconds = f"{now - self._begun:.0f} s"
        words = [f"{standing.done} of {standing.total}", spent(standing), seconds]
        text = f"{self._title}: {' · '.join(filter(None, words))}"
        page = fragment(HERE, "progress.html.j2", done=standing.done, total=standing.total, text=text)
        bundle = {"text/plain": text, "text/html": str(page)}
        if self._output is None:
            self._output = display(bundle, raw=True, display_id=True)
        else:
            self._output.update(bundle, raw=True)


def spent(standing: Standing) -> str:
    """Return the calls to models so far and their cost, and the cost to come where it was estimated; empty
    without any call.
    """
    to_come = f" · about {dollars(standing.to_come)} to come" if standing.to_come else ""
    return f"{standing.calls} calls · {dollars(standing.cost)}{to_come}" if standing.calls else ""


def with_cost_to_come(progress: OnProgress | None, calls: float) -> OnProgress | None:
    """Return what reports progress, with the cost of the calls to come at the mean so far.

    Args:
        progress: reports it without.
        calls: how many are expected from now on.
    """
    if progress is None or not calls:
        return progress
    earlier: int | None = None

    def report(standing: Standing) -> None:
        nonlocal earlier
        earlier = standing.calls if earlier is None else earlier
        left = max(0.0, calls - (standing.calls - earlier))
        mean = standing.cost / standing.calls if standing.calls else 0.0
        progress(replace(standing, to_come=mean * left))

    return report
