"""A public good with punishment (Fehr & Gächter, American Economic Review 90(4), 2000), in its smallest
form: two people contribute or keep their endowment at the same time, learn what the other did, and punish
or not.

To contribute earns both m times the endowment. To punish costs the punisher c and the other f. In the
subgame-perfect equilibrium nobody punishes or contributes (m < 1). As a tree, whole plans of punishment are
strategies, in π(x, y) and π(x, x) alike; `public_goods` with the mechanism `sanctions` has n people.
"""

from __future__ import annotations

import itertools

from ludens.envs.tree.family import Family
from ludens.envs.tree.nodes import DecisionNode, PayoffNode

_ROLES = ("first person", "second person")
_GIVE, _FINE = ("contribute", "keep"), ("punish", "spare")


def _build(endowment: float, m: float, c: float, f: float) -> DecisionNode:
    def end(gave: tuple[bool, ...], fined: tuple[bool, ...]) -> PayoffNode:
        pot = m * endowment * sum(gave)
        return PayoffNode(
            tuple(endowment * (not gave[own]) + pot - c * fined[own] - f * fined[1 - own] for own in range(2))
        )

    def judged(gave: tuple[bool, ...]) -> DecisionNode:
        case = " and ".join(f"{_GIVE[0 if each else 1]}" for each in gave)

        def second(first: bool) -> DecisionNode:
            label = f"second punishment after {case}"
            return DecisionNode(
                f"{label}, {_FINE[0 if first else 1]}",
                _ROLES[1],
                {name: end(gave, (first, name == _FINE[0])) for name in _FINE},
                information_set=label,
            )

        return DecisionNode(
            f"first punishment after {case}", _ROLES[0], {name: second(name == _FINE[0]) for name in _FINE}
        )

    outcomes = {pair: judged(pair) for pair in itertools.product((True, False), repeat=2)}
    return DecisionNode(
        "first contribution",
        _ROLES[0],
        {
            name: DecisionNode(
                f"second contribution after {name}",
                _ROLES[1],
                {other: outcomes[name == _GIVE[0], other == _GIVE[0]] for other in _GIVE},
                information_set="second contribution",
            )
            for name in _GIVE
        },
    )


def _check(endowment: float, m: float, c: float, f: float) -> str | None:
    if not endowment > 0:
        return "endowment > 0 is needed"
    if not m > 0.5:
        return "m > 1/2 is needed, or the project is worth nothing"
    return None if c > 0 and f > 0 else "c > 0 and f > 0 are needed"


FAMILY = Family(
    name="public_goods_punishment",
    title="Public goods game with punishment",
    source="Fehr & Gächter 2000",
    roles=_ROLES,
    parameters=("endowment", "m", "c", "f"),
    build=_build,
    check=_check,
    prosocial={"first contribution": "contribute", "second contribution": "contribute"},
    protocols={"PP1": (20, 0.75, 4, 12)},
    benchmark=False,
)
