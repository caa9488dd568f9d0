"""The stag hunt (Rousseau; Skyrms, *The Stag Hunt and the Evolution of Social Structure*, 2004).

Two hunters choose simultaneously. Together they catch a stag; each can catch a hare alone; a lone stag hunter
gets nothing. The second hunter's two nodes are one information set, so that the first choice is not seen.
"""

from __future__ import annotations

from ludens.envs import DecisionNode, Family, PayoffNode


def _build(stag: float, hare: float) -> DecisionNode:
    def second(label: str, alone: float, both: float) -> DecisionNode:
        ends = {"stag": PayoffNode((both, both if alone == 0 else 0.0)), "hare": PayoffNode((alone, hare))}
        return DecisionNode(label, "second hunter", ends, information_set="second choice")

    return DecisionNode(
        "first choice",
        "first hunter",
        {"stag": second("after stag", 0.0, stag), "hare": second("after hare", hare, hare)},
    )


def _check(stag: float, hare: float) -> str | None:
    return None if stag > hare > 0 else "stag > hare > 0 is needed"


FAMILY = Family(
    name="two_hunters",
    title="Stag hunt of two",
    source="Skyrms 2004",
    roles=("first hunter", "second hunter"),
    parameters=("stag", "hare"),
    build=_build,
    check=_check,
    prosocial={"first choice": "stag", "second choice": "stag"},
    protocols={"SH1": (80, 30), "SH2": (80, 60)},
)
