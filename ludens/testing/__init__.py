"""Tests and test data for your own environments, policies and games; ludens tests itself with them.

* `EnvironmentConformance`: inherit from it and name an environment, and pytest checks everything that ludens
  requires of environments;
* `PolicyConformance`: the equivalent for policies;
* `games`, `payoffs`, `behaviour_strategies`: Hypothesis strategies that draw game trees, payoffs of a family,
  and strategies for a game.

This package needs pytest and hypothesis, which the rest of ludens does not.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ludens.errors import LudensError

if TYPE_CHECKING:
    from ludens.testing.conformance import EnvironmentConformance
    from ludens.testing.generators import behaviour_strategies, games, payoffs
    from ludens.testing.policies import PolicyConformance

__all__ = ["EnvironmentConformance", "PolicyConformance", "behaviour_strategies", "games", "payoffs"]

_HOME_OF = {
    "EnvironmentConformance": "conformance",
    "PolicyConformance": "policies",
    "behaviour_strategies": "generators",
    "games": "generators",
    "payoffs": "generators",
}


class MissingTestToolError(LudensError, ImportError):
    """A name of `ludens.testing` that needs a package which is not installed."""


def __getattr__(name: str) -> Any:
    """Load a name at its first use (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'ludens.testing' has no attribute {name!r}")
    try:
        if name.endswith("Conformance"):
            # So that pytest explains its failures as it does those of a test file.
            importlib.import_module("pytest").register_assert_rewrite(f"ludens.testing.{_HOME_OF[name]}")
        return getattr(importlib.import_module(f"ludens.testing.{_HOME_OF[name]}"), name)
    except ModuleNotFoundError as why:
        if why.name not in {"pytest", "hypothesis"}:
            raise
        raise MissingTestToolError(
            f"ludens.testing.{name} needs {why.name}: install it with pip install pytest hypothesis."
        ) from None


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
