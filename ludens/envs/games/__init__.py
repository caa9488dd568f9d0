"""The games, one short file each. `FAMILIES` lists them; a new file is added there and nowhere else."""

from __future__ import annotations

from types import MappingProxyType

from ludens.envs.games.sequential_prisoners_dilemma import SEQUENTIAL_PRISONERS_DILEMMA
from ludens.envs.games.trust import TRUST
from ludens.envs.games.ultimatum import ULTIMATUM

FAMILIES = MappingProxyType({family.name: family for family in (SEQUENTIAL_PRISONERS_DILEMMA, TRUST, ULTIMATUM)})
"""All families by name, in the order of tables and pictures."""
