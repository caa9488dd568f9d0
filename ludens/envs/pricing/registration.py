"""Both PettingZoo faces of the pricing environments. Markets are loaded when the first one is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pettingzoo import AECEnv, ParallelEnv, aec_registry, parallel_registry, register
from pettingzoo.utils.conversions import parallel_to_aec, turn_based_aec_to_parallel

from ludens.errors import UsageError


@dataclass(frozen=True)
class PricingKind:
    """A pricing environment as lists show it.

    Attributes:
        environment: its id.
        title, source: for people.
        roles: of its seats; there are as many as firms.
        options: the names of what it can be made with.
    """

    environment: str
    title: str
    source: str
    roles: tuple[str, ...]
    options: tuple[str, ...]


OPTIONS = (
    "market", "firms", "actions", "points", "extension", "grid", "bounds", "memory", "periods", "max_cycles",
    "discount", "interventions", "price_limit", "render_mode",
)  # fmt: skip
BERTRAND = PricingKind(
    "ludens/bertrand-v0",
    "Repeated Bertrand market, firms move at once",
    "Calvano, Calzolari, Denicolò & Pastorello (2020)",
    ("firm",),
    OPTIONS,
)
SEQUENTIAL = PricingKind(
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

    return BertrandEnv(**_known(BERTRAND, options))


def bertrand_aec(**options: Any) -> AECEnv[str, Any, Any]:
    """The same behind PettingZoo's own conversion: prices are charged when the last firm has moved."""
    environment: AECEnv[str, Any, Any] = parallel_to_aec(bertrand_parallel(**options))
    return environment


def sequential_aec(**options: Any) -> AECEnv[str, Any, Any]:
    """`SequentialBertrandEnv`, with unknown options told in one sentence."""
    from ludens.envs.pricing.sequential_env import SequentialBertrandEnv

    return SequentialBertrandEnv(**_known(SEQUENTIAL, options))


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


def _known(kind: PricingKind, options: dict[str, Any]) -> dict[str, Any]:
    unknown = set(options) - set(kind.options)
    if unknown:
        raise UsageError(
            f"{kind.environment} has no option {min(unknown)!r}; it has {', '.join(kind.options)}."
        )
    return options
