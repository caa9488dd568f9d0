"""Options that several commands share."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ludens.agents.secrets import is_secret
from ludens.errors import UsageError

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
RunFile = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="The .db file of a run, or its folder of shards.", show_default=False),
]
Seed = Annotated[int, typer.Option(help="Seed of all random draws: the same seed gives the same run.")]
Out = Annotated[
    Path | None, typer.Option(help="The run's file; by default a new name under runs/.", show_default=False)
]
Persona = Annotated[
    str | None,
    typer.Option(
        help="Instructions for models: homo_economicus, homo_moralis, or a text.", show_default=False
    ),
]
Elicit = Annotated[
    Literal["auto", "logprobs", "sample"],
    typer.Option(help="How to obtain choice probabilities from models."),
]
Csv = Annotated[
    Path | None, typer.Option(help="Also write every estimate to this CSV file.", show_default=False)
]
Concurrency = Annotated[
    int | None, typer.Option(help="How many episodes or questions are open concurrently.", show_default=False)
]


def numbers(option: str, text: str, example: str = "") -> list[float]:
    """Return numbers separated by commas.

    Args:
        option: which takes them, for the message.
        text: as it was given.
        example: of such a text, for the message.

    Raises:
        UsageError: one is no number.
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        shown = f", as in {example}" if example else ""
        raise UsageError(f"{option} takes numbers separated by commas{shown}; got {text!r}.") from None


def assignments(texts: Iterable[str], option: str) -> dict[str, Any]:
    """Return the values written as ``key=value,…``: numbers, true, false, null, lists and tables as in JSON,
    anything else as a text.

    Args:
        texts: one for each time the option was given.
        option: its name, for messages.

    Raises:
        UsageError: a part is not key=value, or a key comes twice.
    """
    values: dict[str, Any] = {}
    parts = [part.strip() for text in texts for part in _parts(text)]
    # A part of what holds a key may be the rest of it, such as one with a comma in it.
    hidden = any(is_secret(part.partition("=")[0].strip()) for part in parts)
    for number, part in enumerate(parts, 1):
        key, equals, value = (word.strip() for word in part.partition("="))
        if not key or not equals or not value or key in values:
            place = f"part {number}" if hidden else repr(part)
            raise UsageError(f"{option} takes key=value,…, each key once; it cannot be read at {place}.")
        try:
            values[key] = json.loads(value)
        except ValueError:
            values[key] = value
    return values


def _parts(text: str) -> list[str]:
    """Return the parts between the commas that stand outside brackets and quotes."""
    parts, depth = [""], 0
    for piece in re.findall(r"\"(?:[^\"\\]|\\.)*\"|.", text, re.DOTALL):
        depth = max(0, depth + (piece in "[{") - (piece in "]}"))
        if piece == "," and not depth:
            parts.append("")
        else:
            parts[-1] += piece
    if depth:  # a bracket that is never closed is a character like any other
        parts = text.split(",")
    return [part for part in parts if part.strip()]


def names(text: str) -> list[str]:
    """Return names separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def policy_texts(text: str) -> list[str]:
    """Return policies separated by commas; a part such as ``noise=8`` belongs to the policy before it."""
    policies: list[str] = []
    for part in names(text):
        if policies and "=" in part and not {":", "/"} & set(part.split("=")[0]):
            policies[-1] += f",{part}"
        else:
            policies.append(part)
    return policies


def is_run(text: str) -> bool:
    """Return whether an argument names a run, and not a policy or numbers: a file or a folder, which shells
    complete with a slash, or a compressed copy.
    """
    return Path(text).suffix.lower() in {".db", ".xz"}


def refuse_given(ctx: typer.Context, options: Collection[str | None], why: str) -> None:
    """Refuse options that have no effect, if they were given on the command line.

    Args:
        ctx: of the command.
        options: the parameters' names; defaults are never refused.
        why: where they have no effect, as in ``without --moral-machine``.

    Raises:
        UsageError: one was given.
    """
    for parameter in ctx.command.params:
        source = ctx.get_parameter_source(parameter.name or "")
        if parameter.name in options and source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"{parameter.opts[0]} has no effect {why}: leave it out.")
