"""Run episodes, keep them, resume them, measure and report them."""

from __future__ import annotations

from ludens.experiments.bench import bench
from ludens.experiments.blocking import RunInterrupted, run_blocking
from ludens.experiments.database import NoRunError, StoreError
from ludens.experiments.play import aplay, play, resume
from ludens.experiments.recorder import Progress, Recorder
from ludens.experiments.records import DecisionRecord, EpisodeRecord, EpisodeSpec
from ludens.experiments.results import BenchResult
from ludens.experiments.run import Run, Summary
from ludens.experiments.runner import RunAbortedError, run_episodes
from ludens.experiments.store import Store, create_run

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
