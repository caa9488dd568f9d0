"""A market of one homogeneous good with unit demand."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.envs.pricing.options import as_market
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices, price_grid, profit_gain
from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
from ludens.envs.pricing.theory.welfare import welfare

UNIT = HomogeneousMarket(2, intercept=10.0, cost=2.0, unit=True)


def test_every_consumer_buys_one_unit_of_the_cheapest_at_any_price_up_to_the_intercept():
    prices = [[3.0, 4.0], [5.0, 5.0], [10.0, 11.0], [10.01, 12.0]]
    np.testing.assert_allclose(UNIT.quantities(prices), [[1, 0], [0.5, 0.5], [1, 0], [0, 0]])
    np.testing.assert_allclose(UNIT.profits(prices), [[1, 0], [1.5, 1.5], [8, 0], [0, 0]])
    scaled = UNIT.changed(price_scale=3.0, quantity_scale=5.0)
    np.testing.assert_allclose(scaled.profits([9.0, 12.0]), [5 * (9 - 6), 0])


def test_the_joint_price_takes_all_and_competition_leaves_cost():
    np.testing.assert_allclose(monopoly_prices(UNIT), [10, 10])
    np.testing.assert_allclose(nash_prices(UNIT), [2, 2])
    assert float(profit_gain(UNIT, [6.0, 6.0])) == pytest.approx(0.5)
    np.testing.assert_allclose(price_grid(UNIT, 11), np.linspace(0, 10, 11))
    both = welfare(UNIT, [6.0, 7.0])
    assert (float(both.consumer), float(both.profit), float(both.deadweight)) == pytest.approx((4, 4, 0))
    assert float(welfare(UNIT, [11.0, 12.0]).deadweight) == pytest.approx(8)


def test_a_market_is_made_again_from_its_parameters():
    assert as_market(UNIT.parameters, HomogeneousMarket()) == UNIT
    assert HomogeneousMarket(2, intercept=10.0, cost=2.0) != UNIT
