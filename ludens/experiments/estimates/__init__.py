"""Preferences estimated from runs and tables: what policies' answers reveal, and the tables and figures of
it.

from ludens.experiments.estimates import Wishes, estimate
sheets = estimate("runs/bench.db", Wishes(model="moralis"))
"""

from __future__ import annotations

from ludens.experiments.estimates.answers import PolicyAnswers, bench_answers, run_answers
from ludens.experiments.estimates.estimate import Wishes, estimate
from ludens.experiments.estimates.profile import Profile, profile
from ludens.experiments.estimates.revealed import Revealed, reveal
from ludens.experiments.estimates.sheet import Sheet

__all__ = [
    "PolicyAnswers",
    "Profile",
    "Revealed",
    "Sheet",
    "Wishes",
    "bench_answers",
    "estimate",
    "profile",
    "reveal",
    "run_answers",
]
