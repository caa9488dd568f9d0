"""The two-lag regression: known slopes, agreement with statsmodels, and what it finds among firms that do
not collude."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from ludens.envs.pricing import Market
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.errors import UsageError
from ludens.experiments.pricing.null import Replies, myopic_null
from ludens.experiments.pricing.panels import panel_of
from ludens.experiments.pricing.regression import fixed_effects, lagged, regress
from tests.experiments.pricing.panels_for_tests import panel_from


def moving(rng, *, runs=5, periods=120, own=0.4, rival=0.2, noise=0.05, firms=2):
    """Prices that follow the equation itself, each firm of each run around its own constant."""
    constants = rng.normal(0.6, 0.1, (runs, firms))
    prices = np.empty((runs, periods, firms))
    current = np.full((runs, firms), 1.6)
    for period in range(periods):
        others = (current.sum(axis=1, keepdims=True) - current) / (firms - 1)
        current = constants + own * current + rival * others + rng.normal(0, noise, (runs, firms))
        prices[:, period] = current
    return prices


@pytest.mark.parametrize("cluster", ["run", "firm"])
@pytest.mark.parametrize("firms", [2, 3])
def test_slopes_and_errors_are_those_of_statsmodels_with_dummies(cluster, firms):
    prices = moving(np.random.default_rng(3), firms=firms)
    found = regress(panel_from(prices), cluster)
    y, x = lagged(prices[:, 39:])
    runs, count, _ = y.shape
    run, _, seat = np.meshgrid(range(runs), range(count), range(firms), indexing="ij")
    entity = (run * firms + seat).ravel()
    dummies = (entity[:, None] == np.arange(runs * firms)).astype(float)
    groups = run.ravel() if cluster == "run" else entity
    peer = sm.OLS(y.ravel(), np.hstack([x.reshape(-1, 2), dummies])).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": True}, use_t=True
    )
    assert [found.own.value, found.rival.value] == pytest.approx(peer.params[:2].tolist(), rel=1e-9)
    assert [found.own.error, found.rival.error] == pytest.approx(peer.bse[:2].tolist(), rel=1e-9)
    low, high = peer.conf_int()[0]
    assert (found.own.low, found.own.high) == pytest.approx((low, high), rel=1e-9)
    assert found.n == int(peer.nobs) == runs * 80 * firms
    assert found.periods == (41, 120)
    assert found.residual == pytest.approx(np.sqrt(peer.scale), rel=1e-9)


def test_known_slopes_come_back():
    found = regress(panel_from(moving(np.random.default_rng(0), runs=40, periods=600)))
    assert found.own.value == pytest.approx(0.4, abs=0.02)
    assert found.rival.value == pytest.approx(0.2, abs=0.02)
    assert found.own.low < 0.4 < found.own.high


def test_three_hundred_periods_explain_101_to_300():
    found = regress(panel_from(moving(np.random.default_rng(1), periods=300)))
    assert found.periods == (101, 300)
    assert found.n == 5 * 200 * 2


def test_prices_of_different_scales_are_one_regression():
    prices = moving(np.random.default_rng(4))
    scale = np.array([1, 3.2, 10, 1, 10])
    assert regress(panel_from(prices * scale[:, None, None], scale=scale)).own.value == pytest.approx(
        regress(panel_from(prices)).own.value, rel=1e-12
    )


def test_runs_that_were_not_finished_do_not_enter():
    prices = moving(np.random.default_rng(5), runs=6)
    broken = prices.copy()
    broken[4, 30:] = np.nan
    broken[5] = 7.0
    found = regress(panel_from(broken, ["done"] * 4 + ["aborted", "running"]))
    assert found == regress(panel_from(prices[:4]))
    assert found.runs == 4


def test_a_period_in_which_a_firm_is_absent_is_left_out_and_nothing_else():
    prices = moving(np.random.default_rng(6))
    late = prices.copy()
    late[0, :60, 1] = np.nan
    found = regress(panel_from(late))
    # Before the entry neither the entrant's price nor its rival's lagged rival is known; one lag on top.
    assert found.n == 5 * 80 * 2 - 2 * 21
    assert found.own.value is not None


@pytest.mark.parametrize(
    ("prices", "note"),
    [
        (np.full((3, 90, 2), 1.9), "lagged prices do not vary"),
        (np.tile(np.linspace(1, 2, 90)[None, :, None], (3, 1, 2)), "move together"),
        (np.ones((3, 90, 1)), "one firm has no rival"),
        (np.full((3, 90, 2), np.nan), "no run was played to its end"),
        (moving(np.random.default_rng(7), periods=3, runs=1), "too few periods"),
    ],
)
def test_what_is_not_identified_says_so(prices, note):
    status = ["aborted"] * 3 if np.isnan(prices).all() else None
    found = regress(panel_from(prices, status))
    assert note in found.note
    assert found.own.value is found.rival.value is found.residual is None


def test_one_run_has_slopes_without_errors():
    found = regress(panel_from(moving(np.random.default_rng(8), runs=1)))
    assert found.own.value is not None
    assert found.own.error is None
    assert "one cluster" in found.note
    assert regress(panel_from(moving(np.random.default_rng(8), runs=1)), "firm").own.error is not None


def test_shifting_a_firm_s_prices_of_a_run_changes_nothing():
    rng = np.random.default_rng(9)
    y, x = rng.normal(size=300), rng.normal(size=(300, 2))
    entity, cluster = np.repeat(np.arange(6), 50), np.repeat(np.arange(3), 100)
    plain = fixed_effects(y, x, entity, cluster)
    moved = fixed_effects(y + 5.0 * entity, x - 3.0 * entity[:, None], entity, cluster)
    assert moved.own.value == pytest.approx(plain.own.value, rel=1e-9)
    assert moved.rival.error == pytest.approx(plain.rival.error, rel=1e-9)


def test_best_replies_are_the_market_s():
    market = Market.symmetric()
    replies = Replies(market, 1.0)
    joint, nash = monopoly_prices(market), nash_prices(market)
    assert replies(joint)[0] == pytest.approx(1.6617, abs=5e-5)
    assert replies(nash) == pytest.approx(nash, abs=1e-5)
    assert replies.slope(nash) == pytest.approx(0.420, abs=5e-4)


@pytest.mark.parametrize("firms", [2, 3])
def test_best_replies_have_no_profit_left_to_gain(firms):
    market = Market([2.0, 2.2, 1.9][:firms], [1.0, 1.1, 0.8][:firms], price_scale=3.2, quantity_scale=100)
    prices = np.random.default_rng(0).uniform(1.1, 2.2, (50, firms))
    replies = Replies(market, 3.2)(prices)
    for firm in range(firms):
        played = prices.copy()
        played[:, firm] = replies[:, firm]
        assert market.profit_gradient(played * 3.2)[:, firm] == pytest.approx(np.zeros(50), abs=0.05)


def test_myopic_firms_load_on_the_rival_s_last_price_by_the_slope_of_the_best_reply():
    market = Market.symmetric()
    still = panel_of(np.full((7, 300, 2), 1.7), market)
    found = myopic_null(still, np.random.default_rng(0), replications=60)
    assert found.slope == pytest.approx(0.420, abs=5e-4)
    assert found.noise == 0.02
    assert found.rival.value == pytest.approx(0.42, abs=0.01)
    assert found.own.value == pytest.approx(0.0, abs=0.01)
    assert found.rival.low < 0.42 < found.rival.high


def test_the_null_is_the_very_regression_on_myopic_firms():
    """One set of myopic firms, simulated here with the market alone, lies where the null says."""
    market, rng = Market.symmetric(), np.random.default_rng(5)
    replies = Replies(market, 1.0)
    prices = np.empty((7, 300, 2))
    current = np.tile(nash_prices(market), (7, 1))
    for period in range(300):
        current = replies(current) + rng.normal(0, 0.05, current.shape)
        prices[:, period] = current
    panel = panel_of(prices, market)
    found, null = regress(panel), myopic_null(panel, np.random.default_rng(0))
    assert null.noise == pytest.approx(0.05, abs=0.002)
    assert null.rival.low < found.rival.value < null.rival.high
    assert null.own.low < found.own.value < null.own.high


def test_the_null_does_not_hang_on_the_price_scale():
    nulls = [
        myopic_null(
            panel_of(np.full((3, 90, 2), 1.7 * scale), Market.symmetric(price_scale=scale), scale=scale),
            np.random.default_rng(1),
            noise=0.05,
            replications=20,
        )
        for scale in (1.0, 10.0)
    ]
    assert nulls[0].rival.value == pytest.approx(nulls[1].rival.value, abs=1e-6)
    assert nulls[0].slope == pytest.approx(nulls[1].slope, abs=1e-5)


def test_the_null_needs_runs_rivals_and_a_market():
    rng, market = np.random.default_rng(0), Market.symmetric()
    assert myopic_null(panel_of(np.full((2, 9, 2), np.nan), market), rng) is None
    assert myopic_null(panel_of(np.ones((1, 9, 1)), Market.symmetric(firms=1)), rng) is None
    with pytest.raises(UsageError, match="does not know it"):
        myopic_null(panel_from(np.ones((2, 30, 2))), rng)
