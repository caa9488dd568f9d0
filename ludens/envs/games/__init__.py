"""The games, one short file each. A module put here that defines `FAMILY` is found by itself."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from ludens.envs.tree.family import Family
from ludens.envs.tree.nodes import GameError
from ludens.envs.tree.tree import GameTree

_families: dict[str, Family] = {}
_protocols: dict[str, GameTree] = {}

FAMILIES: Mapping[str, Family] = MappingProxyType(_families)
"""All families by name, in the order of tables and pictures."""

PROTOCOLS: Mapping[str, GameTree] = MappingProxyType(_protocols)
"""Published parameter sets of all families, by name: ``PROTOCOLS["SPD1"]`` … ``PROTOCOLS["UG6"]``."""


def family_of(game: GameTree) -> Family | None:
    """The family that a game belongs to, or None for a tree of one's own."""
    return FAMILIES.get(game.name)


def add_family(family: Family) -> None:
    """Add a family and its protocols to the two tables.

    Raises:
        GameError: the family's name or one of its protocols' is taken, or a protocol is not such a game.
    """
    taken = ({family.name} & set(_families)) | (set(family.protocols) & set(_protocols))
    if taken:
        raise GameError(f"The name {min(taken)!r} of family {family.name!r} is taken; choose another.")
    games = {name: family.game(name) for name in family.protocols}
    _families[family.name] = family
    _protocols.update(games)


for _found in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
    add_family(importlib.import_module(f"{__name__}.{_found.name}").FAMILY)
