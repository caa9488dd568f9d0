"""The dictator game (Kahneman, Knetsch & Thaler 1986; Forsythe, Horowitz, Savin & Sefton, GEB 6(3), 1994):
one person gives away any part of a pie.

Homo moralis, behind the veil, values every division alike, since the mean payoff is the same; with inequity
aversion β > 1/2 the pie is halved.
"""

from __future__ import annotations

from ludens.envs.tree.family import Family
from ludens.envs.tree.nodes import DecisionNode, PayoffNode


def _build(pie: float, steps: float) -> DecisionNode:
    gifts = [pie * place / steps for place in range(int(steps) + 1)]
    return DecisionNode(
        "giving", "dictator", {f"give {gift:g}": PayoffNode((pie - gift, gift)) for gift in gifts}
    )


def check_division(pie: float, steps: float) -> str | None:
    """Return the condition that a pie and the number of its parts violate, or None."""
    if not pie > 0:
        return "pie > 0 is needed"
    return None if steps == int(steps) and 1 <= steps <= 25 else "steps is a whole number from 1 to 25"


FAMILY = Family(
    name="dictator",
    title="Dictator game",
    source="Forsythe, Horowitz, Savin & Sefton 1994",
    roles=("dictator", "recipient"),
    parameters=("pie", "steps"),
    build=_build,
    check=check_division,
    prosocial={},
    protocols={"DG1": (100, 10)},
    benchmark=False,
)
