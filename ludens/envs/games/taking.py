"""A taking game that tells Kantian from distributional concerns (after Alger & Rivero-Wildemauwe, arXiv
2405.13186, of which the abstract alone is known here: the parametrisation is ours).

One of two people, by lot, can take something from the other: the taker gains g, and the other loses l. Both
have e. Homo moralis leaves it if κ > g/l, the price that everybody in the taker's place would make the
other pay; who is averse to being ahead leaves it if β > g/(g + l). By the choice of g and l the two
thresholds can be set apart.
"""

from __future__ import annotations

from ludens.envs.tree.family import Family
from ludens.envs.tree.nodes import DecisionNode, PayoffNode


def _build(e: float, g: float, l: float) -> DecisionNode:  # noqa: E741  # the paper's kind of letter
    return DecisionNode("taking", "taker", {"take": PayoffNode((e + g, e - l)), "leave": PayoffNode((e, e))})


def _check(e: float, g: float, l: float) -> str | None:  # noqa: E741
    return None if l > 0 and g > 0 else "g > 0 and l > 0 are needed, or nothing is taken"


FAMILY = Family(
    name="taking",
    title="Taking game",
    source="after Alger & Rivero-Wildemauwe 2024",
    roles=("taker", "other"),
    parameters=("e", "g", "l"),
    build=_build,
    check=_check,
    prosocial={"taking": "leave"},
    protocols={"TK1": (50, 10, 40), "TK2": (50, 20, 25), "TK3": (50, 20, 40)},
    benchmark=False,
)
