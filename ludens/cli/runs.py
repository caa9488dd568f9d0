"""`ludens show` and `ludens resume`: runs that are there already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ludens.cli.application import app
from ludens.cli.options import Concurrency, Json, RunFile
from ludens.cli.printing import console, print_bench, print_implant, print_json, print_play, run_as_json
from ludens.errors import UsageError


@app.command()
def resume(file: RunFile, concurrency: Concurrency = None, as_json: Json = False) -> None:
    """Go on with a run that broke off; nothing that was answered is asked again."""
    from ludens.experiments import Run
    from ludens.experiments.runs.progress import progress_bar

    with Run(file) as run:
        manifest = run.manifest
    if manifest["kind"] == "exam":
        raise UsageError(f"{file} is part of an alignment: the `ludens align` command that began it goes on.")
    if manifest["kind"] == "bench":
        from ludens.experiments.bench.bench import resume as resume_bench

        with progress_bar(console(stderr=True), "resume") as progress:
            result = resume_bench(file, concurrency=concurrency, progress=progress)
        print_bench(result, as_json)
        return
    if manifest["kind"] == "pricing":
        from ludens.cli.price.market import report_pricing
        from ludens.experiments.pricing import resume_pricing
        from ludens.experiments.pricing.terminal import live

        with live(console(stderr=True), "resume", periods=manifest["config"]["periods"]) as (heard, news):
            resume_pricing(file, concurrency=concurrency, progress=heard, on_period=news)
        report_pricing(file, as_json)
        return
    if manifest["kind"] == "implant":
        from ludens.experiments.pricing.implant import resume_implant

        with progress_bar(console(stderr=True), "resume") as progress:
            implanted = resume_implant(file, concurrency=concurrency, progress=progress)
        print_implant(implanted, as_json)
        return
    if manifest["kind"] == "av":
        from ludens.cli.av.ask import report_av
        from ludens.experiments.av import resume_ask

        with progress_bar(console(stderr=True), "resume") as progress:
            resume_ask(file, concurrency=concurrency, progress=progress)
        report_av(file, as_json)
        return
    if manifest["kind"] == "moral_machine":
        from ludens.cli.av.ask import report_moral
        from ludens.experiments.av import resume_moral_machine

        with progress_bar(console(stderr=True), "resume") as progress:
            resume_moral_machine(file, concurrency=concurrency, progress=progress)
        report_moral(file, as_json)
        return
    from ludens.experiments import resume as resume_play

    with progress_bar(console(stderr=True), "resume", hidden=_has_person(manifest)) as progress:
        played = resume_play(file, concurrency=concurrency, progress=progress)
    print_play(played, as_json)


@app.command()
def show(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[RUN]", help="A run; by default the latest in runs/.", show_default=False),
    ] = None,
    episode: Annotated[int | None, typer.Option(help="Read one episode.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Show a run, or one of its episodes move by move."""
    from ludens.experiments import Run
    from ludens.experiments.report.screen import show_episode, show_summary

    with Run.latest() if file is None else Run(file) as run:
        if as_json and episode is not None:
            print_json([asdict(record) for record in run.decisions(episode)])
        elif as_json:
            print_json(run_as_json(run) | {"manifest": run.manifest})
        elif episode is not None:
            show_episode(run, episode, console())
        elif run.manifest["kind"] == "pricing":
            show_pricing(run.path)
        elif run.manifest["kind"] in ("av", "moral_machine"):
            show_dilemmas(run.path, run.manifest["kind"])
        else:
            show_summary(run, console())


def show_pricing(file: Path) -> None:
    """A pricing run's tables as they stand; the report is not written anew."""
    from ludens.cli.printing import print_pricing
    from ludens.experiments.pricing import load_result

    print_pricing(load_result(file), False)


def show_dilemmas(file: Path, kind: str) -> None:
    """The table of a run of the dilemma or the Moral Machine as it stands; no report is written anew."""
    from ludens.cli.av.ask import print_av, print_moral
    from ludens.experiments.av import load_result

    if kind == "av":
        print_av(load_result(file), False)
    else:
        print_moral(file, False)


def _has_person(manifest: Mapping[str, Any]) -> bool:
    policies = manifest["config"].get("policies", {})
    return any(policy.get("spec") == "human" for policy in policies.values())
