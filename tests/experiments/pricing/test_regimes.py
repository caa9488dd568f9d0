"""Gains, convergence and welfare where firms differ, and where the market changes in the course of a run."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console

from ludens.envs.pricing import CostShock, DemandShock, Entrant, Exit, Market, OutsideOption, Regulator
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.envs.pricing.theory.welfare import welfare
from ludens.experiments.pricing.analysis import analyse, estimates
from ludens.experiments.pricing.events import Event, events
from ludens.experiments.pricing.figures import gain_distribution, price_paths, welfare_bars
from ludens.experiments.pricing.page import page, pictures
from ludens.experiments.pricing.reading import panel
from ludens.experiments.pricing.result import measured, panel_rows, to_json
from ludens.experiments.pricing.study import play_pricing
from ludens.experiments.pricing.tables import tables
from ludens.experiments.pricing.terminal import print_analysis

ASYMMETRIC = Market([2.75, 2.0], [1.0, 1.0], quantity_scale=100.0)


def played(folder, firms, **config):
    return panel(play_pricing(firms, path=folder / "run.db", **config))


def table_of(found, whole, title):
    (table,) = [each for each in tables(found, whole, ()) if each.title == title]
    return {
        name: dict(zip(table.headers, [cell.text for cell in row], strict=True))
        for name, row in zip(table.names, table.rows, strict=True)
    }


def test_two_firms_below_nash_have_no_positive_gain(tmp_path):
    whole = played(tmp_path, ["fixed:1.6", "fixed:1.6"], market=ASYMMETRIC, periods=20)
    found = analyse(whole)
    (run,) = found.measures
    earned = ASYMMETRIC.profits([1.6, 1.6])
    nash, joint = (ASYMMETRIC.profits(of(ASYMMETRIC)).sum() for of in (nash_prices, monopoly_prices))
    assert run.profits == pytest.approx((56.6, 2.8), abs=0.05)
    assert run.gain == pytest.approx((earned.sum() - nash) / (joint - nash))
    assert run.gain == pytest.approx(-0.24, abs=0.005)
    assert run.gains[0] == pytest.approx(-0.08, abs=0.005)
    assert np.isnan(run.gains[1])
    assert run.nash == pytest.approx(tuple(nash_prices(ASYMMETRIC)))
    assert run.joint == pytest.approx(tuple(monopoly_prices(ASYMMETRIC)))
    firms = table_of(found, whole, "Each firm")
    assert firms["firm 1: fixed 1.6"]["own Δ"] == "–"
    assert firms["firm 0: fixed 1.6"]["Nash price"] == "1.855"
    assert firms["firm 1: fixed 1.6"]["Nash price"] == "1.344"
    assert [row["value"] for row in estimates(found) if row["measure"] == "gain"] == [
        run.gain, run.gains[0], None,
    ]  # fmt: skip
    assert gain_distribution(found.measures) is not None


def test_after_an_exit_the_duopoly_s_benchmarks_count(tmp_path):
    whole = played(tmp_path, ["myopic"] * 3, interventions=[Exit(10, 2)], periods=100)
    found = analyse(whole)
    (run,) = found.measures
    assert run.gain == pytest.approx(0, abs=1e-9)
    assert run.converged == (True, True, None)
    assert run.all_converged is True
    assert np.isnan(run.nash[2])
    assert run.nash[:2] == pytest.approx(tuple(nash_prices(Market.symmetric())))
    before, after = found.regimes
    assert (before.first, before.last, after.first, after.last) == (1, 9, 10, 100)
    assert (before.present, after.present) == ((0, 1, 2), (0, 1))
    assert before.nash == pytest.approx(tuple(nash_prices(Market.symmetric(3))))
    assert after.group.gain.value == pytest.approx(0, abs=1e-9)
    expected = welfare(Market.symmetric(quantity_scale=100), nash_prices(Market.symmetric()))
    assert after.group.consumer_surplus.value == pytest.approx(float(expected.consumer))
    assert after.group.deadweight_loss.value == pytest.approx(float(expected.deadweight))
    assert np.isnan(whole.gains[0, 9:, 2]).all()


def test_a_demand_shock_at_nash_gives_no_gain_before_and_after_it(tmp_path):
    shock = DemandShock(11, qualities=0.5, outside=0.1, until=21)
    whole = played(tmp_path, ["nash", "nash"], interventions=[shock], periods=40)
    assert whole.total_gains == pytest.approx(np.zeros((1, 40)), abs=1e-9)
    found = analyse(whole)
    assert [each.group.gain.value for each in found.regimes] == pytest.approx([0, 0, 0], abs=1e-9)
    assert len({each.nash for each in found.regimes}) == 2


def test_a_cost_shock_at_nash_gives_no_gain(tmp_path):
    whole = played(tmp_path, ["nash", "nash"], interventions=[CostShock(11, costs=(0.3, 0.0))], periods=20)
    assert whole.total_gains == pytest.approx(np.zeros((1, 20)), abs=1e-9)
    (run,) = analyse(whole).measures
    assert run.nash == pytest.approx(tuple(nash_prices(Market([2, 2], [1.3, 1]))))


def test_a_window_over_a_change_takes_each_period_with_its_own_benchmarks(tmp_path):
    # The averages of 20 periods lie over the entry: ten periods of a duopoly, ten of three firms.
    whole = played(tmp_path, ["monopoly"] * 3, interventions=[Entrant(31, 2)], periods=40)
    (run,) = analyse(whole).measures
    assert run.window == 20
    assert run.gain == pytest.approx(1)
    assert run.gains == pytest.approx((1, 1, 1))


def test_fines_do_not_enter_the_gain_and_stand_in_a_column_of_their_own(tmp_path):
    run = play_pricing(
        ["nash", "nash"], interventions=[Regulator(1.0, 5.0)], periods=10, scales=(3.2,),
        path=tmp_path / "r.db",
    )  # fmt: skip
    result = measured(run)
    (found,) = result.analysis.measures
    assert found.gain == pytest.approx(0, abs=1e-9)
    assert found.fines == pytest.approx((5.0, 5.0))
    assert found.fine == pytest.approx(10.0)
    assert found.profit == pytest.approx(44.585, abs=1e-2)
    headers = [each.headers for each in tables(result.analysis, result.panel, ())]
    assert sum("fines" in each for each in headers) == 3
    row = next(iter(panel_rows(result.panel)))
    assert row["fine"] == pytest.approx(16.0)
    assert row["total_gain"] == pytest.approx(0, abs=1e-9)
    assert row["profit"] > 60  # before the fine
    # What the firm was paid is less the fine.
    assert run.episodes()[0].payoffs["firm_0"] == pytest.approx(10 * (row["profit"] - 16))
    console = Console(file=io.StringIO(), width=80)
    print_analysis(result.analysis, console)
    assert "fines" in console.file.getvalue()


def test_without_fines_no_table_has_their_column(tmp_path):
    whole = played(tmp_path, ["nash", "nash"], interventions=[Regulator(9.0, 5.0)], periods=10)
    assert not any("fines" in each.headers for each in tables(analyse(whole), whole, ()))


def test_welfare_of_a_run_is_that_of_its_market(tmp_path):
    whole = played(tmp_path, ["fixed:1.5", "fixed:1.8"], market=ASYMMETRIC, periods=10, scales=(10,))
    found = analyse(whole)
    expected = welfare(ASYMMETRIC, [1.5, 1.8])
    (group,) = found.groups
    assert group.consumer_surplus.value == pytest.approx(float(expected.consumer))
    assert group.total_surplus.value == pytest.approx(float(expected.total))
    assert group.deadweight_loss.value == pytest.approx(float(expected.deadweight))
    rows = table_of(found, whole, "Profits and welfare")
    assert list(rows) == ["all runs", "at Nash prices", "at joint-profit prices", "at marginal costs"]
    nash = welfare(ASYMMETRIC, nash_prices(ASYMMETRIC))
    assert rows["at Nash prices"]["consumer surplus"] == f"{float(nash.consumer):.2f}"
    assert rows["at marginal costs"]["deadweight loss"] == "0.00"
    named = {row["measure"] for row in estimates(found) if row["of"] == "all runs"}
    assert {"profit", "consumer_surplus", "total_surplus", "deadweight_loss", "fine"} <= named


def test_the_null_is_left_out_where_the_market_changes_in_the_regression_s_periods(tmp_path):
    shock = [DemandShock(25, qualities=0.3)]
    whole = played(tmp_path, ["myopic", "random"], periods=30, runs=3, interventions=shock)
    assert analyse(whole).null is None
    early = [DemandShock(3, qualities=0.3)]
    changed = panel(
        play_pricing(["myopic", "random"], periods=30, runs=3, interventions=early, path=tmp_path / "e.db")
    )
    assert analyse(changed).null is not None


def test_pictures_mark_every_event_and_every_fine(tmp_path):
    changes = [
        Entrant(4, 2), Exit(9, 0), DemandShock(6, qualities=0.3, until=11), OutsideOption((-0.2, 0.2)),
        Regulator(1.4, 1.0, period=2),
    ]  # fmt: skip
    whole = played(tmp_path, ["fixed:1.5"] * 3, interventions=changes, periods=12)
    marked = events(changes)
    assert marked == (
        Event(2, "prices above 1.4 are fined"),
        Event(4, "firm 2 enters"),
        Event(6, "demand changes"),
        Event(9, "firm 0 leaves"),
        Event(11, "demand is as before"),
    )
    found = analyse(whole)
    (axes,) = price_paths(whole, found.measures).axes
    assert [text.get_text() for text in axes.texts] == ["A", "B", "C", "D", "E"]
    upright = [line for line in axes.lines if len(set(line.get_xdata())) == 1 and len(line.get_xdata()) == 2]
    assert {line.get_xdata()[0] for line in upright} == {1.5, 3.5, 5.5, 8.5, 10.5}
    triangles = [line for line in axes.lines if line.get_marker() == "v"]
    assert sum(len(line.get_xdata()) for line in triangles) == (whole.fines > 0).sum() == 7 + 11 + 9
    (said,) = [each.caption for each in pictures(whole, found) if each.name == "paths"]
    assert "B (from period 4): firm 2 enters" in said
    assert "Red triangles" in said


def test_bars_of_the_surplus_add_up_to_the_efficient_one(tmp_path):
    result = measured(play_pricing(["nash", "myopic"], periods=12, path=tmp_path / "r.db"))
    (shown,) = [each for each in page(result).pictures if each.name == "welfare"]
    (axes,) = shown.figure.axes
    rows: dict[float, float] = {}
    for bar in axes.patches:
        rows[round(bar.get_y(), 3)] = rows.get(round(bar.get_y(), 3), 0.0) + bar.get_width()
    best = float(welfare(Market.symmetric(quantity_scale=100), [1.0, 1.0]).efficient)
    assert len(rows) == 4
    assert list(rows.values()) == pytest.approx([best] * 4)
    assert welfare_bars([]) is None


def test_json_holds_regimes_and_no_nan(tmp_path):
    run = play_pricing(["myopic"] * 3, interventions=[Exit(5, 1)], periods=9, path=tmp_path / "r.db")
    data = json.loads(json.dumps(to_json(measured(run)), allow_nan=False))
    assert [each["present"] for each in data["regimes"]] == [[0, 1, 2], [0, 2]]
    assert data["regimes"][1]["nash"][1] is None
    assert data["runs"][0]["consumer_surplus"] > 0


def test_four_firms_fit_80_columns(tmp_path):
    run = play_pricing(
        ["homo_moralis:0.5,universalisation=firms_and_consumers"] * 4, periods=9, runs=2,
        interventions=[Exit(5, 1), Regulator(1.0, 5.0)], path=tmp_path / "r.db",
    )  # fmt: skip
    console = Console(file=io.StringIO(), width=80, highlight=False)
    print_analysis(measured(run).analysis, console)
    out = console.file.getvalue()
    assert max(map(len, out.splitlines())) <= 80
    assert "…" not in out
