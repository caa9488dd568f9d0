"""The core: many markets are as many alone, interventions do what they say, tables change nothing."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.envs.pricing import (
    BertrandEnv,
    CheapTalk,
    DemandShock,
    Entrant,
    Exit,
    HomogeneousMarket,
    Market,
    OutsideOption,
    PricingCore,
    Prominence,
    Regulator,
    shubik_levitan,
)
from ludens.envs.pricing.schedule import Schedule
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices, price_grid, profit_gain
from ludens.envs.pricing.theory.entry import without_firm
from ludens.errors import UsageError

EVENTS = (
    Entrant(5, 2),
    Exit(10, 0),
    DemandShock(7, qualities=(0.1, 0.2, 0.3), outside=0.1, until=12),
    OutsideOption((-0.3, 0.3), probability=0.4),
    Regulator(1.7, 0.1, probability=0.3),
    Regulator(1.6, 0.2, measure="average", period=6),
    CheapTalk(),
)
LINEAR = Market([2, 2, 2], [1, 1, 1], demand="linear", slopes=shubik_levitan(3, 2.0))
NESTED = Market([2, 2, 2], [1, 1, 1], demand="nested", nests=[0, 0, 1], nest_parameter=0.4)


def drawn(core, periods, seed=0):
    rng = np.random.default_rng(seed)
    shape = (periods, core.markets, core.market.products)
    return rng.uniform(1.2, 2.0, shape) if core.grid is None else rng.integers(core.grid.shape[1], size=shape)


@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize("events", [(), EVENTS, (*EVENTS, Prominence(2)), (Prominence(1, bonus=0.5),)])
def test_a_batch_is_a_loop_over_its_markets(events, grid):
    market = Market.symmetric(3)
    points = price_grid(market, 5) if grid else None

    def made(markets):
        return PricingCore(market, markets=markets, memory=2, grid=points, interventions=events)

    batch, seeds = made(6), np.random.SeedSequence(3).spawn(6)
    batch.reset(seeds)
    alone = [made(1) for _ in range(6)]
    for core, seed in zip(alone, seeds, strict=True):
        core.reset([seed])
    for moves in drawn(batch, 300):
        together = batch.step(moves)
        for number, core in enumerate(alone):
            for one, many in zip(core.step(moves[[number]]), together, strict=True):
                np.testing.assert_allclose(many[number], one[0], rtol=1e-13, atol=1e-15)
            np.testing.assert_array_equal(batch.history[number], core.history[0])


def test_tables_are_the_market():
    market = Market([2, 2.1], [1, 0.9])
    grid = price_grid(market)
    core = PricingCore(market, markets=500, grid=grid)
    moves = drawn(core, 1)[0]
    outcome = core.step(moves)
    prices = grid[np.arange(2), moves]
    np.testing.assert_array_equal(outcome.prices, prices)
    np.testing.assert_allclose(outcome.profits, market.profits(prices), rtol=1e-13)
    np.testing.assert_allclose(outcome.quantities, market.quantities(prices), rtol=1e-13)


@pytest.mark.parametrize("market", [Market.symmetric(3), LINEAR, NESTED, HomogeneousMarket(3, 2.0, 1.0)])
def test_a_firm_that_is_not_there_is_as_if_the_market_did_not_have_it(market):
    core = PricingCore(market, markets=50, interventions=(Exit(2, 1),))
    prices = np.random.default_rng(1).uniform(1.0, 1.6, (50, 3))
    np.testing.assert_allclose(core.step(prices).profits, market.profits(prices), atol=1e-14)
    outcome, rest = core.step(prices), without_firm(market, 1)
    np.testing.assert_allclose(outcome.quantities[:, [0, 2]], rest.quantities(prices[:, [0, 2]]), atol=1e-12)
    np.testing.assert_allclose(outcome.profits[:, [0, 2]], rest.profits(prices[:, [0, 2]]), atol=1e-12)
    assert np.all(outcome.profits[:, 1] == 0)
    assert np.isnan(outcome.prices[:, 1]).all()
    np.testing.assert_allclose(core.regime.nash[[0, 2]], nash_prices(rest))


def test_demand_shocks_come_and_go():
    market = Market.symmetric()
    core = PricingCore(market, interventions=(DemandShock(2, qualities=0.5, outside=-0.2, until=3),))
    after = Market([2.5, 2.5], [1, 1], outside=-0.2)
    for expected in (market, after, market):
        np.testing.assert_allclose(core.step([[1.5, 1.6]]).profits[0], expected.profits([1.5, 1.6]))


def test_the_outside_good_has_two_values_as_often_as_said():
    market = Market.symmetric()
    core = PricingCore(market, markets=400, interventions=(OutsideOption((-0.2, 0.3), probability=0.25),))
    core.reset(5)
    low, high = (market.quantities([1.5, 1.5], outside)[0] for outside in (-0.2, 0.3))
    seconds = []
    for _ in range(30):
        sold = core.step(np.full((400, 2), 1.5)).quantities[:, 0]
        is_low, is_high = np.isclose(sold, low), np.isclose(sold, high)
        assert np.all(is_low ^ is_high)
        seconds.append(is_high.mean())
    assert np.mean(seconds) == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / 12000))


def test_only_the_cheapest_are_shown_and_ties_are_drawn():
    market = Market.symmetric(3)
    core = PricingCore(market, markets=600, interventions=(Prominence(1),))
    core.reset(2)
    sold = core.step(np.tile([1.5, 1.4, 1.6], (600, 1))).quantities
    np.testing.assert_allclose(sold, np.tile([0, Market.symmetric(1).quantities([1.4])[0], 0], (600, 1)))
    tied = core.step(np.tile([1.5, 1.5, 1.6], (600, 1))).quantities > 0
    assert tied.sum() == 600
    assert tied[:, 0].mean() == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 600))
    bonus = PricingCore(market, interventions=(Prominence(2, bonus=0.3),))
    better = Market([2.3, 2.3, 2.0], [1, 1, 1])
    sold = bonus.step([[1.5, 1.4, 1.6]]).quantities[0]
    np.testing.assert_allclose(sold, better.quantities([1.5, 1.4, 1.6]))


def shown_by_the_book(prices, advantage, shown):
    """Which of one market's products are shown in each period after the first, given those of the first."""
    held, before = set(), None
    for now in prices:
        if before is not None:
            seeming = {
                product: now[product]
                - (advantage if product in held and now[product] <= before[product] else 0)
                for product in range(len(now))
            }
            # Products that were shown come first among equals; other ties do not arise in the test's prices.
            order = sorted(seeming, key=lambda product: (round(seeming[product], 6), product not in held))
            yield set(order[:shown])
            held = set(order[:shown])
        else:
            held = set(sorted(range(len(now)), key=lambda product: now[product])[:shown])
        before = now


@pytest.mark.parametrize("shown", [1, 2])
@pytest.mark.parametrize("advantage", [0.0, 0.1, 0.25])
def test_products_that_were_shown_keep_their_place_unless_they_become_dearer(shown, advantage):
    # Every product has prices of its own, a hundredth apart from all others', so that only those tie that
    # are cheaper by exactly the advantage.
    rng = np.random.default_rng(4)
    prices = 1.2 + 0.05 * rng.integers(0, 8, (60, 3)) + np.array([0.0, 0.01, 0.02])
    market = Market.symmetric(3)
    core = PricingCore(market, interventions=(Prominence(shown, advantage=advantage),))
    core.reset(1)
    sold = np.array([core.step(each[None]).quantities[0] > 0 for each in prices])
    assert [set(np.flatnonzero(each)) for each in sold[1:]] == list(
        shown_by_the_book(prices, advantage, shown)
    )
    static = PricingCore(market, interventions=(Prominence(shown),))
    kept = np.array([static.step(each[None]).quantities[0] > 0 for each in prices])
    assert (kept != sold).any() == (advantage > 0)


def test_a_place_that_is_kept_is_kept_to_the_cent_and_forgotten_in_a_new_market():
    rule = Prominence(1, advantage=0.1)
    core = PricingCore(Market.symmetric(), interventions=(rule,))
    alone = Market.symmetric(1)
    for prices, seller in (
        ([1.5, 1.6], 0), ([1.5, 1.4], 0), ([1.5, 1.39], 1), ([1.5, 1.6], 0), ([1.6, 1.6], 0), ([1.7, 1.6], 1),
    ):  # fmt: skip
        sold = core.step([prices]).quantities[0]
        assert sold[seller] == pytest.approx(float(alone.quantities([prices[seller]])[0]))
        assert sold[1 - seller] == 0
        assert core.kept.tolist() == [[seller == 0, seller == 1]]
        assert core.welfare().consumer[0] == pytest.approx(float(alone.consumer_surplus([prices[seller]])))
    core.reset(0)
    assert not core.kept.any()
    assert core.step([[1.5, 1.45]]).quantities[0, 0] == 0
    with pytest.raises(UsageError, match="advantage of prominence"):
        Prominence(1, advantage=-0.1)


def test_firms_are_told_which_products_keep_their_place():
    env = BertrandEnv(actions="continuous", interventions=[Prominence(1, advantage=0.1)])
    env.reset(seed=0)
    (rule,) = env.turn("firm_0").facts["notices"]
    assert rule == (
        "The platform on which all firms sell shows customers only the cheapest product. A product that was"
        " shown in the last period and has not become dearer stays shown unless another is more than 0.1"
        " cheaper."
    )
    env.step({"firm_0": 1.7, "firm_1": 1.6})
    assert env.turn("firm_0").facts["notices"] == (rule, "In period 1 the platform showed firm_1.")
    with_bonus = Schedule(Market.symmetric(), [Prominence(2, bonus=0.3, advantage=0.0)])
    assert with_bonus.notices(0)[0].endswith("stays recommended unless another is cheaper.")


def test_average_prices_can_be_what_is_fined():
    core = PricingCore(Market.symmetric(), interventions=(Regulator(1.6, 0.2, measure="average"),))
    assert core.step([[1.5, 1.71]]).fines.tolist() == [[0.2, 0.2]]
    assert core.step([[1.5, 1.69]]).fines.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("moves", [[[1, 2, 3]], [[1.5, 0.0]], [[-1, 0]], [[15, 0]]])
def test_wrong_moves_change_nothing(moves):
    core = PricingCore(Market.symmetric(), grid=price_grid(Market.symmetric()))
    with pytest.raises(UsageError):
        core.step(moves)
    assert core.period == 0


def test_homogeneous_markets_are_kleins():
    market = HomogeneousMarket()
    assert price_grid(market, 7).tolist() == pytest.approx([number / 6 for number in range(7)])
    assert monopoly_prices(market).tolist() == [0.5, 0.5]
    assert market.profits([[0.5, 0.5], [0.25, 0.5], [0.0, 0.5]]).tolist() == [
        [0.125, 0.125], [0.1875, 0.0], [0.0, 0.0],
    ]  # fmt: skip
    assert profit_gain(market, [0.5, 0.5]) == 1
    scaled = HomogeneousMarket(price_scale=10, quantity_scale=3)
    assert scaled.profits([2.5, 5]).tolist() == pytest.approx([0.1875 * 30, 0])
    with pytest.raises(UsageError, match="no best reply"):
        market.best_response(0, [0.5, 0.5])
    with pytest.raises(UsageError, match="no outside good"):
        PricingCore(market, interventions=(OutsideOption((0, 1)),))
