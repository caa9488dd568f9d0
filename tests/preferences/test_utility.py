"""Utility is what its formula says: pure or mixed, in one seat or behind the veil, in batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ludens.envs import (
    PROTOCOLS,
    DecisionNode,
    GameError,
    GameTree,
    PayoffNode,
    expected_payoff,
    outcome_probabilities,
    pure_strategies,
    strategy,
    uniform_strategy,
)
from ludens.errors import UsageError
from ludens.preferences import (
    HOMO_ECONOMICUS,
    Preferences,
    grid_terms,
    homo_moralis,
    uniform_belief,
    universalised_payoff,
    utility,
    utility_terms,
)
from ludens.testing import games

SPD = [name for name in PROTOCOLS if name.startswith("SPD")]
shares = arrays(np.float64, 3, elements=st.floats(0, 1))
preferences = st.builds(Preferences, st.floats(-2, 2), st.floats(-2, 2), st.floats(0, 1))


def behaviour(game, seed):
    """A random behaviour strategy."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.dirichlet(np.ones(len(node.options))) for node in game.information_sets])


def dilemma_payoffs(x, y, *, T, R, P, S):
    """π(x, y) of the sequential dilemma written out, and the expected gaps behind and ahead."""
    first = [x[0] * y[1], x[0] * (1 - y[1]), (1 - x[0]) * y[2], (1 - x[0]) * (1 - y[2])]
    second = [y[0] * x[1], y[0] * (1 - x[1]), (1 - y[0]) * x[2], (1 - y[0]) * (1 - x[2])]
    own = 0.5 * (first[0] * R + first[1] * S + first[2] * T + first[3] * P)
    own += 0.5 * (second[0] * R + second[1] * T + second[2] * S + second[3] * P)
    behind = 0.5 * (first[1] + second[2]) * (T - S)
    ahead = 0.5 * (first[2] + second[1]) * (T - S)
    return own, behind, ahead


@given(st.sampled_from(SPD), shares, shares, preferences)
def test_the_formula_of_the_dilemma_written_out(name, x, y, wanted):
    game = PROTOCOLS[name]
    own, belief = (np.stack([v, 1 - v], axis=-1).ravel() for v in (x, y))
    payoff, behind, ahead = dilemma_payoffs(x, y, **game.parameters)
    universal, _, _ = dilemma_payoffs(x, x, **game.parameters)
    expected = (
        (1 - wanted.kappa) * payoff + wanted.kappa * universal - wanted.alpha * behind - wanted.beta * ahead
    )
    assert utility(game, wanted, own, belief) == pytest.approx(expected, abs=1e-9)
    assert universalised_payoff(game, own) == pytest.approx(universal, abs=1e-9)


@given(games(), preferences, st.integers(0, 100))
def test_terms_of_pure_strategies_add_up_to_their_utility(game, wanted, seed):
    belief = behaviour(game, seed)
    terms = utility_terms(game, belief)
    table = pure_strategies(game)
    np.testing.assert_allclose(terms.own, expected_payoff(game, table, belief), atol=1e-9)
    np.testing.assert_allclose(terms.universalised, expected_payoff(game, table, table), atol=1e-9)
    np.testing.assert_allclose(terms.utility(wanted), utility(game, wanted, table, belief), atol=1e-9)


@given(games(), preferences, st.integers(0, 100))
def test_the_mean_over_seats_is_the_utility_behind_the_veil(game, wanted, seed):
    own, belief = behaviour(game, seed), behaviour(game, seed + 1)
    seats = [utility(game, wanted, own, belief, role) for role in game.roles]
    assert np.mean(seats) == pytest.approx(float(utility(game, wanted, own, belief)), abs=1e-9)


@given(games(), st.integers(0, 100))
def test_comparison_terms_average_over_the_others_at_the_outcomes_of_own_against_belief(game, seed):
    own, belief = behaviour(game, seed), behaviour(game, seed + 1)
    outcomes = outcome_probabilities(game, own, belief)
    behind = ahead = 0.0
    for seat in range(len(game.roles)):
        for leaf, chance in zip(game.leaves, outcomes[:, seat], strict=True):
            others = [pay - leaf.payoffs[seat] for role, pay in enumerate(leaf.payoffs) if role != seat]
            behind += chance * sum(max(0, gap) for gap in others) / max(1, len(others)) / len(game.roles)
            ahead += chance * sum(max(0, -gap) for gap in others) / max(1, len(others)) / len(game.roles)
    base = float(utility(game, HOMO_ECONOMICUS, own, belief))
    assert base - float(utility(game, Preferences(alpha=1), own, belief)) == pytest.approx(behind, abs=1e-9)
    assert base - float(utility(game, Preferences(beta=1), own, belief)) == pytest.approx(ahead, abs=1e-9)


def test_three_players_compare_themselves_with_the_average_of_the_others():
    leaf = PayoffNode((10, 40, 0))
    game = GameTree("three", ("a", "b", "c"), DecisionNode("choice", "a", {"left": leaf, "right": leaf}))
    own = uniform_strategy(game)
    assert utility(game, Preferences(alpha=1), own, own, "a") == 10 - (40 - 10) / 2
    assert utility(game, Preferences(beta=1), own, own, "a") == 10 - (10 - 0) / 2
    assert utility(game, Preferences(alpha=1, beta=1), own, own, "c") == 0 - (10 + 40) / 2


def test_a_fixed_seat_keeps_the_universalised_payoff_of_the_veil():
    game = PROTOCOLS["TG5"]
    trusting = strategy(game, {"opening": "trust", "reply to trust": "defect"})
    for role in game.roles:
        assert (
            utility(game, homo_moralis(1), trusting, trusting, role)
            == universalised_payoff(game, trusting)
            == 50
        )
    assert utility(game, HOMO_ECONOMICUS, trusting, trusting, "trustee") == 80


def test_the_kantian_ignores_the_belief():
    game = PROTOCOLS["SPD4"]
    table = pure_strategies(game)
    values = [utility(game, homo_moralis(1), table, belief) for belief in (uniform_belief(game), *table)]
    assert np.ptp(values, axis=0).max() == 0


def test_batches_broadcast():
    game = PROTOCOLS["SPD2"]
    table = pure_strategies(game)
    outer = utility(game, Preferences(0.3, 0.2, 0.5), table[:, None], table)
    assert outer.shape == (8, 8)
    for i, own in enumerate(table):
        for j, belief in enumerate(table):
            assert outer[i, j] == pytest.approx(float(utility(game, Preferences(0.3, 0.2, 0.5), own, belief)))
    assert utility_terms(game, table).own.shape == (8, 8)


def test_terms_of_many_games_and_preferences():
    games = [PROTOCOLS[name] for name in SPD]
    payoffs = np.stack([game.payoffs for game in games])
    wanted = np.array([[0, 0, 0.5], [0.3, 0.1, 0]])
    values = grid_terms(games[0], payoffs[:, None], uniform_belief(games[0])).utility(wanted)
    assert values.shape == (6, 2, 8)
    alone = utility_terms(games[4], uniform_belief(games[4])).utility(Preferences(0.3, 0.1, 0))
    np.testing.assert_allclose(values[4, 1], alone)


def test_a_belief_written_with_six_digits_counts_as_the_distribution_it_stands_for():
    game = PROTOCOLS["TG3"]
    rounded = np.array([0.333333, 0.6666666, 0.5, 0.5])
    exact = np.array([0.333333, 0.6666666, 0.5, 0.5])
    exact[:2] /= exact[:2].sum()
    assert utility(game, HOMO_ECONOMICUS, exact, rounded) == utility(game, HOMO_ECONOMICUS, exact, exact)


def test_a_single_player_compares_with_nobody():
    game = GameTree(
        "alone", ("me",), DecisionNode("choice", "me", {"a": PayoffNode((1,)), "b": PayoffNode((2,))})
    )
    own = strategy(game, {"choice": "b"})
    assert utility(game, Preferences(5, 5, 0.5), own, own) == 2


def test_wrong_input_is_one_clear_error():
    game = PROTOCOLS["TG1"]
    fair = uniform_belief(game)
    with pytest.raises(GameError, match="not a probability distribution at 'opening'"):
        utility(game, HOMO_ECONOMICUS, [0.5, 0.6, 1, 0], fair)
    with pytest.raises(GameError, match="4 entries"):
        utility(game, HOMO_ECONOMICUS, fair, fair[:3])
    with pytest.raises(GameError, match="no role 'bank'"):
        utility(game, HOMO_ECONOMICUS, fair, fair, "bank")
    with pytest.raises(UsageError, match="finite"):
        grid_terms(game, np.full((3, 2), np.nan), fair)
    with pytest.raises(UsageError, match="leaves, roles"):
        grid_terms(game, np.zeros((2, 3)), fair)
