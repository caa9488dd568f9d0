"""`ludens align`: move a model toward chosen preferences. A subcommand such as `data` is named first;
anything else is read by the command that aligns.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from ludens.cli.application import app

ALIGN = "model"
"""The command for which `ludens align BASE` is short."""


class Alignments(TyperGroup):
    """A group that runs `ALIGN` if no subcommand is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the name of `ALIGN` before arguments that do not begin with a subcommand."""
        if not args or args[0] not in self.commands:
            args = [ALIGN, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return `ludens align BASE` for help, as users type it."""
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if name == ALIGN else name), command, rest


align_app = typer.Typer(
    cls=Alignments, help="Move a model toward homo economicus or homo moralis, measured before and after."
)
app.add_typer(align_app, name="align")
