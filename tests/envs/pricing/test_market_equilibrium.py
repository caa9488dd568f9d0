"""Benchmark prices: known answers, an independent library, and no firm that could do better."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludens.envs.pricing import EquilibriumError, Market, shubik_levitan
from ludens.envs.pricing.theory.benchmarks import (
    critical_discount,
    monopoly_prices,
    nash_prices,
    price_grid,
    profit_gain,
)
from ludens.envs.pricing.theory.stackelberg import stackelberg_prices
from tests.envs.pricing.test_market import prices_near, random_market

seeds = st.integers(0, 2**32 - 1)

# firms, Nash price and profit, joint price and profit, best reply to the joint price, critical discount
KNOWN = [
    (2, 1.472927, 0.222927, 1.924981, 0.337490, 1.6617, 0.3931),
    (3, 1.370163, 0.120163, 2.000000, 0.250000, 1.6244, 0.4893),
    (4, 1.331461, 0.081461, 2.054411, 0.201103, 1.6052, 0.5630),
]


@pytest.mark.parametrize("row", KNOWN)
def test_published_benchmarks(row):
    firms, price, profit, joint, most, reply, patience = row
    market = Market.symmetric(firms)
    np.testing.assert_allclose(nash_prices(market), price, atol=1e-6)
    np.testing.assert_allclose(market.profits(nash_prices(market)), profit, atol=1e-6)
    np.testing.assert_allclose(monopoly_prices(market), joint, atol=1e-6)
    np.testing.assert_allclose(market.profits(monopoly_prices(market)), most, atol=1e-6)
    assert market.best_response(0, monopoly_prices(market))[0] == pytest.approx(reply, abs=5e-5)
    assert critical_discount(market) == pytest.approx(patience, abs=5e-5)
    np.testing.assert_allclose(profit_gain(market, nash_prices(market)), 0, atol=1e-12)
    np.testing.assert_allclose(profit_gain(market, monopoly_prices(market)), 1)


def test_one_firm_and_the_grid():
    single = Market.symmetric(1)
    assert nash_prices(single)[0] == pytest.approx(1.801985, abs=1e-6)
    assert single.profits(nash_prices(single))[0] == pytest.approx(0.551985, abs=1e-6)
    grid = price_grid(Market.symmetric())
    assert grid.shape == (15,)
    assert grid[[0, -1]] == pytest.approx([1.42772, 1.97019], abs=6e-6)
    random = profit_gain(Market.symmetric(), np.stack(np.meshgrid(grid, grid), axis=-1)).mean()
    assert random == pytest.approx(0.497, abs=5e-4)
    assert price_grid(Market([2, 2.1], [1, 1]), 5).shape == (2, 5)


@settings(max_examples=60)
@given(seeds)
def test_nobody_gains_by_leaving_nash(seed):
    market, rng = random_market(seed, ("logit", "nested")[seed % 2]), np.random.default_rng(seed)
    nash = nash_prices(market)
    np.testing.assert_allclose(market.profit_gradient(nash), 0, atol=1e-8 * market.quantity_scale)
    earned = market.profits(nash)
    for firm in range(market.firms):
        np.testing.assert_allclose(market.best_response(firm, nash), nash, rtol=1e-7)
        tried = np.where(market.owners == firm, prices_near(market, rng, 50), nash)
        assert np.all(market.profits(tried)[:, firm] <= earned[firm] * (1 + 1e-12))


@settings(max_examples=60)
@given(seeds)
def test_replies_beat_other_prices_in_a_batch(seed):
    market, rng = random_market(seed, ("logit", "nested")[seed % 2]), np.random.default_rng(seed)
    firm, prices = int(rng.integers(market.firms)), prices_near(market, rng, 3)
    replies = market.best_response(firm, prices)
    best = market.profits(replies)[:, firm]
    for row in range(3):
        np.testing.assert_allclose(replies[row], market.best_response(firm, prices[row]), rtol=1e-12)
        tried = np.where(market.owners == firm, prices_near(market, rng, 50), prices[row])
        assert np.all(market.profits(tried)[:, firm] <= best[row] * (1 + 1e-12))


@pytest.mark.parametrize("seed", range(6))
def test_linear_nash_with_idle_products(seed):
    rng = np.random.default_rng(seed)
    market = Market(
        rng.uniform(2, 5, 3), rng.uniform(0.5, 4, 3), demand="linear", slopes=shubik_levitan(3, 3.0)
    )
    nash, earned = nash_prices(market), market.profits(nash_prices(market))
    for firm in range(3):
        tried = np.repeat(nash[None], 2000, axis=0)
        tried[:, firm] = np.linspace(0, 6, 2000)
        assert np.all(market.profits(tried)[:, firm] <= earned[firm] + 1e-9)
    joint = market.profits(monopoly_prices(market)).sum()
    tried = monopoly_prices(market) + rng.normal(0, 0.5, (2000, 3))
    assert np.all(market.profits(tried).sum(axis=-1) <= joint + 1e-9)


def test_coalitions_lie_between_nash_and_joint_profit():
    market = Market.symmetric(3)
    two = monopoly_prices(market, [0, 1])
    np.testing.assert_allclose(monopoly_prices(market, [1]), nash_prices(market))
    assert nash_prices(market)[0] < two[2] < two[0] < monopoly_prices(market)[0]
    assert two[0] == pytest.approx(two[1])


@pytest.mark.parametrize("demand", [{}, {"demand": "nested", "nests": [0, 0, 1], "nest_parameter": 0.5}])
def test_leaders_earn_at_least_nash_and_most_of_what_they_could(demand):
    market = Market([2, 2.2, 1.9], [1, 1, 1], **demand)
    led = stackelberg_prices(market, 0)
    assert market.profits(led)[0] > market.profits(nash_prices(market))[0]
    for follower in (1, 2):
        np.testing.assert_allclose(market.best_response(follower, led), led, atol=1e-9)
    np.testing.assert_allclose(stackelberg_prices(Market.symmetric(1), 0), nash_prices(Market.symmetric(1)))


@pytest.mark.parametrize("mu", [1e-200, 1e-9, 1e-3, 1.0, 1e3])
def test_limits_of_taste(mu):
    market = Market.symmetric(mu=mu)
    assert np.all(np.isfinite(nash_prices(market)))
    assert np.all(monopoly_prices(market) >= nash_prices(market))
    if mu <= 1e-9:  # alike products are sold at cost, jointly at what they are worth
        np.testing.assert_allclose(nash_prices(market), 1, atol=1e-8)
        np.testing.assert_allclose(monopoly_prices(market), 2, atol=1e-6)


def test_extreme_firms_are_solved():
    market = Market([1000, 2, 5], [1, 1, 1])
    np.testing.assert_allclose(market.profit_gradient(nash_prices(market)), 0, atol=1e-9)
    with pytest.raises(EquilibriumError, match="leave out"):
        nash_prices(
            Market([4, 4, 1], [1, 1, 3], owners=[0, 0, 1], demand="linear", slopes=shubik_levitan(3, 4.0))
        )
