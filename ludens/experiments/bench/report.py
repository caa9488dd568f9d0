"""Write the report of a benchmark beside its run."""

from __future__ import annotations

import os

from ludens.experiments.bench.page import page
from ludens.experiments.bench.result import BenchResult
from ludens.experiments.report import writing


def write_report(result: BenchResult, path: str | os.PathLike[str] | None = None) -> BenchResult:
    """Write the report as one self-contained HTML file; return the result with its `report_path`.

    Args:
        result: what was measured.
        path: the file; None for the run's own name with the ending ``.html``.

    Raises:
        StoreError: it cannot be written; a report that was there before still is.
    """
    return writing.write_report(result, page(result), result.run_path, path)
