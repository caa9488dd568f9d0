"""The repeated Bertrand market: demand, firms, the prices that theory expects, and its environments."""

from __future__ import annotations

from ludens.envs.pricing.core import Outcome, PricingCore
from ludens.envs.pricing.env import BertrandEnv
from ludens.envs.pricing.errors import EquilibriumError
from ludens.envs.pricing.homogeneous import HomogeneousMarket
from ludens.envs.pricing.interventions import (
    CheapTalk,
    DemandShock,
    Entrant,
    Exit,
    Intervention,
    OutsideOption,
    Prominence,
    Regulator,
)
from ludens.envs.pricing.linear import shubik_levitan
from ludens.envs.pricing.market import Market
from ludens.envs.pricing.sequential_env import SequentialBertrandEnv

__all__ = [
    "BertrandEnv",
    "CheapTalk",
    "DemandShock",
    "Entrant",
    "EquilibriumError",
    "Exit",
    "HomogeneousMarket",
    "Intervention",
    "Market",
    "Outcome",
    "OutsideOption",
    "PricingCore",
    "Prominence",
    "Regulator",
    "SequentialBertrandEnv",
    "shubik_levitan",
]
