"""Learning paths, times to collusion and Edgeworth cycles of whole runs, on prices made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.envs.pricing import Exit, Market
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices, price_grid, profit_gain
from ludens.experiments import load, report
from ludens.experiments.pricing.analysis import analyse, estimates
from ludens.experiments.pricing.dynamics import measure_dynamics, moving_gains, time_to_collusion, windows
from ludens.experiments.pricing.dynamics_page import dynamics_lines, dynamics_picture, dynamics_tables
from ludens.experiments.pricing.panels import panel_of
from ludens.experiments.pricing.reading import panel
from ludens.experiments.pricing.study import play_pricing

MARKET = Market.symmetric(2, quantity_scale=100.0)
NASH, JOINT = float(nash_prices(MARKET)[0]), float(monopoly_prices(MARKET)[0])


def of(*prices, market=MARKET):
    """The dynamics of runs in which both firms charge these prices."""
    made = panel_of(np.repeat(np.array(prices)[..., None], 2, axis=2), market)
    return measure_dynamics(made, np.random.default_rng(0))


def test_a_jump_from_nash_to_the_joint_profit_price_is_found_in_its_period():
    found = of([NASH] * 40 + [JOINT] * 60)
    (run,) = found.runs
    assert run.gains == pytest.approx([0] * 4 + [1] * 6, abs=1e-9)
    assert found.windows[3:5] == ((31, 40), (41, 50))
    # From period 38 on, at least seven of ten periods are at the joint-profit price.
    assert run.collusion == 38
    assert found.colluding.value == 1
    assert found.collusion.value == 38
    assert not run.cycles.cycling
    assert [each.name for each in found.paths] == ["all runs", "firm 0", "firm 1"]
    assert [each.gains[9].value for each in found.paths] == pytest.approx([1, 1, 1])


def test_collusion_that_ends_or_begins_at_the_very_end_is_none():
    found = of([JOINT] * 60 + [NASH] * 40, [NASH] * 85 + [JOINT] * 15, [JOINT] * 100)
    assert [each.collusion for each in found.runs] == [None, None, 1]
    assert found.colluding.value == pytest.approx(1 / 3)
    assert (found.colluding.n, found.collusion.value) == (3, 1)
    assert "1 of 3 runs, on average from period 1 on" in dynamics_lines(found)[0]


def test_the_path_averages_profits_and_not_gains_of_periods():
    rng = np.random.default_rng(1)
    prices = rng.uniform(1.3, 2.2, (1, 50, 2))
    made = panel_of(prices, MARKET)
    found = measure_dynamics(made, rng)
    nash, joint = (MARKET.profits(each(MARKET)).sum() for each in (nash_prices, monopoly_prices))
    earned = MARKET.profits(prices[0]).sum(axis=1)
    expected = [(earned[start : start + 5].mean() - nash) / (joint - nash) for start in range(0, 50, 5)]
    assert found.runs[0].gains == pytest.approx(expected)
    moved = moving_gains(made.profits[0], made.nash_profits[0], made.joint_profits[0], 5)
    assert len(moved) == 46
    assert moved[::5] == pytest.approx(expected)
    single = moving_gains(made.profits[0], made.nash_profits[0], made.joint_profits[0], 1)
    assert single == pytest.approx(profit_gain(MARKET, prices[0]))


def test_a_sawtooth_of_the_market_is_an_edgeworth_cycle():
    sawtooth = np.tile(np.linspace(1.95, 1.45, 6), 20)
    found = of(sawtooth, [NASH] * 120, np.tile([NASH, JOINT], 60))
    assert [each.cycles.cycling for each in found.runs] == [True, False, False]
    assert found.cycling.value == pytest.approx(1 / 3)
    assert found.length.value == 6
    assert found.amplitude.value == pytest.approx(0.5)
    assert found.share.value == pytest.approx(108 / 120)
    assert dynamics_lines(found)[-1] == "Edgeworth cycles in 1 of 3 runs, 6.0 periods long"


def test_the_scale_of_prices_does_not_matter_to_cycles():
    sawtooth = np.tile(np.linspace(19.5, 14.5, 6), 20)
    prices = np.repeat(sawtooth[None, :, None], 2, axis=2)
    made = panel_of(prices, Market.symmetric(2, price_scale=10.0), scale=10.0)
    found = measure_dynamics(made, np.random.default_rng(0))
    assert found.amplitude.value == pytest.approx(0.5)


def test_runs_that_are_not_done_have_no_dynamics():
    prices = np.full((2, 20, 2), JOINT)
    prices[1, 10:] = np.nan
    found = measure_dynamics(panel_of(prices, MARKET), np.random.default_rng(0))
    assert [each.run for each in found.runs] == [0]
    nothing = measure_dynamics(panel_of(prices[1:], MARKET), np.random.default_rng(0))
    assert nothing.runs == ()
    assert nothing.colluding.value is None
    assert dynamics_tables(nothing) == []
    assert dynamics_lines(nothing) == ()
    assert dynamics_picture(panel_of(prices[1:], MARKET), nothing).figure is None


def test_one_firm_has_no_gain_and_does_not_collude():
    market = Market.symmetric(1)
    price = float(nash_prices(market)[0])
    found = measure_dynamics(panel_of(np.full((1, 30, 1), price), market), np.random.default_rng(0))
    assert found.runs[0].gains == (None,) * 10
    assert found.runs[0].collusion is None
    assert found.colluding.value is None
    assert dynamics_tables(found)[1].rows[1][0].text == "–"


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ([0.6, 0.4, 0.5, 0.6], 3),
        ([0.5, 0.5], 1),
        ([0.6, 0.4], None),
        ([0.6, np.nan, 0.6], 3),
        ([np.nan], None),
        ([], None),
    ],
)
def test_the_time_to_collusion_by_hand(gains, expected):
    assert time_to_collusion(np.array(gains), 0.5) == expected


def test_collusion_must_last():
    assert time_to_collusion(np.array([0.0, 0.0, 0.9, 0.9]), least=3) is None
    assert time_to_collusion(np.array([0.0, 0.0, 0.9, 0.9]), least=2) == 3


@pytest.mark.parametrize("periods", [20, 100])
def test_prices_at_random_are_hardly_ever_collusive(periods):
    rng = np.random.default_rng(periods)
    gains = profit_gain(MARKET, rng.choice(price_grid(MARKET, 15), (500, periods, 2)))
    moved = np.lib.stride_tricks.sliding_window_view(gains, 10, axis=1).mean(axis=-1)
    assert moved.mean() == pytest.approx(0.497, abs=0.01)
    assert moved.std() == pytest.approx(0.10, abs=0.01)
    times = [time_to_collusion(each, least=round(len(each) / 4)) for each in moved]
    assert np.mean([each is not None for each in times]) <= 0.01


def test_windows_cover_every_period_once():
    for periods in (0, 1, 7, 10, 23, 300):
        parts = windows(periods)
        assert [period for start, end in parts for period in range(start, end)] == list(range(periods))
        assert len(parts) == min(periods, 10)


def test_after_an_exit_the_path_is_measured_against_those_that_stay(tmp_path):
    run = play_pricing(
        ["nash", "nash", "nash"], periods=40, interventions=[Exit(21, 2)], path=tmp_path / "run.db"
    )
    found = measure_dynamics(panel(run), np.random.default_rng(0))
    assert found.runs[0].gains == pytest.approx([0] * 10, abs=1e-6)
    assert np.isnan(found.runs[0].firms[2][-1])
    assert found.paths[-1].gains[-1].value is None


def test_the_dynamics_stand_in_report_and_estimates(tmp_path):
    run = play_pricing(["grim", "grim"], periods=20, runs=2, scales=(1, 10), path=tmp_path / "run.db")
    report(run.path)
    text = run.path.with_suffix(".html").read_text(encoding="utf-8")
    for words in ("Learning path", "Collusion and cycles", "How does the profit gain develop?"):
        assert words in text
    _, result = load(run.path)
    assert [each.name for each in result.analysis.dynamics.paths] == [
        "all runs",
        "α = 1",
        "α = 10",
        "firm 0",
        "firm 1",
    ]
    rows = {(row["measure"], row["of"]): row for row in estimates(analyse(panel(run)))}
    assert rows["path_gain", "α = 10, periods 3 to 4"]["value"] == pytest.approx(1)
    assert rows["collusion", "all runs"]["value"] == 1
    assert rows["edgeworth_cycling", "all runs"]["value"] == 0
