"""Firms that know the market charge what theory says, on a grid as well as freely, and remember nothing."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.agents import CallablePolicy, make_policy, policy_names
from ludens.agents.pricing import market_view
from ludens.envs import PROTOCOLS, make_env, questions
from ludens.envs.pricing import Market
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices, price_grid
from ludens.errors import UsageError
from tests.agents.pricing.turns import BASELINE, pricing_turn

NASH, JOINT = 1.472927, 1.924981


def made(spec):
    return make_policy(spec, "bertrand")


def price(spec, *arguments, seed=0, **facts):
    decision = made(spec).decide(pricing_turn(*arguments, **facts), np.random.default_rng(seed))
    assert isinstance(decision.action, float)
    return decision.action


@pytest.mark.parametrize(
    ("spec", "expected"),
    [("nash", NASH), ("monopoly", JOINT), ("fixed:1.7", 1.7), ("myopic", NASH), ("grim", JOINT)],
)
def test_the_opening_price_is_the_known_one(spec, expected):
    assert price(spec) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("kappa", "expected"), [(0, 1.473), (0.1, 1.514), (0.25, 1.583), (0.5, 1.711), (0.75, 1.829), (1, 1.925)]
)
def test_moralis_firms_charge_the_known_prices(kappa, expected):
    assert price(f"homo_moralis:{kappa}") == pytest.approx(expected, abs=6e-4)


def test_whom_the_maxim_is_universalised_over_is_named():
    named = made("homo_moralis:kappa=0.5,universalisation=firms_and_consumers")
    assert named == made(named.describe())
    assert named != made("homo_moralis:0.5")
    assert "consumers" in named.name
    assert price(named.describe()) < price("homo_moralis:0.5")


def test_a_myopic_firm_replies_to_the_last_prices_alone():
    assert price("myopic", [(1.2, 1.3), (JOINT, JOINT)]) == pytest.approx(1.6617, abs=1e-4)
    assert price("myopic", [(1.2, NASH)]) == pytest.approx(NASH, abs=1e-5)
    gone = np.array([[1.2, np.nan]])  # a rival that is not in the market is taken to charge its Nash price
    assert price("myopic", [(1.2, 1.3)], prices=gone) == pytest.approx(NASH, abs=1e-5)


def test_grim_punishes_one_cut_for_ever_and_nothing_else():
    assert price("grim", [(1.2, JOINT), (1.2, 2.5)]) == pytest.approx(JOINT, abs=1e-6)
    assert price("grim", [(JOINT, JOINT - 1e-5)]) == pytest.approx(JOINT, abs=1e-6)
    assert price("grim", [(JOINT, 1.9), (JOINT, JOINT), (JOINT, JOINT)]) == pytest.approx(NASH, abs=1e-6)


def test_grim_takes_the_grids_joint_price_for_no_cut():
    grid = price_grid(BASELINE)
    nearest = grid[np.argmin(np.abs(grid - JOINT))]
    assert nearest != pytest.approx(JOINT, abs=1e-3)
    assert made("grim").decide(pricing_turn([(nearest, nearest)], grid=grid), None).action == int(
        np.argmin(np.abs(grid - JOINT))
    )
    below = grid[np.argmin(np.abs(grid - JOINT)) - 1]
    assert made("grim").decide(pricing_turn([(nearest, below)], grid=grid), None).action == int(
        np.argmin(np.abs(grid - NASH))
    )


@pytest.mark.parametrize("spec", ["nash", "monopoly", "fixed:1.7", "homo_moralis:0.5", "myopic"])
def test_on_a_grid_the_nearest_price_is_taken(spec):
    grid = np.linspace(1.4, 2.0, 7)
    action = made(spec).decide(pricing_turn(grid=grid), None).action
    assert isinstance(action, int)
    assert abs(grid[action] - price(spec)) == pytest.approx(np.abs(grid - price(spec)).min())


@pytest.mark.parametrize("scale", [1, 3.2, 10])
@pytest.mark.parametrize("spec", ["nash", "monopoly", "homo_moralis:0.25", "fixed:1.7"])
def test_prices_scale_with_money(spec, scale):
    market = Market.symmetric(price_scale=scale)
    assert price(spec, market=market) == pytest.approx(scale * price(spec))


def test_random_firms_draw_from_what_is_on_offer_with_the_generator_alone():
    grid = price_grid(BASELINE)
    firm = made("random")
    drawn = [firm.decide(pricing_turn(grid=grid), np.random.default_rng(seed)).action for seed in range(300)]
    assert set(drawn) == set(range(15))
    free = [price("random", seed=seed) for seed in range(300)]
    assert grid[0] <= min(free) < max(free) <= grid[-1]
    assert free[:3] == [price("random", seed=seed) for seed in range(3)]


@pytest.mark.parametrize("firm", range(3))
def test_each_seat_knows_its_own_product(firm):
    market = Market([2.0, 2.2, 1.8], [1.0, 0.9, 1.1])
    for spec, expected in (("nash", nash_prices(market)), ("monopoly", monopoly_prices(market))):
        found = price(spec, market=market, agent=f"firm_{firm}")
        assert found == pytest.approx(expected[firm])
    view = market_view(pricing_turn([(1.5, 1.6, 1.7)], market=market, agent=f"firm_{firm}"))
    assert view.cost == market.unit_costs[firm]
    assert view.quantities == market.quantities([1.5, 1.6, 1.7])[firm]


@pytest.mark.parametrize(
    "spec", [name for name in policy_names("bertrand") if name not in {"human", "qlearning"}]
)
def test_every_firm_is_made_again_from_what_it_says_of_itself(spec):
    firm = made(spec)
    assert made(firm.describe()) == firm
    assert hash(made(firm.describe())) == hash(firm)
    assert firm != made("fixed:3")


@pytest.mark.parametrize("spec", ["nash", "monopoly", "myopic", "fixed:1.7"])
def test_names_of_markets_alone_need_no_game(spec):
    assert make_policy(spec) == made(spec) == make_policy(made(spec).describe())


def test_homo_economicus_is_homo_moralis_without_the_kantian_weight():
    assert made("homo_economicus") == made("homo_moralis:0") == made("oracle")
    assert price("homo_economicus", [(1.2, 1.3)]) == pytest.approx(NASH, abs=1e-6)
    assert made("homo_moralis:0.5") == made("oracle:kappa=0.5") != made("homo_moralis:0.4")
    assert made(made("homo_moralis:0.123456789").describe()).kappa == 0.123456789


def test_a_function_of_ones_own_may_price():
    turn = pricing_turn(interval=(0.0, 10.0))
    assert CallablePolicy(lambda observation: np.float32(1.5)).decide(turn, None).action == 1.5
    for wrong in (-1, 11, np.nan, "free", None):
        with pytest.raises(UsageError, match="must be a number from 0 to 10"):
            CallablePolicy(lambda observation, wrong=wrong: wrong).decide(turn, None)
    for index in (3, np.int64(3), np.array([3]), True):
        with pytest.raises(UsageError, match=r"may be the number of an option.*price_grid"):
            CallablePolicy(lambda observation, index=index: index).decide(turn, None)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("nsh", "There is no policy 'nsh'; there are random, .*nash"),
        ("nash:2", "There is no policy"),
        ("homo_moralis", "needs its weight: write homo_moralis:0.5"),
        ("homo_moralis:2", r"lies in \[0, 1\]"),
        ("homo_moralis:half", "needs a number for kappa"),
        ("homo_moralis:0.5,universalisation=all", "one of firms, firms_and_consumers"),
        ("homo_moralis:0.5,kappa=0.4", "cannot be read at"),
        ("fixed:-1", "at least 0"),
        ("fixed:inf", "at least 0"),
        ({"spec": "nash", "prefix": "P1"}, "takes no settings; got prefix"),
        ({"name": "mine"}, "has no specification"),
        (7, "is named by a text"),
    ],
)
def test_what_is_no_firm_is_a_sentence(spec, why):
    with pytest.raises(UsageError, match=why):
        made(spec)


def test_a_firm_outside_a_market_is_a_sentence():
    turn = next(iter(questions(PROTOCOLS["TG1"]).values()))
    with pytest.raises(UsageError, match=r"ludens/bertrand-v0"):
        made("nash").decide(turn, None)


def test_a_rule_without_a_price_in_a_market_is_named():
    env = make_env("bertrand_sequential")
    env.reset(seed=0)
    with pytest.raises(
        UsageError, match=r"'homo_moralis:0\.5' has no price in ludens/bertrand_sequential-v0: a"
    ):
        made("homo_moralis:0.5").decide(env.unwrapped.turn(env.agent_selection), None)


def test_a_firm_with_two_products_is_a_sentence():
    market = Market([2.0, 2.0, 2.0], [1.0, 1.0, 1.0], owners=[0, 0, 1])
    with pytest.raises(UsageError, match="has 2: give the market one product for each firm"):
        market_view(pricing_turn(market=market))
