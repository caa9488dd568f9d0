"""Both PettingZoo faces of the dilemma."""

from __future__ import annotations

from typing import Any

from pettingzoo import AECEnv, ParallelEnv, aec_registry, parallel_registry, register
from pettingzoo.utils.conversions import parallel_to_aec

from ludens.envs.kind import EnvironmentKind

DILEMMA = EnvironmentKind(
    "ludens/av_dilemma-v0",
    "Autonomous-vehicle dilemma, judged by respondents",
    "Bonnefon, Shariff & Rahwan (2016)",
    ("passenger", "pedestrian", "bystander", "programmer", "regulator"),
    (
        "study", "respondents", "perspective", "vignettes", "order", "rounds", "max_cycles", "render_mode",
        "pedestrians", "passengers", "default", "certainty", "regime", "question", "program", "decider",
    ),
)  # fmt: skip


def dilemma_parallel(**options: Any) -> ParallelEnv[str, Any, Any]:
    """`AvDilemmaEnv`, with unknown options told in one sentence."""
    from ludens.envs.av.dilemma import AvDilemmaEnv

    environment: ParallelEnv[str, Any, Any] = AvDilemmaEnv(**DILEMMA.known(options))
    return environment


def dilemma_aec(**options: Any) -> AECEnv[str, Any, Any]:
    """The same behind PettingZoo's own conversion: answers count when the last respondent has given its
    own.
    """
    environment: AECEnv[str, Any, Any] = parallel_to_aec(dilemma_parallel(**options))
    return environment


def register_dilemma() -> None:
    """Add it to both registries. Doing it twice changes nothing."""
    for face, registry, entry in (
        ("parallel", parallel_registry, dilemma_parallel),
        ("aec", aec_registry, dilemma_aec),
    ):
        if DILEMMA.environment not in registry:
            register(face, DILEMMA.environment, entry)
