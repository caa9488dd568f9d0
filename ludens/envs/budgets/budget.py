"""Linear budget sets as game trees with one decision, so that every policy for games can choose on them.

    social   amounts for oneself and for another person     (Andreoni & Miller, Econometrica 70(2), 2002)
    risk     amounts in two equally likely states           (Choi, Fisman, Gale & Kariv, AER 97(5), 2007)
    time     amounts today and later                        (Andreoni & Sprenger, AER 102(7), 2012)

A budget is known by what it buys of each good alone. Its options are points on the line at equal steps, which
make whole numbers here. Payoffs at two dates are added up: who plays for points does not discount, and a
preference for the present shows in choices alone.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ludens.checks import check_choice, check_count
from ludens.envs.tree.nodes import ChanceNode, DecisionNode, Node, PayoffNode
from ludens.envs.tree.tree import GameTree

Floats = NDArray[np.float64]

Domain = Literal["social", "risk", "time"]
DOMAINS: tuple[Domain, ...] = ("social", "risk", "time")

NAME = "budget"
NODE = "division"
_INTERCEPTS = np.arange(20, 101, 10)
_ONE_LARGE = 50
_WORDS = {
    "social": ("for you", "for the other person"),
    "risk": ("if a coin shows heads", "if it shows tails"),
    "time": ("today", "in four weeks"),
}


def draw_budgets(count: int, draw: int = 0) -> Floats:
    """Draw budgets after Choi et al. (2007): what each buys of one good alone is 20, 30, … 100 points, and at
    least 50 of one of the two.

    Args:
        count: number of budgets.
        draw: seed of the draw.

    Returns:
        Intercepts, shape (count, 2); prices are 1 over them.

    Raises:
        UsageError: an argument is out of its range.
    """
    number = check_count(NAME, "budgets", count)
    rng = np.random.default_rng(check_count(NAME, "draw", draw, least=0))
    pairs = [(x, y) for x in _INTERCEPTS for y in _INTERCEPTS if max(x, y) >= _ONE_LARGE]
    rows = [pairs[place] for _ in range(-(-number // len(pairs))) for place in rng.permutation(len(pairs))]
    return np.array(rows[:number], dtype=np.float64)


def bundles(intercepts: Floats, points: int) -> Floats:
    """Return the options of a budget, from all of the first good to all of the second; shape (points, 2)."""
    shares = np.linspace(0, 1, points)
    return np.stack([(1 - shares) * intercepts[0], shares * intercepts[1]], axis=1)


def budget_game(domain: Domain, intercepts: Floats, points: int = 11) -> GameTree:
    """Return a budget as a game tree with one decision.

    Args:
        domain: ``"social"``, ``"risk"`` or ``"time"``.
        intercepts: what the budget buys of each good alone, shape (2,).
        points: number of options.

    Raises:
        UsageError: there is no such domain, or there are fewer than two options.
    """
    check_choice(NAME, "domain", domain, DOMAINS)
    first, second = _WORDS[domain]
    options: dict[str, Node] = {
        f"{own:g} {first}, {other:g} {second}": _leaf(domain, place, float(own), float(other))
        for place, (own, other) in enumerate(
            bundles(intercepts, check_count(NAME, "points", points, least=2)).round(6), 1
        )
    }
    roles = ("giver", "receiver") if domain == "social" else ("chooser",)
    numbers = {"first": float(intercepts[0]), "second": float(intercepts[1]), "points": float(points)}
    return GameTree(NAME, roles, DecisionNode(NODE, roles[0], options), numbers, None)


def _leaf(domain: Domain, place: int, own: float, other: float) -> Node:
    if domain == "social":
        return PayoffNode((own, other))
    if domain == "time":
        return PayoffNode((own + other,))
    return ChanceNode(
        f"coin {place}", {"heads": (0.5, PayoffNode((own,))), "tails": (0.5, PayoffNode((other,)))}
    )
