"""What commands print: JSON and results on stdout, all else on stderr."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments import Run


def print_json(value: object) -> None:
    """A value as JSON on stdout; what JSON does not know as text."""
    typer.echo(json.dumps(value, indent=2, default=str))


def console(*, stderr: bool = False) -> Console:
    """A terminal that does not colour numbers of its own accord."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def run_as_json(run: Run) -> dict[str, Any]:
    """A run's summary and episodes as JSON values."""
    return {"run": str(run.path), "summary": asdict(run.summary()), "episodes": run.table()}


def fail(error: BaseException, ctx: Any) -> None:
    """One sentence on stderr; with --debug the traceback before it."""
    from ludens.experiments.report.screen import show_error

    screen = console(stderr=True)
    if ctx.obj:
        screen.print_exception()
    show_error(error, screen)
