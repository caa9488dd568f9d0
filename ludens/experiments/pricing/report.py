"""Write the report of a run of the market beside it."""

from __future__ import annotations

import os

from ludens.experiments.pricing.page import page
from ludens.experiments.pricing.result import PricingResult
from ludens.experiments.report import writing


def write_report(result: PricingResult, path: str | os.PathLike[str] | None = None) -> PricingResult:
    """Write the report as one self-contained HTML file; return the result with its `report_path`.

    Args:
        result: what was measured.
        path: the file; None for the run's own name with the ending ``.html``.

    Raises:
        StoreError: it cannot be written; a report that was there before still is.
    """
    return writing.write_report(result, page(result), result.run_path, path)
