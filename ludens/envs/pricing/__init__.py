"""The repeated Bertrand market: demand, firms, the prices that theory expects, and its environments."""

from __future__ import annotations

from ludens.envs.pricing.env import BertrandEnv
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
from ludens.envs.pricing.sequential_env import SequentialBertrandEnv
from ludens.envs.pricing.simulator import Outcome, PricingCore
from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
from ludens.envs.pricing.theory.linear import shubik_levitan
from ludens.envs.pricing.theory.market import Market

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
