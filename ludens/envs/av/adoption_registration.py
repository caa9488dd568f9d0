"""Both PettingZoo faces of ``ludens/av_adoption-v0``. The environment is loaded when one is first made."""

from __future__ import annotations

from typing import Any

from pettingzoo import AECEnv, ParallelEnv, aec_registry, parallel_registry, register
from pettingzoo.utils.conversions import parallel_to_aec

from ludens.envs.kind import EnvironmentKind

OPTIONS = (
    "people", "pedestrians", "accident", "symmetry", "price_utilitarian", "price_protective",
    "ride_utilitarian", "ride_protective", "economies", "regulation", "rounds", "payoffs", "memory",
    "max_cycles", "render_mode",
)  # fmt: skip
ADOPTION = EnvironmentKind(
    "ludens/av_adoption-v0",
    "Autonomous cars: a population chooses programs",
    "after Bonnefon, Shariff & Rahwan (2016)",
    ("owner",),
    OPTIONS,
)


def adoption_parallel(**options: Any) -> ParallelEnv[str, Any, Any]:
    """`AdoptionEnv`, with unknown options told in one sentence."""
    from ludens.envs.av.adoption_env import AdoptionEnv

    return AdoptionEnv(**ADOPTION.known(options))


def adoption_aec(**options: Any) -> AECEnv[str, Any, Any]:
    """The same behind PettingZoo's own conversion: a round is played when the last person has chosen."""
    environment: AECEnv[str, Any, Any] = parallel_to_aec(adoption_parallel(**options))
    return environment


def register_adoption() -> None:
    """Add both faces to the registries. Doing it twice changes nothing."""
    for face, registry, entry in (
        ("parallel", parallel_registry, adoption_parallel),
        ("aec", aec_registry, adoption_aec),
    ):
        if ADOPTION.environment not in registry:
            register(face, ADOPTION.environment, entry)
