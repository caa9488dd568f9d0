"""Both PettingZoo faces of the Moral Machine."""

from __future__ import annotations

from typing import Any

from pettingzoo import AECEnv, ParallelEnv, aec_registry, parallel_registry, register
from pettingzoo.utils.conversions import parallel_to_aec

from ludens.envs.kind import EnvironmentKind

MORAL_MACHINE = EnvironmentKind(
    "ludens/moral_machine-v0",
    "Moral Machine, scenarios with two groups",
    "Awad et al. (2018)",
    ("bystander", "first", "second"),
    (
        "respondents", "scenarios", "draw", "types", "perspective", "order", "max_cycles", "render_mode",
    ),
)  # fmt: skip


def moral_machine_parallel(**options: Any) -> ParallelEnv[str, Any, Any]:
    """`MoralMachineEnv`, with unknown options told in one sentence."""
    from ludens.envs.av.moral_machine_env import MoralMachineEnv

    environment: ParallelEnv[str, Any, Any] = MoralMachineEnv(**MORAL_MACHINE.known(options))
    return environment


def moral_machine_aec(**options: Any) -> AECEnv[str, Any, Any]:
    """The same behind PettingZoo's own conversion: answers count when the last respondent has given its
    own.
    """
    environment: AECEnv[str, Any, Any] = parallel_to_aec(moral_machine_parallel(**options))
    return environment


def register_moral_machine() -> None:
    """Add it to both registries. Doing it twice changes nothing."""
    for face, registry, entry in (
        ("parallel", parallel_registry, moral_machine_parallel),
        ("aec", aec_registry, moral_machine_aec),
    ):
        if MORAL_MACHINE.environment not in registry:
            register(face, MORAL_MACHINE.environment, entry)
