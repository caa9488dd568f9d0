"""The result of a study: what was measured, beside what every run says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ludens.experiments.runs.files import report_path
from ludens.experiments.runs.records import FINISHED, DecisionRecord
from ludens.experiments.runs.run import Run


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """A run as measured; a study adds its measures.

    Attributes:
        run_path: the run's file.
        report_path: the HTML report; None until one is written.
        decisions: everything that was asked and answered.
        manifest: of the run.
        planned, ended: how many episodes the run has, and how many have ended.
    """

    run_path: Path
    report_path: Path | None
    decisions: tuple[DecisionRecord, ...]
    manifest: Mapping[str, Any]
    planned: int
    ended: int

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
