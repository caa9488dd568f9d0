"""Write the report of a run of the dilemma beside it."""

from __future__ import annotations

import os

from ludens.experiments.av.page import page
from ludens.experiments.av.result import DilemmaResult
from ludens.experiments.report import writing


def write_report(result: DilemmaResult, path: str | os.PathLike[str] | None = None) -> DilemmaResult:
    """Write the report as one self-contained HTML file; return the result with its `report_path`.

    Args:
        result: what was measured.
        path: the file; None for the run's own name with the ending ``.html``.

    Raises:
        StoreError: it cannot be written; a report that was there before still is.
    """
    return writing.write_report(result, page(result), result.run_path, path)
