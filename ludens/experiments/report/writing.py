"""Write reports: of any run, whole or not at all."""

from __future__ import annotations

import os
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ludens.errors import UsageError
from ludens.experiments.report import provenance
from ludens.experiments.report.page import Page, render
from ludens.experiments.runs.blocking import RunInterrupted
from ludens.experiments.runs.database import StoreError, reason
from ludens.experiments.runs.files import report_path, write_whole
from ludens.experiments.runs.run import Run
from ludens.experiments.study.engine import load

ResultT = TypeVar("ResultT")


def report(path: str | os.PathLike[str], target: str | os.PathLike[str] | None = None) -> Any:
    """Measure a run of any study as it stands, finished or not, and write its report; nothing is asked.

    Args:
        path: the run's file.
        target: the report's file; None for the run's own name with the ending ``.html``. An existing one is
            replaced, whole or not at all.

    Returns:
        What the study measured, with the report's place as its `report_path` if it has such a field.

    Raises:
        NoRunError: the file is not a run.
        UsageError: no study of its kind is known here, or the report would take the run's place.
        StoreError: the report cannot be written; one that was there before still is.
        RunInterrupted: Ctrl-C.
    """
    try:
        study, result = load(path)
        return write_report(result, with_state(study.page(result), path), path, target)
    except KeyboardInterrupt as interrupt:
        message = f"Interrupted before the report was written: `ludens report {path}` writes it."
        raise RunInterrupted(message) from interrupt


def with_state(page: Page, path: str | os.PathLike[str]) -> Page:
    """Return the page of a run with what limits it: that it is unfinished, if the page has no warning of its
    own, and that models were not sampled as the configuration says.
    """
    with Run(path) as run:
        episodes = run.episodes()
    ended = sum(each.status not in {"planned", "running"} for each in episodes)
    own = page.warnings or provenance.unfinished(ended, len(episodes), path)
    return replace(page, warnings=(*own, *measured_otherwise(path)))


def measured_otherwise(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return a warning for each model of a run that was not sampled as the configuration says."""
    with Run(path) as run:
        return provenance.measured_otherwise(run.manifest)


def write_report(
    result: ResultT,
    page: Page,
    path: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
) -> ResultT:
    """Write the page of a result beside its run.

    Args:
        result: what was measured.
        page: what the report shows.
        path: the run's file.
        target: the report's file; None for the run's own name with the ending ``.html``.

    Raises:
        UsageError: the report would take the run's place.
        StoreError: the report cannot be written; one that was there before still is.
    """
    place = report_path(path) if target is None else Path(target)
    if place == Path(path):
        raise UsageError(f"The report would take the place of the run {path}: name another file for it.")
    write_page(page, place, f"`ludens report {path}` writes it; the run is kept.")
    if is_dataclass(result) and any(each.name == "report_path" for each in fields(result)):
        # mypy does not know that a value of the type variable is a dataclass here.
        return replace(result, report_path=place)  # type: ignore[type-var]
    return result


def write_page(page: Page, target: Path, again: str) -> None:
    """Write a page whole or not at all, in UTF-8.

    Args:
        page: what it shows.
        target: the file; an existing one is replaced.
        again: ends the error's sentence by saying how to obtain the page later.

    Raises:
        StoreError: the page cannot be written; one that was there before still is.
    """
    text = render(page)
    try:
        write_whole(target, text.encode("utf-8", "replace"))
    except OSError as error:
        raise StoreError(
            f"The report cannot be written to {target} ({reason(error)}): make that possible, and {again}"
        ) from None
