"""The sequential prisoner's dilemma of van Leeuwen & Alger (JPE Microeconomics 2(4), 2024).

The first mover cooperates or defects; the second mover sees this and then cooperates or defects. Mutual
cooperation gives R each, mutual defection P each; a lone defector gets T and the other player S.
"""

from __future__ import annotations

from ludens.envs.tree.family import Family, ordered
from ludens.envs.tree.nodes import DecisionNode, PayoffNode


def _build(T: float, R: float, P: float, S: float) -> DecisionNode:
    after_cooperation = {"cooperate": PayoffNode((R, R)), "defect": PayoffNode((S, T))}
    after_defection = {"cooperate": PayoffNode((T, S)), "defect": PayoffNode((P, P))}
    return DecisionNode(
        "opening",
        "first mover",
        {
            "cooperate": DecisionNode("reply to cooperation", "second mover", after_cooperation),
            "defect": DecisionNode("reply to defection", "second mover", after_defection),
        },
    )


def _check(T: float, R: float, P: float, S: float) -> str | None:
    return ordered(T=T, R=R, P=P, S=S)


FAMILY = Family(
    name="sequential_prisoners_dilemma",
    title="Sequential prisoner's dilemma",
    source="van Leeuwen & Alger 2024",
    roles=("first mover", "second mover"),
    parameters=("T", "R", "P", "S"),
    build=_build,
    check=_check,
    prosocial={
        "opening": "cooperate",
        "reply to cooperation": "cooperate",
        "reply to defection": "cooperate",
    },
    protocols={
        "SPD1": (90, 45, 15, 10),
        "SPD2": (90, 55, 20, 10),
        "SPD3": (80, 65, 25, 20),
        "SPD4": (90, 65, 25, 10),
        "SPD5": (80, 75, 30, 20),
        "SPD6": (90, 75, 30, 10),
    },
    # What `find_design(18)` chooses; a test holds them to it.
    designed={
        "SPDX1": (90, 30, 20, 10),
        "SPDX2": (90, 70, 50, 10),
        "SPDX3": (90, 70, 60, 10),
        "SPDX4": (90, 80, 20, 10),
        "SPDX5": (90, 80, 30, 10),
        "SPDX6": (90, 80, 40, 10),
        "SPDX7": (90, 80, 50, 10),
        "SPDX8": (90, 80, 60, 10),
        "SPDX9": (90, 80, 70, 10),
    },
)
