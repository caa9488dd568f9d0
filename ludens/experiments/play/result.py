"""A run of an environment as summed up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ludens.display.notebook import Shown, View
from ludens.experiments.runs import run
from ludens.experiments.runs.run import Run, Summary


@dataclass(frozen=True, repr=False)
class PlayResult(Shown):
    """A run of an environment in a few numbers.

    Attributes:
        run_path: the run's file.
        report_path: the HTML report; None until one is written.
        summary: of the whole run.
        episodes: one row per episode, with its labels, status and payoffs.
    """

    shown_by: ClassVar[str] = "ludens.experiments.play.result:view"

    run_path: Path
    report_path: Path | None
    summary: Summary
    episodes: tuple[Mapping[str, Any], ...]

    def __repr__(self) -> str:
        return f"PlayResult({str(self.run_path)!r}: {len(self.episodes)} episodes)"


def view(result: PlayResult) -> View:
    """Return what a notebook shows of a result: its run."""
    return run.view(Run(result.run_path))
