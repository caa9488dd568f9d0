"""What a benchmark looks like: the HTML report, its pictures, and the table in the terminal."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ludens.experiments.runs.database import StoreError, reason
from ludens.experiments.runs.files import write_whole

if TYPE_CHECKING:
    from ludens.experiments.bench.result import BenchResult


def write_report(result: BenchResult, path: str | os.PathLike[str] | None = None) -> BenchResult:
    """Write the report as one self-contained HTML file; returns the result with its `report_path`.

    Args:
        result: what was measured.
        path: the file; None for the run's own name with the ending ``.html``. An existing one is replaced,
            whole or not at all.

    Raises:
        StoreError: it cannot be written; a report that was there before still is.
    """
    from ludens.experiments.report.page import page

    target = result.run_path.with_suffix(".html") if path is None else Path(path)
    again = f"`ludens report {result.run_path}` writes it; what was asked is kept."
    write_page(page(result), target, again)
    return replace(result, report_path=target)


def write_page(text: str, target: Path, again: str) -> None:
    """Write a page whole or not at all; `again` ends the error's sentence by saying how to have it later.

    Raises:
        StoreError: it cannot be written; a page that was there before still is.
    """
    try:
        write_whole(target, text.encode("utf-8", "replace"))
    except OSError as error:
        raise StoreError(
            f"The report cannot be written to {target} ({reason(error)}): make that possible, and {again}"
        ) from None
