"""The error of markets whose equilibrium was not found."""

from __future__ import annotations

from ludens.errors import LudensError


class EquilibriumError(LudensError):
    """No prices were found that answer each other; none are given that do not."""
