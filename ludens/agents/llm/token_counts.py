"""Tokens counted here, before a prompt is sent, or where a server does not count them itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ludens.agents.llm.abilities import load


def prompt_tokens(model: str, messages: Iterable[Mapping[str, str]]) -> int:
    """Return how many tokens messages have, by the tokenizer that LiteLLM brings for a model."""
    return _counted(model, messages=[dict(each) for each in messages])


def reply_tokens(model: str, text: str) -> int:
    """Return how many tokens a text has, by the tokenizer that LiteLLM brings for a model."""
    return _counted(model, text=text)


def _counted(model: str, **what: Any) -> int:
    litellm: Any = load(model)
    before = litellm.disable_hf_tokenizer_download
    litellm.disable_hf_tokenizer_download = True
    try:
        return int(litellm.token_counter(model=model, **what))
    finally:
        litellm.disable_hf_tokenizer_download = before
