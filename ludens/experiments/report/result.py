"""The result of a study: what was measured, beside what every run says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from ludens.display.notebook import Shown, View
from ludens.experiments.report import page, provenance
from ludens.experiments.runs.files import report_path
from ludens.experiments.runs.records import FINISHED, DecisionRecord
from ludens.experiments.runs.run import Run
from ludens.experiments.study.engine import study_from


@dataclass(frozen=True, kw_only=True, repr=False)
class RunResult(Shown):
    """A run as measured; a study adds its measures, and says ``repr=False`` for a short text.

    Attributes:
        run_path: the run's file.
        report_path: the HTML report; None until one is written.
        decisions: everything that was asked and answered.
        manifest: of the run.
        planned, ended: how many episodes the run has, and how many have ended.
    """

    shown_by: ClassVar[str] = "ludens.experiments.report.result:view"

    run_path: Path
    report_path: Path | None
    decisions: tuple[DecisionRecord, ...]
    manifest: Mapping[str, Any]
    planned: int
    ended: int

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.run_path)!r}: {self.ended} of {self.planned} episodes)"

    @classmethod
    def of(cls, run: Run, decisions: Sequence[DecisionRecord], **measures: Any) -> Self:
        """Return the result of a run, finished or not.

        Args:
            run: where it lies.
            decisions: all of the run.
            measures: the study's own fields.
        """
        episodes, report = run.episodes(), report_path(run.path)
        return cls(
            run_path=run.path,
            report_path=report if report.exists() else None,
            decisions=tuple(decisions),
            manifest=run.manifest,
            planned=len(episodes),
            ended=sum(each.status in FINISHED | {"aborted"} for each in episodes),
            **measures,
        )

    def as_json(self) -> dict[str, Any]:
        """Return what every result says of its run, as JSON values."""
        return {
            "run": str(self.run_path),
            "report": None if self.report_path is None else str(self.report_path),
            "planned": self.planned,
            "ended": self.ended,
            "seconds": self.manifest["seconds"],
            "manifest": dict(self.manifest),
        }


def view(result: RunResult) -> View:
    """Return what a notebook shows of a result: the first picture and the tables of its study's report.

    The run is not read again.
    """
    report = study_from(result.manifest).page(result)
    files = {"run": str(result.run_path)}
    if result.report_path is not None:
        files["report"] = str(result.report_path)
    shown = page.view(report)
    warnings = (*shown.warnings, *provenance.measured_otherwise(result.manifest))
    return replace(shown, warnings=warnings, facts=files)
