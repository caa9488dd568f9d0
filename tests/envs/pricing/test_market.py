"""Markets pay what the published formulas say, in any batch, at any price, and refuse what makes no sense."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludens.envs.pricing import Market, shubik_levitan
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices, price_grid, profit_gain
from ludens.envs.pricing.theory.entry import with_product, without_firm
from ludens.envs.pricing.theory.stackelberg import stackelberg_prices
from ludens.errors import UsageError

seeds = st.integers(0, 2**32 - 1)


def random_market(seed, kind=None):
    """Any market of one to six products in any partition."""
    rng = np.random.default_rng(seed)
    products = int(rng.integers(1, 7))
    kind = kind or ("logit", "nested", "linear")[int(rng.integers(3))]
    rest = {"owners": numbers(rng, products, 3), "mu": rng.uniform(0.1, 1.5), "outside": rng.uniform(-1, 1)}
    if kind == "nested":
        rest["nests"] = numbers(rng, products, 3)
        rest["nest_parameter"] = rng.uniform(0, 0.9, max(rest["nests"]) + 1).tolist()
    if kind == "linear":
        rest["slopes"] = substitutes(rng, products)
    scales = {"price_scale": rng.uniform(0.5, 10), "quantity_scale": rng.uniform(0.5, 100)}
    return Market(rng.uniform(0, 4, products), rng.uniform(0, 2, products), demand=kind, **rest, **scales)


def numbers(rng, products, most):
    _, labels = np.unique(rng.integers(0, most, products), return_inverse=True)
    return labels.tolist()


def substitutes(rng, products):
    """A symmetric matrix of slopes in which the own price counts for more than all others."""
    beside = rng.uniform(0, 1, (products, products))
    slopes = -(beside + beside.T) / 2
    np.fill_diagonal(slopes, 0)
    return slopes + np.diag(-slopes.sum(axis=1) + rng.uniform(0.2, 1, products))


def prices_near(market, rng, *shape):
    """Prices between cost less and quality plus a unit."""
    low, high = market.costs - 0.5, np.maximum(market.qualities, market.costs) + 0.5
    return market.price_scale * rng.uniform(low, high, (*shape, market.products))


def test_shares_by_hand():
    odds = np.exp([(2 - 1.5) / 0.25, (2 - 1.8) / 0.25, 0.0])
    market = Market.symmetric()
    np.testing.assert_allclose(market.quantities([1.5, 1.8]), odds[:2] / odds.sum(), rtol=1e-14)
    np.testing.assert_allclose(market.profits([1.5, 1.8]), [0.5, 0.8] * odds[:2] / odds.sum(), rtol=1e-14)
    assert market.consumer_surplus([1.5, 1.8]) == pytest.approx(0.25 * np.log(odds.sum()), rel=1e-14)


def test_nested_shares_by_hand():
    market = Market([2, 1, 3], [0] * 3, mu=0.5, demand="nested", nests=[0, 0, 1], nest_parameter=[0.4, 0.7])
    inner = np.exp([2 / 0.3, 1 / 0.3])
    nests = np.array([inner.sum() ** 0.6, np.exp(3 / 0.5)])
    total = nests.sum() + 1
    expected = [*(inner / inner.sum() * nests[0] / total), nests[1] / total]
    np.testing.assert_allclose(market.quantities([0, 0, 0]), expected, rtol=1e-13)
    assert market.consumer_surplus([0, 0, 0]) == pytest.approx(0.5 * np.log(total), rel=1e-13)


def test_linear_demand_by_hand():
    # q1 = 10 − 2·p1 + .7·p2 and the like; at choke prices nothing is sold.
    slopes = np.array([[2, -0.7], [-0.7, 2]])
    market = Market(np.linalg.solve(slopes, [10, 10]), [1, 1], demand="linear", slopes=slopes)
    np.testing.assert_allclose(market.quantities([3, 4]), [10 - 6 + 2.8, 10 - 8 + 2.1])
    assert market.quantities(market.qualities) == pytest.approx([0, 0], abs=1e-12)


@given(seeds)
def test_a_product_nobody_buys_is_as_if_it_were_not_there(seed):
    market = random_market(seed, "linear")
    if market.firms == 1:
        return
    prices = prices_near(market, np.random.default_rng(seed))
    prices[market.owners == 0] = 1e12
    left = without_firm(market, 0)
    expected = left.quantities(prices[market.owners != 0])
    np.testing.assert_allclose(market.quantities(prices)[market.owners != 0], expected, rtol=1e-6, atol=1e-9)


def test_scales_change_money_and_nothing_else():
    plain, scaled = Market.symmetric(3), Market.symmetric(3, price_scale=3.2, quantity_scale=100)
    prices = np.array([1.4, 1.6, 1.9])
    np.testing.assert_allclose(scaled.quantities(3.2 * prices), 100 * plain.quantities(prices))
    np.testing.assert_allclose(scaled.profits(3.2 * prices), 320 * plain.profits(prices))
    np.testing.assert_allclose(scaled.consumer_surplus(3.2 * prices), 320 * plain.consumer_surplus(prices))
    np.testing.assert_allclose(nash_prices(scaled), 3.2 * nash_prices(plain))
    np.testing.assert_allclose(price_grid(scaled), 3.2 * price_grid(plain))
    np.testing.assert_allclose(profit_gain(scaled, 3.2 * prices), profit_gain(plain, prices))


@given(seeds)
def test_a_batch_is_its_rows(seed):
    market, rng = random_market(seed), np.random.default_rng(seed)
    prices, outside = prices_near(market, rng, 2, 3), rng.uniform(-1, 1, (2, 3))
    for method in ("quantities", "profits", "consumer_surplus", "profit_gradient"):
        whole = getattr(market, method)(prices, outside)
        for index in np.ndindex(2, 3):
            row = getattr(market, method)(prices[index], outside[index])
            np.testing.assert_allclose(whole[index], row, rtol=1e-10, atol=1e-12)


@given(seeds)
def test_one_price_vector_meets_many_outside_goods(seed):
    market, rng = random_market(seed, "nested"), np.random.default_rng(seed)
    prices, outside = prices_near(market, rng), rng.uniform(-1, 1, 4)
    expected = [market.profits(prices, value) for value in outside]
    np.testing.assert_allclose(market.profits(prices, outside), expected, rtol=1e-12)


@given(seeds)
def test_gradient_is_the_derivative_of_the_owners_profit(seed):
    market, rng = random_market(seed), np.random.default_rng(seed)
    prices, step = prices_near(market, rng), 1e-5 * market.price_scale
    shift = step * np.eye(market.products)
    rise = market.profits(prices + shift) - market.profits(prices - shift)
    owners = market.owners
    numeric = rise[np.arange(market.products), owners] / (2 * step)
    if market.parameters["demand"] == "linear":
        # Derivatives jump where a product begins to be sold: leave those prices out.
        sold = market.quantities(prices + 2 * shift) > 0, market.quantities(prices - 2 * shift) > 0
        if np.any(sold[0] != sold[1]):
            return
    scale = market.quantity_scale / min(market.mu, 1)
    np.testing.assert_allclose(market.profit_gradient(prices), numeric, rtol=1e-6, atol=1e-6 * scale)


@given(seeds)
def test_consumers_lose_what_they_buy_for_each_unit_of_price(seed):
    market, rng = random_market(seed), np.random.default_rng(seed)
    prices, step = prices_near(market, rng), 1e-5 * market.price_scale
    shift = step * np.eye(market.products)
    numeric = (market.consumer_surplus(prices + shift) - market.consumer_surplus(prices - shift)) / (2 * step)
    scale = 1e-4 * market.quantity_scale
    np.testing.assert_allclose(numeric, -market.quantities(prices), rtol=1e-4, atol=scale)


@given(seeds, st.floats(0, 50))
def test_no_price_above_cost_earns_a_loss(seed, above):
    market = random_market(seed)
    prices = market.unit_costs + above * np.random.default_rng(seed).uniform(0, 1, (20, market.products))
    assert np.all(market.profits(prices) >= 0)
    assert np.all(market.quantities(prices) >= 0)
    assert np.all(market.consumer_surplus(prices) >= -1e-9)


@pytest.mark.parametrize("kind", ["logit", "nested", "linear"])
@pytest.mark.parametrize("price", [1e308, -1e100, 1e-308, 0.0])
@pytest.mark.parametrize("scale", [0.1, 1, 10])
def test_absurd_prices_stay_numbers(kind, price, scale):
    market = Market(**{**random_market(3, kind).parameters, "price_scale": scale})
    prices = market.unit_costs.copy()
    prices[0] = price
    for method in (market.quantities, market.profits, market.consumer_surplus, market.profit_gradient):
        assert np.all(np.isfinite(method(prices)))
    assert market.quantities(prices)[0] > 0 if price < 1 else market.quantities(prices)[0] == 0


@pytest.mark.parametrize("mu", [1e-200, 1e-9, 1e-3, 1.0, 1e9])
def test_shares_at_all_scales_of_taste(mu):
    market = Market.symmetric(mu=mu)
    shares = market.quantities([[1.5, 1.5], [1.5, 1.6], [3.0, 3.0]])
    assert np.all(np.isfinite(shares))
    assert np.all(shares.sum(axis=-1) <= 1)
    if mu <= 1e-9:  # the cheapest takes all, nobody buys what is worth less than nothing
        np.testing.assert_allclose(shares, [[0.5, 0.5], [1, 0], [0, 0]])
    if mu == 1e9:
        np.testing.assert_allclose(shares, 1 / 3)


@settings(max_examples=30)
@given(seeds)
def test_a_market_survives_json_and_pickle(seed):
    market = random_market(seed)
    for copy in (
        Market(**json.loads(json.dumps(market.parameters))),
        pickle.loads(pickle.dumps(market)),
    ):
        assert copy == market
        assert hash(copy) == hash(market)
        assert repr(copy) == repr(market)
    assert market != Market(market.qualities, market.costs + 0.125, owners=market.owners)
    assert market != "market"


def test_arrays_cannot_be_changed():
    market = Market.symmetric()
    for array in (market.qualities, market.costs, market.owners, market.unit_costs, nash_prices(market)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_a_nest_of_parameter_0_is_plain_logit():
    rest = {"owners": [0, 0, 1], "mu": 0.4, "outside": 0.3}
    plain = Market([2, 1.5, 2.2], [1, 0.7, 1.2], **rest)
    nested = Market([2, 1.5, 2.2], [1, 0.7, 1.2], demand="nested", nests=[0, 1, 0], **rest)
    prices = np.random.default_rng(0).uniform(0.5, 3, (50, 3))
    np.testing.assert_allclose(nested.profits(prices), plain.profits(prices), rtol=1e-12)
    np.testing.assert_allclose(nested.profit_gradient(prices), plain.profit_gradient(prices), atol=1e-12)
    np.testing.assert_allclose(nash_prices(nested), nash_prices(plain), rtol=1e-12)
    np.testing.assert_allclose(nested.best_response(0, prices), plain.best_response(0, prices), rtol=1e-12)


def test_entry_and_exit_undo_each_other():
    plain = Market([2, 2.5], [1, 1.1])
    entered = with_product(plain, 1.8, 0.9)
    assert entered == Market([2, 2.5, 1.8], [1, 1.1, 0.9])
    assert without_firm(entered, 2) == plain
    assert with_product(plain, 1.8, 0.9, owner=1).owners.tolist() == [0, 1, 1]
    assert without_firm(entered, 0).qualities.tolist() == [2.5, 1.8]
    nested = Market([2, 2.5, 1], [1] * 3, demand="nested", nests=[0, 1, 1], nest_parameter=[0.2, 0.6])
    grown = with_product(nested, 3, 1, nest=2, nest_parameter=0.1)
    assert without_firm(grown, 3) == nested
    assert without_firm(nested, 0).parameters["nest_parameter"] == [0.6]
    assert with_product(nested, 3, 1, nest=1).parameters["nests"] == [0, 1, 1, 1]
    linear = Market([2] * 2, [1] * 2, demand="linear", slopes=shubik_levitan(2, 2.0))
    slopes = np.array(shubik_levitan(3, 2.0))
    assert with_product(linear, 2, 1, slopes=slopes).is_symmetric


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Market([2, 2], [1]), "one quality and one cost"),
        (lambda: Market([], []), "qualities must be a list of finite numbers"),
        (lambda: Market([2, float("nan")], [1, 1]), "qualities must be a list of finite numbers"),
        (lambda: Market(["two"], [1]), "qualities must be a list of finite numbers"),
        (lambda: Market.symmetric(0), "at least 1"),
        (lambda: Market.symmetric(2.5), "whole number of firms"),
        (lambda: Market.symmetric(mu=0), "mu must be greater than 0"),
        (lambda: Market.symmetric(mu=1e-300), "mu must be at least"),
        (lambda: Market.symmetric(mu="small"), "mu must be a finite number"),
        (lambda: Market.symmetric(price_scale=-1), "price_scale must be greater than 0"),
        (lambda: Market.symmetric(outside=float("-inf")), "outside must be a finite number"),
        (lambda: Market.symmetric(owners=[0, 2]), "without gaps"),
        (lambda: Market.symmetric(owners=[0]), "one whole number for its firm"),
        (lambda: Market.symmetric(owners=[0, 0.5]), "one whole number for its firm"),
        (lambda: Market.symmetric(demand="probit"), "'logit', 'nested' or 'linear'"),
        (lambda: Market.symmetric(demand="nested"), "nests belong to"),
        (lambda: Market.symmetric(slopes=[[1]]), "slopes to demand='linear'"),
        (lambda: Market.symmetric(demand="nested", nests=[0, 0], nest_parameter=1), "below 1"),
        (lambda: Market.symmetric(demand="nested", nests=[0, 1], nest_parameter=[0.1]), "each of 2 nests"),
        (lambda: Market.symmetric(demand="linear", slopes=[[1, 2], [2, 1]]), "positive on the diagonal"),
        (lambda: Market.symmetric(demand="linear", slopes=[[1, -2], [-2, 1]]), "own price"),
        (lambda: Market.symmetric(demand="linear", slopes=[[1, -1], [-1, 1]]), "own price"),
        (lambda: Market.symmetric(demand="linear", slopes=[[1]]), "a row for each of 2"),
        (lambda: Market.symmetric(demand="linear", slopes="steep"), "square matrix"),
        (lambda: shubik_levitan(2, -1), "substitution ≥ 0"),
        (lambda: Market.symmetric().quantities([1, 2, 3]), "an axis of 2"),
        (lambda: Market.symmetric().quantities(1.5), "an axis of 2"),
        (lambda: Market.symmetric().profits([1, float("inf")]), "must be finite"),
        (lambda: Market.symmetric().profits([1, 1], float("nan")), "must be finite"),
        (lambda: monopoly_prices(Market.symmetric(), [2]), "firms from 0 to 1"),
        (lambda: monopoly_prices(Market.symmetric(), []), "firms from 0 to 1"),
        (lambda: Market.symmetric().best_response(2, [1, 1]), "numbered from 0 to 1"),
        (lambda: stackelberg_prices(Market.symmetric(), -1), "numbered from 0 to 1"),
        (lambda: profit_gain(Market.symmetric(1), [1.5]), "add a second firm"),
        (lambda: price_grid(Market.symmetric(1)), "add a second firm"),
        (lambda: price_grid(Market.symmetric(), 1), "at least 2 points"),
        (lambda: price_grid(Market.symmetric(), 15, -0.1), "extension"),
        (lambda: without_firm(Market.symmetric(), 2), "one can leave"),
        (lambda: without_firm(Market.symmetric(1), 0), "one can leave"),
        (lambda: with_product(Market.symmetric(), 2, 1, owner=3), "owner is a firm"),
        (lambda: with_product(Market.symmetric(), 2, 1, nest=0), "this market's demand is 'logit'"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(make, words):
    with pytest.raises(UsageError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)
