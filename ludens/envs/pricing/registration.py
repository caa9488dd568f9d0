"""Both PettingZoo faces of the pricing environments. Markets are loaded when the first one is made."""

from __future__ import annotations

from typing import Any

from pettingzoo import AECEnv, ParallelEnv, aec_registry, parallel_registry, register
from pettingzoo.utils.conversions import parallel_to_aec, turn_based_aec_to_parallel

from ludens.envs.kind import EnvironmentKind

OPTIONS = (
    "market", "firms", "actions", "points", "extension", "grid", "bounds", "memory", "periods", "max_cycles",
    "discount", "interventions", "price_limit", "render_mode",
)  # fmt: skip
BERTRAND = EnvironmentKind(
    "ludens/bertrand-v0",
    "Repeated Bertrand market, firms move at once",
    "Calvano, Calzolari, Denicolò & Pastorello (2020)",
    ("firm",),
    OPTIONS,
)
SEQUENTIAL = EnvironmentKind(
    "ludens/bertrand_sequential-v0",
    "Repeated Bertrand market, firms move in turns",
    "Klein (2021)",
    ("firm",),
    OPTIONS,
)
PRICING = (BERTRAND, SEQUENTIAL)


def bertrand_parallel(**options: Any) -> ParallelEnv[str, Any, Any]:
    """`BertrandEnv`, with unknown options told in one sentence."""
    from ludens.envs.pricing.env import BertrandEnv

    return BertrandEnv(**BERTRAND.known(options))


def bertrand_aec(**options: Any) -> AECEnv[str, Any, Any]:
    """The same behind PettingZoo's own conversion: prices are charged when the last firm has moved."""
    environment: AECEnv[str, Any, Any] = parallel_to_aec(bertrand_parallel(**options))
    return environment


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
    for face, registry, kind, entry in (
        ("parallel", parallel_registry, BERTRAND, bertrand_parallel),
        ("aec", aec_registry, BERTRAND, bertrand_aec),
        ("aec", aec_registry, SEQUENTIAL, sequential_aec),
        ("parallel", parallel_registry, SEQUENTIAL, sequential_parallel),
    ):
        if kind.environment not in registry:
            register(face, kind.environment, entry)
