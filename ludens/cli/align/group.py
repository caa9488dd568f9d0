"""`ludens align`: move a model toward chosen preferences. A subcommand such as `data` is named first;
anything else is read by the command that aligns.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from ludens.cli.application import app

ALIGN = "model"
"""The command that `ludens align BASE` is short for."""


class Alignments(TyperGroup):
    """Runs `ALIGN` where no subcommand is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of `ALIGN` before arguments that begin with no subcommand."""
        if not args or args[0] not in self.commands:
            args = [ALIGN, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Let help say `ludens align BASE` for it, as users write it."""
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if name == ALIGN else name), command, rest


align_app = typer.Typer(
    cls=Alignments, help="Move a model toward homo economicus or homo moralis, measured before and after."
)
app.add_typer(align_app, name="align")
