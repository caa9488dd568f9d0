"""The mini trust game of van Leeuwen & Alger (JPE Microeconomics 2(4), 2024).

The investor trusts or does not; if trusted, the trustee reciprocates (R each) or defects (T against the
investor's S).
"""

from __future__ import annotations

from ludens.envs.tree.family import Family, ordered
from ludens.envs.tree.nodes import DecisionNode, PayoffNode


def _build(T: float, R: float, P: float, S: float) -> DecisionNode:
    reply = {"reciprocate": PayoffNode((R, R)), "defect": PayoffNode((S, T))}
    return DecisionNode(
        "opening",
        "investor",
        {"trust": DecisionNode("reply to trust", "trustee", reply), "keep": PayoffNode((P, P))},
    )


def _check(T: float, R: float, P: float, S: float) -> str | None:
    return ordered(T=T, R=R, P=P, S=S)


FAMILY = Family(
    name="trust",
    title="Mini trust game",
    source="van Leeuwen & Alger 2024",
    roles=("investor", "trustee"),
    parameters=("T", "R", "P", "S"),
    build=_build,
    check=_check,
    prosocial={"opening": "trust", "reply to trust": "reciprocate"},
    protocols={
        "TG1": (80, 50, 30, 20),
        "TG2": (90, 50, 30, 10),
        "TG3": (80, 60, 30, 20),
        "TG4": (90, 60, 30, 10),
        "TG5": (80, 70, 30, 20),
        "TG6": (90, 70, 30, 10),
    },
    # What `find_design(18)` chooses; a test holds them to it.
    designed={
        "TGX1": (90, 80, 20, 10),
    },
)
