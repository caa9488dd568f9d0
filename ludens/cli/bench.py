"""`ludens bench` and `ludens report`: models beside reference policies."""

from __future__ import annotations

from typing import Annotated

import typer

from ludens.cli.application import app
from ludens.cli.options import ApiBase, Concurrency, Csv, Elicit, Json, Out, Persona, RunFile, Seed, names
from ludens.cli.printing import console, print_bench


@app.command()
def bench(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Models, as local/smollm2-135m or openai/gpt-5-mini."),
    ],
    *,
    framings: Annotated[str, typer.Option(help="Wordings, separated by commas.")] = "neutral,story,twin",
    replicates: Annotated[int, typer.Option(help="How often each question is asked in each wording.")] = 1,
    elicit: Elicit = "auto",
    beliefs: Annotated[bool, typer.Option("--beliefs", help="Ask also what others choose.")] = False,
    persona: Persona = None,
    protocols: Annotated[
        str | None, typer.Option(help="Names separated by commas; by default all.", show_default=False)
    ] = None,
    seed: Seed = 0,
    api_base: ApiBase = None,
    concurrency: Concurrency = None,
    out: Out = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Compare models with each other and with reference policies, and write a report."""
    from ludens.experiments.bench.bench import CONCURRENCY
    from ludens.experiments.bench.bench import bench as run_bench
    from ludens.experiments.runs.progress import progress_bar

    specs = [model if api_base is None else {"spec": model, "api_base": api_base} for model in models]
    with progress_bar(console(stderr=True), "bench") as progress:
        result = run_bench(
            specs,
            framings=names(framings),
            replicates=replicates,
            elicit=elicit,
            beliefs=beliefs,
            persona=persona,
            protocols=None if protocols is None else names(protocols),
            seed=seed,
            concurrency=CONCURRENCY if concurrency is None else concurrency,
            path=out,
            progress=progress,
        )
    print_bench(result, as_json, csv)


@app.command()
def report(file: RunFile, as_json: Json = False, csv: Csv = None) -> None:
    """Write the report of a run again, of one that broke off too."""
    from ludens.experiments import Run
    from ludens.experiments.bench.report import write_report
    from ludens.experiments.bench.result import load_result

    with Run(file) as run:
        kind = run.manifest["kind"]
    if kind == "pricing":
        from ludens.cli.price.market import report_pricing

        report_pricing(file, as_json, csv=csv)
        return
    if kind == "av":
        from ludens.cli.av.ask import report_av

        report_av(file, as_json, csv=csv)
        return
    if kind == "moral_machine":
        from ludens.cli.av.ask import report_moral

        report_moral(file, as_json)
        return

    print_bench(write_report(load_result(file)), as_json, csv)
