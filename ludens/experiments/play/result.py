"""A run of an environment as summed up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ludens.experiments.runs.run import Summary


@dataclass(frozen=True)
class PlayResult:
    """A run of an environment in a few numbers.

    Attributes:
        run_path: the run's file.
        report_path: the HTML report; None until one is written.
        summary: of the whole run.
        episodes: one row per episode, with its labels, status and payoffs.
    """

    run_path: Path
    report_path: Path | None
    summary: Summary
    episodes: tuple[Mapping[str, Any], ...]
