"""Q-learning firms after Calvano, Calzolari, Denicolò & Pastorello (AER 2020), and what they learn."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ludens.agents.qlearning.equilibrium import EquilibriumTest, equilibrium_test
    from ludens.agents.qlearning.exp3 import BanditSessions, train_exp3
    from ludens.agents.qlearning.heatmap import HeatMap, heat_map
    from ludens.agents.qlearning.impulse import ImpulseResponse, impulse_response
    from ludens.agents.qlearning.parameters import QLearning
    from ludens.agents.qlearning.policy import QLearningPolicy
    from ludens.agents.qlearning.sessions import Sessions
    from ludens.agents.qlearning.tables import LearningTables, TableTooLargeError, learning_tables
    from ludens.agents.qlearning.training import train

__all__ = [
    "BanditSessions",
    "EquilibriumTest",
    "HeatMap",
    "ImpulseResponse",
    "LearningTables",
    "QLearning",
    "QLearningPolicy",
    "Sessions",
    "TableTooLargeError",
    "equilibrium_test",
    "heat_map",
    "impulse_response",
    "learning_tables",
    "train",
    "train_exp3",
]

# Each is loaded when it is first named: the loop needs numba, which takes a moment to load.
_HOMES = {
    "equilibrium": (
        "EquilibriumTest",
        "equilibrium_test",
    ),
    "exp3": (
        "BanditSessions",
        "train_exp3",
    ),
    "heatmap": (
        "HeatMap",
        "heat_map",
    ),
    "impulse": (
        "ImpulseResponse",
        "impulse_response",
    ),
    "parameters": ("QLearning",),
    "policy": ("QLearningPolicy",),
    "sessions": ("Sessions",),
    "tables": (
        "LearningTables",
        "TableTooLargeError",
        "learning_tables",
    ),
    "training": ("train",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load the module of a name when it is first asked for (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'ludens.agents.qlearning' has no attribute {name!r}")
    return getattr(importlib.import_module(f"ludens.agents.qlearning.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
