"""Tuning of a model by its provider (OpenAI, Azure, Vertex AI), through LiteLLM.

job = provider_tune("openai/gpt-4.1-mini-2025-04-14", "data/moralis", epochs=3, max_cost=5)
LLMPolicy(job.policy)
"""

from __future__ import annotations

from ludens.training.provider.preparation import Prepared, prepare
from ludens.training.provider.prices import Estimate, TrainingPrice
from ludens.training.provider.record import ProviderError, ProviderJob, SentFile
from ludens.training.provider.rules import RULES, Rules
from ludens.training.provider.tuning import (
    TuningProgress,
    cancel_provider_tune,
    provider_tune,
    resume_provider_tune,
)

__all__ = [
    "RULES",
    "Estimate",
    "Prepared",
    "ProviderError",
    "ProviderJob",
    "Rules",
    "SentFile",
    "TrainingPrice",
    "TuningProgress",
    "cancel_provider_tune",
    "prepare",
    "provider_tune",
    "resume_provider_tune",
]
