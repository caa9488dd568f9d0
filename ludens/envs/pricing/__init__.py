"""The repeated Bertrand market: demand, firms and the prices that theory expects."""

from __future__ import annotations

from ludens.envs.pricing.errors import EquilibriumError
from ludens.envs.pricing.linear import shubik_levitan
from ludens.envs.pricing.market import Market

__all__ = ["EquilibriumError", "Market", "shubik_levitan"]
