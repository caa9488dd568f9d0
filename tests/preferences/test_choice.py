"""Noisy choice is the joint logit, with its marginals and its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.envs import PROTOCOLS, check_strategy, pure_strategies
from ludens.errors import UsageError
from ludens.preferences import (
    HOMO_ECONOMICUS,
    Preferences,
    best_strategies,
    choice_probabilities,
    homo_moralis,
    log_logit,
    logit,
    uniform_belief,
    utility,
)
from ludens.testing import games
from tests.preferences.test_utility import behaviour

# Numbers in sixteenths: then strategies are tied exactly or clearly apart, never just at the tolerance.
social, kantian = (st.integers(low, 16).map(lambda number: number / 16) for low in (-16, 0))
preferences = st.builds(Preferences, social, social, kantian)


def test_probabilities_by_hand():
    game = PROTOCOLS["TG3"]
    fair = uniform_belief(game)
    weights = [
        math.exp(float(utility(game, homo_moralis(0.5), row, fair)) / 8) for row in pure_strategies(game)
    ]
    choice = choice_probabilities(game, homo_moralis(0.5), fair, 8)
    np.testing.assert_allclose(choice.probabilities, np.array(weights) / sum(weights))
    trust = (weights[0] + weights[1]) / sum(weights)
    reciprocate = (weights[0] + weights[2]) / sum(weights)
    np.testing.assert_allclose(choice.marginals, [trust, 1 - trust, reciprocate, 1 - reciprocate])


@given(games(), preferences, st.floats(0, 100), st.integers(0, 100))
def test_marginals_are_a_strategy(game, wanted, noise, seed):
    choice = choice_probabilities(game, wanted, behaviour(game, seed), noise)
    assert choice.probabilities.sum() == pytest.approx(1)
    check_strategy(game, choice.marginals)


@given(games(), preferences, st.integers(0, 100))
def test_no_noise_is_an_even_draw_among_the_best(game, wanted, seed):
    belief = behaviour(game, seed)
    best = best_strategies(game, wanted, belief).strategies
    choice = choice_probabilities(game, wanted, belief, 0)
    np.testing.assert_allclose(choice.marginals, best.mean(axis=0))
    assert (choice.probabilities > 0).sum() == len(best)


def test_little_noise_comes_near_to_none_and_much_noise_to_chance():
    game = PROTOCOLS["SPD5"]
    fair = uniform_belief(game)
    none = choice_probabilities(game, homo_moralis(0.1), fair, 0).probabilities
    assert sorted(none.tolist()) == [0] * 6 + [0.5] * 2
    for noise in (1e-3, 1e-200, 5e-324):
        near = choice_probabilities(game, homo_moralis(0.1), fair, noise).probabilities
        np.testing.assert_allclose(near, none, atol=1e-9)
    chance = choice_probabilities(game, homo_moralis(0.1), fair, 1e12).probabilities
    np.testing.assert_allclose(chance, 1 / 8)


def test_nodes_hang_together_under_kappa():
    """A reply matters to a universaliser only if the first move leads there: the choices correlate."""
    game = PROTOCOLS["SPD6"]
    choice = choice_probabilities(game, homo_moralis(0.9), uniform_belief(game), 8)
    joint = choice.probabilities[(choice.strategies[:, 0] == 1) & (choice.strategies[:, 2] == 1)].sum()
    assert joint > choice.marginals[0] * choice.marginals[2] + 0.01


def test_without_kappa_the_nodes_are_independent():
    game = PROTOCOLS["SPD6"]
    choice = choice_probabilities(game, Preferences(0.3, 0.2), uniform_belief(game), 8)
    product = [np.prod(choice.marginals[row > 0]) for row in choice.strategies]
    np.testing.assert_allclose(choice.probabilities, product)


def test_shifting_payoffs_changes_nothing_and_scaling_them_is_scaling_noise():
    utilities = np.array([1.0, 5, 2, 5])
    np.testing.assert_allclose(logit(utilities + 1e6, 3.0), logit(utilities, 3.0))
    np.testing.assert_allclose(logit(utilities * 7, 21.0), logit(utilities, 3.0))


def test_nothing_overflows():
    assert logit([1e300, 0.0], 1e-300).tolist() == [1, 0]
    assert log_logit([0.0, -800.0], 1.0).tolist() == [0, -800]


def test_batches_over_beliefs_preferences_and_noise():
    game = PROTOCOLS["SPD3"]
    beliefs = pure_strategies(game)
    wanted = [HOMO_ECONOMICUS, homo_moralis(0.5), Preferences(0.2, 0.1, 0.3)]
    numbers = np.array([[p.alpha, p.beta, p.kappa] for p in wanted])
    noise = np.array([0.0, 8.0])
    choice = choice_probabilities(game, numbers[:, None, None], beliefs[:, None], noise)
    assert choice.probabilities.shape == choice.utilities.shape == (3, 8, 2, 8)
    assert choice.marginals.shape == (3, 8, 2, 6)
    for i, one in enumerate(wanted):
        for k, spread in enumerate(noise):
            alone = choice_probabilities(game, one, beliefs[5], spread)
            np.testing.assert_allclose(choice.marginals[i, 5, k], alone.marginals)


@pytest.mark.parametrize("noise", [-1, math.nan, math.inf, "loud", [[8, -8]]])
def test_noise_out_of_range(noise):
    with pytest.raises(UsageError, match=r"[Nn]oise"):
        choice_probabilities(PROTOCOLS["TG1"], HOMO_ECONOMICUS, uniform_belief(PROTOCOLS["TG1"]), noise)


def test_axes_that_do_not_fit():
    game = PROTOCOLS["TG1"]
    with pytest.raises(UsageError, match="do not broadcast"):
        choice_probabilities(game, HOMO_ECONOMICUS, np.stack([uniform_belief(game)] * 2), [1, 2, 3])
