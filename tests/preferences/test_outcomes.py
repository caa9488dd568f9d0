"""Preferences of one's own: any utility of outcomes, and the oracle that maximises it."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.agents import OraclePolicy, OutcomeOraclePolicy
from ludens.envs import PROTOCOLS, expected_payoff, outcome_probabilities, pure_strategies, uniform_strategy
from ludens.errors import UsageError
from ludens.preferences import OutcomePreferences, Preferences, altruist, homo_moralis, utility


def rawls(payoffs, weight):
    """Own payoff, and the lowest one with a weight."""
    return payoffs + weight * payoffs.min(axis=1, keepdims=True)


@pytest.mark.parametrize("kappa", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("protocol", ["TG1", "SPD3", "UG5"])
def test_the_oracle_maximises_the_expected_worth_of_outcomes(protocol, kappa):
    game, felt = PROTOCOLS[protocol], OutcomePreferences("rawls", rawls, {"weight": 2.0})
    policy = OutcomeOraclePolicy(felt, kappa)
    worths, belief, plans = felt.worths(game.payoffs), uniform_strategy(game), pure_strategies(game)
    own = (outcome_probabilities(game, plans, belief) * worths).sum(axis=(-2, -1)) / 2
    everyone = (outcome_probabilities(game, plans, plans) * worths).sum(axis=(-2, -1)) / 2
    total = (1 - kappa) * own + kappa * everyone
    best = plans[total > total.max() - 1e-9]
    np.testing.assert_allclose(policy.strategy(game), best.mean(axis=0))


@pytest.mark.parametrize("kappa", [0.0, 0.5])
def test_payoffs_as_they_are_give_homo_moralis(kappa):
    same = OutcomeOraclePolicy(OutcomePreferences("same", lambda payoffs: payoffs), kappa)
    plain = OraclePolicy(homo_moralis(kappa))
    for game in PROTOCOLS.values():
        np.testing.assert_array_equal(same.strategy(game), plain.strategy(game))


@pytest.mark.parametrize("weight", [0.0, 0.2, 1.0])
def test_an_altruist_adds_the_others_payoff_with_its_weight(weight):
    for game in PROTOCOLS.values():
        plans, belief = pure_strategies(game), uniform_strategy(game)
        others = expected_payoff(game, belief, plans)  # what the other one is paid, roles being drawn
        wanted = expected_payoff(game, plans, belief) + weight * others
        found = (1 + weight) * utility(game, altruist(weight), plans, belief)
        np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_more_players_weigh_more():
    assert altruist(1.0, roles=3) == Preferences(alpha=-2 / 3, beta=2 / 3)
    for wrong in (-0.1, np.inf, "much", True, None):
        with pytest.raises(UsageError, match="at least 0"):
            altruist(wrong)


@pytest.mark.parametrize(
    ("felt", "settings", "told"),
    [
        (3, {}, "give a function"),
        (rawls, {}, "does not take these settings"),
        (rawls, {"weight": 1.0, "more": 2}, "does not take these settings"),
        (lambda payoffs: {}["weights"], {}, r"'wrong' fails with the settings {} \(KeyError: 'weights'\)"),
        (lambda payoffs: payoffs[0], {}, "finite numbers of shape"),
        (lambda payoffs: payoffs * np.nan, {}, "finite numbers of shape"),
    ],
)
def test_what_is_no_preference_is_told(felt, settings, told):
    with pytest.raises(UsageError, match=told):
        OutcomePreferences("wrong", felt, settings)


def test_a_function_cannot_change_the_game():
    def greedy(payoffs):
        payoffs += 100
        return payoffs

    game = PROTOCOLS["TG1"]
    before = game.payoffs.copy()
    OutcomeOraclePolicy(OutcomePreferences("greedy", greedy)).strategy(game)
    np.testing.assert_array_equal(game.payoffs, before)
