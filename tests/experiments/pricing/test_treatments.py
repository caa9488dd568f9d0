"""Treatments against each other: what is paired, what is not, and known answers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats

from ludens.agents import Decision, Policy
from ludens.envs.pricing import Market
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.errors import UsageError
from ludens.experiments import extend
from ludens.experiments.pricing.measures import measure
from ludens.experiments.pricing.reading import panel
from ludens.experiments.pricing.study import play_pricing
from ludens.experiments.pricing.treatments import compare
from ludens.experiments.pricing.treatments_page import page, treatments_table, warnings
from ludens.experiments.report.page import render
from ludens.experiments.runs.database import NoRunError


def played(tmp_path, name, firms, periods=10, **config):
    path = tmp_path / f"{name}.db"
    play_pricing(firms, periods=periods, path=path, **config)
    return path


def values(path, name):
    return np.array([getattr(each, name) for each in measure(panel(path))])


def test_nash_and_joint_profit_firms_differ_by_the_published_numbers(tmp_path):
    runs = {
        "competition": played(tmp_path, "a", ["nash", "nash"], scales=(1, 10)),
        "cartel": played(tmp_path, "b", ["monopoly", "monopoly"], scales=(1, 10)),
    }
    found = compare(runs)
    (difference,) = found.differences
    assert (difference.name, difference.against) == ("cartel", "competition")
    assert difference.gain.value == pytest.approx(1)
    assert difference.price.value == pytest.approx(1.924981 - 1.472927, abs=1e-5)
    assert difference.profit.value == pytest.approx(200 * (0.337490 - 0.222927), abs=1e-3)
    assert difference.price.low is None
    assert "do not vary" in difference.price.note
    assert [each.developed.colluding.value for each in found.treatments] == [0, 1]
    assert found.treatments[1].developed.collusion.value == 1
    assert [each.developed.cycling.value for each in found.treatments] == [0, 0]
    reversed_ = compare(runs, against="cartel").differences[0]
    assert reversed_.gain.value == pytest.approx(-1)


def test_the_same_seeds_are_compared_run_by_run_and_others_are_not(tmp_path):
    first = played(tmp_path, "first", ["random", "random"], runs=6, seed=3)
    same = played(tmp_path, "same", ["random", "matching"], runs=6, seed=3)
    other = played(tmp_path, "other", ["random", "matching"], runs=5, seed=4)
    longer = played(tmp_path, "longer", ["random", "random"], periods=12, runs=6, seed=3)
    found = {each.name: each for each in compare([first, same, other, longer]).differences}
    pairs, welch = found["same"].gain, found["other"].gain
    expected = stats.ttest_rel(values(same, "gain"), values(first, "gain")).confidence_interval()
    assert (pairs.low, pairs.high) == pytest.approx((expected.low, expected.high))
    assert (pairs.method, pairs.n) == ("paired t", 6)
    a, b = values(first, "gain"), values(other, "gain")
    expected = stats.ttest_ind(b, a, equal_var=False).confidence_interval()
    assert (welch.low, welch.high) == pytest.approx((expected.low, expected.high))
    assert (welch.method, welch.n) == ("Welch's t", 11)
    assert found["longer"].gain.method == "Welch's t"


def test_pairs_have_the_same_scale_where_runs_were_added(tmp_path):
    once = played(tmp_path, "once", ["random", "random"], scales=(1, 2), runs=2, seed=3)
    grown = played(tmp_path, "grown", ["random", "matching"], scales=(1, 2), seed=3)
    extend(grown, runs=2)
    difference = compare([once, grown]).differences[0]
    # Numbers 0 to 3 are scales 1, 1, 2, 2 and 1, 2, 1, 2.
    assert difference.price.n == 2
    ours, theirs = values(grown, "price"), values(once, "price")
    assert difference.price.value == pytest.approx((ours - theirs)[[0, 3]].mean())


class Silent(Policy):
    """Charges the Nash price of scale 1, and says nothing at any other scale."""

    name = "silent"

    def decide(self, turn, rng):
        if turn.facts["market"].price_scale > 1:
            return Decision(None, status="invalid", on_invalid="abort")
        return Decision(1.472927)


def test_a_run_without_a_price_enters_no_mean_and_is_warned_of(tmp_path):
    whole = played(tmp_path, "whole", ["nash", "nash"], scales=(1, 10))
    partly = played(tmp_path, "partly", [Silent(), "nash"], scales=(1, 10))
    found = compare([whole, partly])
    assert found.differences[0].price.n == 1
    assert found.differences[0].price.value == pytest.approx(0, abs=1e-5)
    assert warnings(found) == ("1 of 2 runs of partly are not done and enter no mean.",)
    silent = played(tmp_path, "silent", [Silent(), "nash"], scales=(10,))
    missing = compare([whole, silent]).differences[0].gain
    assert missing.value is None
    assert missing.note


def test_price_scales_of_one_run_are_treatments(tmp_path):
    path = played(tmp_path, "a", ["nash", "matching"], scales=(1, 3.2, 10))
    found = compare([path], by="scale")
    assert [each.name for each in found.treatments] == ["α = 1", "α = 3.2", "α = 10"]
    assert [each.gain.value for each in found.differences] == pytest.approx([0, 0], abs=1e-9)
    both = compare({"x": path, "y": played(tmp_path, "b", ["nash", "nash"])}, by="scale")
    assert [each.name for each in both.treatments] == ["x, α = 1", "x, α = 3.2", "x, α = 10", "y, α = 1"]


def test_numbers_of_firms_are_pooled_over_files(tmp_path):
    three = played(tmp_path, "three", ["nash"] * 3)
    runs = [
        three,
        *(played(tmp_path, name, ["nash", rule]) for name, rule in (("a", "nash"), ("b", "myopic"))),
    ]
    runs.append(played(tmp_path, "cartel", ["monopoly", "monopoly"]))
    found = compare(runs, by="firms")
    assert [(each.name, each.firms, each.measures.runs) for each in found.treatments] == [
        ("2 firms", 2, 3),
        ("3 firms", 3, 1),
    ]
    two, market = 1.472927, Market.symmetric(3)
    assert found.treatments[0].measures.price.value == pytest.approx((2 * two + 1.924981) / 3, abs=1e-5)
    assert found.treatments[0].measures.price.clusters == 3
    assert found.treatments[1].measures.price.value == pytest.approx(float(nash_prices(market)[0]))
    assert monopoly_prices(market)[0] == pytest.approx(2.0)
    assert found.treatments[0].files == ("a.db", "b.db", "cartel.db")


def test_the_report_holds_tables_and_picture_and_every_estimate_is_a_row(tmp_path):
    first = played(tmp_path, "first", ["random", "random"], runs=4)
    second = played(tmp_path, "second", ["random", "matching"], runs=4, seed=1)
    found = compare([first, second])
    text = re.sub(r"\s+", " ", render(page(found)))
    for words in ("first against second", "Differences from first", "Do the treatments differ?", "<svg"):
        assert words in text
    assert treatments_table(found).rows[1][1].text == "4"
    rows = list(found.rows())
    assert len(rows) == 2 * 6 + 3
    assert rows[-2]["measure"] == "gain"
    assert rows[-2]["value"] == found.differences[0].gain.value
    assert found.as_json()["differences"][0]["gain"]["value"] == rows[-2]["value"]


def test_what_cannot_be_compared_is_refused(tmp_path):
    path = played(tmp_path, "a", ["nash", "nash"])
    with pytest.raises(UsageError, match="needs two treatments, and by run there is 1"):
        compare([path])
    with pytest.raises(UsageError, match="Two runs are called 'a'"):
        compare([path, path])
    with pytest.raises(UsageError, match="no treatment 'c'; there are a, b"):
        compare({"a": path, "b": path}, against="c")
    with pytest.raises(UsageError, match="run, scale or firms; got 'prefix'"):
        compare([path], by="prefix")
    with pytest.raises(NoRunError):
        compare([path, tmp_path / "nosuch.db"])
