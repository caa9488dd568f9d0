"""The specifications of the pricing environments; markets are loaded when the first one is made."""

from __future__ import annotations

from ludens.envs.spec import EnvSpec, register

OPTIONS = (
    "market", "firms", "actions", "points", "extension", "grid", "bounds", "memory", "periods", "max_cycles",
    "discount", "interventions", "price_limit", "render_mode", "observation",
)  # fmt: skip
BERTRAND = EnvSpec(
    "ludens/bertrand-v0",
    "Repeated Bertrand market, firms move simultaneously",
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
    "ludens.envs.pricing.sequential_env:SequentialBertrandEnv",
)
PRICING = (BERTRAND, SEQUENTIAL)


def register_pricing() -> None:
    """Add the pricing environments to both registries; repeating this changes nothing."""
    for spec in PRICING:
        register(spec.environment, spec.make)
