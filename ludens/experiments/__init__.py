"""Run episodes, keep them, resume them, measure and report them."""

from __future__ import annotations

from ludens.experiments.bench import BenchResult, bench
from ludens.experiments.blocking import RunInterrupted, run_blocking
from ludens.experiments.play import aplay, play, resume
from ludens.experiments.records import DecisionRecord, EpisodeRecord, EpisodeSpec
from ludens.experiments.run import Run, Summary
from ludens.experiments.runner import (
    Progress,
    Recorder,
    RunAbortedError,
    run_episodes,
)
from ludens.experiments.store import Store, StoreError, create_run

__all__ = [
    "BenchResult",
    "DecisionRecord",
    "EpisodeRecord",
    "EpisodeSpec",
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
