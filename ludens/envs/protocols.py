"""The published parameter sets of all families, by name: the 18 of van Leeuwen & Alger (2024) to begin with."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ludens.envs.family import Family
from ludens.envs.games import FAMILIES
from ludens.envs.tree import GameTree

PROTOCOLS: Mapping[str, GameTree] = MappingProxyType(
    {name: family.game(name) for family in FAMILIES.values() for name in family.protocols}
)
"""Protocol name → game: ``PROTOCOLS["SPD1"]`` … ``PROTOCOLS["UG6"]``."""


def family_of(game: GameTree) -> Family | None:
    """The family that a game belongs to, or None for a tree of one's own."""
    return FAMILIES.get(game.name)
