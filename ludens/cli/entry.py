"""The entry point of the command: from arguments to an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from ludens.cli.application import app
from ludens.cli.printing import console


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    # Wherever it stands, it is meant for the whole command.
    given = ["--debug"] * debug + [argument for argument in given if argument != "--debug"]
    try:
        app(given, prog_name="ludens")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception as error:
        if debug:
            raise
        from ludens.experiments.report.screen import show_error

        show_error(error, console(stderr=True))
        typer.echo("This is a defect of ludens: run again with --debug to see where.", err=True)
        return 1
    return 0
