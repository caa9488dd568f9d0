"""The investment game (Berg, Dickhaut & McCabe, GEB 10(1), 1995): what the investor sends is multiplied,
and the trustee returns a part of that.

Homo economicus returns nothing and therefore sends nothing.
"""

from __future__ import annotations

from ludens.envs.tree.family import Family
from ludens.envs.tree.nodes import DecisionNode, Node, PayoffNode

_SHARES = (0, 25, 50, 75, 100)


def _build(endowment: float, multiplier: float) -> DecisionNode:
    def returned(sent: float) -> Node:
        got = multiplier * sent
        if not sent:
            return PayoffNode((endowment, 0.0))
        replies = {
            f"return {share} %": PayoffNode((endowment - sent + got * share / 100, got * (1 - share / 100)))
            for share in _SHARES
        }
        return DecisionNode(f"return of {got:g}", "trustee", replies)

    parts = [endowment * share / 100 for share in _SHARES]
    return DecisionNode("investment", "investor", {f"send {sent:g}": returned(sent) for sent in parts})


def _check(endowment: float, multiplier: float) -> str | None:
    if not endowment > 0:
        return "endowment > 0 is needed"
    return None if multiplier > 1 else "multiplier > 1 is needed, or nothing is gained by sending"


FAMILY = Family(
    name="investment",
    title="Investment game",
    source="Berg, Dickhaut & McCabe 1995",
    roles=("investor", "trustee"),
    parameters=("endowment", "multiplier"),
    build=_build,
    check=_check,
    prosocial={},
    protocols={"IG1": (10, 3), "IG2": (100, 3)},
    benchmark=False,
)
