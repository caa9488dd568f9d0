"""Both PettingZoo faces of the environments of this package. Each is loaded when the first one is made."""

from __future__ import annotations

from ludens.envs.av.adoption_registration import ADOPTION, register_adoption
from ludens.envs.av.dilemma_registration import DILEMMA, register_dilemma
from ludens.envs.kind import EnvironmentKind

KINDS: tuple[EnvironmentKind, ...] = (DILEMMA, ADOPTION)
"""All of them, in the order of lists."""


def register_av() -> None:
    """Add them to both registries. Doing it twice changes nothing."""
    register_dilemma()
    register_adoption()
