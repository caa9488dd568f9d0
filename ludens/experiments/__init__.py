"""Run studies: episodes on disk that can be resumed and extended, measures, and reports."""

from __future__ import annotations

from ludens.experiments.bench.result import BenchResult
from ludens.experiments.bench.study import bench
from ludens.experiments.play.study import aplay, play
from ludens.experiments.report.writing import report
from ludens.experiments.runs.blocking import RunInterrupted, RunTerminated, run_blocking
from ludens.experiments.runs.budget import Budget, BudgetSpentError
from ludens.experiments.runs.caching import caching
from ludens.experiments.runs.database import NoRunError, StoreError
from ludens.experiments.runs.executors.computing import compute
from ludens.experiments.runs.recorder import Progress, Recorder
from ludens.experiments.runs.records import DecisionRecord, EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run, Summary
from ludens.experiments.runs.runner import RunAbortedError, run_episodes
from ludens.experiments.runs.store import Store, create_run
from ludens.experiments.study.base import Study
from ludens.experiments.study.config import StudyConfig
from ludens.experiments.study.engine import arun_study, extend, load, resume, run_study
from ludens.experiments.study.export import export, frame
from ludens.experiments.study.files import as_toml, parse_study, read_study
from ludens.experiments.study.forecast import Forecast, forecast
from ludens.experiments.study.questions import QuestionStudy
from ludens.experiments.study.registry import STUDIES
from ludens.experiments.study.replay import replay

__all__ = [
    "STUDIES",
    "BenchResult",
    "Budget",
    "BudgetSpentError",
    "DecisionRecord",
    "EpisodeRecord",
    "EpisodeSpec",
    "Forecast",
    "NoRunError",
    "Progress",
    "QuestionStudy",
    "Recorder",
    "Run",
    "RunAbortedError",
    "RunInterrupted",
    "RunTerminated",
    "Store",
    "StoreError",
    "Study",
    "StudyConfig",
    "Summary",
    "aplay",
    "arun_study",
    "as_toml",
    "bench",
    "caching",
    "compute",
    "create_run",
    "export",
    "extend",
    "forecast",
    "frame",
    "load",
    "parse_study",
    "play",
    "read_study",
    "replay",
    "report",
    "resume",
    "run_blocking",
    "run_episodes",
    "run_study",
]
