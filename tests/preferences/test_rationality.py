"""GARP, CCEI, Houtman–Maks and transitivity against cases by hand, brute force and the definitions."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludens.errors import UsageError
from ludens.preferences.estimation.data.tables import read_choices
from ludens.preferences.rationality.budgets import budget_consistency, ccei, random_bundles
from ludens.preferences.rationality.menus import PAYOFFS, menu_consistency


def satisfies_garp(prices, bundles, efficiency=1.0):
    """GARP(e) by its definition."""
    spent = np.asarray(prices) @ np.asarray(bundles).T
    own = np.diag(spent)
    weakly = efficiency * own[:, None] >= spent - 1e-12
    for k in range(len(own)):
        weakly |= weakly[:, k, None] & weakly[None, k]
    return not (weakly & (efficiency * own[:, None] > spent + 1e-12).T).any()


def by_subsets(prices, bundles):
    for size in range(len(prices), 0, -1):
        for subset in map(list, combinations(range(len(prices)), size)):
            if satisfies_garp(prices[subset], bundles[subset]):
                return size
    raise AssertionError


CROSSING = ([[2, 1], [1, 2]], [[4, 1], [1, 4]])


@pytest.mark.parametrize(
    ("prices", "bundles", "garp", "index", "kept"),
    [
        # Both bundles cost 6 at the other's prices and 9 at their own: 6/9.
        (*CROSSING, False, 2 / 3, 1),
        # Each the cheapest on its own line.
        ([[1, 2], [2, 1]], [[4, 1], [1, 4]], True, 1.0, 2),
        # The second bundle is affordable at the first prices, but not the other way round.
        ([[1, 1], [1, 3]], [[2, 2], [3, 0]], True, 1.0, 2),
        # Equal cost at equal prices: a tie in a cycle without a strict relation is no violation.
        ([[1, 1], [1, 1]], [[1, 3], [3, 1]], True, 1.0, 2),
        # The same with one strict relation in the cycle: violated, but by nothing that costs more than 0.
        ([[1, 1], [2, 1]], [[1, 3], [3, 1]], False, 1.0, 1),
        # A cycle of three (no pair violates WARP): each bundle costs 10 % less at the next one's prices.
        (
            [[10, 9, 20], [20, 10, 9], [9, 20, 10]],
            [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
            False,
            0.9,
            2,
        ),
    ],
)
def test_budgets_by_hand(prices, bundles, garp, index, kept):
    found = budget_consistency(prices, bundles)
    assert (found.garp, found.consistent, found.choices) == (garp, kept, len(prices))
    assert found.ccei == pytest.approx(index)
    assert found.proven
    assert (found.violations == 0) == garp


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(2, 3))
def test_budgets_agree_with_the_definitions(seed, count, goods):
    rng = np.random.default_rng(seed)
    prices = rng.uniform(0.5, 2, (count, goods))
    bundles = random_bundles(prices, np.full(count, 10.0), 1, rng)[0]
    found = budget_consistency(prices, bundles)
    assert found.garp == satisfies_garp(prices, bundles)
    assert found.consistent == by_subsets(prices, bundles)
    assert satisfies_garp(prices, bundles, found.ccei * (1 - 1e-9))
    if found.ccei < 1:
        assert not satisfies_garp(prices, bundles, found.ccei * (1 + 1e-6))


def test_whole_budget_ties_agree_with_the_definitions():
    rng = np.random.default_rng(3)
    for _ in range(150):
        prices, bundles = rng.integers(1, 4, (5, 2)), rng.integers(0, 4, (5, 2)) + np.eye(2, dtype=int)[0]
        found = budget_consistency(prices, bundles)
        assert found.garp == satisfies_garp(prices, bundles)
        assert found.consistent == by_subsets(prices, bundles)


def test_a_maximiser_is_consistent_and_random_choices_are_not():
    """Cobb–Douglas shares pass; of random choices on 25 lines hardly any do (Bronars' test)."""
    rng = np.random.default_rng(0)
    prices = 1 / rng.uniform(20, 100, (25, 2))
    cobb = np.stack([0.3 / prices[:, 0], 0.7 / prices[:, 1]], axis=1)
    assert budget_consistency(prices, cobb).ccei == 1
    random = random_bundles(prices, np.ones(25), 200, rng)
    indices = ccei(np.broadcast_to(prices, random.shape), random)
    assert indices.shape == (200,)
    assert (indices < 1).mean() > 0.95
    assert indices[7] == pytest.approx(budget_consistency(prices, random[7]).ccei)


@pytest.mark.parametrize(
    ("prices", "bundles", "told"),
    [
        ([[1, 2]], [[1, 2, 3]], "one shape"),
        ([[0, 1]], [[1, 1]], "Prices are positive"),
        ([[1, 1]], [[-1, 1]], "at least 0"),
        ([[1, 1]], [[0, 0]], "nothing at all"),
        ([[1, 1]], [[np.nan, 0]], "at least 0"),
    ],
)
def test_impossible_budgets(prices, bundles, told):
    with pytest.raises(UsageError, match=told):
        budget_consistency(prices, bundles)


def menus(*asked, subject="ann"):
    """Long table of menus; the first option of each is chosen."""
    rows = [
        (subject, place, own, other, int(number == 0))
        for place, options in enumerate(asked)
        for number, (own, other) in enumerate(options)
    ]
    names = ("subject", "situation", "own", "other", "chosen")
    return {name: list(cells) for name, cells in zip(names, zip(*rows, strict=True), strict=True)}


A, B, C, D = (10, 0), (6, 6), (2, 9), (5, 5)


@pytest.mark.parametrize(
    ("asked", "consistent", "testable"),
    [
        ([(A, B), (B, C), (A, C)], 3, 3),
        ([(A, B), (B, C), (C, A)], 2, 3),
        ([(A, B), (B, C)], 2, 0),
        ([(A, B), (B, A)], 1, 2),
        ([(A, B, C), (B, A)], 1, 2),
        ([(A, B), (B, C), (C, A), (B, A), (A, B)], 3, 5),
        ([(A, B)], 1, 0),
    ],
)
def test_transitivity_by_hand(asked, consistent, testable):
    (found,) = menu_consistency(read_choices(menus(*asked), PAYOFFS))
    assert (found.choices, found.consistent, found.testable) == (len(asked), consistent, testable)


def test_dominated_options_by_hand():
    (found,) = menu_consistency(read_choices(menus((D, B), (B, D), (A, B)), PAYOFFS))
    assert (found.dominated, found.could_be, found.choices) == (1, 2, 3)


def test_repeated_and_fractional_answers_count_by_their_weight():
    table = menus((A, B), (B, C), (C, A))
    table["probability"] = [0.7, 0.3, 1, 0, 1, 0]
    (found,) = menu_consistency(read_choices(table, PAYOFFS))
    # A over B with .7 contradicts the two others, and B over A with .3 does not.
    assert found.choices == 3
    assert found.consistent == pytest.approx(2.3)


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_the_largest_transitive_set_by_brute_force(seed):
    rng = np.random.default_rng(seed)
    options = [A, B, C, D]
    asked = [[options[i] for i in rng.choice(4, rng.integers(2, 4), replace=False)] for _ in range(6)]
    (found,) = menu_consistency(read_choices(menus(*asked), PAYOFFS))

    def acyclic(subset):
        better = {(asked[place][0], worse) for place in subset for worse in asked[place][1:]}
        for a, b, c, d in ((a, b, c, d) for a in options for b in options for c in options for d in options):
            path = list(dict.fromkeys([a, b, c, d]))
            if len(path) > 1 and all(pair in better for pair in pairwise([*path, path[0]])):
                return False
        return True

    best = max(len(subset) for size in range(7) for subset in combinations(range(6), size) if acyclic(subset))
    assert found.consistent == best
    if found.consistent < found.choices:
        assert found.testable >= 2
