"""Run episodes, keep them, resume them, measure and report them."""

from __future__ import annotations

from ludens.experiments.bench.bench import bench
from ludens.experiments.bench.result import BenchResult
from ludens.experiments.play import aplay, play, resume
from ludens.experiments.runs.blocking import RunInterrupted, run_blocking
from ludens.experiments.runs.database import NoRunError, StoreError
from ludens.experiments.runs.recorder import Progress, Recorder
from ludens.experiments.runs.records import DecisionRecord, EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run, Summary
from ludens.experiments.runs.runner import RunAbortedError, run_episodes
from ludens.experiments.runs.store import Store, create_run

__all__ = [
    "BenchResult",
    "DecisionRecord",
    "EpisodeRecord",
    "EpisodeSpec",
    "NoRunError",
    "Progress",
    "Recorder",
    "Run",
    "RunAbortedError",
    "RunInterrupted",
    "Store",
    "StoreError",
    "Summary",
    "aplay",
    "bench",
    "create_run",
    "play",
    "resume",
    "run_blocking",
    "run_episodes",
]
