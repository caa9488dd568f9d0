"""Output of commands: JSON and results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import traceback
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments import Run


def print_json(value: object) -> None:
    """Print a value as JSON on stdout; values that JSON does not support are printed as text."""
    typer.echo(json.dumps(value, indent=2, default=str))


def console(*, stderr: bool = False) -> Console:
    """Return a console that does not highlight numbers."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def run_as_json(run: Run) -> dict[str, Any]:
    """Return a run's summary and episodes as JSON values."""
    return {"run": str(run.path), "summary": asdict(run.summary()), "episodes": run.table()}


def fail(error: BaseException, ctx: Any) -> None:
    """Print one sentence on stderr, with --debug after the traceback."""
    from ludens.experiments.report.screen import show_error

    if ctx.obj:
        print_traceback(error)
    show_error(error, console(stderr=True))


def print_traceback(error: BaseException) -> None:
    """Print the way to an error on stderr, without the secrets that its messages may hold."""
    from ludens.agents.secrets import masked

    typer.echo(masked("".join(traceback.format_exception(error))), err=True, nl=False)
