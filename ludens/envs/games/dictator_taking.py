"""The dictator game in which one takes (Bardsley, Experimental Economics 11(2), 2008; List, Journal of
Political Economy 115(3), 2007): the same divisions as in the dictator game, but the pie is the other's, and
one takes from it.
"""

from __future__ import annotations

from ludens.envs.games.dictator import check_division
from ludens.envs.tree.family import Family
from ludens.envs.tree.nodes import DecisionNode, PayoffNode


def _build(pie: float, steps: float) -> DecisionNode:
    taken = [pie * place / steps for place in range(int(steps) + 1)]
    return DecisionNode(
        "taking", "dictator", {f"take {part:g}": PayoffNode((part, pie - part)) for part in taken}
    )


FAMILY = Family(
    name="dictator_taking",
    title="Dictator game, taking",
    source="Bardsley 2008; List 2007",
    roles=("dictator", "recipient"),
    parameters=("pie", "steps"),
    build=_build,
    check=check_division,
    prosocial={},
    protocols={"DT1": (100, 10)},
    benchmark=False,
)
