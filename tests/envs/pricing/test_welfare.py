"""Welfare against numerical integration of demand, and the profit gain where firms and periods differ."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize

from ludens.envs.pricing import (
    BertrandEnv,
    CostShock,
    DemandShock,
    Exit,
    HomogeneousMarket,
    Market,
    OutsideOption,
    PricingCore,
    Prominence,
    Regulator,
    firm_gains,
    monopoly_prices,
    nash_prices,
    profit_benchmarks,
    profit_gain,
    shubik_levitan,
    total_gain,
    welfare,
)
from ludens.envs.pricing.schedule import Schedule
from ludens.envs.pricing.theory.entry import without_firm
from ludens.errors import UsageError

ASYMMETRIC = Market([2.75, 2.0], [1.0, 1.0], quantity_scale=100.0)
MARKETS = {
    "logit": Market([2.75, 2.0], [1.0, 0.8], price_scale=3.2, quantity_scale=100.0, outside=0.3),
    "nested": Market([2, 2.2, 1.9], [1, 1, 0.9], demand="nested", nests=[0, 0, 1], nest_parameter=0.4),
    "linear": Market([2, 2.1], [1, 1.1], demand="linear", slopes=shubik_levitan(2, 2.0), price_scale=2.0),
    "homogeneous": HomogeneousMarket(2, 2.0, 0.5, price_scale=10.0, quantity_scale=3.0),
}


@pytest.mark.parametrize("name", MARKETS)
def test_consumer_surplus_is_the_area_under_demand(name):
    market = MARKETS[name]
    prices = market.unit_costs * 1.2

    def bought(rise):
        return float(market.quantities(prices + rise).sum())

    # All prices rise together until nothing is bought; the path does not matter for such demand.
    top = 40 * market.price_scale
    edges = np.linspace(0, 4 * market.price_scale, 60)
    area = sum(quad(bought, low, high, epsabs=1e-12)[0] for low, high in pairwise(edges))
    area += quad(bought, edges[-1], top, epsabs=1e-12)[0]
    found = welfare(market, prices)
    assert found.consumer == pytest.approx(area, rel=1e-7)
    assert found.profit == pytest.approx(market.profits(prices).sum())
    assert found.total == pytest.approx(area + market.profits(prices).sum(), rel=1e-7)


@pytest.mark.parametrize("name", MARKETS)
def test_no_prices_are_better_than_marginal_costs(name):
    market = MARKETS[name]
    at_cost = welfare(market, market.unit_costs)
    assert at_cost.deadweight == 0
    assert at_cost.profit == pytest.approx(0, abs=1e-9)

    def lost(prices):
        return -float(welfare(market, prices).total)

    best = minimize(lost, market.unit_costs * 1.3, method="Nelder-Mead", options={"fatol": 1e-10})
    assert -best.fun == pytest.approx(float(at_cost.efficient), rel=1e-6)
    for prices in np.random.default_rng(0).uniform(0.5, 2.0, (50, market.products)) * market.price_scale:
        assert welfare(market, prices).total <= at_cost.efficient + 1e-9


def test_the_baseline_duopoly():
    market = Market.symmetric()
    nash, joint = (welfare(market, prices(market)) for prices in (nash_prices, monopoly_prices))
    for found, price in ((nash, nash_prices(market)[0]), (joint, monopoly_prices(market)[0])):
        odds = 2 * np.exp((2 - price) / 0.25)
        assert found.consumer == pytest.approx(0.25 * np.log1p(odds))
        assert found.profit == pytest.approx((price - 1) * odds / (1 + odds))
        assert found.deadweight == pytest.approx(
            0.25 * np.log1p(2 * np.exp(4)) - 0.25 * np.log1p(odds) - (price - 1) * odds / (1 + odds)
        )
    assert 0 < nash.deadweight < joint.deadweight


def test_demand_that_no_consumer_has_has_no_surplus():
    market = Market([2, 2], [1, 1], demand="linear", slopes=[[1.0, -0.3], [-0.1, 1.0]])
    found = welfare(market, [1.5, 1.5])
    assert np.isnan(found.consumer)
    assert np.isnan(found.deadweight)
    with pytest.raises(UsageError, match="finite"):
        welfare(market, [np.nan, 1.5])


def test_both_may_earn_less_than_at_nash_and_then_the_gain_is_below_zero():
    earned = ASYMMETRIC.profits([1.6, 1.6])
    low, high = profit_benchmarks(ASYMMETRIC)
    assert np.all(earned < low)
    assert profit_gain(ASYMMETRIC, [1.6, 1.6]) == pytest.approx(
        (earned.sum() - low.sum()) / (high.sum() - low.sum())
    )
    assert profit_gain(ASYMMETRIC, [1.6, 1.6]) < 0
    # The weaker firm's share of the joint profit is below its Nash profit: it has no gain of its own.
    assert high[1] < low[1]
    own = firm_gains(earned, low, high)
    assert own[0] == pytest.approx((earned[0] - low[0]) / (high[0] - low[0]))
    assert np.isnan(own[1])


def test_absent_firms_are_left_out_and_a_firm_alone_has_no_gain():
    nan = np.nan
    assert total_gain([2.0, 1.0, nan], [1.0, 1.0, nan], [2.0, 2.0, nan]) == pytest.approx(0.5)
    assert np.isnan(total_gain([2.0], [1.5], [1.5]))
    assert np.isnan(total_gain([nan, nan], [nan, nan], [nan, nan]))


def test_every_period_has_the_benchmarks_of_its_own_regime():
    market = Market.symmetric(3)
    schedule = Schedule(market, (Exit(3, 2), DemandShock(5, qualities=0.5)))
    before, duopoly, better = schedule.regimes
    assert [regime.start for regime in schedule.regimes] == [0, 2, 4]
    rest = without_firm(market, 2)
    prices = nash_prices(rest)
    earned = np.append(rest.profits(prices), np.nan)
    assert duopoly.gain(earned) == pytest.approx(0, abs=1e-12)
    assert before.gain(market.profits(monopoly_prices(market))) == pytest.approx(1)
    shocked = Market([2.5, 2.5], [1, 1])
    assert better.gain(np.append(shocked.profits(nash_prices(shocked)), np.nan)) == pytest.approx(
        0, abs=1e-12
    )
    assert np.isnan(duopoly.firm_gains(earned)[2])


def test_with_a_stochastic_outside_good_benchmarks_are_averages_over_its_values():
    market = Market.symmetric()
    (regime,) = Schedule(market, (OutsideOption((-0.2, 0.3), probability=0.25),)).regimes
    low, high = (Market.symmetric(outside=value) for value in (-0.2, 0.3))
    expected = 0.75 * low.profits(nash_prices(low)) + 0.25 * high.profits(nash_prices(high))
    assert regime.profits[0] == pytest.approx(expected)
    assert regime.nash == pytest.approx(0.75 * nash_prices(low) + 0.25 * nash_prices(high))
    at_cost = regime.welfare([1.0, 1.0])
    assert at_cost.deadweight == pytest.approx(0, abs=1e-12)


def test_fines_are_no_part_of_the_gain_nor_of_total_surplus():
    env = BertrandEnv(
        Market.symmetric(), actions="continuous", interventions=[Regulator(1.0, 0.2)], periods=2
    )
    env.reset()
    nash = float(nash_prices(Market.symmetric())[0])
    _, rewards, _, _, infos = env.step({"firm_0": nash, "firm_1": nash})
    assert infos["firm_0"]["fine"] == 0.2
    assert rewards["firm_0"] == pytest.approx(0.222927 - 0.2, abs=1e-6)
    assert infos["firm_0"]["profit_gain"] == pytest.approx(0, abs=1e-12)
    assert env.welfare().profit[0] == pytest.approx(2 * 0.222927, abs=1e-6)


@pytest.mark.parametrize("grid", [None, [1.2, 1.5, 1.8]])
@pytest.mark.parametrize("events", [(), (Exit(2, 1),), (OutsideOption((-0.3, 0.3)),), (Regulator(1.0, 0.1),)])
def test_welfare_of_a_period_is_that_of_its_market(grid, events):
    market = Market([2, 2.1, 2.2], [1, 1, 1.1])
    core = PricingCore(market, markets=40, grid=grid, interventions=events)
    core.reset(4)
    with pytest.raises(UsageError, match="No period has been played"):
        core.welfare()
    rng = np.random.default_rng(0)
    for _ in range(3):
        moves = rng.uniform(1.1, 2, (40, 3)) if grid is None else rng.integers(3, size=(40, 3))
        regime = core.regime
        outcome = core.step(moves)
        found = core.welfare()
        there, present = list(regime.products), regime.present
        sold = outcome.quantities[:, there].sum(axis=1)
        values = {value for value, _ in regime.outside} or {0.0}
        expected = [welfare(present, outcome.prices[:, there], np.full(40, each)) for each in values]
        # Which value the outside good had shows in the quantities.
        right = [
            np.isclose(present.quantities(outcome.prices[:, there], np.full(40, each)).sum(axis=1), sold)
            for each in values
        ]
        for place in range(3):
            wanted = np.select(right, [each[place] for each in expected], np.nan)
            np.testing.assert_allclose(found[place], wanted, rtol=1e-12)


def test_steering_moves_choices_and_is_worth_nothing_by_itself():
    market = Market.symmetric(2)
    hidden = PricingCore(market, interventions=(Prominence(1),))
    hidden.step([[1.4, 1.6]])
    alone = welfare(Market.symmetric(1), [1.4])
    assert hidden.welfare().consumer == pytest.approx(float(alone.consumer))
    assert hidden.welfare().efficient == pytest.approx(float(welfare(market, [1.0, 1.0]).efficient))
    steered = PricingCore(market, interventions=(Prominence(1, bonus=0.3),))
    outcome = steered.step([[1.4, 1.6]])
    moved = Market([2.3, 2.0], [1, 1])
    expected = welfare(moved, [1.4, 1.6]).consumer - 0.3 * outcome.quantities[0, 0]
    assert steered.welfare().consumer == pytest.approx(float(expected))
    assert steered.welfare().consumer < welfare(market, [1.4, 1.6]).consumer


def test_cost_shocks_move_costs_and_benchmarks():
    market = Market.symmetric(price_scale=2.0)
    shocks = (CostShock(2, costs=(0.2, 0.0), until=4), CostShock(3, costs=0.1))
    schedule = Schedule(market, shocks)
    assert [(regime.start, regime.market.costs.tolist()) for regime in schedule.regimes] == [
        (0, [1, 1]), (1, [1.2, 1]), (2, [pytest.approx(1.3), 1.1]), (3, [1.1, 1.1]),
    ]  # fmt: skip
    core = PricingCore(market, interventions=shocks)
    for costs in ([1, 1], [1.2, 1], [1.3, 1.1], [1.1, 1.1]):
        there = Market([2, 2], costs, price_scale=2.0)
        regime = core.regime
        assert regime.nash == pytest.approx(nash_prices(there))
        outcome = core.step([[3.0, 3.2]])
        assert outcome.profits[0] == pytest.approx(there.profits([3.0, 3.2]))
        assert core.welfare().deadweight[0] == pytest.approx(float(welfare(there, [3.0, 3.2]).deadweight))
        assert regime.gain(there.profits(nash_prices(there))) == pytest.approx(0, abs=1e-12)


def test_a_firm_sees_its_own_new_cost_and_the_others_if_it_is_announced():
    env = BertrandEnv(
        Market.symmetric(), actions="continuous", interventions=[CostShock(2, costs=0.25, announced=True)]
    )
    env.reset()
    env.step({"firm_0": 1.5, "firm_1": 1.5})
    turn = env.turn("firm_0")
    assert turn.facts["market"].unit_costs.tolist() == [1.25, 1.25]
    assert turn.facts["notices"] == ("Costs changed in period 2.",)
    for low, high in [
        (env.observation_space(seat)["observation"].low, env.observation_space(seat)["observation"].high)
        for seat in env.agents
    ]:
        assert (low[-2], high[-2]) == pytest.approx((-1.25, env.options.high - 1), rel=1e-6)


@pytest.mark.parametrize(
    ("shock", "said"),
    [
        ({"kind": "CostShock", "period": 0}, "at least 1"),
        ({"kind": "CostShock", "period": 2, "costs": [0.1]}, "one number for all costs or 2"),
        ({"kind": "CostShock", "period": 2, "costs": float("nan")}, "finite numbers"),
        ({"kind": "CostShock", "period": 3, "until": 3}, "at least 4"),
    ],
)
def test_cost_shocks_that_do_not_fit_are_a_sentence(shock, said):
    with pytest.raises(UsageError, match=said):
        BertrandEnv(interventions=[shock])
