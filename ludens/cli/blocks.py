"""Blocks of options that several commands share: how models are asked, where a run's models are reached, what
a run may spend, and where it is carried out.

A command takes a block as one parameter, and `with_blocks` puts the block's options in its place::

    @app.command()
    @with_blocks
    def bench(models: list[str], *, asked: ModelOptions, budget: BudgetOptions) -> None: ...
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from ludens.cli.options import assignments
from ludens.errors import UsageError

if TYPE_CHECKING:
    from ludens.preferences.mapping import MapLike

MODELS, BUDGET, EXECUTOR = "Models", "Budget", "Executor"
"""The panels of help in which these options stand."""

_of_models = partial(typer.Option, show_default=False, rich_help_panel=MODELS)
_of_budget = partial(typer.Option, show_default=False, rich_help_panel=BUDGET)
_of_executor = partial(typer.Option, show_default=False, rich_help_panel=EXECUTOR)

Patience = Annotated[
    str | None,
    _of_models(
        metavar="TIME",
        help="How long to wait out outages and rate limits of models' servers: 90s, 10m; by default 5m.",
    ),
]


@dataclass(frozen=True)
class ModelOptions:
    """How the models of a new run are reached and sampled."""

    api_base: Annotated[
        str | None,
        _of_models(help="Address of an OpenAI-compatible server for the models."),
    ] = None
    patience: Patience = None
    temperature: Annotated[
        float | None,
        _of_models(help="Of sampling; by default 1."),
    ] = None
    reasoning_effort: Annotated[
        str | None,
        _of_models(
            metavar="EFFORT",
            help="Of models that think before they reply: low, medium, high, or what the model takes.",
        ),
    ] = None
    reply_tokens: Annotated[
        int | None,
        _of_models(help="Limit of tokens of one reply; by default one that suits the question."),
    ] = None
    model_seed: Annotated[
        int | None,
        _of_models(help="Seed sent with every request; by default drawn from the run's own."),
    ] = None
    batched: Annotated[
        bool | None,
        _of_models(
            "--batched/--one-at-a-time",
            help="Whether models on this machine evaluate requests together: faster, but probabilities "
            "depend in the second decimal on the other requests; by default GGUF files do not.",
        ),
    ] = None
    headers: Annotated[
        list[str] | None,
        _of_models(
            "--header",
            metavar="NAME=VARIABLE",
            help="A header of every request, with the value of an environment variable, which no file holds.",
        ),
    ] = None
    sets: Annotated[
        list[str] | None,
        _of_models(
            "--set",
            metavar="KEY=VALUE,…",
            help="Any other setting of the models, or parameter that LiteLLM takes, such as top_p=0.9.",
        ),
    ] = None

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the models that were given.

        Raises:
            UsageError: one was given twice, or is not written as key=value.
        """
        named = {
            "api_base": self.api_base,
            "patience": self.patience,
            "temperature": self.temperature,
            "reasoning_effort": self.reasoning_effort,
            "max_tokens": self.reply_tokens,
            "seed": self.model_seed,
            "batched": self.batched,
            "headers_from": self.headers or None,
        }
        settings = {name: value for name, value in named.items() if value is not None}
        more = assignments(self.sets or (), "--set")
        if twice := sorted(set(more) & set(settings)):
            raise UsageError(f"--set says {twice[0]}, for which another option was given: give it once.")
        return settings | more


@dataclass(frozen=True)
class SourceOptions:
    """Where the models of a stored run are reached now."""

    api_base: Annotated[
        list[str] | None,
        _of_models(
            "--api-base",
            metavar="[MODEL=]URL",
            help="Where the models are reached now, in place of the address that the run has.",
        ),
    ] = None
    patience: Patience = None

    @property
    def given(self) -> bool:
        """Whether any was given."""
        return bool(self.api_base or self.patience)


@dataclass(frozen=True)
class LimitOptions:
    """What may be spent, in earlier sessions too."""

    max_cost: Annotated[
        str | None,
        _of_budget(
            metavar="DOLLARS",
            help="Stop the run before it costs more than so many US dollars. Here and below, earlier "
            "sessions of a resumed run count, and none lifts the limit that it has.",
        ),
    ] = None
    max_tokens: Annotated[
        str | None,
        _of_budget(metavar="N", help="Stop it before prompts and replies take more tokens."),
    ] = None
    max_calls: Annotated[
        str | None,
        _of_budget(metavar="N", help="Stop it after so many calls."),
    ] = None
    max_time: Annotated[
        str | None,
        _of_budget(metavar="TIME", help="Stop it after so long at work: 90s, 10m, 2h."),
    ] = None

    @property
    def limits(self) -> dict[str, Any] | None:
        """The limits that were given, as `ludens.experiments.Budget` takes them; None if none was.

        Raises:
            UsageError: one is no number.
        """
        given = {"cost": self.max_cost, "tokens": self.max_tokens, "calls": self.max_calls}
        limits: dict[str, Any] = {
            name: _number(f"--max-{name}", text) for name, text in given.items() if text is not None
        }
        if self.max_time is not None:
            limits["time"] = None if self.max_time == NONE else self.max_time
        return limits or None


@dataclass(frozen=True)
class BudgetOptions(LimitOptions):
    """What a run may spend, and whether to ask before."""

    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            help="Do not ask before money is spent. Only a terminal is asked; a script goes on, with the "
            "estimate on stderr.",
            rich_help_panel=BUDGET,
        ),
    ] = False
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print the estimate of calls, tokens and cost, and stop.",
            rich_help_panel=BUDGET,
        ),
    ] = False

    cache: Annotated[
        Path | None,
        _of_budget(
            metavar="FOLDER",
            help="Share replies with other runs that name this folder: the same request of the same "
            "replicate is not paid for again.",
        ),
    ] = None


@dataclass(frozen=True)
class ExecutorOptions:
    """Where a run is carried out."""

    executor: Annotated[
        Literal["serial", "asyncio", "processes", "ray"] | None,
        _of_executor(
            help="One episode (or sample) after the other, many at once in this process, in several "
            "processes, or on a Ray cluster; all give the same results."
        ),
    ] = None
    workers: Annotated[
        int | None,
        _of_executor(help="How many processes share the work; on a cluster by default one per core."),
    ] = None
    address: Annotated[
        str | None,
        _of_executor(help="Of the Ray cluster; by default that of this machine."),
    ] = None

    @property
    def chosen(self) -> dict[str, Any]:
        """The keys of the configuration that were given."""
        named = {"executor": self.executor, "workers": self.workers, "address": self.address}
        return {name: value for name, value in named.items() if value is not None}

    @property
    def map_with(self) -> MapLike:
        """What carries out independent computations: the built-in `map` if nothing was given."""
        if not self.chosen:
            return map
        from ludens.experiments.runs.executors.computing import compute

        return partial(compute, **{"executor": None, **self.chosen})


@dataclass(frozen=True)
class CarryingOutOptions(ExecutorOptions):
    """Where a new run is carried out, and over how many files it is divided."""

    shards: Annotated[
        int | None,
        _of_executor(
            metavar="N",
            help="Divide the run over so many files, at most 10, in a folder that every command reads as one "
            "run; for millions of decisions.",
        ),
    ] = None

    @property
    def chosen(self) -> dict[str, Any]:
        """The keys of the configuration that were given."""
        return super().chosen | ({} if self.shards is None else {"shards": self.shards})


NONE = "none"


def _number(option: str, text: str) -> float | int | None:
    if text == NONE:
        return None
    try:
        return float(text.removeprefix("$")) if option == "--max-cost" else int(text)
    except ValueError:
        kind = "a number of US dollars" if option == "--max-cost" else "a whole number"
        raise UsageError(f"{option} takes {kind}, or none; got {text!r}.") from None


def with_blocks(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command in which the options of its blocks stand in place of the parameters that take them."""
    signature = inspect.signature(command, eval_str=True)
    blocks: dict[str, Any] = {
        each.name: each.annotation for each in signature.parameters.values() if is_dataclass(each.annotation)
    }
    parameters: list[inspect.Parameter] = []
    for each in signature.parameters.values():
        if each.name not in blocks:
            parameters.append(each)
            continue
        hints = get_type_hints(blocks[each.name], include_extras=True)
        parameters += [
            inspect.Parameter(
                option.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=option.default,
                annotation=hints[option.name],
            )
            for option in fields(blocks[each.name])
        ]

    @wraps(command)
    def run(*arguments: Any, **given: Any) -> None:
        for name, block in blocks.items():
            given[name] = block(**{each.name: given.pop(each.name) for each in fields(block)})
        command(*arguments, **given)

    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def block_names(block: Any) -> set[str]:
    """Return the names of a block's parameters, for `ludens.cli.options.refuse_given`."""
    return {each.name for each in fields(block)}
