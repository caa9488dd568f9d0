"""Both PettingZoo faces of the environments of this package. Each is loaded when the first one is made."""

from __future__ import annotations

from ludens.envs.av.adoption_registration import ADOPTION, register_adoption
from ludens.envs.av.dilemma_registration import DILEMMA, register_dilemma
from ludens.envs.av.moral_machine_registration import MORAL_MACHINE, register_moral_machine
from ludens.envs.kind import EnvironmentKind

KINDS: tuple[EnvironmentKind, ...] = (DILEMMA, MORAL_MACHINE, ADOPTION)
"""All of them, in the order of lists."""


def register_av() -> None:
    """Add them to both registries. Doing it twice changes nothing."""
    register_dilemma()
    register_moral_machine()
    register_adoption()
