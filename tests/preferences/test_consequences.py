"""Tables of consequences: weighed with κ, their best row is what the oracle of each domain chooses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ludens.envs import PROTOCOLS, make_env, uniform_strategy
from ludens.envs.av.adoption.game import PROGRAMS, AdoptionGame
from ludens.envs.av.dilemma.studies import STUDIES
from ludens.envs.av.dilemma.vignette import PERSPECTIVES, QUESTIONS, Vignette
from ludens.envs.pricing import Market
from ludens.errors import UsageError
from ludens.preferences import Preferences, optimal_options, uniform_belief
from ludens.preferences.av.adoption import AdoptionPreferences, adoption_utilities
from ludens.preferences.av.consequences import (
    adoption_consequences,
    dilemma_consequences,
    points,
    question_weights,
    scenario_consequences,
)
from ludens.preferences.av.dilemma import UNIVERSALISATIONS, DilemmaPreferences
from ludens.preferences.av.moral import sparing_worth
from ludens.preferences.av.ratings import RatingMap, difference, rating
from ludens.preferences.consequences import (
    game_consequences,
    strategic_consequences,
    weights_of,
    whole_numbers,
)
from ludens.preferences.pricing.consequences import price_consequences, price_profits
from ludens.preferences.pricing.moral import moralis_prices
from ludens.preferences.strategic import linear_in_kappa, plan_utilities

KAPPAS = (0.0, 0.25, 0.5, 0.75, 1.0)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_best_rows_of_a_game_are_the_oracles_options(protocol):
    game = PROTOCOLS[protocol]
    belief = uniform_belief(game)
    for kappa in KAPPAS:
        best = optimal_options(game, Preferences(kappa=kappa), belief)
        for node in game.information_sets:
            table = game_consequences(game, node.label, belief)
            assert table.exact
            assert table.best(weights_of(kappa)) == frozenset(best[node.label])


@pytest.mark.parametrize(
    "name", ["prisoners_dilemma", "hawk_dove", "stag_hunt", "public_goods", "eleven_twenty"]
)
def test_best_rows_where_all_move_at_once_are_homo_moraliss_actions(name):
    game = make_env(f"{name}-v0").unwrapped.game
    belief = uniform_strategy(game)
    assert linear_in_kappa(game)
    node = game.information_sets[0]
    table = strategic_consequences(game, node.label, belief)
    assert table.exact
    for kappa in KAPPAS:
        worth = plan_utilities(game, Preferences(kappa=kappa), belief)
        best = {node.options[place] for place in np.flatnonzero(worth >= worth.max() - 1e-9)}
        assert table.best(weights_of(kappa)) == best


def test_others_payoffs_are_those_of_the_game_by_hand():
    """A trust game with T, R, P, S = 80, 50, 30, 20 against a coin: who trusts meets 50 or 80 as first mover
    and, defecting against trust in half of the cases, 20 or 30 as second.
    """
    game = PROTOCOLS["TG1"]
    table = game_consequences(game, "opening", uniform_belief(game), others=True)
    plain = game_consequences(game, "opening", uniform_belief(game))
    unit = table.alone[0] / 45
    assert table.options == plain.options
    assert table.others[0] == pytest.approx(unit * ((50 + 80) / 2 + (20 + 30) / 2) / 2)
    market = Market.symmetric(3)
    last, grid = np.array([1.5, 1.6, 1.7]), {"1.4": 1.4, "1.8": 1.8}
    found = price_consequences(market, 0, last, grid, others=True)
    profits = np.array([market.profits(np.array([price, 1.6, 1.7])) for price in grid.values()])
    assert found.others[1] / found.alone[1] == pytest.approx(profits[1, 1:].mean() / profits[1, 0], rel=0.02)
    good = make_env("public_goods-v0").unwrapped.game
    rows = strategic_consequences(good, good.information_sets[0].label, uniform_strategy(good), others=True)
    assert rows.others[10] == rows.alone[10]  # the mean contribution
    assert set(np.diff(rows.others).tolist()) == {2}  # a point brings 0.4 to each of the others


def test_rows_of_a_public_good_are_its_payoffs():
    game = make_env("public_goods-v0").unwrapped.game
    table = strategic_consequences(game, game.information_sets[0].label, uniform_strategy(game))
    alone, together = np.array(table.alone), np.array(table.together)
    assert table.options[:2] == ("0", "1")
    assert set(np.diff(alone).tolist()) == {-3}  # a point costs 1 and brings 0.4, in units of 0.2
    assert set(np.diff(together).tolist()) == {3}


def test_best_rows_of_a_scenario_are_those_of_the_oracle():
    shapes = [(True, False), (False, True), (False, False)]
    for first, second, seats in itertools.product(range(5), range(5), shapes):
        if first + second:
            table = scenario_consequences((first, second), seats)
            for kappa in KAPPAS:
                oracle = DilemmaPreferences("moralis", kappa=kappa)
                worth = sparing_worth((first, second), seats, oracle)
                wanted = {1: {table.options[0]}, -1: {table.options[1]}, 0: set(table.options)}
                assert table.best(weights_of(kappa)) == wanted[int(np.sign(round(worth, 12)))]


def test_a_firm_takes_one_price_for_all_its_products():
    market = Market(np.full(3, 2.0), np.ones(3), mu=0.25, owners=(0, 0, 1))
    own, together = price_profits(market, [0, 1], [9.0, 9.0, 1.5], [1.4, 1.6])
    for place, price in enumerate((1.4, 1.6)):
        assert own[place] == pytest.approx(market.profits(np.array([price, price, 1.5]))[0])
        assert together[place] == pytest.approx(market.profits(np.full(3, price)).mean())


def test_rows_of_a_game_are_payoffs_and_universalised_payoffs():
    """A trust game with T, R, P, S = 80, 50, 30, 20, by hand, against a coin in units of 2.5 points.

    Who trusts gets (50 + 20)/2 = 35 as first mover, and as second (30 + 80)/2 = 55 by defecting: 45 on
    average. Who keeps gets 30 and 55. If all trust, all get 50 on average; else 30.
    """
    game = PROTOCOLS["TG1"]
    table = game_consequences(game, "opening", uniform_belief(game))
    rows = list(zip(table.options, table.alone, table.together, strict=True))
    assert rows == [("trust", 18, 20), ("keep", 17, 12)]
    reply = game_consequences(game, "reply to trust", uniform_belief(game))
    assert list(zip(reply.options, reply.alone, reply.together, strict=True)) == [
        ("reciprocate", 15, 20),
        ("defect", 18, 20),
    ]


@pytest.mark.parametrize("universalisation", UNIVERSALISATIONS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_signs_of_a_dilemma_are_those_of_its_utility(question, universalisation):
    companies = {
        "passenger": (("self",), ("self", "child"), ("self", "co-worker", "child")),
        None: (("stranger",), ("child", "stranger")),
    }
    for perspective, family, kappa in itertools.product(PERSPECTIVES, (0.0, 0.5), (0.0, 0.25, 0.5, 1.0)):
        wants = DilemmaPreferences(kappa=kappa, family=family, universalisation=universalisation)
        for company in companies.get(perspective, companies[None]):
            for pedestrians in (1, 3, 40):
                vignette = Vignette(
                    pedestrians, company, perspective, certainty=0.5, question=question, program="utilitarian"
                )
                table = dilemma_consequences(vignette, universalisation, family=family)
                assert table.exact
                stay, swerve = table.values(question_weights(question, kappa, universalisation))
                expected = difference(vignette, wants)
                assert (swerve > stay) - (swerve < stay) == (expected > 1e-12) - (expected < -1e-12)


def test_points_are_the_step_of_a_rating():
    step = RatingMap("step")
    for study in STUDIES.values():
        for vignette, kappa in itertools.product(study.vignettes, KAPPAS):
            if vignette.question == "act":
                continue
            wants = DilemmaPreferences(kappa=kappa)
            values = dilemma_consequences(vignette).values(question_weights(vignette.question, kappa))
            assert points(vignette, values) == rating(vignette, wants, step)


@pytest.mark.parametrize("universalisation", ["veil", "passenger", "pedestrian"])
def test_differences_of_the_adoption_game_are_those_of_its_utility(universalisation):
    games = [
        AdoptionGame(),
        AdoptionGame(20, 3, 0.1, 0.5, price_utilitarian=0.02),
        AdoptionGame(30, 5, 0.02, price_protective=0.01, economies=0.04, regulation={"fine": 0.01}),
    ]
    for game, share, kappa in itertools.product(games, (0.0, 0.4, 1.0), KAPPAS):
        table = adoption_consequences(game, share, universalisation=universalisation)
        assert table.options == PROGRAMS
        worth = adoption_utilities(game, AdoptionPreferences(kappa, 0.0, universalisation), share)
        first, second = table.values(weights_of(kappa))
        expected = float(worth[0] - worth[1])
        sign = (expected > 1e-12) - (expected < -1e-12)
        if table.exact:
            assert (first > second) - (first < second) == sign
        else:
            assert sign * (first - second) >= 0


def test_profits_of_a_price_alone_and_if_everybody_took_it():
    market = Market([2.0, 2.2], [1.0, 1.1], mu=0.3, price_scale=10.0)
    last, grid = np.array([15.0, 16.0]), np.array([13.0, 15.5, 19.0])
    own, together = price_profits(market, 1, last, grid)
    for place, price in enumerate(grid):
        assert own[place] == pytest.approx(market.profits([15.0, price])[1])
        assert together[place] == pytest.approx(market.profits([price, price]).mean())


@pytest.mark.parametrize("kappa", [0.0, 0.25, 0.5, 1.0])
def test_the_best_price_against_itself_is_the_moral_price(kappa):
    market = Market.symmetric(2)
    price = float(moralis_prices(market, kappa)[0])
    grid = np.linspace(price - 0.1, price + 0.1, 2001)
    own, together = price_profits(market, 0, [price, price], grid)
    assert grid[np.argmax((1 - kappa) * own + kappa * together)] == pytest.approx(price, abs=2e-4)


def test_rounded_tables_lose_little_profit():
    rng = np.random.default_rng(0)
    for _ in range(50):
        market = Market(2 + rng.uniform(0, 0.5, 2), 1 + rng.uniform(0, 0.3, 2), mu=rng.uniform(0.15, 0.4))
        grid = np.linspace(1.3, 2.2, 10)
        last = rng.uniform(1.3, 2.2, 2)
        table = price_consequences(market, 0, last, {f"{price:.2f}": price for price in grid})
        own, together = price_profits(market, 0, last, grid)
        for kappa in KAPPAS:
            worth = (1 - kappa) * own + kappa * together
            chosen = max(table.best(weights_of(kappa)))
            assert worth[table.options.index(chosen)] >= worth.max() - 0.005 * max(own.max(), together.max())


def test_whole_numbers_are_exact_where_they_can_be_and_never_negative():
    assert whole_numbers([[0.5, 0.25], [1, 0]]) == (((2, 1), (4, 0)), True)
    assert whole_numbers([[-1.0, 2.0], [0.0, 1.0]]) == (((0, 3), (0, 1)), True)
    assert whole_numbers([[20.0, 40.0]], most=499) == (((20, 40),), True)
    columns, exact = whole_numbers([[np.pi, 1.0], [2.0, 0.5]], most=99)
    assert not exact
    assert columns == ((99, 32), (63, 16))
    assert whole_numbers([[0.0, 0.0]]) == (((0, 0),), True)


def test_weights_are_small_whole_numbers():
    assert (weights_of(0.0).alone, weights_of(0.0).together) == (1, 0)
    assert (weights_of(0.25).alone, weights_of(0.25).together) == (3, 1)
    assert (weights_of(1 / 3).alone, weights_of(1 / 3).together) == (2, 1)
    for kappa in (-0.1, 1.1, 0.123456):
        with pytest.raises(UsageError, match="denominator"):
            weights_of(kappa)
