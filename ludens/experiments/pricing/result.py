"""A pricing run as measured, as JSON and as CSV."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ludens.experiments.measures.costs import Costs, costs
from ludens.experiments.pricing.analysis import Analysis, analyse, estimates
from ludens.experiments.pricing.judging import Judged, judge
from ludens.experiments.pricing.panels import Panel
from ludens.experiments.pricing.reading import panel
from ludens.experiments.runs.files import as_csv, plain, report_path, write_table
from ludens.experiments.runs.recorder import OnProgress
from ludens.experiments.runs.records import DecisionRecord
from ludens.experiments.runs.run import Run


@dataclass(frozen=True)
class PricingResult:
    """A pricing run as measured.

    Attributes:
        run_path: the run's file.
        report_path: the HTML report; None until one is written.
        panel: what happened.
        analysis: what was measured on it.
        costs: what the decisions of each run took.
        decisions: everything that was asked and answered.
        manifest: of the run.
        judged: verdicts of a model on sentences of the notes; empty where none was asked.
    """

    run_path: Path
    report_path: Path | None
    panel: Panel
    analysis: Analysis
    costs: tuple[Costs, ...]
    decisions: tuple[DecisionRecord, ...]
    manifest: Mapping[str, Any]
    judged: tuple[Judged, ...] = ()

    @property
    def unfinished(self) -> int:
        """How many runs were neither played to their end nor aborted."""
        return self.analysis.groups[0].unfinished

    @property
    def calls(self) -> int:
        """How many calls to models were made."""
        return sum(each.calls for each in self.costs)


def load_result(path: str | os.PathLike[str]) -> PricingResult:
    """Measure a pricing run as it stands on disk, finished or not, without asking anything.

    Raises:
        NoRunError: the file is no pricing run.
    """
    with Run(path) as run:
        played, manifest, decisions = panel(run), run.manifest, run.decisions()
    by_run: dict[int, list[DecisionRecord]] = {}
    for record in decisions:
        by_run.setdefault(record.episode, []).append(record)
    report = report_path(path)
    return PricingResult(
        run_path=Path(path),
        report_path=report if report.exists() else None,
        panel=played,
        analysis=analyse(played, manifest["seed"]),
        costs=tuple(costs(by_run.get(number, [])) for number in range(played.runs)),
        decisions=tuple(decisions),
        manifest=manifest,
    )


def with_judge(
    result: PricingResult,
    model: str,
    *,
    api_base: str | None = None,
    progress: OnProgress | None = None,
) -> PricingResult:
    """The result with a model's verdicts on its notes, which are kept beside the run, ending ``.judge.db``.

    Raises:
        UsageError: that file holds the verdicts of another judge.
        LudensError: the model cannot be reached; verdicts so far are kept.
    """
    path = result.run_path.with_suffix(".judge.db")
    seed = int(result.manifest["seed"])
    found = judge(result.panel, model, path, seed=seed, api_base=api_base, progress=progress)
    return replace(result, judged=found)


def to_json(result: PricingResult) -> dict[str, Any]:
    """Everything measured, as JSON values: how the run came about, each run of a market, each estimate."""
    null, regression = result.analysis.null, result.analysis.regression
    return {
        "run": str(result.run_path),
        "report": None if result.report_path is None else str(result.report_path),
        "unfinished": result.unfinished,
        "seconds": result.manifest["seconds"],
        "manifest": dict(result.manifest),
        "runs": runs_as_json(result.analysis, result.costs),
        "estimates": [plain(row) for row in estimates(result.analysis)],
        "regression": plain(asdict(regression)),
        "null": None if null is None else plain(asdict(null)),
        "judged": [plain(asdict(each)) for each in result.judged],
    }


def runs_as_json(analysis: Analysis, spent: Sequence[Costs] = ()) -> list[dict[str, Any]]:
    """Every run of a market with its measures."""
    rows = []
    for found in analysis.measures:
        row = asdict(found)
        row["converged_all"] = found.all_converged
        if spent:
            row["costs"] = asdict(spent[found.run])
        rows.append(plain(row))
    return rows


def write_estimates(analysis: Analysis, path: str | os.PathLike[str]) -> Path:
    """Every estimate as one row of a CSV file. It is replaced whole or not at all.

    Raises:
        StoreError: it cannot be written.
    """
    return write_table(as_csv(estimates(analysis)), path)


def write_panel(played: Panel, path: str | os.PathLike[str]) -> Path:
    """Every firm of every period of every run as one row of a CSV file, prices and profits in money.

    Raises:
        StoreError: it cannot be written.
    """
    return write_table(as_csv(panel_rows(played)), path)


def panel_rows(played: Panel) -> Iterator[dict[str, Any]]:
    """One row for each run, period and firm that played: run, status, scale, period (from 1), firm (from 0),
    policy, price, quantity, profit, gain.
    """
    gains = played.gains
    for run, period, firm in zip(*np.nonzero(np.isfinite(played.prices)), strict=True):
        yield {
            "run": int(run),
            "status": played.status[run],
            "scale": float(played.scale[run]),
            "period": int(period) + 1,
            "firm": int(firm),
            "policy": played.firms[run][firm],
            "price": float(played.prices[run, period, firm]),
            "quantity": float(played.quantities[run, period, firm]),
            "profit": float(played.profits[run, period, firm]),
            "gain": plain(float(gains[run, period, firm])),
        }
