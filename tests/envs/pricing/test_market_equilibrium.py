"""Benchmark prices: known answers, an independent library, and no firm that could do better."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludens.envs.pricing import EquilibriumError, Market, shubik_levitan
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
    np.testing.assert_allclose(market.nash(), price, atol=1e-6)
    np.testing.assert_allclose(market.profits(market.nash()), profit, atol=1e-6)
    np.testing.assert_allclose(market.monopoly(), joint, atol=1e-6)
    np.testing.assert_allclose(market.profits(market.monopoly()), most, atol=1e-6)
    assert market.best_response(0, market.monopoly())[0] == pytest.approx(reply, abs=5e-5)
    assert market.critical_discount() == pytest.approx(patience, abs=5e-5)
    np.testing.assert_allclose(market.profit_gain(market.nash()), 0, atol=1e-12)
    np.testing.assert_allclose(market.profit_gain(market.monopoly()), 1)


def test_one_firm_and_the_grid():
    single = Market.symmetric(1)
    assert single.nash()[0] == pytest.approx(1.801985, abs=1e-6)
    assert single.profits(single.nash())[0] == pytest.approx(0.551985, abs=1e-6)
    grid = Market.symmetric().price_grid()
    assert grid.shape == (15,)
    assert grid[[0, -1]] == pytest.approx([1.42772, 1.97019], abs=6e-6)
    random = Market.symmetric().profit_gain(np.stack(np.meshgrid(grid, grid), axis=-1), mean=True).mean()
    assert random == pytest.approx(0.497, abs=5e-4)
    assert Market([2, 2.1], [1, 1]).price_grid(5).shape == (2, 5)


@pytest.mark.parametrize(
    ("kappa", "price"), [(0, 1.473), (0.1, 1.514), (0.25, 1.583), (0.5, 1.711), (0.75, 1.829), (1, 1.925)]
)
def test_universalising_over_firms(kappa, price):
    market = Market.symmetric()
    found = market.moralis(kappa)
    np.testing.assert_allclose(found, price, atol=5e-4)
    # Nobody's moral utility is higher at any other price: the definition itself, on a fine grid.
    own = np.linspace(1, 3, 20001)
    alone = market.profits(np.stack([own, np.full_like(own, found[1])], axis=-1))[:, 0]
    everyone = market.profits(np.stack([own, own], axis=-1))[:, 0]
    assert own[np.argmax((1 - kappa) * alone + kappa * everyone)] == pytest.approx(found[0], abs=1e-4)


def test_universalising_over_consumers_too():
    market = Market.symmetric(3)
    prices = [market.moralis(kappa, "firms_and_consumers")[0] for kappa in (0, 0.25, 0.5, 0.75, 1)]
    assert prices[0] == pytest.approx(market.nash()[0])
    assert np.all(np.diff(prices) < 0)
    assert prices[-1] == pytest.approx(1)
    without = market.moralis(0.4, "firms_and_consumers", consumers=0)
    np.testing.assert_allclose(without, market.moralis(0.4))
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
    np.testing.assert_allclose(market.moralis(kappa), (10 + 2 - 0.7 * kappa) / (4 - 0.7 * (1 + kappa)))


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
        prices = market.moralis(kappa)
        np.testing.assert_allclose(prices, found.prices[:, 0], atol=1e-9)
        np.testing.assert_allclose(market.quantities(prices), found.shares[:, 0], atol=1e-9)


@settings(max_examples=60)
@given(seeds)
def test_nobody_gains_by_leaving_nash(seed):
    market, rng = random_market(seed, ("logit", "nested")[seed % 2]), np.random.default_rng(seed)
    nash = market.nash()
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
    nash, earned = market.nash(), market.profits(market.nash())
    for firm in range(3):
        tried = np.repeat(nash[None], 2000, axis=0)
        tried[:, firm] = np.linspace(0, 6, 2000)
        assert np.all(market.profits(tried)[:, firm] <= earned[firm] + 1e-9)
    joint = market.profits(market.monopoly()).sum()
    tried = market.monopoly() + rng.normal(0, 0.5, (2000, 3))
    assert np.all(market.profits(tried).sum(axis=-1) <= joint + 1e-9)


def test_coalitions_lie_between_nash_and_joint_profit():
    market = Market.symmetric(3)
    two = market.monopoly([0, 1])
    np.testing.assert_allclose(market.monopoly([1]), market.nash())
    assert market.nash()[0] < two[2] < two[0] < market.monopoly()[0]
    assert two[0] == pytest.approx(two[1])


@pytest.mark.parametrize("demand", [{}, {"demand": "nested", "nests": [0, 0, 1], "nest_parameter": 0.5}])
def test_leaders_earn_at_least_nash_and_most_of_what_they_could(demand):
    market = Market([2, 2.2, 1.9], [1, 1, 1], **demand)
    led = market.stackelberg(0)
    assert market.profits(led)[0] > market.profits(market.nash())[0]
    for follower in (1, 2):
        np.testing.assert_allclose(market.best_response(follower, led), led, atol=1e-9)
    np.testing.assert_allclose(Market.symmetric(1).stackelberg(0), Market.symmetric(1).nash())


@pytest.mark.parametrize("mu", [1e-200, 1e-9, 1e-3, 1.0, 1e3])
def test_limits_of_taste(mu):
    market = Market.symmetric(mu=mu)
    assert np.all(np.isfinite(market.nash()))
    assert np.all(market.monopoly() >= market.nash())
    if mu <= 1e-9:  # alike products are sold at cost, jointly at what they are worth
        np.testing.assert_allclose(market.nash(), 1, atol=1e-8)
        np.testing.assert_allclose(market.monopoly(), 2, atol=1e-6)


def test_extreme_firms_are_solved():
    market = Market([1000, 2, 5], [1, 1, 1])
    np.testing.assert_allclose(market.profit_gradient(market.nash()), 0, atol=1e-9)
    with pytest.raises(EquilibriumError, match="leave out"):
        Market([4, 4, 1], [1, 1, 3], owners=[0, 0, 1], demand="linear", slopes=shubik_levitan(3, 4.0)).nash()
