"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ludens.errors import UsageError

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
RunFile = Annotated[Path, typer.Argument(metavar="RUN", help="The .db file of a run.", show_default=False)]
Seed = Annotated[int, typer.Option(help="Root of all chance: the same seed gives the same run.")]
Out = Annotated[
    Path | None, typer.Option(help="The run's file; by default a new name under runs/.", show_default=False)
]
Persona = Annotated[
    str | None,
    typer.Option(
        help="homo_economicus, homo_moralis, or a text that models are told first.", show_default=False
    ),
]
Elicit = Annotated[
    Literal["auto", "logprobs", "sample"], typer.Option(help="How choice probabilities of models are had.")
]
ApiBase = Annotated[
    str | None,
    typer.Option(help="Address of an OpenAI-compatible server for the models.", show_default=False),
]
Csv = Annotated[Path | None, typer.Option(help="Write every estimate to this file too.", show_default=False)]
Concurrency = Annotated[int | None, typer.Option(help="How much is played at once.", show_default=False)]


def numbers(text: str) -> list[float]:
    """Numbers separated by commas."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(
            f"--payoffs takes numbers separated by commas, as in 80,60,30,20; got {text!r}."
        ) from None


def names(text: str) -> list[str]:
    """Names separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]
