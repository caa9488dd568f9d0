"""The parts shared by all commands that run a study: play it or print its file, then report the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ludens.cli.approval import approved
from ludens.cli.blocks import BudgetOptions, CarryingOutOptions
from ludens.cli.printing import console, print_json
from ludens.errors import UsageError

if TYPE_CHECKING:
    from ludens.experiments.study.registry import AnyStudy

PrintConfig = Annotated[
    bool, typer.Option("--print-config", help="Print the study file of this command without running it.")
]


def carry_out(
    study: AnyStudy,
    budget: BudgetOptions | None = None,
    executor: CarryingOutOptions | None = None,
    *,
    out: Path | None = None,
    as_json: bool = False,
    print_config: bool = False,
    files: Mapping[str, Path | None] | None = None,
    further: Callable[[Path], None] | None = None,
) -> Path | None:
    """Play a study, write its report and print the result; or print the file that describes the study.

    Args:
        study: what to play.
        budget: what it may spend; its limits stand in place of those of the configuration.
        executor: where it is played, in place of what the configuration says.
        out: the run's file; None for a new name.
        as_json: print JSON in place of the tables.
        print_config: print the study's file alone.
        files: where to write tables of the result, by the table's name.
        further: what else to do with the run's file before the run is measured.

    Returns:
        The run's file; None where nothing was played.

    Raises:
        Exit: somebody at the terminal does not want to spend the money.
    """
    from ludens.experiments.runs.budget import changed_budget
    from ludens.experiments.runs.caching import caching
    from ludens.experiments.runs.progress import with_cost_to_come
    from ludens.experiments.study.engine import run_study
    from ludens.experiments.study.files import as_toml

    if budget is not None and budget.limits is not None:
        limits = changed_budget(study.config.budget, budget.limits)
        study = type(study)(study.config.changed(budget=limits))
    if executor is not None and executor.chosen:
        study = type(study)(study.config.changed(**executor.chosen))
    if print_config:
        if out is not None or as_json or any((files or {}).values()):
            raise UsageError(
                "--print-config prints the study's file and plays nothing: leave out --out, --json and the "
                "files of tables."
            )
        typer.echo(as_toml(study), nl=False)
        return None
    _check(files, out)
    calls = 0.0 if budget is None else approved(study, budget, as_json=as_json)
    if calls is None:
        return None
    title = study.kind().replace("_", " ")
    cache = caching(None if budget is None else budget.cache)
    with cache, study.watched(console(stderr=True), title) as progress:
        run = run_study(study, out, progress=with_cost_to_come(progress, calls))
    study.go_on(run.path)
    try:
        if further is not None:
            with caching(None if budget is None else budget.cache):
                further(run.path)
    finally:
        print_run(run.path, as_json, written=study.writes_report, files=files)
    return run.path


def print_run(
    path: Path, as_json: bool, *, written: bool, files: Mapping[str, Path | None] | None = None
) -> None:
    """Measure a run and print the result.

    Args:
        path: the run's file.
        as_json: print JSON in place of the tables.
        written: write the report too.
        files: where to write tables of the result, by the table's name.

    Raises:
        UsageError: the study has no such table, or the file cannot be a table; nothing was written.
    """
    from ludens.experiments.report.page import Page
    from ludens.experiments.report.writing import measured_otherwise, with_state, write_report
    from ludens.experiments.study.engine import load
    from ludens.experiments.study.export import write_rows

    _check(files, path)
    study, result = load(path)
    wanted = {name: target for name, target in (files or {}).items() if target is not None}
    if wanted and (lacking := sorted(set(wanted) - set(study.tables(result)))):
        raise UsageError(
            f"{path} is a run of {study.kind()}, which has no {lacking[0]}: `ludens export {path}` writes "
            "its tables."
        )
    if written:
        result = write_report(result, with_state(study.page(result), path), path)
    if as_json:
        print_json(study.as_json(result))
    else:
        study.show(result, console())
        print_requests(path)
        # Of a study of ludens itself the summary says whether its run is finished.
        own = hasattr(result, "run_path")
        for sentence in measured_otherwise(path) if own else with_state(Page("", ""), path).warnings:
            console().print(sentence, style="bold", markup=False, soft_wrap=True)
        if written and getattr(result, "report_path", None) is None:  # else the study's closing lines name it
            from ludens.experiments.report.terminal import print_places
            from ludens.experiments.runs.files import report_path

            print_places(console(), [("Report", report_path(path)), ("Run", path)])
    for name, target in wanted.items():
        again = f"name another file in `ludens export {path} --table {name} --out FILE`; the run is kept."
        write_rows(study.tables(result)[name], target, again)


def print_requests(path: Path) -> None:
    """Print how the requests of a run were changed to suit the servers of its models, if they were."""
    from ludens.experiments import Run
    from ludens.experiments.report.provenance import requests
    from ludens.experiments.report.terminal import say

    with Run(path) as run:
        lines = requests(run.manifest)
    for line in lines:
        say(console(), f"Requests to {line}.", "dim")


def _check(files: Mapping[str, Path | None] | None, run: Path | None) -> None:
    """See that the tables can be written, before anything is played."""
    from ludens.experiments.study.export import check_target

    for target in (files or {}).values():
        if target is not None:
            check_target(target, run)


def given(**values: Any) -> dict[str, Any]:
    """Return the values that are not None, so that other options keep the configuration's defaults."""
    return {name: value for name, value in values.items() if value is not None}
