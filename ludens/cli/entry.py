"""The entry point of the command: from arguments to an exit code."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

import typer

from ludens.cli.application import app
from ludens.cli.printing import console

_NOT_OWN = (
    str(Path(__file__).parent.parent),
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")),
)
"""Where the code of ludens, of Python and of installed packages lies."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    # Wherever it stands, it is meant for the whole command.
    given = ["--debug"] * debug + [argument for argument in given if argument != "--debug"]
    _show_every_character()
    try:
        app(given, prog_name="ludens")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception as error:
        from ludens.agents.secrets import mask_error

        if debug:
            mask_error(error)
            raise
        from ludens.experiments.report.screen import show_error

        show_error(error, console(stderr=True))
        typer.echo(f"{_place(error)}: run again with --debug to see the way there.", err=True)
        return 1
    return 0


def _show_every_character() -> None:
    """Write characters that the terminal's encoding lacks as escapes, as Python does on stderr."""
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _place(error: BaseException) -> str:
    """Return whose fault an error is: that of a reader's own study, policy or game, or of ludens."""
    own = [
        f"This comes from {frame.filename}, line {frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<", *_NOT_OWN))
    ]
    return own[-1] if own else "This is a defect of ludens"
