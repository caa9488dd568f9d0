"""The mini ultimatum game of van Leeuwen & Alger (JPE Microeconomics 2(4), 2024).

The proposer makes the equal split (R each) or an unequal offer, which the responder accepts (T for the
proposer, S for the responder) or rejects (P each).
"""

from __future__ import annotations

from ludens.envs.tree.family import Family
from ludens.envs.tree.nodes import DecisionNode, PayoffNode


def _build(T: float, R: float, P: float, S: float) -> DecisionNode:
    reply = {"accept": PayoffNode((T, S)), "reject": PayoffNode((P, P))}
    return DecisionNode(
        "opening",
        "proposer",
        {"equal": PayoffNode((R, R)), "unequal": DecisionNode("reply to unequal", "responder", reply)},
    )


def _check(T: float, R: float, P: float, S: float) -> str | None:
    if not T > R:
        return "T > R is needed, or the unequal offer does not favour the proposer"
    if not R > P:
        return "R > P is needed, or rejection costs nobody anything"
    if not S > P:
        return "S > P is needed, or accepting costs the responder"
    return None if R >= S else "R >= S is needed, or the unequal offer favours the responder"


FAMILY = Family(
    name="ultimatum",
    title="Mini ultimatum game",
    source="van Leeuwen & Alger 2024",
    roles=("proposer", "responder"),
    parameters=("T", "R", "P", "S"),
    build=_build,
    check=_check,
    prosocial={"opening": "equal", "reply to unequal": "accept"},
    protocols={
        "UG1": (60, 50, 10, 40),
        "UG2": (65, 50, 10, 35),
        "UG3": (70, 50, 10, 30),
        "UG4": (75, 50, 10, 25),
        "UG5": (80, 50, 10, 20),
        "UG6": (85, 50, 10, 15),
    },
    # What `find_design(18)` chooses; a test holds them to it.
    designed={
        "UGX1": (90, 20, 10, 20),
        "UGX2": (90, 30, 10, 20),
        "UGX3": (90, 30, 10, 30),
        "UGX4": (90, 80, 10, 20),
        "UGX5": (90, 80, 10, 30),
        "UGX6": (90, 80, 10, 40),
        "UGX7": (90, 80, 10, 70),
        "UGX8": (90, 80, 10, 80),
    },
)
