"""κ = σ resists every mutant (Alger & Weibull 2013), on games whose equilibria are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ludens.envs import find_game
from ludens.errors import UsageError
from ludens.preferences import moral_equilibria
from ludens.preferences.stability import (
    PairwiseGame,
    cournot,
    invasions,
    linear_public_good,
    mutant_strategies,
    pairwise_game,
    quadratic_public_good,
    resident_strategies,
    two_actions,
)

payoffs = st.lists(st.integers(-20, 20), min_size=4, max_size=4).map(lambda flat: [flat[:2], flat[2:]])
steps = st.integers(0, 10).map(lambda step: step / 10)


@given(payoffs, steps)
def test_residents_play_the_moral_equilibria_that_are_stable(table, kappa):
    known = moral_equilibria(table, kappa)
    (a11, a12), (a21, a22) = table
    assume(not known.continuum)
    coordination = kappa == 0 and a11 + a22 > a12 + a21
    expected = [x for x in known.weights if not (coordination and 0 < x < 1)]
    assert resident_strategies(two_actions(table), kappa) == pytest.approx(expected, abs=1e-9)


@given(payoffs, steps, steps)
def test_no_mutant_earns_more_than_residents_with_kappa_sigma_in_any_2x2_game(table, sigma, mutant):
    game = two_actions(table)
    for each in invasions(game, sigma, mutant, sigma):
        assert each.advantage >= -1e-9 * max(game.range, 1)


@given(payoffs, steps, steps, st.floats(0, 1))
def test_the_advantage_is_the_loss_of_the_hamiltonian_utility(table, kappa, sigma, mutant):
    game = two_actions(table)
    for each in invasions(game, kappa, mutant, sigma):
        x, y = each.resident, each.mutant
        rare = (1 - sigma) * game.payoff(y, x) + sigma * game.payoff(y, y)
        assert each.advantage == pytest.approx(float(game.payoff(x, x) - rare), abs=1e-9)


@given(payoffs, steps, steps, steps)
def test_mutants_maximise_their_utility_given_whom_they_meet(table, kappa, sigma, resident):
    game, grid = two_actions(table), np.linspace(0, 1, 201)
    for y in mutant_strategies(game, kappa, resident, sigma):
        rival = (1 - sigma) * resident + sigma * y
        utility = (1 - kappa) * game.payoff(grid, rival) + kappa * game.payoff(grid, grid)
        own = (1 - kappa) * game.payoff(y, rival) + kappa * game.payoff(y, y)
        assert own >= utility.max() - 1e-6 * max(game.range, 1)


@given(st.integers(2, 6), st.floats(0.05, 0.95), steps)
def test_contributing_to_a_linear_public_good_has_a_threshold(players, marginal_return, kappa):
    threshold = (1 - marginal_return) / (marginal_return * (players - 1))
    assume(abs(kappa - threshold) > 1e-6)
    expected = 1.0 if kappa > threshold else 0.0
    assert resident_strategies(linear_public_good(players, marginal_return), kappa) == (expected,)


@pytest.mark.parametrize(("kappa", "expected"), [(0, 1 / 3), (1, 5 / 12), (0.5, 7 / 18)])
def test_a_quadratic_public_good(kappa, expected):
    assert resident_strategies(quadratic_public_good(3, 1), kappa) == pytest.approx((expected,))


@pytest.mark.parametrize("players", [2, 3, 5])
@pytest.mark.parametrize("kappa", [0, 0.3, 1])
def test_cournot(players, kappa):
    expected = 9 / (2 * (2 + (players - 1) * (1 + kappa)))
    assert resident_strategies(cournot(10, 1, 2, players), kappa) == pytest.approx((expected,))


@pytest.mark.parametrize(
    "game", [two_actions([[-1, 4], [0, 2]]), two_actions([[5, 2], [7, 3]]), quadratic_public_good(3, 1)]
)
@pytest.mark.parametrize("sigma", [0.0, 0.3, 0.5, 0.9])
def test_kappa_sigma_is_the_only_weight_that_no_other_invades_where_play_differs(game, sigma):
    weights = np.unique([*np.linspace(0, 1, 21), sigma])
    plays = {kappa: resident_strategies(game, kappa)[0] for kappa in weights}
    for kappa in weights:
        outcomes = {each.outcome for mutant in weights for each in invasions(game, kappa, mutant, sigma)}
        if plays[kappa] == pytest.approx(plays[sigma], abs=1e-12):
            assert "invaded" not in outcomes
        else:
            assert "invaded" in outcomes


def test_hawks_and_doves_that_mix_alike_are_told_apart_by_what_happens_as_mutants_spread():
    (each,) = invasions(two_actions([[-1, 4], [0, 2]]), 0, 1, 0)
    assert each.advantage == pytest.approx(0)
    assert each.outcome == "resists"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: two_actions([[1, 2, 3]] * 3), r"shape \(2, 2\); got \(3, 3\)"),
        (lambda: two_actions([[1, np.nan], [0, 0]]), "finite"),
        (lambda: linear_public_good(1, 0.5), "at least 2 players"),
        (lambda: quadratic_public_good(3, -1), "positive"),
        (lambda: cournot(1, 2), "intercept"),
        (lambda: PairwiseGame(1, 1, low=1, high=0), "interval"),
        (lambda: resident_strategies(two_actions([[1, 2], [3, 4]]), 1.5), "between 0 and 1"),
        (lambda: mutant_strategies(two_actions([[1, 2], [3, 4]]), 0, 0, -1), "assortativity"),
    ],
)
def test_wrong_arguments_are_refused(wrong, words):
    with pytest.raises(UsageError, match=words):
        wrong()


@pytest.mark.parametrize(
    ("protocol", "known"),
    [
        ("PD2", two_actions([[5, 2], [7, 3]])),
        ("HD1", two_actions([[-10, 40], [0, 20]])),
        ("PG1", PairwiseGame(-0.6, 1.2, high=20.0, constant=20.0)),
        ("PG3", PairwiseGame(-0.97, 0.03 * 99, high=20.0, constant=20.0)),
        ("CM1", PairwiseGame(18.0, 0.0, -0.25, -1.75, high=10.0, constant=50.0)),
    ],
)
def test_games_of_the_library_are_those_of_residents_and_mutants(protocol, known):
    made = pairwise_game(find_game(protocol))
    for kappa in (0.0, 0.3, 0.7, 1.0):
        assert resident_strategies(made, kappa) == pytest.approx(resident_strategies(known, kappa))
    x = np.linspace(made.low, made.high, 5)
    np.testing.assert_allclose(made.payoff(x[:, None], x), known.payoff(x[:, None], x), atol=1e-6)


@pytest.mark.parametrize(
    ("protocol", "words"),
    [("BS1", "one role"), ("OP1", "one role"), ("ET1", "second degree"), ("VD1", "second degree")],
)
def test_other_games_are_refused_in_one_sentence(protocol, words):
    with pytest.raises(UsageError, match=words):
        pairwise_game(find_game(protocol))


@pytest.mark.parametrize("sigma", [0.0, 0.5])
def test_no_rare_mutant_earns_more_than_hamiltonian_residents_in_games_full_of_ties(sigma):
    for payoffs in itertools.product((0, 1, 2), repeat=4):
        game = two_actions([payoffs[:2], payoffs[2:]])
        for mutant in (0.0, 0.25, 0.5, 1.0):
            for each in invasions(game, sigma, mutant, sigma):
                assert each.outcome != "invaded", (payoffs, each)
                assert each.advantage >= -1e-12
    tied = two_actions([[1, 0], [0, 0]])
    (one,) = [each for each in invasions(tied, 0, 1, 0) if (each.resident, each.mutant) == (0, 1)]
    assert (one.advantage, one.outcome) == (0, "neutral")  # they earn more only where there are several
