"""The oracle finds the best strategies: all of them, and nothing beats them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.envs import (
    FAMILIES,
    PROTOCOLS,
    ChanceNode,
    DecisionNode,
    GameTree,
    PayoffNode,
    pure_strategies,
    strategy,
    uniform_strategy,
)
from ludens.preferences import (
    HOMO_ECONOMICUS,
    Preferences,
    best_strategies,
    homo_moralis,
    optimal_options,
    payoff_table,
    regret,
    solve_grid,
    uniform_belief,
    universalised_payoff,
    utility,
)
from ludens.testing import games
from tests.preferences.test_utility import behaviour

# Numbers in sixteenths: then strategies are tied exactly or clearly apart, never just at the tolerance.
social, kantian = (st.integers(low, 16).map(lambda number: number / 16) for low in (-16, 0))
preferences = st.builds(Preferences, social, social, kantian)


def best(name, wanted, belief=None):
    """The optimal strategies as strings: 1 where the first option (cooperate, trust, equal, …) is taken."""
    game = PROTOCOLS[name]
    found = best_strategies(game, wanted, uniform_belief(game) if belief is None else belief).strategies
    return {"".join(str(int(row[node.columns.start])) for node in game.information_sets) for row in found}


@pytest.mark.parametrize("name", ["SPD2", "SPD3", "SPD4", "SPD5", "SPD6"])
def test_the_kantian_cooperates_in_the_dilemma(name):
    assert best(name, homo_moralis(1)) == {"111", "110"}


def test_the_kantian_takes_turns_where_mutual_cooperation_pays_less():
    assert best("SPD1", homo_moralis(1)) == {"100", "101", "001", "011"}


@pytest.mark.parametrize("name", ["TG1", "TG2"])
def test_the_kantian_trusts_and_is_indifferent_over_the_reply_where_the_sum_is_constant(name):
    assert best(name, homo_moralis(1)) == {"11", "10"}


@pytest.mark.parametrize("name", ["TG3", "TG4", "TG5", "TG6"])
def test_the_kantian_trusts_and_reciprocates(name):
    assert best(name, homo_moralis(1)) == {"11"}


@pytest.mark.parametrize("name", [f"UG{k}" for k in range(1, 7)])
def test_kappa_penalises_only_an_unequal_offer_with_rejection(name):
    game = PROTOCOLS[name]
    assert best(name, homo_moralis(1)) == {"11", "10", "01"}
    rejected = strategy(game, {"opening": "unequal", "reply to unequal": "reject"})
    worth = universalised_payoff(game, pure_strategies(game))
    assert sorted(set(worth.tolist())) == [float(universalised_payoff(game, rejected)), 50]


@pytest.mark.parametrize("name", [f"UG{k}" for k in range(1, 7)])
@pytest.mark.parametrize("kappa", [0, 0.1, 0.5, 0.9, 0.99])
def test_responders_accept_below_full_kappa_and_proposers_split_equally(name, kappa):
    assert best(name, homo_moralis(kappa)) == {"11"}


def test_homo_economicus_replies_to_beliefs_rather_than_always_defecting():
    for name in ("TG3", "TG4", "TG5", "TG6"):
        assert best(name, HOMO_ECONOMICUS) == {"10"}
    assert best("TG2", HOMO_ECONOMICUS) == {"10", "00"}
    sure = strategy(
        PROTOCOLS["SPD4"], {"opening": 0.5, "reply to cooperation": 1.0, "reply to defection": 0.0}
    )
    assert best("SPD4", HOMO_ECONOMICUS, sure) == {"100"}


KAPPAS = (0.0, 0.1, 0.25, 0.5, 0.75)


@pytest.mark.parametrize(
    ("name", "plan", "first"),
    [
        ("SPD1", "110", None),
        ("SPD2", "110", None),
        ("SPD3", "110", 0.5),
        ("SPD4", "110", 0.5),
        ("SPD5", "110", 0.1),
        ("SPD6", "110", 0.25),
        ("TG3", "11", 0.5),
        ("TG4", "11", 0.5),
        ("TG5", "11", 0.25),
        ("TG6", "11", 0.25),
    ],
)
def test_conditional_cooperation_becomes_optimal_as_kappa_grows(name, plan, first):
    optimal = [kappa for kappa in KAPPAS if plan in best(name, homo_moralis(kappa))]
    assert (min(optimal) if optimal else None) == first
    assert optimal == [kappa for kappa in KAPPAS if first is not None and kappa >= first]


def test_the_switch_in_spd2_comes_late():
    """35 + 20κ for conditional cooperation meets 52.5 − 2.5κ for defecting first and rewarding defection."""
    assert best("SPD2", homo_moralis(7 / 9)) == {"110", "001"}
    assert best("SPD2", homo_moralis(0.77)) == {"001"}
    assert best("SPD2", homo_moralis(0.79)) == {"110"}


def test_the_switch_in_spd5_is_an_exact_tie_at_a_tenth():
    assert best("SPD5", homo_moralis(0.1)) == {"110", "000"}
    assert best("SPD5", homo_moralis(0.1 - 1e-6)) == {"000"}
    assert best("SPD5", homo_moralis(0.1 + 1e-6)) == {"110"}


def test_inequity_aversion_in_the_ultimatum_game():
    """A responder in UG5 accepts 20 against 80, or rejects for 10 each: 20 − 60α < 10 beyond α = 1/6."""
    game = PROTOCOLS["UG5"]
    for alpha, accepts in ((0.16, True), (0.17, False)):
        options = optimal_options(game, Preferences(alpha=alpha), uniform_belief(game))
        assert options["reply to unequal"] == ({"accept"} if accepts else {"reject"})


def test_what_the_result_says():
    game = PROTOCOLS["TG2"]
    found = best_strategies(game, HOMO_ECONOMICUS, uniform_belief(game))
    assert found.tied
    assert found.plans == (
        {"opening": "trust", "reply to trust": "defect"},
        {"opening": "keep", "reply to trust": "defect"},
    )
    assert found.utility == 45
    assert found.margin == 10
    np.testing.assert_array_equal(found.all_strategies, pure_strategies(game))
    np.testing.assert_allclose(found.utilities, [35, 45, 35, 45])


def test_the_margin_is_infinite_if_nothing_matters():
    leaf = PayoffNode((7, 7))
    game = GameTree("flat", ("a", "b"), DecisionNode("choice", "a", {"left": leaf, "right": leaf}))
    found = best_strategies(game, Preferences(1, 1, 0.3), uniform_strategy(game))
    assert len(found.strategies) == 2
    assert math.isinf(found.margin)


def test_a_game_without_decisions_has_one_empty_strategy():
    game = GameTree("gift", ("a", "b"), PayoffNode((3, 5)))
    found = best_strategies(game, homo_moralis(0.5), np.zeros(0))
    assert found.strategies.shape == (1, 0)
    assert found.utility == 4
    assert found.plans == ({},)


def test_optimal_options_name_what_some_optimal_strategy_uses():
    game = PROTOCOLS["SPD1"]
    both = {"cooperate", "defect"}
    assert optimal_options(game, homo_moralis(1), uniform_belief(game)) == dict.fromkeys(
        ("opening", "reply to cooperation", "reply to defection"), both
    )
    assert optimal_options(game, homo_moralis(0.5), uniform_belief(game)) == {
        "opening": {"defect"},
        "reply to cooperation": {"defect"},
        "reply to defection": {"cooperate"},
    }


GRID = np.array(list(itertools.product(np.linspace(0, 1, 21), repeat=3)))
DILEMMA = np.stack([GRID, 1 - GRID], axis=-1).reshape(len(GRID), 6)


@given(
    st.lists(st.integers(-50, 150), min_size=4, max_size=4, unique=True),
    preferences,
    st.integers(0, 1000),
)
def test_no_mixture_on_a_fine_grid_beats_the_oracle_in_any_dilemma(points, wanted, seed):
    game = FAMILIES["sequential_prisoners_dilemma"].game(payoffs=sorted(points, reverse=True))
    belief = behaviour(game, seed)
    top = best_strategies(game, wanted, belief).utility
    assert utility(game, wanted, DILEMMA, belief).max() == pytest.approx(top, abs=1e-9)
    assert regret(game, wanted, DILEMMA, belief).min() == 0


@given(games(), preferences, st.integers(0, 1000))
def test_no_mixture_beats_the_oracle_in_any_tree(game, wanted, seed):
    belief = behaviour(game, seed)
    found = best_strategies(game, wanted, belief)
    mixtures = np.stack([behaviour(game, 1000 + k) for k in range(200)])
    assert utility(game, wanted, mixtures, belief).max() <= found.utility + 1e-9
    np.testing.assert_allclose(utility(game, wanted, found.strategies, belief), found.utility, atol=1e-7)


@given(games(), preferences, st.integers(0, 1000))
def test_regret_is_what_the_best_strategy_would_add_and_zero_on_exactly_the_best(game, wanted, seed):
    belief = behaviour(game, seed)
    table = pure_strategies(game)
    solution = solve_grid(game, game.payoffs, wanted, belief)
    lost = regret(game, wanted, table, belief)
    assert lost.shape == (len(table),)
    np.testing.assert_array_equal(lost == 0, solution.best)
    mixture = behaviour(game, seed + 1)
    expected = solution.utilities.max() - utility(game, wanted, mixture, belief)
    assert regret(game, wanted, mixture, belief) == pytest.approx(float(expected), abs=1e-7)


@given(games(), preferences, st.integers(-1000, 1000), st.sampled_from([0.001, 0.5, 3, 1000]))
def test_shifting_and_scaling_payoffs_changes_no_choice(game, wanted, shift, scale):
    belief = uniform_strategy(game)
    plain = solve_grid(game, game.payoffs, wanted, belief)
    moved = solve_grid(game, game.payoffs * scale + shift, wanted, belief)
    np.testing.assert_array_equal(plain.best, moved.best)
    np.testing.assert_allclose(moved.utilities, plain.utilities * scale + shift, rtol=1e-9, atol=1e-6)


@given(games(), st.integers(0, 1000))
def test_full_kappa_ignores_the_belief(game, seed):
    one = best_strategies(game, homo_moralis(1), behaviour(game, seed))
    other = best_strategies(game, homo_moralis(1), uniform_strategy(game))
    np.testing.assert_array_equal(one.strategies, other.strategies)


def test_ties_survive_a_large_constant_on_all_payoffs():
    game = PROTOCOLS["SPD5"]
    plain = solve_grid(game, game.payoffs, homo_moralis(0.1), uniform_belief(game))
    far = solve_grid(game, game.payoffs + 1e9, homo_moralis(0.1), uniform_belief(game))
    np.testing.assert_array_equal(plain.best, far.best)
    assert plain.best.sum() == 2


def test_one_problem_has_one_belief():
    game = PROTOCOLS["SPD5"]
    with pytest.raises(ValueError, match="use solve_grid"):
        best_strategies(game, HOMO_ECONOMICUS, pure_strategies(game))
    with pytest.raises(ValueError, match="6 entries"):
        best_strategies(game, HOMO_ECONOMICUS, np.full((2, 3), 0.5))


def test_ties_survive_heavy_social_preferences():
    even = ChanceNode("draw", {f"{k}": (1 / 49, PayoffNode((10, 40))) for k in range(49)})
    root = DecisionNode(
        "choice", "a", {"sure": PayoffNode((10, 40)), "drawn": even, "worse": PayoffNode((9, 40))}
    )
    game = GameTree("same", ("a", "b"), root)
    found = best_strategies(game, Preferences(alpha=1e9 / 3, kappa=0.1), uniform_strategy(game))
    assert found.plans == ({"choice": "sure"}, {"choice": "drawn"})


@given(st.integers(0, 1000))
def test_regret_of_the_best_stays_zero_far_from_the_origin(seed):
    points = [1e12 + number for number in (80, 75, 30, 20)]
    game = FAMILIES["sequential_prisoners_dilemma"].game(payoffs=points)
    belief = behaviour(game, seed)
    best = best_strategies(game, homo_moralis(0.3), belief).strategies
    assert regret(game, homo_moralis(0.3), best, belief).tolist() == [0.0] * len(best)
    assert regret(game, homo_moralis(0.3), pure_strategies(game), belief).max() > 1


def test_regret_batches_over_strategies_and_beliefs():
    game = PROTOCOLS["TG5"]
    table = pure_strategies(game)
    lost = regret(game, homo_moralis(0.25), table[:, None], table)
    assert lost.shape == (4, 4)
    assert (lost.min(axis=0) == 0).all()
    for j, belief in enumerate(table):
        assert lost[2, j] == pytest.approx(float(regret(game, homo_moralis(0.25), table[2], belief)))


def test_a_wider_tolerance_calls_more_strategies_tied():
    game = PROTOCOLS["SPD5"]
    assert len(best_strategies(game, homo_moralis(0.1), uniform_belief(game), tolerance=0.01).strategies) == 3


def test_grids_hold_what_single_problems_say():
    games = [PROTOCOLS[f"SPD{k}"] for k in range(1, 7)]
    wanted = [HOMO_ECONOMICUS, homo_moralis(0.1), Preferences(0.3, -0.2, 0.5), homo_moralis(1)]
    beliefs = np.stack([uniform_belief(games[0]), *pure_strategies(games[0])])
    numbers = np.array([[p.alpha, p.beta, p.kappa] for p in wanted])
    grid = solve_grid(games[0], payoff_table(games)[:, None, None], numbers[:, None], beliefs)
    assert grid.utilities.shape == grid.best.shape == (6, 4, 9, 8)
    assert grid.margin.shape == (6, 4, 9)
    for (i, game), (j, one), (k, belief) in itertools.product(
        enumerate(games), enumerate(wanted), enumerate(beliefs)
    ):
        alone = best_strategies(game, one, belief)
        np.testing.assert_array_equal(grid.strategies[grid.best[i, j, k]], alone.strategies)
        assert grid.margin[i, j, k] == pytest.approx(alone.margin)
        assert grid.utilities[i, j, k].max() == pytest.approx(alone.utility)


def test_grids_refuse_what_does_not_fit():
    dilemma, trust = PROTOCOLS["SPD1"], PROTOCOLS["TG1"]
    fair = uniform_belief(dilemma)
    with pytest.raises(ValueError, match="differ in more than payoffs"):
        payoff_table([dilemma, trust])
    with pytest.raises(ValueError, match="at least one game"):
        payoff_table([])
    with pytest.raises(ValueError, match="do not broadcast"):
        solve_grid(dilemma, np.stack([dilemma.payoffs] * 3), np.zeros((2, 3)), fair)
    with pytest.raises(ValueError, match="finite"):
        solve_grid(dilemma, np.full((4, 2), np.inf), HOMO_ECONOMICUS, fair)
    with pytest.raises(ValueError, match=r"\(4, 2\)"):
        solve_grid(dilemma, trust.payoffs, HOMO_ECONOMICUS, fair)
    with pytest.raises(ValueError, match="6 entries"):
        solve_grid(dilemma, dilemma.payoffs, HOMO_ECONOMICUS, uniform_belief(trust))
