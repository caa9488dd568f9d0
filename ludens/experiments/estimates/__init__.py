"""Estimates of preferences from runs and tables of choices, with their tables and figures.

from ludens.experiments.estimates import EstimateRequest, estimate
tables = estimate("runs/bench.db", EstimateRequest(model="moralis"))
"""

from __future__ import annotations

from ludens.experiments.estimates.answers import PolicyAnswers, bench_answers, run_answers
from ludens.experiments.estimates.estimate import EstimateRequest, estimate
from ludens.experiments.estimates.profile import Profile, profile
from ludens.experiments.estimates.revealed import Revealed, reveal
from ludens.experiments.estimates.table import EstimateTable

__all__ = [
    "EstimateRequest",
    "EstimateTable",
    "PolicyAnswers",
    "Profile",
    "Revealed",
    "bench_answers",
    "estimate",
    "profile",
    "reveal",
    "run_answers",
]
