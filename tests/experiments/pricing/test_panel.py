"""Panels: from prices alone, and read from runs."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.envs.pricing import Market
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.errors import UsageError
from ludens.experiments.pricing.panels import panel_of


def test_prices_in_a_market_become_quantities_profits_and_gains():
    market = Market.symmetric()
    nash, joint = nash_prices(market), monopoly_prices(market)
    panel = panel_of(np.stack([np.tile(nash, (4, 1)), np.tile(joint, (4, 1))]), market)
    assert panel.gains[0] == pytest.approx(np.zeros((4, 2)), abs=1e-9)
    assert panel.gains[1] == pytest.approx(np.ones((4, 2)), abs=1e-9)
    assert panel.profits[1] == pytest.approx(np.full((4, 2), 0.337490), abs=1e-6)
    assert panel.nash_prices[0] == pytest.approx(np.full((4, 2), 1.472927), abs=1e-6)
    assert panel.total_gains == pytest.approx(np.array([[0.0] * 4, [1.0] * 4]), abs=1e-9)


def test_the_scale_multiplies_prices_and_profits_and_no_gain():
    prices = np.random.default_rng(0).uniform(1.2, 2, (2, 5, 3))
    one = panel_of(prices, Market.symmetric(firms=3))
    ten = panel_of(10 * prices, Market.symmetric(firms=3, price_scale=10, quantity_scale=100), scale=10)
    assert ten.relative_prices == pytest.approx(one.relative_prices)
    assert ten.gains == pytest.approx(one.gains)
    assert ten.profits == pytest.approx(1000 * one.profits)


def test_periods_that_were_not_played_stay_empty():
    prices = np.full((2, 6, 2), 1.6)
    prices[1, 4:] = np.nan
    panel = panel_of(prices, Market.symmetric())
    assert panel.status == ("done", "aborted")
    assert panel.played.tolist() == [6, 4]
    assert np.isnan(panel.profits[1, 4:]).all()
    assert np.isfinite(panel.profits[1, :4]).all()


def test_a_single_firm_has_no_gain():
    panel = panel_of(np.full((1, 3, 1), 1.8), Market.symmetric(firms=1))
    assert np.isnan(panel.gains).all()


def test_prices_that_do_not_fit_the_market_are_a_sentence():
    with pytest.raises(UsageError, match="one product for each of the 2 firms"):
        panel_of(np.ones((1, 3, 3)), Market.symmetric())
    with pytest.raises(UsageError, match="one product for each"):
        panel_of(np.ones((1, 3, 3)), Market([2, 2, 2], [1, 1, 1], owners=[0, 0, 1]))
