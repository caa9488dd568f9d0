"""The repeated Bertrand market."""

from __future__ import annotations

from ludens.envs.pricing.equilibrium import EquilibriumError
from ludens.envs.pricing.market import Market

__all__ = ["EquilibriumError", "Market"]
