"""The smallest argument that shows an option to be optimal, as numbers.

For a game of two roles in which one moves, and the other then replies or is not asked, write z for what a
cell is worth to the one who moves, (1−κ)·payoff − α·behind − β·ahead, and W for the sum of both payoffs. Let
the first mover's option b be believed with probability q_b, the reply r to it with probability p_br, and let

    F_b  = Σ_r p_br·z_first(b, r)                          what b is expected to give the first mover
    K_br = κ·W(b, r) − q_b·(z_second(b, d) − z_second(b, r))

where d is the reply to b that is best for oneself. K is what everybody has of a rule that ends in (b, r),
less what one gives up by it as second mover. Twice the utility of the best whole strategy that begins with b
is then F_b + max_r K_br plus a number that is the same for every b, for at information sets which the
strategy itself does not reach it takes d. So

* the first mover's best option has the largest F_b + max_r K_br;
* if it is largest at this b, the rule comes to this reply, and that with the largest K is optimal; if it is
  largest elsewhere, d is; both are where it is as large here as elsewhere.

With κ = 0 nothing but F and z is left. All of it is multiplied by the smallest number that makes the weights
whole numbers with no common divisor: sums are compared in place of averages, and no decimal is needed where
payoffs are whole.

The form of the argument is our choice, and made for small models, which copy well and decide badly: as little
as can be depends on what was found before. Costs of 0 are subtracted like all others, and where κ > 0 the
argument is the same at every turn until all rules are compared, though some replies could be had for less;
only its first line says what turn it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
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
    """What follows one option of the first mover.

    Attributes:
        option: its name.
        node: the information set that replies to it, or None where the game ends.
        replies: per reply its name (None where the game ends) and the number of its leaf.
    """

    option: str
    node: str | None
    replies: tuple[tuple[str | None, int], ...]


@dataclass(frozen=True)
class Stages:
    """A game of two roles in which one moves and the other may reply.

    Attributes:
        first, second: the roles' numbers.
        node: the first mover's information set.
        branches: by its options, in the game's own order.
    """

    first: int
    second: int
    node: str
    branches: tuple[Branch, ...]


@dataclass(frozen=True)
class Weights:
    """Whole numbers that every term of the argument is multiplied by.

    Attributes:
        first: per branch and reply, p_br.
        second: per branch, q_b.
        everybody: κ.
        own, behind, ahead: of the payoff, and of the distances, within a cell: 1 − κ, α and β, in their
            smallest whole numbers; the factor that this takes off stands in `first` and `second`.
    """

    first: tuple[tuple[int, ...], ...]
    second: tuple[int, ...]
    everybody: int
    own: int
    behind: int
    ahead: int


def stages(game: GameTree) -> Stages | None:
    """The game in two stages, or None if it is no such game."""
    shape = shape_of(game)
    if shape not in _STAGES:
        _STAGES[shape] = _stages(game)
    return _STAGES[shape]


_STAGES: dict[tuple[object, ...], Stages | None] = {}
"""Stages by shape: a handful, looked up for every example."""


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
    """The number that a float was written as: 0.1 is one tenth, 1/3 is a third, 7.0 is the whole number 7."""
    if float(value).is_integer():
        return int(value)  # an int counts ten times as fast as a Fraction
    near = Fraction(value).limit_denominator(10_000)
    return near if abs(float(near) - value) <= 1e-12 * max(1.0, abs(value)) else Fraction(repr(value))


def weights(game: GameTree, plan: Stages, preferences: Preferences, belief: NDArray[np.float64]) -> Weights:
    """The whole numbers that the argument is written with."""
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
    """What the arguments for games of one shape have in common, given preferences and a belief."""

    plan: Stages
    weights: Weights


def terms_of(game: GameTree, preferences: Preferences, belief: NDArray[np.float64]) -> Terms:
    """Stages and weights.

    Raises:
        UsageError: the game does not have two stages.
    """
    plan = stages(game)
    if plan is None:
        raise UsageError(
            f"{game!r} is no game in which one moves and the other may reply; use reasoning='none'."
        )
    return Terms(plan, weights(game, plan, preferences, belief))


class CopiedLine(NamedTuple):
    """A line that repeats what the prompt says of a leaf: all of it, or one role's payoff."""

    leaf: int
    role: int | None


class WorkedLine(NamedTuple):
    """Sums in small steps, the last of which is the value.

    Attributes:
        what: ``"cell"`` (what a payoff is worth), ``"expected"`` (F), ``"reply"`` (K) or ``"rule"`` (F + K).
        branch: the first mover's option.
        reply: the second mover's, or None.
        sums: ``"6 + 1 = 7"``, ….
    """

    what: str
    branch: str
    reply: str | None
    sums: tuple[str, ...]


class Compared(NamedTuple):
    """Numbers set against each other.

    Attributes:
        what: ``"expected"``, ``"own"`` (replies by their worth to oneself, which decides), ``"mine"``
            (likewise, as a part of what decides), ``"reply"`` or ``"rule"``.
        branch: the first mover's option whose replies are compared; None for comparing those options.
        options: what each of the numbers belongs to: an option of the first mover, or a reply.
        values: the numbers, in the order in which the prompt tells the options.
    """

    what: str
    branch: str | None
    options: tuple[str, ...]
    values: tuple[Number, ...]

    @property
    def text(self) -> str:
        """``"7 < 12"`` for two numbers; the largest against each of the others for more."""
        if len(self.values) == 2:
            one, other = self.values
            return f"{told(one)} {_sign(one, other)} {told(other)}"
        top = self.top[0]
        largest = self.values[top]
        rest = [value for place, value in enumerate(self.values) if place != top]
        return ", ".join(f"{told(largest)} {_sign(largest, value)} {told(value)}" for value in rest)

    @property
    def top(self) -> tuple[int, ...]:
        """The places of the largest number, several if it is there more than once."""
        largest = max(self.values)
        return tuple([place for place, value in enumerate(self.values) if value == largest])


class TurnedLine(NamedTuple):
    """Whose turn it is: the option that is replied to, None for the first mover's."""

    branch: str | None


class RuledLine(NamedTuple):
    """What the best rule says at the information set in question.

    Attributes:
        branch: the first mover's option that is replied to.
        rule: the option with which the best rule begins.
        last: the replies compared as the rule does if it comes here, by their worth to oneself otherwise.
    """

    branch: str
    rule: str
    last: Compared


_Worths = dict[int, Number]
"""What options are worth, by their places."""

Item = TurnedLine | CopiedLine | WorkedLine | Compared | RuledLine


class RationaleWriter:
    """Writes down the argument for one information set of one game.

    Args:
        game: the rules, in two stages.
        terms: from `terms_of`; games of one shape with one belief share them.
        shown: the leaves' numbers in the order in which the prompt tells them.
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

    def argue(self, node: str, option: str | None = None) -> tuple[list[Item], frozenset[str]]:
        """The argument at an information set, and the options that it finds optimal.

        Where two rules are equally good it ends with that which leads to `option`, if there is one.
        """
        if node == self.plan.node:
            return self._open()
        place = next(b for b, branch in enumerate(self.plan.branches) if branch.node == node)
        return self._reply(place, option)

    def _open(self) -> tuple[list[Item], frozenset[str]]:
        if self.moral:
            items, totals, _ = self._all(None)
        else:
            items, totals = [], {}
            for b in self.order:
                items += self._copies(b, None if self.whole_rows else self.plan.first)
                sums, totals[b] = self._expected(b)
                if sums:
                    items.append(WorkedLine("expected", self.plan.branches[b].option, None, sums))
            items.append(self._between("expected", totals))
        return items, frozenset(self.plan.branches[b].option for b in _largest(totals))

    def _reply(self, b: int, option: str | None) -> tuple[list[Item], frozenset[str]]:
        if not self.moral:
            items = self._copies(b, None if self.whole_rows else self.plan.second)
            cells, own = self._owns(b)
            return [*items, *cells, self._among("own", b, own)], self._names(b, own)
        items, totals, replies = self._all(self.plan.branches[b].option)
        own, moral = replies[b]
        kantian, selfish = self._names(b, moral), self._names(b, own)
        here, elsewhere = b in (rules := _largest(totals)), [rule for rule in rules if rule != b]
        best = (kantian if here else frozenset()) | (selfish if elsewhere else frozenset())
        follow = here and (not elsewhere or option is None or option in kantian)
        last = self._among("reply", b, moral) if follow else self._among("mine", b, own)
        branches = self.plan.branches
        items.append(RuledLine(branches[b].option, branches[b if follow else elsewhere[0]].option, last))
        return items, best

    def _all(self, branch: str | None) -> tuple[list[Item], _Worths, dict[int, tuple[_Worths, _Worths]]]:
        """The argument about all rules, their worth, and what replies are worth to oneself and as a rule.

        It is the same at every turn but for its first line, which says what turn it is and is looked back at
        when all numbers are there.
        """
        items: list[Item] = [TurnedLine(branch)]
        totals: _Worths = {}
        replies = {}
        for b in self.order:
            items += self._copies(b, None)
            found, own, moral = self._values(b)
            rule, totals[b] = self._rule(b, moral)
            items += [*found, rule]
            replies[b] = own, moral
        items.append(self._between("rule", totals))
        return items, totals, replies

    def _between(self, what: str, totals: Mapping[int, Number]) -> Compared:
        """The first mover's options, set against each other."""
        options = tuple(self.plan.branches[b].option for b in self.order)
        return Compared(what, None, options, tuple(totals[b] for b in self.order))

    def _among(self, what: str, b: int, values: Mapping[int, Number]) -> Compared:
        """The replies to an option of the first mover's, set against each other."""
        branch, order = self.plan.branches[b], self.replies[b]
        options = tuple(str(branch.replies[r][0]) for r in order)
        return Compared(what, branch.option, options, tuple(values[r] for r in order))

    def _copies(self, b: int, role: int | None) -> list[Item]:
        return [CopiedLine(self.plan.branches[b].replies[r][1], role) for r in self.replies[b]]

    def _names(self, b: int, values: _Worths) -> frozenset[str]:
        replies = self.plan.branches[b].replies
        return frozenset(str(replies[r][0]) for r in _largest(values))

    def _cell(self, leaf: int, role: int) -> tuple[tuple[str, ...], Number]:
        """What a leaf is worth to a role, less what being behind or ahead costs."""
        own, other = self.payoffs[leaf][role], self.payoffs[leaf][1 - role]
        sums: list[str] = []
        value = _multiplied(sums, self.weights.own, own)
        gap: Number = max(own, other) - min(own, other)
        weight = self.weights.behind if other > own else self.weights.ahead
        if gap and weight:
            sums.append(f"{told(max(own, other))} - {told(min(own, other))} = {told(gap)}")
            cost = _multiplied(sums, abs(weight), gap)
            sums.append(_minus(value, cost) if weight > 0 else _plus(value, cost))
            value += -cost if weight > 0 else cost
        return tuple(sums), value

    def _owns(self, b: int) -> tuple[list[Item], _Worths]:
        branch = self.plan.branches[b]
        items: list[Item] = []
        values: _Worths = {}
        if not self.weights.second[b]:
            # Nobody is expected here, or only the universal counts: all replies are as good for oneself.
            return [], dict.fromkeys(self.replies[b], 0)
        for r in self.replies[b]:
            option, leaf = branch.replies[r]
            sums, values[r] = self._cell(leaf, self.plan.second)
            if sums:
                items.append(WorkedLine("cell", branch.option, option, sums))
        return items, values

    def _expected(self, b: int) -> tuple[tuple[str, ...], Number]:
        """F of a branch, and the sums that give it."""
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

    def _values(self, b: int) -> tuple[list[Item], _Worths, _Worths]:
        """Items and K of every reply to b; own worths too. A branch that ends has one reply that costs
        nothing.
        """
        branch = self.plan.branches[b]
        items, own = self._owns(b) if branch.node is not None else ([], {0: 0})
        if len(own) > 1 and self.weights.second[b]:
            items.append(self._among("mine", b, own))
        best = max(own.values())
        moral: _Worths = {}
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

    def _rule(self, b: int, moral: _Worths) -> tuple[WorkedLine, Number]:
        """F + max K of a branch, in one line with the sums that give F."""
        sums, total = self._expected(b)
        best = max(moral.values())
        rule = WorkedLine("rule", self.plan.branches[b].option, None, (*sums, _plus(total, best)))
        return rule, total + best


def told(value: Number) -> str:
    """A number as it is written: whole, with its decimals, or as a fraction where these would not end."""
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
    """Whose number is the largest, in order."""
    top = max(totals.values())
    return [place for place, value in totals.items() if value == top]


def _sign(one: Number, other: Number) -> str:
    return "<" if one < other else ">" if one > other else "="


def _plus(one: Number, other: Number) -> str:
    return f"{told(one)} + {told(other)} = {told(one + other)}"


def _minus(one: Number, other: Number) -> str:
    return f"{told(one)} - {told(other)} = {told(one - other)}"


def _multiplied(sums: list[str], times: int, value: Number) -> Number:
    """The product, with the step that gives it added to `sums`."""
    if times == 2:
        sums.append(_plus(value, value))
    elif times != 1:
        sums.append(f"{times} x {told(value)} = {told(times * value)}")
    return times * value
