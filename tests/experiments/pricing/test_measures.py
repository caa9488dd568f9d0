"""What a run comes to: windows, gains, convergence, and runs that never enter an average."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.errors import UsageError
from ludens.experiments.pricing.measures import averaging_window, by_firm, converged, group, measure
from ludens.experiments.pricing.panels import Panel
from tests.experiments.pricing.panels_for_tests import panel_from


def rng():
    return np.random.default_rng(0)


def test_price_and_gain_are_of_the_last_fifty_periods():
    prices = np.full((1, 300, 2), 9.0)
    prices[0, 250:, 0], prices[0, 250:, 1] = 1.5, 2.0
    (found,) = measure(panel_from(prices))
    assert found.window == 50
    assert found.prices == pytest.approx((1.5, 2.0))
    assert found.gains == pytest.approx((0.0, 1.0))
    assert (found.price, found.gain) == pytest.approx((1.75, 0.5))
    assert (found.nash, found.joint) == ((1.5, 1.5), (2.0, 2.0))


def test_the_scale_drops_out():
    prices = np.full((2, 100, 2), 1.8)
    prices[1] *= 10
    one, ten = measure(panel_from(prices, scale=[1, 10]))
    assert ten.price == pytest.approx(one.price) == 1.8
    assert ten.gain == pytest.approx(one.gain) == pytest.approx(0.6)


@pytest.mark.parametrize(("periods", "window"), [(300, 50), (100, 50), (60, 30), (30, 15), (1, 1)])
def test_short_runs_average_at_most_their_last_half(periods, window):
    assert averaging_window(periods) == window


def test_a_run_that_was_not_played_to_its_end_has_no_average_and_is_counted():
    prices = np.full((4, 60, 2), 1.5)
    prices[1, 17:] = np.nan
    prices[2, 3:] = np.nan
    prices[3] = 2.0
    measures = measure(panel_from(prices, ["done", "aborted", "running", "done"]))
    assert [found.played for found in measures] == [60, 17, 3, 60]
    assert (
        measures[1].price is measures[1].gains is measures[1].converged is measures[1].all_converged is None
    )
    found = group("all", measures, rng())
    assert (found.runs, found.aborted, found.unfinished) == (4, 1, 1)
    assert (found.price.value, found.price.n) == (1.75, 2)
    assert found.gain.value == 0.5
    assert (found.converged.value, found.converged.n) == (1.0, 2)


def test_where_no_run_is_done_there_is_no_average():
    found = group("all", measure(panel_from(np.full((1, 10, 2), np.nan), ["planned"])), rng())
    assert found.price.value is None
    assert found.converged.value is None
    assert (found.aborted, found.unfinished) == (0, 1)


def test_a_panel_in_which_nothing_was_played_at_all_is_measured_as_such():
    panel = panel_from(np.empty((2, 0, 2)), ["aborted", "planned"])
    assert panel.played.tolist() == [0, 0]
    found = group("all", measure(panel), rng())
    assert (found.runs, found.aborted, found.unfinished, found.price.value) == (2, 1, 1, None)


def test_convergence_is_the_published_rule():
    calm = np.full((300, 1), 1.0)
    calm[:200] = np.linspace(1, 9, 200)[:, None]
    assert converged(calm).all()
    jumpy = calm.copy()
    jumpy[200:209] = 5.0  # almost a tenth of the window may lie anywhere
    assert converged(jumpy[:, :1]).all()
    jumpy[200:220] = 1.06
    assert not converged(jumpy).any()
    jumpy[200:220] = 1.04
    assert converged(jumpy).all()


def test_each_firm_converges_by_itself_and_the_run_when_all_have():
    prices = np.full((1, 90, 2), 1.5)
    prices[0, ::2, 1] = 2.0
    (found,) = measure(panel_from(prices))
    assert found.converged == (True, False)
    assert found.all_converged is False


def test_a_firm_that_came_late_counts_from_when_it_came():
    prices = np.full((1, 100, 3), 1.5)
    prices[0, :80, 2] = np.nan
    prices[0, 80:, 2] = 2.0
    (found,) = measure(panel_from(prices))
    assert found.played == 100
    assert found.prices == pytest.approx((1.5, 1.5, 2.0))
    assert found.gains == pytest.approx((0, 0, 1))
    assert found.converged == (True, True, False)


def test_a_firm_that_never_came_is_left_out_of_the_mean():
    prices = np.full((1, 100, 2), 2.0)
    prices[0, :, 1] = np.nan
    (found,) = measure(panel_from(prices))
    assert found.price == 2.0
    assert np.isnan(found.prices[1])
    assert by_firm([found], rng())[1].price.value is None


def test_intervals_resample_runs():
    prices = np.stack([np.full((60, 2), price) for price in (1.5, 1.6, 1.7, 1.8)])
    found = group("all", measure(panel_from(prices)), rng()).price
    assert found.value == pytest.approx(1.65)
    assert found.method == "cluster bootstrap"
    assert found.clusters == 4
    assert 1.5 <= found.low < 1.65 < found.high <= 1.8


def test_firms_are_told_apart():
    prices = np.full((3, 60, 2), 1.5)
    prices[:, :, 1] = 2.0
    first, second = by_firm(measure(panel_from(prices)), rng())
    assert (first.gain.value, second.gain.value) == (0.0, 1.0)
    assert second.name == "firm 1"


@given(st.floats(0.1, 10), st.integers(1, 5), st.integers(2, 80))
def test_gain_is_linear_in_profit_so_that_the_mean_of_gains_is_the_gain_of_the_mean(scale, firms, periods):
    prices = np.random.default_rng(periods).uniform(1, 2, (1, periods, firms)) * scale
    panel = panel_from(prices, scale=[scale])
    (found,) = measure(panel)
    window = averaging_window(periods)
    mean = panel.profits[0, -window:].mean(axis=0)
    expected = (mean - 0.5 * scale) / (0.5 * scale)
    assert found.gains == pytest.approx(expected.tolist(), abs=1e-9)


def test_shapes_that_do_not_fit_are_a_sentence():
    good = panel_from(np.ones((2, 5, 2)))
    with pytest.raises(UsageError, match=r"needs profits as \(2, 5, 2\); got \(2, 5, 3\)"):
        Panel(**(vars(good) | {"profits": np.ones((2, 5, 3))}))
    with pytest.raises(UsageError, match="needs as many status"):
        Panel(**(vars(good) | {"status": ("done",)}))
    with pytest.raises(UsageError, match=r"\(runs, periods, firms\)"):
        Panel(**(vars(good) | {"prices": np.ones((2, 5))}))
