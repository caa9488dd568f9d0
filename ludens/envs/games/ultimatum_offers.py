"""The ultimatum game with all offers (Güth, Schmittberger & Schwarze, JEBO 3(4), 1982): the responder
accepts or rejects the offer that is made.

Homo economicus accepts every positive offer, and in the subgame-perfect equilibrium the smallest one is
made; the equal split is an equilibrium offer for every κ (Alger & Weibull, Econometrica 2013).
"""

from __future__ import annotations

from ludens.envs.games.dictator import check_division
from ludens.envs.tree.family import Family
from ludens.envs.tree.nodes import DecisionNode, PayoffNode


def _build(pie: float, steps: float) -> DecisionNode:
    def answered(offer: float) -> DecisionNode:
        replies = {"accept": PayoffNode((pie - offer, offer)), "reject": PayoffNode((0.0, 0.0))}
        return DecisionNode(f"reply to {offer:g}", "responder", replies)

    offers = [pie * place / steps for place in range(int(steps) + 1)]
    return DecisionNode("offer", "proposer", {f"offer {offer:g}": answered(offer) for offer in offers})


def _check(pie: float, steps: float) -> str | None:
    return check_division(pie, steps) or (None if steps <= 12 else "steps is at most 12")


FAMILY = Family(
    name="ultimatum_offers",
    title="Ultimatum game with all offers",
    source="Güth, Schmittberger & Schwarze 1982",
    roles=("proposer", "responder"),
    parameters=("pie", "steps"),
    build=_build,
    check=_check,
    prosocial={},
    protocols={"UO1": (100, 10)},
    benchmark=False,
)
