"""`ludens av`: the autonomous-vehicle dilemma. A subcommand such as `adopt` is named first; anything else is
read by the command that asks models.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from ludens.cli.application import app

ASK = "ask"
"""The command that `ludens av MODEL…` is short for."""


class Dilemmas(TyperGroup):
    """Runs `ASK` where no subcommand is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of `ASK` before arguments that begin with no subcommand."""
        if not args or args[0] not in self.commands:
            args = [ASK, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Let help say `ludens av` for it, as users write it."""
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if name == ASK else name), command, rest


av_app = typer.Typer(cls=Dilemmas, help="Ask models and oracles about dilemmas of autonomous vehicles.")
app.add_typer(av_app, name="av")
