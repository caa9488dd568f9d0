"""Policies: whatever maps a turn to a decision."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ludens.agents.best_reply import BestReplyPolicy
    from ludens.agents.human import HumanPolicy, PlayerLeftError
    from ludens.agents.journal import Journal, current_journal, recording
    from ludens.agents.llm.policy import LLMPolicy
    from ludens.agents.oracle import OraclePolicy, QuantalPolicy
    from ludens.agents.policy import (
        BeliefReport,
        Call,
        CallablePolicy,
        Decision,
        NoDecisionError,
        Policy,
        Wording,
        draw,
    )
    from ludens.agents.registry import make_policy, policy_names
    from ludens.agents.scripted import (
        AlwaysCooperate,
        AlwaysDefect,
        Grim,
        RandomPolicy,
        Reciprocator,
        TitForTat,
    )

__all__ = [
    "AlwaysCooperate",
    "AlwaysDefect",
    "BeliefReport",
    "BestReplyPolicy",
    "Call",
    "CallablePolicy",
    "Decision",
    "Grim",
    "HumanPolicy",
    "Journal",
    "LLMPolicy",
    "NoDecisionError",
    "OraclePolicy",
    "PlayerLeftError",
    "Policy",
    "QuantalPolicy",
    "RandomPolicy",
    "Reciprocator",
    "TitForTat",
    "Wording",
    "current_journal",
    "draw",
    "make_policy",
    "policy_names",
    "recording",
]

# Each is loaded when it is first named, so that a scripted game does not wait for the client of language
# models.
_HOMES = {
    "best_reply": ("BestReplyPolicy",),
    "human": ("HumanPolicy", "PlayerLeftError"),
    "journal": ("Journal", "current_journal", "recording"),
    "llm.policy": ("LLMPolicy",),
    "oracle": ("OraclePolicy", "QuantalPolicy"),
    "policy": (
        "BeliefReport",
        "Call",
        "CallablePolicy",
        "Decision",
        "NoDecisionError",
        "Policy",
        "Wording",
        "draw",
    ),
    "registry": ("make_policy", "policy_names"),
    "scripted": ("AlwaysCooperate", "AlwaysDefect", "Grim", "RandomPolicy", "Reciprocator", "TitForTat"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load the module of a name when it is first asked for (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'ludens.agents' has no attribute {name!r}")
    return getattr(importlib.import_module(f"ludens.agents.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
