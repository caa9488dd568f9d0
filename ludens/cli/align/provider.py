"""`ludens align provider`: tune a model at its provider."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ludens.cli.align.group import align_app
from ludens.cli.options import Json
from ludens.cli.printing import console, print_json
from ludens.errors import UsageError

if TYPE_CHECKING:
    from ludens.training.provider import Estimate, ProviderJob, TuningProgress
    from ludens.training.provider.tuning import Progress


@align_app.command()
def provider(
    model: Annotated[
        str | None,
        typer.Argument(
            help="openai/…, azure/… or vertex_ai/…, as the provider names it.", show_default=False
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Argument(help="Folder of a data set, or one JSONL file.", show_default=False),
    ] = None,
    *,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="JOB", help="Continue the job in this folder.", show_default=False),
    ] = None,
    cancel: Annotated[
        Path | None,
        typer.Option(metavar="JOB", help="Stop the job in this folder.", show_default=False),
    ] = None,
    tuned: Annotated[
        str | None,
        typer.Option(help="With --resume: record this model as the result (Vertex AI).", show_default=False),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="By default the provider's choice.", show_default=False)
    ] = None,
    suffix: Annotated[
        str | None, typer.Option(help="Part of the tuned model's name.", show_default=False)
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(help="US dollars; refuse a job that may cost more.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Agree to the estimated price.")] = False,
    api_base: Annotated[
        str | None, typer.Option(help="Address of a server with the provider's API.", show_default=False)
    ] = None,
    poll: Annotated[float, typer.Option(help="Seconds between two checks of the job.")] = 15.0,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the job; by default one under tuned/.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Tune a model at OpenAI, Azure or Vertex AI; asks for confirmation of the estimated price first."""
    from ludens.training.provider import cancel_provider_tune, provider_tune, resume_provider_tune

    options: dict[str, Any] = {} if api_base is None else {"api_base": api_base}
    old = resume or cancel
    if old is not None:
        if model is not None or (resume is not None and cancel is not None):
            raise UsageError(
                "--resume and --cancel take one job and nothing else: its record knows the rest."
            )
        if cancel is not None:
            _print(cancel_provider_tune(cancel, **options), as_json)
            return
        with _live(old) as progress:
            job = resume_provider_tune(old, tuned_model=tuned, progress=progress, poll=poll, **options)
        _print(job, as_json)
        return
    if model is None or data is None:
        raise UsageError(
            "Name a model and a data set: ludens align provider openai/gpt-4.1-mini-2025-04-14 DATA."
        )

    def confirm(estimate: Estimate) -> bool:
        console(stderr=True).print(estimate.sentence(), soft_wrap=True)
        return yes or _agreed()

    with _live(out) as progress:
        job = provider_tune(
            model,
            data,
            out=out,
            epochs=epochs,
            suffix=suffix,
            api_base=api_base,
            max_cost=max_cost,
            confirm=confirm,
            progress=progress,
            poll=poll,
        )
    _print(job, as_json)


def _agreed() -> bool:
    import sys

    if not sys.stdin.isatty():
        raise UsageError("Not started: nobody is there to agree to the price; say --yes to agree beforehand.")
    return typer.confirm("Start?", err=True)


@contextmanager
def _live(folder: Path | None) -> Iterator[Progress | None]:
    from ludens.experiments.runs.progress import is_live

    screen = console(stderr=True)
    if not is_live(screen):
        yield None
        return
    from rich.status import Status

    shown = Status("", console=screen)

    def report(standing: TuningProgress) -> None:
        tokens = "" if standing.trained_tokens is None else f" · {standing.trained_tokens:,} tokens"
        minutes, seconds = divmod(int(standing.seconds), 60)
        shown.update(f"{standing.status.replace('_', ' ')} · {minutes}:{seconds:02d}{tokens}")
        shown.start()

    try:
        yield report
    finally:
        shown.stop()


def _print(job: ProviderJob, as_json: bool) -> None:
    if as_json:
        print_json({"folder": str(job.folder), **job.to_json()})
        return
    screen = console()
    screen.print(f"{job.model}: {job.status}, kept in {job.folder}", soft_wrap=True)
    if job.policy is not None:
        screen.print(f"The tuned model is the policy {job.policy}", soft_wrap=True)
        if job.provider == "azure":
            screen.print("once it is deployed at Azure under that name (without azure/).", soft_wrap=True)
