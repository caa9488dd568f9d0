"""Equilibrium prices of homo moralis: the definition itself, closed forms, an independent library."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.envs.pricing import HomogeneousMarket, Market
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.errors import UsageError
from ludens.preferences.pricing.moral import moralis_prices
from tests.envs.pricing.test_market import random_market


@pytest.mark.parametrize(
    ("kappa", "price"), [(0, 1.473), (0.1, 1.514), (0.25, 1.583), (0.5, 1.711), (0.75, 1.829), (1, 1.925)]
)
def test_universalising_over_firms(kappa, price):
    market = Market.symmetric()
    found = moralis_prices(market, kappa)
    np.testing.assert_allclose(found, price, atol=5e-4)
    # Nobody's moral utility is higher at any other price: the definition itself, on a fine grid.
    own = np.linspace(1, 3, 20001)
    alone = market.profits(np.stack([own, np.full_like(own, found[1])], axis=-1))[:, 0]
    everyone = market.profits(np.stack([own, own], axis=-1))[:, 0]
    assert own[np.argmax((1 - kappa) * alone + kappa * everyone)] == pytest.approx(found[0], abs=1e-4)


def test_universalising_over_consumers_too():
    market = Market.symmetric(3)
    prices = [moralis_prices(market, kappa, "firms_and_consumers")[0] for kappa in (0, 0.25, 0.5, 0.75, 1)]
    assert prices[0] == pytest.approx(nash_prices(market)[0])
    assert np.all(np.diff(prices) < 0)
    assert prices[-1] == pytest.approx(1)
    without = moralis_prices(market, 0.4, "firms_and_consumers", consumers=0)
    np.testing.assert_allclose(without, moralis_prices(market, 0.4))
    own = np.linspace(1, 2, 10001)
    table = np.full((len(own), 3), prices[2])
    table[:, 0] = own
    same = np.repeat(own[:, None], 3, axis=1)
    maxim = (market.profits(same).mean(axis=-1) + market.consumer_surplus(same) / 3) / 2
    utility = 0.5 * market.profits(table)[:, 0] + 0.5 * maxim
    assert own[np.argmax(utility)] == pytest.approx(prices[2], abs=2e-4)


@pytest.mark.parametrize("kappa", [0, 0.3, 0.8, 1])
def test_linear_closed_form(kappa):
    # q = A − b·p + d·p_other with cost c: p = [A + c(b − κd)]/[2b − d(1 + κ)].
    slopes = np.array([[2, -0.7], [-0.7, 2]])
    market = Market(np.linalg.solve(slopes, [10, 10]), [1, 1], demand="linear", slopes=slopes)
    np.testing.assert_allclose(
        moralis_prices(market, kappa), (10 + 2 - 0.7 * kappa) / (4 - 0.7 * (1 + kappa))
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pyblp and what it imports, on newer numpy
# Without 3, a nested market on which pyblp's own iteration does not converge.
@pytest.mark.parametrize("seed", [0, 1, 2, *range(4, 13)])
def test_agrees_with_pyblp(seed):
    pyblp = pytest.importorskip("pyblp")
    pyblp.options.verbose = False
    rng = np.random.default_rng(seed)
    market = Market(**{**random_market(seed, ("logit", "nested")[seed % 2]).parameters, "price_scale": 1.0})
    market = Market(**{**market.parameters, "quantity_scale": 1.0, "mu": rng.uniform(0.2, 1.5)})
    count, known = market.products, market.parameters
    for kappa in (0.0, 0.4):
        data = {
            "market_ids": np.zeros(count, dtype=int),
            "firm_ids": market.owners,
            "quality": market.qualities - market.outside,
            "ownership": np.where(market.groups.together, 1.0, kappa),
        }
        nests = {}
        if seed % 2:
            data["nesting_ids"], nests = np.array(known["nests"]), {"rho": known["nest_parameter"]}
        simulation = pyblp.Simulation(
            (pyblp.Formulation("0 + prices + quality"),),
            data,
            beta=[-1 / market.mu, 1 / market.mu],
            xi=np.zeros(count),
            **nests,
        )
        exact = pyblp.Iteration("simple", {"atol": 1e-12, "max_evaluations": 50_000})
        found = simulation.replace_endogenous(costs=market.costs, iteration=exact).product_data
        prices = moralis_prices(market, kappa)
        np.testing.assert_allclose(prices, found.prices[:, 0], atol=1e-9)
        np.testing.assert_allclose(market.quantities(prices), found.shares[:, 0], atol=1e-9)


def test_homogeneous_goods_have_the_two_ends_only():
    market = HomogeneousMarket(2, cost=0.2)
    np.testing.assert_array_equal(moralis_prices(market, 0), nash_prices(market))
    for kappa in (0.5, 1):
        with pytest.raises(UsageError, match="undercut"):
            moralis_prices(market, kappa)
    assert monopoly_prices(market, [0, 1]).tolist() == [0.6, 0.6]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"kappa": 1.5}, "between 0 and 1"),
        ({"kappa": 0.5, "universalisation": "everyone"}, "'firms' or 'firms_and_consumers'"),
        ({"kappa": 1, "universalisation": "firms_and_consumers", "consumers": 0.6}, "must not exceed 1/2"),
    ],
)
def test_wrong_weights_are_refused(arguments, told):
    with pytest.raises(UsageError, match=told):
        moralis_prices(Market.symmetric(), **arguments)
