"""Runs `ludens` again and again; see `tests.experiments.lives`."""

from __future__ import annotations

from ludens.cli import main
from tests.experiments.lives import serve


def life(*arguments: object) -> int:
    """Run the command and return its exit code."""
    return main([str(argument) for argument in arguments])


serve(life)
