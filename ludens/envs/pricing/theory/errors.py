"""The error raised when a solver does not find an equilibrium."""

from __future__ import annotations

from ludens.errors import LudensError


class EquilibriumError(LudensError):
    """The solver did not find equilibrium prices; it never returns others in their place."""
