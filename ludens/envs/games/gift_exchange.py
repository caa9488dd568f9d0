"""The gift-exchange game (Fehr, Kirchsteiger & Riedl, Quarterly Journal of Economics 108(2), 1993): the
employer offers a wage, the worker chooses an effort, which costs it more the higher it is.

The employer earns (value − wage)·effort, the worker wage − cost. Effort 0.1 is free, and homo economicus
chooses it at every wage. Of the ten efforts of the paper, with its costs, every third is offered here.
"""

from __future__ import annotations

from ludens.envs.tree.family import Family
from ludens.envs.tree.nodes import DecisionNode, PayoffNode

EFFORTS = {0.1: 0, 0.4: 4, 0.7: 10, 1.0: 18}
"""What each effort costs the worker."""


def _build(value: float, low: float, middle: float, high: float) -> DecisionNode:
    def worked(wage: float) -> DecisionNode:
        efforts = {
            f"effort {effort:g}": PayoffNode(((value - wage) * effort, wage - cost))
            for effort, cost in EFFORTS.items()
        }
        return DecisionNode(f"work for {wage:g}", "worker", efforts)

    return DecisionNode("offer", "employer", {f"wage {wage:g}": worked(wage) for wage in (low, middle, high)})


def _check(value: float, low: float, middle: float, high: float) -> str | None:
    return None if value >= high > middle > low >= 0 else "value >= high > middle > low >= 0 is needed"


FAMILY = Family(
    name="gift_exchange",
    title="Gift-exchange game",
    source="Fehr, Kirchsteiger & Riedl 1993",
    roles=("employer", "worker"),
    parameters=("value", "low", "middle", "high"),
    build=_build,
    check=_check,
    prosocial={},
    protocols={"GE1": (120, 30, 60, 90)},
    benchmark=False,
)
