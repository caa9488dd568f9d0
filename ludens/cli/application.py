"""The application to which commands are added, and the handling of their errors."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ludens.cli.printing import fail
from ludens.errors import LudensError, UsageError

ORDER = (
    "envs",
    "models",
    "play",
    "bench",
    "price",
    "av",
    "tournament",
    "evolve",
    "estimate",
    "design",
    "align",
    "run",
    "resume",
    "extend",
    "report",
    "show",
    "replay",
    "export",
    "cache",
)
"""The order of commands in help, independent of the order of imports."""


class Commands(TyperGroup):
    """A group that turns errors into one sentence on stderr and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands' names in the order of help."""
        found = super().list_commands(ctx)
        return sorted(found, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except typer.Exit:
            raise
        except KeyboardInterrupt as interrupt:
            fail(KeyboardInterrupt(str(interrupt) or "Interrupted."), ctx)
            raise typer.Exit(130) from None
        except LudensError as error:
            fail(error, ctx)
            raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None


app = typer.Typer(
    cls=Commands,
    help="Agents with preferences play economic games.",
    epilog="Start with `ludens bench local/smollm2-135m`, which needs no key and no network.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    ctx: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    ctx.obj = debug
    if version:
        from ludens.version import installed_version

        typer.echo(f"ludens {installed_version()}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
