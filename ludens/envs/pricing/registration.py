"""Both PettingZoo faces of the pricing environments. Markets are loaded when the first one is made."""

from __future__ import annotations

from typing import Any

from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import turn_based_aec_to_parallel

from ludens.envs.spec import EnvSpec, register, register_parallel

OPTIONS = (
    "market", "firms", "actions", "points", "extension", "grid", "bounds", "memory", "periods", "max_cycles",
    "discount", "interventions", "price_limit", "render_mode",
)  # fmt: skip
BERTRAND = EnvSpec(
    "ludens/bertrand-v0",
    "Repeated Bertrand market, firms move at once",
    "Calvano, Calzolari, Denicolò & Pastorello (2020)",
    ("firm",),
    OPTIONS,
    "ludens.envs.pricing.env:BertrandEnv",
)
SEQUENTIAL = EnvSpec(
    "ludens/bertrand_sequential-v0",
    "Repeated Bertrand market, firms move in turns",
    "Klein (2021)",
    ("firm",),
    OPTIONS,
)
PRICING = (BERTRAND, SEQUENTIAL)


def sequential_aec(**options: Any) -> AECEnv[str, Any, Any]:
    """`SequentialBertrandEnv`, with unknown options told in one sentence."""
    from ludens.envs.pricing.sequential_env import SequentialBertrandEnv

    return SequentialBertrandEnv(**SEQUENTIAL.known(options))


def sequential_parallel(**options: Any) -> ParallelEnv[str, Any, Any]:
    """The same behind PettingZoo's turn-based conversion: only the seat to move is heard at a step."""
    environment: ParallelEnv[str, Any, Any] = turn_based_aec_to_parallel(sequential_aec(**options))
    return environment


def register_pricing() -> None:
    """Add the pricing environments to both registries. Doing it twice changes nothing."""
    register_parallel(BERTRAND)
    register(SEQUENTIAL.environment, parallel=sequential_parallel, aec=sequential_aec)
