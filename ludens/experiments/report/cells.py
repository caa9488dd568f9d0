"""Cells that all tables are made of: estimates over their intervals, and costs."""

from __future__ import annotations

from ludens.display.table import Cell
from ludens.experiments.measures.costs import Costs
from ludens.experiments.measures.intervals import Estimate
from ludens.experiments.report.names import DASH, number, number_range, percent, share_range

COST_HEADERS = (
    "answers",
    "calls",
    "tokens in",
    "tokens out",
    "US dollars",
    "seconds in calls",
    "repeated requests",
)
"""The headings of `cost_cells`."""

_MISSING = "not measured"


def share(estimate: Estimate | None, digits: int = 0, *, missing: str = _MISSING) -> Cell:
    """Return a share in per cent over its interval, or a dash with the reason.

    Args:
        estimate: between 0 and 1; None where it was not asked for.
        digits: after the decimal point.
        missing: why there is no estimate at all.
    """
    if digits:
        return measured(estimate, digits, 100.0, missing=missing)
    if estimate is None or estimate.value is None:
        return _none(estimate, missing)
    return Cell(percent(estimate.value), share_range(estimate), hint(estimate))


def measured(
    estimate: Estimate | None, digits: int = 1, scale: float = 1.0, *, missing: str = _MISSING
) -> Cell:
    """Return a number over its interval, both multiplied by `scale`, or a dash with the reason."""
    if estimate is not None and estimate.value is None and number_range(estimate):
        hinted = "; ".join(filter(None, (hint(estimate), estimate.note)))
        return Cell(DASH, number_range(estimate, digits, scale), hinted)
    if estimate is None or estimate.value is None:
        return _none(estimate, missing)
    value = number(scale * estimate.value, digits)
    return Cell(value, number_range(estimate, digits, scale), hint(estimate))


def hint(estimate: Estimate) -> str:
    """Return what an estimate rests on."""
    clusters = f", {estimate.clusters} clusters" if estimate.clusters is not None else ""
    return f"n = {estimate.n}{clusters}; {estimate.method if estimate.method != 'none' else estimate.note}"


def cost_cells(costs: Costs) -> tuple[Cell, ...]:
    """Return what answers cost, under `COST_HEADERS`."""
    counts = (costs.decisions, costs.calls, costs.prompt_tokens, costs.completion_tokens)
    texts = [f"{count:,}".replace(",", " ") for count in counts]
    return tuple(
        map(Cell, (*texts, f"{costs.cost:.4f}", f"{costs.call_seconds:.1f}", str(costs.transport_retries)))
    )


def _none(estimate: Estimate | None, missing: str) -> Cell:
    return Cell(DASH, "", estimate.note if estimate else missing)
