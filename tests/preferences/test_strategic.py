"""Preferences in simultaneous games: homo moralis among n players, equilibria, limited foresight."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludens.envs import find_game, tree_form, uniform_strategy
from ludens.preferences import (
    HOMO_ECONOMICUS,
    Preferences,
    best_strategies,
    choice_probabilities,
    cognitive_hierarchy,
    homo_moralis,
    level_k,
    moral_equilibria,
    quantal_response_equilibrium,
    regret,
    symmetric_equilibria,
    utility,
    utility_terms,
)
from ludens.preferences.strategic import plan_utilities, strategic_utility
from tests.envs.strategic.test_game import symmetric, threshold

PD2 = find_game("PD2")


@pytest.mark.parametrize("kappa", [0, 0.2, 0.25, 0.3, 0.5, 0.66, 2 / 3, 0.8, 1])
def test_the_prisoners_dilemma_of_alger_and_weibull_turns_at_a_quarter_and_two_thirds(kappa):
    (found,) = symmetric_equilibria(PD2, homo_moralis(kappa))
    assert found[0] == pytest.approx(moral_equilibria(PD2.payoffs[..., 0], kappa).weights[0], abs=1e-6)
    assert (found[0] == 0) == (kappa <= 1 / 4)
    assert (found[0] == 1) == (kappa >= 2 / 3)


@pytest.mark.parametrize(("protocol", "n", "m"), [("PG1", 4, 0.4), ("PG3", 100, 0.03)])
def test_homo_moralis_contributes_from_the_known_weight_on(protocol, n, m):
    game = find_game(protocol)
    turn = (1 - m) / (m * (n - 1))
    for kappa, given_ in ((turn - 0.01, "0"), (turn + 0.01, "20")):
        best = best_strategies(game, homo_moralis(kappa), uniform_strategy(game))
        assert best.plans == ({"choice": given_},)


@given(st.floats(0, 1), st.integers(2, 4), st.data())
def test_replacing_every_other_independently_is_the_sum_over_who_is_replaced(kappa, n, data):
    game = threshold(n, 3)
    play = np.array(data.draw(st.lists(st.floats(0.01, 1), min_size=3, max_size=3)))
    play /= play.sum()
    brute = []
    for own in range(3):
        total = 0.0
        for replaced in itertools.product([False, True], repeat=n - 1):
            weight = np.prod([kappa if each else 1 - kappa for each in replaced])
            paid = game.payoffs[own, ..., 0]
            for each in replaced:
                paid = paid[own] if each else np.tensordot(play, paid, axes=(0, 0))
            total += weight * float(paid)
        brute.append(total)
    np.testing.assert_allclose(plan_utilities(game, homo_moralis(kappa), play), brute, atol=1e-9)


@given(st.lists(st.lists(st.floats(-10, 10), min_size=3, max_size=3), min_size=3, max_size=3), st.data())
def test_a_game_and_its_tree_have_the_same_utilities(table, data):
    game = symmetric(table)
    tree = tree_form(game)
    own, others = (
        np.array(data.draw(st.lists(st.floats(0.01, 1), min_size=3, max_size=3))) for _ in range(2)
    )
    own, others = own / own.sum(), others / others.sum()
    weights = Preferences(*(data.draw(st.floats(-1, 1)) for _ in range(2)), data.draw(st.floats(0, 1)))
    for role, seat in ((None, None), ("player", "player 1")):
        mine = utility(game, weights, own, others, role)
        theirs = utility(tree, weights, np.tile(own, 2), np.tile(others, 2), seat)
        assert float(mine) == pytest.approx(float(theirs), abs=1e-7)


@settings(max_examples=12)
@given(st.floats(0, 1), st.integers(0, 1000))
def test_no_strategy_on_a_grid_is_better_than_the_oracle_s(kappa, seed):
    game = symmetric(np.random.default_rng(seed).normal(size=(3, 3)))
    weights, belief = Preferences(0.3, 0.2, kappa), np.random.default_rng(seed).dirichlet(np.ones(3))
    best = best_strategies(game, weights, belief)
    grid = np.array([each for each in itertools.product(np.linspace(0, 1, 21), repeat=2) if sum(each) <= 1])
    grid = np.column_stack([grid, 1 - grid.sum(-1)]).clip(0)
    tried = strategic_utility(game, weights, grid, belief, None)
    assert tried.max() <= best.utility + 1e-6
    assert float(strategic_utility(game, weights, best.strategies[0], belief, None)) == pytest.approx(
        best.utility, abs=1e-9
    )
    assert np.all(regret(game, weights, grid, belief) >= 0)
    assert float(regret(game, weights, best.strategies[0], belief)) == 0


def test_a_mixture_can_be_the_only_optimum():
    game = symmetric([[0, 0, -5], [4, -4, -5], [-5, -5, -5]])
    best = best_strategies(game, homo_moralis(1), [1, 0, 0])
    # π(x, x) = 4x(1 − x) − 4(1 − x)² is largest at x = 3/4
    np.testing.assert_allclose(best.strategies, [[0.75, 0.25, 0]], atol=1e-4)


def test_the_terms_add_up_where_utility_is_linear_in_kappa():
    game = find_game("PG1")
    terms = utility_terms(game, uniform_strategy(game))
    weights = Preferences(0.4, 0.3, 0.2)
    np.testing.assert_allclose(
        terms.utility(weights), plan_utilities(game, weights, uniform_strategy(game)), atol=1e-9
    )
    with pytest.raises(ValueError, match="not linear in κ"):
        utility_terms(threshold(3, 3), uniform_strategy(threshold(3, 3)))


def test_quantal_response_equilibria_answer_themselves():
    for precision in (0, 0.5, 2, 20):
        found = quantal_response_equilibrium(PD2, precision)
        if precision:
            answer = choice_probabilities(PD2, HOMO_ECONOMICUS, found, 1 / precision).marginals
            np.testing.assert_allclose(answer, found, atol=1e-8)
        else:
            np.testing.assert_allclose(found, 0.5)
    with pytest.raises(ValueError, match="finite number"):
        quantal_response_equilibrium(PD2, -1)


def test_levels_of_reasoning_defect_from_the_first_on():
    assert level_k(PD2, 0).tolist() == [0.5, 0.5]
    assert level_k(PD2, 1).tolist() == level_k(PD2, 3).tolist() == [0, 1]
    strategies, shares = cognitive_hierarchy(PD2, 1.5)
    assert shares.sum() == pytest.approx(1)
    assert shares[1] / shares[0] == pytest.approx(1.5)
    assert strategies[:3].tolist() == [[0.5, 0.5], [0, 1], [0, 1]]
