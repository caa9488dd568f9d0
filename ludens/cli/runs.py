"""Runs of every kind: `ludens run`, `resume`, `extend`, `report`, `show` and `export`."""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ludens.cli.application import app
from ludens.cli.approval import approved
from ludens.cli.blocks import (
    BudgetOptions,
    CarryingOutOptions,
    ExecutorOptions,
    ModelOptions,
    SourceOptions,
    with_blocks,
)
from ludens.cli.options import Concurrency, Json, Out, RunFile, policy_texts
from ludens.cli.printing import console, print_json, run_as_json
from ludens.cli.studies import PrintConfig, carry_out, given, print_run
from ludens.errors import UsageError

if TYPE_CHECKING:
    from ludens.experiments.study.export import Format


@app.command()
@with_blocks
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A study file, .toml.", show_default=False)],
    *,
    out: Out = None,
    as_json: Json = False,
    print_config: PrintConfig = False,
    asked: ModelOptions,
    budget: BudgetOptions,
    executor: CarryingOutOptions,
) -> None:
    """Run the study that a file describes; `--print-config` of any command writes one.

    Options of models stand in place of what the file says of each of them.
    """
    from ludens.experiments.study.files import read_study
    from ludens.experiments.study.questions import with_overrides

    study = read_study(file)
    study = type(study)(study.config.with_policies(lambda policy: with_overrides(policy, asked.settings)))
    carry_out(study, budget, executor, out=out, as_json=as_json, print_config=print_config)


@app.command()
@with_blocks
def resume(
    file: RunFile,
    *,
    concurrency: Concurrency = None,
    as_json: Json = False,
    source: SourceOptions,
    budget: BudgetOptions,
    executor: ExecutorOptions,
) -> None:
    """Continue an interrupted run; nothing that was answered is asked again."""
    from ludens.experiments import Run
    from ludens.experiments.runs.caching import caching
    from ludens.experiments.runs.progress import with_cost_to_come
    from ludens.experiments.study.engine import continue_run, resumed

    with Run(file) as run:
        more = given(concurrency=concurrency, budget=budget.limits) | executor.chosen
        study = resumed(run, source.api_base, source.patience, **more)
    if (calls := approved(study, budget, file, as_json=as_json)) is None:
        return
    with study.watched(console(stderr=True), "resume") as progress, caching(budget.cache):
        continue_run(study, file, progress=with_cost_to_come(progress, calls))
    study.go_on(file)
    print_run(file, as_json, written=study.writes_report)


@app.command()
@with_blocks
def extend(
    file: RunFile,
    changes: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE...",
            help="Such as replicates=3, or models+=openai/gpt-5-mini to add to a list.",
            show_default=False,
        ),
    ],
    *,
    concurrency: Concurrency = None,
    as_json: Json = False,
    source: SourceOptions,
    budget: BudgetOptions,
    executor: ExecutorOptions,
) -> None:
    """Add episodes to a run, such as replicates or models; only what is new is asked."""
    from ludens.experiments import Run
    from ludens.experiments.runs.caching import caching
    from ludens.experiments.runs.progress import with_cost_to_come
    from ludens.experiments.study.engine import extend_run, extended, study_of

    with Run(file) as run:
        values = dict(_change(text, study_of(run).config) for text in changes)
        more = given(concurrency=concurrency, budget=budget.limits) | executor.chosen
        if twice := sorted(set(more) & set(values)):
            raise UsageError(
                f"{twice[0]} is given twice, as an option and as {twice[0]}=…: leave one of them out."
            )
        study = extended(run, source.api_base, source.patience, **more, **values)
    if (calls := approved(study, budget, file, as_json=as_json)) is None:
        return
    with study.watched(console(stderr=True), "extend") as progress, caching(budget.cache):
        extend_run(study, file, progress=with_cost_to_come(progress, calls))
    study.go_on(file)
    print_run(file, as_json, written=study.writes_report)


@app.command()
def report(
    file: RunFile,
    as_json: Json = False,
    csv: Annotated[
        Path | None, typer.Option(help="Also write every estimate to this CSV file.", show_default=False)
    ] = None,
) -> None:
    """Measure a run again, finished or not, and write its report."""
    print_run(file, as_json, written=True, files={"estimates": csv})


@app.command()
def replay(
    file: RunFile,
    *,
    most: Annotated[int, typer.Option(min=0, help="Changed decisions to print.")] = 20,
    as_json: Json = False,
) -> None:
    """Read every stored reply again with today's readers, and show what would be decided otherwise. Nothing
    is asked, and the run stays as it is.
    """
    from ludens.experiments.report.screen import show_replay
    from ludens.experiments.study.replay import replay as read_again

    found = read_again(file)
    if as_json:
        print_json(found.as_json())
    else:
        show_replay(found, console(), most)


cache = typer.Typer(help="The cache of replies that runs share (`--cache FOLDER`).", no_args_is_help=True)
app.add_typer(cache, name="cache")


@cache.command()
def why(
    file: RunFile,
    *,
    folder: Annotated[Path, typer.Option("--cache", metavar="FOLDER", help="The cache.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Say which replies of a run came from a cache, and why the others did not."""
    from ludens.experiments.runs.caching import why as reasons

    found = reasons(file, folder)
    if as_json:
        print_json(found)
        return
    for reason, count in found.items():
        console().print(f"{count:>7}  {reason}", markup=False, highlight=False, soft_wrap=True)


@app.command()
def show(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[RUN]", help="A run; by default the latest in runs/.", show_default=False),
    ] = None,
    episode: Annotated[int | None, typer.Option(help="Show this episode.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Show a run, or one of its episodes move by move."""
    from ludens.experiments import Run
    from ludens.experiments.report.screen import show_episode
    from ludens.experiments.study.engine import load

    with Run.latest() if file is None else Run(file) as run:
        if as_json and episode is not None:
            print_json([asdict(record) for record in run.decisions(episode)])
        elif as_json:
            study, result = load(run.path)
            print_json(run_as_json(run) | {"manifest": run.manifest, "result": study.as_json(result)})
        elif episode is not None:
            show_episode(run, episode, console())
        else:
            print_run(run.path, as_json, written=False)


@app.command()
def export(
    file: RunFile,
    *,
    table: Annotated[
        str | None,
        typer.Option(help="Only this table: decisions, calls, episodes, estimates, …", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="With --table a .csv, .json, .jsonl or .parquet file, otherwise a folder; by default beside "
            "the run.",
            show_default=False,
        ),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV files, as without any option.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Write JSON, one object per line.")] = False,
    parquet: Annotated[bool, typer.Option("--parquet", help="Write Parquet files.")] = False,
    replayable: Annotated[
        bool,
        typer.Option(
            "--replayable",
            help="Write the whole run as one small file, .db.xz, which report, show, export and replay read.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the tables of a run as files: decisions, calls, episodes, and all measures."""
    from ludens.experiments.runs.compressed import pack
    from ludens.experiments.runs.files import beside
    from ludens.experiments.study.export import export as write

    wanted: dict[Format, bool] = {"csv": csv, "jsonl": jsonl, "parquet": parquet}
    formats = [name for name, chosen in wanted.items() if chosen]
    if len(formats) > 1:
        raise UsageError(f"--{formats[0]} and --{formats[1]} exclude each other: leave out one.")
    if replayable and (formats or table):
        raise UsageError("--replayable writes the whole run in a format of its own: leave out the others.")
    if replayable:
        written = {"run": pack(file, beside(file, ".db.xz") if out is None else out)}
    else:
        written = write(file, out, table=table, format=formats[0] if formats else None)
    if as_json:
        print_json({name: str(path) for name, path in written.items()})
        return
    for name, path in written.items():
        console().print(f"{name:<13}{path}", markup=False, highlight=False, soft_wrap=True)


def _change(text: str, config: Any) -> tuple[str, Any]:
    """Return a key of the configuration and its new value, as TOML or as a plain text; ``+=`` adds to a
    list.
    """
    key, equals, value = text.partition("=")
    adds, key = key.endswith("+"), key.removesuffix("+").strip()
    if not equals or not hasattr(config, key):
        raise UsageError(
            f"{text!r} cannot be read: write KEY=VALUE with one of {', '.join(type(config).model_fields)}."
        )
    if "\n" in value:
        raise UsageError(f"{text!r} cannot be read: write one KEY=VALUE in one line.")
    present = getattr(config, key)
    try:
        read: Any = tomllib.loads(f"value = {value}")["value"]
    except ValueError:  # no TOML: a plain text, of several policies or names where the key holds a list
        read = policy_texts(value) if isinstance(present, tuple | list) else value
    if not adds:
        return key, read
    if not isinstance(present, tuple | list):
        raise UsageError(f"{key!r} is not a list that {text!r} could add to: write {key}=VALUE.")
    return key, [*present, *(read if isinstance(read, list) else [read])]
