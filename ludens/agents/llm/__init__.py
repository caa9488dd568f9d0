"""Language models as policies, through LiteLLM. Importing this package loads neither LiteLLM nor Jinja2."""

from __future__ import annotations

from ludens.agents.llm.abilities import price_known
from ludens.agents.llm.choice_policy import LLMPolicy
from ludens.agents.llm.faults import ModelError
from ludens.agents.llm.prompts.games import Prompt, WordingError, framings, personas, render

__all__ = [
    "LLMPolicy",
    "ModelError",
    "Prompt",
    "WordingError",
    "framings",
    "personas",
    "price_known",
    "render",
]
