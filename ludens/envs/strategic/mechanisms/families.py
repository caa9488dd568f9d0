"""Families of games with mediation, under names of their own: "PD1 with mediation" is the published game PD1
in which each may also delegate to the mediator of `Mediation`.

All still move at once in them, so that benchmarks ask them and estimates use the choices as those of any
other game. Mechanisms with stages have no such names: what is asked in a later stage depends on the earlier
ones.
"""

from __future__ import annotations

from functools import partial

from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import StrategicGame
from ludens.envs.strategic.mechanisms.mediation import DELEGATE, Mediation

PROTOCOL_ENDING = " with mediation"
FAMILY_ENDING = "_with_mediation"


def with_mediation(family: StrategicFamily) -> StrategicFamily:
    """Return the family of a family's games with mediation; to delegate is the cooperative option."""
    return StrategicFamily(
        name=f"{family.name}{FAMILY_ENDING}",
        title=f"{family.title} with mediation",
        source=f"{family.source}; {Mediation.source}",
        roles=family.roles,
        parameters=family.parameters,
        build=partial(_build, family),
        check=family.check,
        prosocial=dict.fromkeys(family.prosocial, DELEGATE),
        protocols={f"{name}{PROTOCOL_ENDING}": numbers for name, numbers in family.protocols.items()},
    )


def _build(family: StrategicFamily, *payoffs: float) -> StrategicGame:
    return Mediation().around(family.game(payoffs=payoffs))
