"""The two-lag regression: known slopes, agreement with statsmodels, and what it finds among firms that do
not collude."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

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
