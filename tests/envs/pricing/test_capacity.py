"""Capacity limits: sales by the rules of rationing, benchmarks against brute force, surplus by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.envs.pricing import Market
from ludens.envs.pricing.interventions import Exit
from ludens.envs.pricing.schedule import Schedule
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.envs.pricing.theory.linear import shubik_levitan
from ludens.envs.pricing.theory.stackelberg import stackelberg_prices
from ludens.envs.pricing.theory.welfare import welfare
from ludens.errors import UsageError

MARKETS = {
    "symmetric": Market.symmetric(quantity_scale=100, capacities=30),
    "one is limited": Market([2.0, 2.4], [1.0, 1.2], quantity_scale=100, capacities=[25, 1000]),
    "three": Market([2.0, 2.4, 1.8], [1.0, 1.2, 0.9], quantity_scale=100, capacities=[20, 35, 90]),
    "in money of 10": Market([2.0, 2.4], [1.0, 1.2], price_scale=10, capacities=[0.2, 0.3], outside=0.3),
}


def best_of_all(market, firm, prices):
    """The best own price by two grids, the second fine."""
    low, high = market.unit_costs[firm], market.unit_costs[firm] + 5 * market.price_scale
    for _ in range(4):
        tried = np.linspace(low, high, 4001)
        each = np.tile(np.asarray(prices, dtype=float), (len(tried), 1))
        each[:, firm] = tried
        best = int(market.profits(each)[:, firm].argmax())
        low, high = tried[max(best - 2, 0)], tried[min(best + 2, len(tried) - 1)]
    return float(tried[best])


@pytest.mark.parametrize("name", MARKETS)
def test_nobody_can_gain_at_nash_prices(name):
    market = MARKETS[name]
    nash = nash_prices(market)
    for firm in range(market.firms):
        assert nash[firm] == pytest.approx(best_of_all(market, firm, nash), abs=2e-6 * market.price_scale)
        assert market.best_response(firm, nash)[firm] == pytest.approx(nash[firm], rel=1e-9)


@pytest.mark.parametrize("name", MARKETS)
def test_best_replies_are_those_of_a_search(name):
    market = MARKETS[name]
    rng = np.random.default_rng(3)
    prices = market.unit_costs + rng.uniform(0.1, 1.0, (6, market.products)) * market.price_scale
    for each in prices:
        reply = market.best_response(0, each)[0]
        assert reply == pytest.approx(best_of_all(market, 0, each), abs=2e-6 * market.price_scale)


@pytest.mark.parametrize("name", MARKETS)
def test_no_prices_earn_more_together_than_the_joint_ones(name):
    market = MARKETS[name]
    joint = monopoly_prices(market)
    top = market.profits(joint).sum()
    rng = np.random.default_rng(4)
    for spread in (1.0, 0.1, 0.01, 1e-3):
        tried = joint + rng.normal(0, spread * market.price_scale, (20_000, market.products))
        assert market.profits(tried).sum(axis=-1).max() <= top * (1 + 1e-12)


@pytest.mark.parametrize("name", MARKETS)
def test_no_allocation_within_the_limits_has_more_surplus_than_the_efficient_one(name):
    market = MARKETS[name]
    found = market.efficient_prices()
    assert np.all(found >= market.unit_costs - 1e-9)
    most = float(welfare(market, found).efficient)
    assert most == pytest.approx(float(welfare(market, found).total), rel=1e-9)
    rng = np.random.default_rng(5)
    for spread in (1.0, 0.1, 0.01):
        tried = found + rng.normal(0, spread * market.price_scale, (5_000, market.products))
        assert welfare(market, tried).total.max() <= most * (1 + 1e-12)


def test_limits_that_never_bind_change_nothing():
    for rationing in ("leave", "reroute"):
        limited = Market([2.0, 2.4], [1.0, 1.2], quantity_scale=100, capacities=1000, rationing=rationing)
        plain = limited.unlimited
        prices = np.array([[1.4, 1.6], [0.5, 3.0]])
        np.testing.assert_allclose(limited.quantities(prices), plain.quantities(prices), rtol=1e-12)
        np.testing.assert_allclose(
            limited.consumer_surplus(prices), plain.consumer_surplus(prices), rtol=1e-12
        )
        if rationing == "leave":
            np.testing.assert_allclose(nash_prices(limited), nash_prices(plain), rtol=1e-9)
            np.testing.assert_allclose(monopoly_prices(limited), monopoly_prices(plain), rtol=1e-9)


def test_a_coalition_and_firms_with_several_products_have_exact_prices_too():
    market = Market(
        [2.0, 2.2, 1.9], [1.0, 1.1, 1.0], owners=[0, 0, 1], quantity_scale=100, capacities=[20, 90, 15]
    )
    nash = nash_prices(market)
    rng = np.random.default_rng(6)
    for firm, own in ((0, [0, 1]), (1, [2])):
        for spread in (0.5, 0.05, 0.005):
            tried = np.tile(nash, (20_000, 1))
            tried[:, own] += rng.normal(0, spread, (20_000, len(own)))
            assert market.profits(tried)[:, firm].max() <= market.profits(nash)[firm] * (1 + 1e-12)
    np.testing.assert_allclose(monopoly_prices(market, [0, 1]), monopoly_prices(market), rtol=1e-9)


def customers(market, prices, rationing, number=200_000):
    """What customers with tastes of their own buy and gain, who come one by one; per customer."""
    rng = np.random.default_rng(7)
    tastes = rng.gumbel(0, market.mu, (number, market.products + 1))
    values = np.append(market.qualities - prices, market.outside) + tastes
    left = market.capacities / market.quantity_scale * number
    sold, gain = np.zeros(market.products), 0.0
    if rationing == "leave":
        choice = values.argmax(axis=1)
        for product in range(market.products):
            buyers = np.flatnonzero(choice == product)
            kept = buyers[: int(min(len(buyers), left[product]))]
            sold[product] = len(kept)
            gain += float((values[kept, product] - values[kept, -1]).sum())
        return sold / number, gain / number
    for each in values:
        there = np.append(left >= 1, True)
        best = int(np.where(there, each, -np.inf).argmax())
        if best < market.products:
            left[best] -= 1
            sold[best] += 1
            gain += each[best] - each[-1]
    return sold / number, gain / number


@pytest.mark.parametrize("rationing", ["leave", "reroute"])
def test_sales_and_surplus_are_those_of_simulated_customers(rationing):
    market = Market(
        [2.0, 2.4, 1.8], [1.0, 1.2, 0.9], quantity_scale=100, capacities=[15, 30, 60], rationing=rationing
    )
    prices = np.array([1.3, 1.5, 1.4])
    sold, gain = customers(market, prices, rationing, 100_000 if rationing == "leave" else 40_000)
    np.testing.assert_allclose(market.quantities(prices) / 100, sold, atol=0.006)
    assert market.consumer_surplus(prices) / 100 == pytest.approx(gain, rel=0.02)


def test_what_is_rerouted_can_be_counted_by_hand():
    # Both want a third; firm 0 is out after half of the customers, of whom the other half choose alone.
    market = Market([1.0, 1.0], [0.0, 0.0], mu=1, capacities=[1 / 6, 10], rationing="reroute")
    np.testing.assert_allclose(market.quantities([1.0, 1.0]), [1 / 6, 1 / 6 + 0.5 * 0.5], rtol=1e-12)
    slopes = shubik_levitan(2, 1.0)
    linear = Market(
        [1.0, 1.0], [0.0, 0.0], demand="linear", slopes=slopes, capacities=[0.05, 10], rationing="reroute"
    )
    assert linear.quantities([0.4, 0.4])[0] == pytest.approx(0.05)


def test_benchmarks_that_are_not_worked_out_are_errors_and_not_numbers():
    rerouted = Market.symmetric(quantity_scale=100, capacities=30, rationing="reroute")
    linear = Market([1, 1], [0, 0], demand="linear", slopes=shubik_levitan(2, 1.0), capacities=0.1)
    for market in (rerouted, linear):
        for needs in (nash_prices, monopoly_prices, lambda each: each.best_response(0, [1.0, 1.0])):
            with pytest.raises(EquilibriumError, match=r"capacity limits"):
                needs(market)
        low, high = Schedule(market).regimes[0].profits
        assert np.isnan(low).all()
        assert np.isnan(high).all()
        assert np.isnan(welfare(market, [0.5, 0.5]).efficient)
    with pytest.raises(EquilibriumError, match="capacities"):
        stackelberg_prices(MARKETS["symmetric"], 0)


def test_a_firm_that_leaves_takes_its_capacity_along():
    market = MARKETS["three"]
    present = Schedule(market, [Exit(5, 0)]).regimes[1].present
    assert present.capacities.tolist() == [35, 90]
    assert Market(**present.parameters) == present
    assert present != present.unlimited


@pytest.mark.parametrize("given", [0, -1, [1.0], [1.0, 2.0, 3.0], "many", float("nan")])
def test_limits_that_are_none_are_refused(given):
    with pytest.raises(UsageError, match="capacities"):
        Market.symmetric(capacities=given)
    with pytest.raises(UsageError, match="rationing"):
        Market.symmetric(capacities=1, rationing="efficient")
