"""Rationales: the shortest arithmetic that shows which option is optimal.

In a game of two roles the first mover chooses an option, and the second may reply. Let z be the value of a
leaf to a player, (1−κ)·payoff − α·behind − β·ahead, and W the sum of both payoffs. The first mover's option b
is believed to have probability q_b, the reply r to it probability p_br. Let

    F_b  = Σ_r p_br·z_first(b, r)                          the expected value of b to the first mover
    K_br = κ·W(b, r) − q_b·(z_second(b, d) − z_second(b, r))

where d is the reply to b that is best for oneself. K is the universalised payoff of a rule that ends in (b,
r) minus the sacrifice that it demands of the second mover. Twice the utility of the best whole strategy that
begins with b is F_b + max_r K_br plus a constant, since at information sets that the strategy itself does not
reach it takes d. Therefore

* the first mover's best option has the largest F_b + max_r K_br;
* in reply to the b with the largest sum, the option with the largest K is optimal; in reply to another b, d
  is; if several b share the largest sum, both are.

With κ = 0 only F and z remain. All terms are multiplied by the smallest number that makes the weights
integers without a common divisor: sums are compared instead of averages, and integer payoffs need no
decimals.

The form of the rationale is our choice. It is made for small models, which copy well and decide badly, so
that lines depend on earlier lines as little as possible. The first line names the turn, so that the rows that
count follow from it. Costs of 0 are subtracted like all others, and for κ > 0 the rationale is the same at
every turn until all rules are compared, although some replies have shorter rationales.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import gcd, lcm
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ludens.envs import GameTree
from ludens.errors import UsageError
from ludens.preferences import Preferences
from ludens.training.data.games import shape_of

Number = Fraction | int


@dataclass(frozen=True)
class Branch:
    """The part of a game that follows one option of the first mover.

    Attributes:
        option: the name of the option.
        node: the information set of the reply; None where the game ends.
        replies: name (None where the game ends) and number of the leaf of each reply.
    """

    option: str
    node: str | None
    replies: tuple[tuple[str | None, int], ...]


@dataclass(frozen=True)
class Stages:
    """A game of two roles in which one moves and the other may reply.

    Attributes:
        first, second: the numbers of the roles.
        node: the first mover's information set.
        branches: one for each of its options, in the game's own order.
    """

    first: int
    second: int
    node: str
    branches: tuple[Branch, ...]


@dataclass(frozen=True)
class Weights:
    """The integers by which the terms of a rationale are multiplied.

    Attributes:
        first: p_br by branch and reply.
        second: q_b by branch.
        everybody: κ.
        own, behind, ahead: 1 − κ, α and β within a leaf's value, reduced to the smallest integers; the common
            factor moves to `first` and `second`.
    """

    first: tuple[tuple[int, ...], ...]
    second: tuple[int, ...]
    everybody: int
    own: int
    behind: int
    ahead: int


def stages(game: GameTree) -> Stages | None:
    """Return the game in two stages, or None if it does not have this form."""
    shape = shape_of(game)
    if shape not in _STAGES:
        _STAGES[shape] = _stages(game)
    return _STAGES[shape]


_STAGES: dict[tuple[object, ...], Stages | None] = {}
"""Stages by shape of game; a few, looked up for every example."""


def _stages(game: GameTree) -> Stages | None:
    roles, sets = game.roles, game.information_sets
    if len(roles) != 2 or not sets:
        return None
    opening = sets[0]
    branches: dict[str, tuple[str | None, list[tuple[str | None, int]]]] = {}
    for place, leaf in enumerate(game.leaves):
        path = leaf.path
        if not 1 <= len(path) <= 2 or path[0].label != opening.label or path[0].role != opening.role:
            return None
        if len(path) == 2 and path[1].role in (None, opening.role):
            return None
        node, option = (path[1].label, path[1].option) if len(path) == 2 else (None, None)
        known, replies = branches.setdefault(path[0].option, (node, []))
        if known != node:
            return None
        replies.append((option, place))
    nodes = [node for node, _ in branches.values() if node is not None]
    if len(set(nodes)) < len(nodes):
        return None
    first = roles.index(opening.role)
    return Stages(
        first,
        1 - first,
        opening.label,
        tuple(Branch(option, node, tuple(replies)) for option, (node, replies) in branches.items()),
    )


def exact(value: float) -> Number:
    """Return the number that a float was written as: 0.1 is one tenth, 1/3 is a third, 7.0 is the
    integer 7.
    """
    if float(value).is_integer():
        return int(value)  # an int counts ten times as fast as a Fraction
    near = Fraction(value).limit_denominator(10_000)
    return near if abs(float(near) - value) <= 1e-12 * max(1.0, abs(value)) else Fraction(repr(value))


def weights(game: GameTree, plan: Stages, preferences: Preferences, belief: NDArray[np.float64]) -> Weights:
    """Return the integer weights of the rationales for a game."""
    alpha, beta, kappa = (exact(v) for v in (preferences.alpha, preferences.beta, preferences.kappa))
    parts = (1 - kappa, alpha, beta)
    common = lcm(*(value.denominator for value in parts))
    divided = gcd(*(int(value * common) for value in parts))
    unit = Fraction(divided, common)
    own, behind, ahead = (int(value / unit) for value in parts) if divided else (1, 0, 0)
    opening = belief[game.information_set(plan.node).columns]
    first, second = [], []
    for branch, share in zip(plan.branches, opening, strict=True):
        replies = [1.0] if branch.node is None else belief[game.information_set(branch.node).columns]
        first.append([unit * exact(float(value)) for value in replies])
        second.append(unit * exact(float(share)))
    listed = [value for row in first for value in row] + second + [kappa]
    whole = lcm(*(value.denominator for value in listed))
    scale = Fraction(whole, gcd(*(int(value * whole) for value in listed)) or 1)
    return Weights(
        tuple(tuple(int(value * scale) for value in row) for row in first),
        tuple(int(value * scale) for value in second),
        int(kappa * scale),
        own,
        behind,
        ahead,
    )


@dataclass(frozen=True)
class Terms:
    """The parts that rationales for games of one shape share, given preferences and a belief."""

    plan: Stages
    weights: Weights


def terms_of(game: GameTree, preferences: Preferences, belief: NDArray[np.float64]) -> Terms:
    """Return stages and weights of a game.

    Raises:
        UsageError: the game does not have two stages.
    """
    plan = stages(game)
    if plan is None:
        raise UsageError(
            f"{game!r} is not a game in which one moves and the other may reply; use reasoning='none'."
        )
    return Terms(plan, weights(game, plan, preferences, belief))


class CopiedLine(NamedTuple):
    """A line that repeats the prompt's line about a leaf, or one role's payoff from it."""

    leaf: int
    role: int | None


class WorkedLine(NamedTuple):
    """A calculation in small steps, the last of which gives the value.

    Attributes:
        what: ``"cell"`` (the value of a leaf), ``"expected"`` (F), ``"reply"`` (K) or ``"rule"`` (F + K).
        branch: the first mover's option.
        reply: the second mover's option, or None.
        sums: the steps, such as ``"6 + 1 = 7"``.
    """

    what: str
    branch: str
    reply: str | None
    sums: tuple[str, ...]


class ComparedLine(NamedTuple):
    """A comparison of numbers.

    Attributes:
        what: ``"expected"``, ``"own"`` (replies by their value to oneself, which decides), ``"mine"``
            (replies by their value to oneself, as a part of the decision), ``"reply"`` or ``"rule"``.
        branch: the first mover's option whose replies are compared; None if its options are compared.
        options: the option of the first mover, or the reply, that each number belongs to.
        values: the numbers, in the order of the options in the prompt.
        here: where rules are compared for a reply, the option that is replied to; otherwise None.
    """

    what: str
    branch: str | None
    options: tuple[str, ...]
    values: tuple[Number, ...]
    here: str | None = None

    @property
    def text(self) -> str:
        """The comparison in words: ``"7 < 12"`` for two numbers, the largest against each other one
        for more.
        """
        if len(self.values) == 2:
            one, other = self.values
            return f"{number_text(one)} {_sign(one, other)} {number_text(other)}"
        top = self.top[0]
        largest = self.values[top]
        rest = [value for place, value in enumerate(self.values) if place != top]
        return ", ".join(
            f"{number_text(largest)} {_sign(largest, value)} {number_text(value)}" for value in rest
        )

    @property
    def top(self) -> tuple[int, ...]:
        """The places of the largest number; several if it occurs more than once."""
        largest = max(self.values)
        return tuple([place for place, value in enumerate(self.values) if value == largest])


class TurnLine(NamedTuple):
    """A line that names the turn.

    Attributes:
        branch: the option that is replied to, or None for the first mover's turn.
        rules: the options with which rules begin that will be compared for the reply, the one that is replied
            to before the others; empty where none are.
    """

    branch: str | None
    rules: tuple[str, ...] = ()


class RuleLine(NamedTuple):
    """The conclusion of a second mover's rationale.

    Attributes:
        branch: the first mover's option that is replied to.
        rule: the option with which the best rule begins.
        last: the comparison of replies: by K if the rule leads here, by their value to oneself otherwise.
    """

    branch: str
    rule: str
    last: ComparedLine


_Values = dict[int, Number]
"""Values of options by their places."""

Line = TurnLine | CopiedLine | WorkedLine | ComparedLine | RuleLine


class RationaleWriter:
    """A writer of rationales for one game.

    Args:
        game: the rules, in two stages.
        terms: the result of `terms_of`, which games of one shape share for a given belief.
        shown: the numbers of the leaves in the order of the prompt.
    """

    def __init__(self, game: GameTree, terms: Terms, shown: Sequence[int]) -> None:
        plan = self.plan = terms.plan
        self.weights = terms.weights
        self.payoffs = [tuple(exact(value) for value in leaf.payoffs) for leaf in game.leaves]
        rank = {leaf: place for place, leaf in enumerate(shown)}
        self.replies = [
            sorted(range(len(branch.replies)), key=lambda r: rank[branch.replies[r][1]])
            for branch in plan.branches
        ]
        self.order = sorted(
            range(len(plan.branches)), key=lambda b: min(rank[leaf] for _, leaf in plan.branches[b].replies)
        )
        self.moral = self.weights.everybody != 0
        self.whole_rows = self.moral or bool(self.weights.behind or self.weights.ahead)

    def write(self, node: str, option: str | None = None) -> tuple[list[Line], frozenset[str]]:
        """Return the rationale at an information set and the options that it shows to be optimal.

        If two rules are equally good, the rationale ends with one that leads to `option`, if there is one.
        """
        if node == self.plan.node:
            return self._open()
        place = next(b for b, branch in enumerate(self.plan.branches) if branch.node == node)
        return self._reply(place, option)

    def _open(self) -> tuple[list[Line], frozenset[str]]:
        if self.moral:
            items, totals, _ = self._all(None)
        else:
            items, totals = [TurnLine(None)], {}
            for b in self.order:
                items += self._copies(b, None if self.whole_rows else self.plan.first)
                sums, totals[b] = self._expected(b)
                if sums:
                    items.append(WorkedLine("expected", self.plan.branches[b].option, None, sums))
            items.append(self._between("expected", totals))
        return items, frozenset(self.plan.branches[b].option for b in _largest(totals))

    def _reply(self, b: int, option: str | None) -> tuple[list[Line], frozenset[str]]:
        if not self.moral:
            turn = TurnLine(self.plan.branches[b].option)
            items = self._copies(b, None if self.whole_rows else self.plan.second)
            cells, own = self._owns(b)
            return [turn, *items, *cells, self._among("own", b, own)], self._names(b, own)
        items, totals, replies = self._all(self.plan.branches[b].option)
        own, moral = replies[b]
        kantian, selfish = self._names(b, moral), self._names(b, own)
        here, elsewhere = b in (rules := _largest(totals)), [rule for rule in rules if rule != b]
        best = (kantian if here else frozenset()) | (selfish if elsewhere else frozenset())
        follow = here and (not elsewhere or option is None or option in kantian)
        last = self._among("reply", b, moral) if follow else self._among("mine", b, own)
        branches = self.plan.branches
        items.append(RuleLine(branches[b].option, branches[b if follow else elsewhere[0]].option, last))
        return items, best

    def _all(self, branch: str | None) -> tuple[list[Line], _Values, dict[int, tuple[_Values, _Values]]]:
        """Return the lines about all rules, the rules' values, and each reply's value to oneself and as a
        rule.

        The lines are the same at every turn, except for the first one, which names the turn.
        """
        rest = [option for option in self._openings() if option != branch]
        items: list[Line] = [TurnLine(branch, () if branch is None else (branch, *rest))]
        totals: _Values = {}
        replies = {}
        for b in self.order:
            items += self._copies(b, None)
            found, own, moral = self._values(b)
            rule, totals[b] = self._rule(b, moral)
            items += [*found, rule]
            replies[b] = own, moral
        items.append(self._between("rule", totals, branch))
        return items, totals, replies

    def _between(self, what: str, totals: Mapping[int, Number], here: str | None = None) -> ComparedLine:
        """Compare the first mover's options."""
        return ComparedLine(what, None, self._openings(), tuple(totals[b] for b in self.order), here)

    def _openings(self) -> tuple[str, ...]:
        """Return the first mover's options, as the prompt shows them."""
        return tuple(self.plan.branches[b].option for b in self.order)

    def _among(self, what: str, b: int, values: Mapping[int, Number]) -> ComparedLine:
        """Compare the replies to an option of the first mover."""
        branch, order = self.plan.branches[b], self.replies[b]
        options = tuple(str(branch.replies[r][0]) for r in order)
        return ComparedLine(what, branch.option, options, tuple(values[r] for r in order))

    def _copies(self, b: int, role: int | None) -> list[Line]:
        return [CopiedLine(self.plan.branches[b].replies[r][1], role) for r in self.replies[b]]

    def _names(self, b: int, values: _Values) -> frozenset[str]:
        replies = self.plan.branches[b].replies
        return frozenset(str(replies[r][0]) for r in _largest(values))

    def _cell(self, leaf: int, role: int) -> tuple[tuple[str, ...], Number]:
        """Return the value of a leaf to a role, after the costs of being behind or ahead, with its steps."""
        own, other = self.payoffs[leaf][role], self.payoffs[leaf][1 - role]
        sums: list[str] = []
        value = _multiplied(sums, self.weights.own, own)
        gap: Number = max(own, other) - min(own, other)
        weight = self.weights.behind if other > own else self.weights.ahead
        if gap and weight:
            sums.append(
                f"{number_text(max(own, other))} - {number_text(min(own, other))} = {number_text(gap)}"
            )
            cost = _multiplied(sums, abs(weight), gap)
            sums.append(_minus(value, cost) if weight > 0 else _plus(value, cost))
            value += -cost if weight > 0 else cost
        return tuple(sums), value

    def _owns(self, b: int) -> tuple[list[Line], _Values]:
        branch = self.plan.branches[b]
        items: list[Line] = []
        values: _Values = {}
        if not self.weights.second[b]:
            # Nobody is expected here, or only universalisation counts: all replies are equal for oneself.
            return [], dict.fromkeys(self.replies[b], 0)
        for r in self.replies[b]:
            option, leaf = branch.replies[r]
            sums, values[r] = self._cell(leaf, self.plan.second)
            if sums:
                items.append(WorkedLine("cell", branch.option, option, sums))
        return items, values

    def _expected(self, b: int) -> tuple[tuple[str, ...], Number]:
        """Return the steps that give F of a branch, and F."""
        branch = self.plan.branches[b]
        sums: list[str] = []
        parts: list[Number] = []
        for r in self.replies[b]:
            weight = self.weights.first[b][r]
            if weight:
                steps, value = self._cell(branch.replies[r][1], self.plan.first)
                sums += steps
                parts.append(_multiplied(sums, weight, value))
        total = parts[0] if parts else 0
        for part in parts[1:]:
            sums.append(_plus(total, part))
            total += part
        return tuple(sums), total

    def _values(self, b: int) -> tuple[list[Line], _Values, _Values]:
        """Return the lines about the replies to b, their values to oneself, and their K.

        A branch at which the game ends has a single reply, which costs nothing.
        """
        branch = self.plan.branches[b]
        items, own = self._owns(b) if branch.node is not None else ([], {0: 0})
        if len(own) > 1 and self.weights.second[b]:
            items.append(self._among("mine", b, own))
        best = max(own.values())
        moral: _Values = {}
        for r in self.replies[b]:
            option, leaf = branch.replies[r]
            mine, others = self.payoffs[leaf]
            sums = [_plus(mine, others)]
            value = _multiplied(sums, self.weights.everybody, mine + others)
            if self.weights.second[b] and branch.node is not None:  # for the best reply too, at no cost
                sums.append(_minus(best, own[r]))
                cost = _multiplied(sums, self.weights.second[b], best - own[r])
                sums.append(_minus(value, cost))
                value -= cost
            moral[r] = value
            items.append(WorkedLine("reply", branch.option, option, tuple(sums)))
        if branch.node is not None:
            items.append(self._among("reply", b, moral))
        return items, own, moral

    def _rule(self, b: int, moral: _Values) -> tuple[WorkedLine, Number]:
        """Return the line that gives F + max K of a branch, with the steps of F, and the value."""
        sums, total = self._expected(b)
        best = max(moral.values())
        rule = WorkedLine("rule", self.plan.branches[b].option, None, (*sums, _plus(total, best)))
        return rule, total + best


@lru_cache(maxsize=65_536)
def number_text(value: Number) -> str:
    """Format a number: as an integer, with its decimals, or as a fraction if the decimals do not end."""
    if isinstance(value, int):
        return str(value)
    if value.denominator == 1:
        return str(value.numerator)
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest == 1:
        return f"{float(value):.10g}"
    return f"{value.numerator}/{value.denominator}"


def _largest(totals: Mapping[int, Number]) -> list[int]:
    """Return the places of the largest number, in order."""
    top = max(totals.values())
    return [place for place, value in totals.items() if value == top]


def _sign(one: Number, other: Number) -> str:
    return "<" if one < other else ">" if one > other else "="


@lru_cache(maxsize=65_536)
def _plus(one: Number, other: Number) -> str:
    return f"{number_text(one)} + {number_text(other)} = {number_text(one + other)}"


@lru_cache(maxsize=65_536)
def _minus(one: Number, other: Number) -> str:
    return f"{number_text(one)} - {number_text(other)} = {number_text(one - other)}"


def _multiplied(sums: list[str], times: int, value: Number) -> Number:
    """Return the product, and append the step that gives it to `sums`."""
    if times == 2:
        sums.append(_plus(value, value))
    elif times != 1:
        sums.append(f"{times} x {number_text(value)} = {number_text(times * value)}")
    return times * value
