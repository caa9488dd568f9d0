"""Capacity limits on the command line, in study files, prompts and tables."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest

from ludens import cli
from ludens.agents.llm.prompts.prices import PricePromptOptions, render_price_turn
from ludens.agents.pricing.view import market_view
from ludens.agents.pricing.words import market_words
from ludens.envs.pricing import Market
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.experiments.pricing.study import play_pricing
from tests.agents.pricing.turns import pricing_turn

SHORT = Market([2.0, 2.0], [1.0, 1.0], quantity_scale=100.0, capacities=[25, 90])


@pytest.fixture
def ran(tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder; returns code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_oracles_know_the_limits_and_the_benchmarks_are_those_of_the_limited_market(ran, tmp_path):
    options = ("price", "--firms", "nash,nash", "--periods", 3, "--market", "capacities=25,90")
    code, out, _ = ran(*options, "--out", "a.db", "--json")
    assert code == 0
    found = json.loads(out)["runs"][0]
    np.testing.assert_allclose(found["nash"], nash_prices(SHORT), rtol=1e-9)
    np.testing.assert_allclose(found["joint"], monopoly_prices(SHORT), rtol=1e-9)
    assert found["gain"] == pytest.approx(0, abs=1e-9)
    code, text, _ = ran(*options, "--print-config")
    assert code == 0
    assert tomllib.loads(text)["pricing"]["market"]["capacities"] == [25, 90]
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    code, again, _ = ran("run", "study.toml", "--out", "b.db", "--json")
    assert code == 0
    assert json.loads(again)["runs"] == json.loads(out)["runs"]


def test_a_market_without_benchmarks_is_played_and_shows_dashes(ran):
    options = ("--market", "capacities=25", "--market", "rationing=reroute", "--periods", 4)
    code, out, err = ran("price", "--firms", "fixed:1.5,fixed:1.6", *options, "--out", "a.db", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)["runs"][0]
    assert found["gain"] is None
    assert found["nash"] == [None, None]
    code, out, _ = ran("price", "report", "a.db")
    assert code == 0
    code, _, err = ran("price", "--firms", "nash,fixed:1.6", *options, "--out", "c.db")
    assert code != 0
    assert "none in pure strategies" in err


def test_sales_are_limited_in_the_panel(tmp_path):
    with play_pricing(
        "fixed:1.2", market=SHORT, periods=2, path=tmp_path / "run.db", scales=(1.0, 10.0)
    ) as run:
        from ludens.experiments.pricing.reading import panel

        sold = panel(run).quantities
    np.testing.assert_allclose(sold[..., 0], 25, rtol=1e-12)
    assert np.all(sold[..., 1] > 25)


@pytest.mark.parametrize("layout", ["full", "compact"])
@pytest.mark.parametrize(("rationing", "said"), [("leave", "buy nothing"), ("reroute", "still have")])
def test_models_read_the_limits(layout, rationing, said):
    market = Market([2, 2, 2], [1, 1, 1], quantity_scale=100, capacities=[25, 90, 40], rationing=rationing)
    turn = pricing_turn([(1.5, 1.6, 1.7)], market=market)
    prompt = render_price_turn(market_view(turn), PricePromptOptions(layout=layout), "slots")
    text = prompt.messages[1]["content"]
    assert "Your firm can sell at most 25 units in a period. Competitor 1 can sell at most 90." in text
    assert said in text
    assert "You can sell at most 25 units, others 90, 40." in market_words(turn)
    usual = render_price_turn(market_view(pricing_turn()), PricePromptOptions(layout=layout), "slots")
    assert "at most" not in usual.messages[1]["content"].partition("OBSERVATIONS")[0]


def test_limits_of_rivals_are_said_by_firm_and_product():
    def said(market):
        turn = pricing_turn([[1.5] * market.products], market=market)
        return render_price_turn(market_view(turn), PricePromptOptions(), "slots").messages[1]["content"]

    two = Market([2, 2], [1, 1], quantity_scale=100, capacities=[25, 90])
    assert "The competitor can sell at most 90." in said(two)
    alike = Market([2, 2, 2], [1, 1, 1], quantity_scale=100, capacities=[25, 40, 40])
    assert "Each other firm can also sell at most 40." in said(alike)
    owned = Market([2, 2, 2], [1, 1, 1], owners=[0, 1, 1], quantity_scale=100, capacities=[25, 40, 40])
    assert "The competitor can sell at most 40 of its product 1." in said(owned)
    assert "Each other firm" not in said(owned)


def test_a_homogeneous_market_has_no_limits_here(ran):
    options = ("--market", "demand=homogeneous", "--market", "capacities=5")
    code, _, err = ran("price", "--firms", "fixed:0.5,fixed:0.5", *options)
    assert code == 2
    assert "capacities is no number of a market with homogeneous demand" in err


def test_random_prices_that_have_no_usual_range_are_refused_before_a_file_is_made(tmp_path):
    linear = {"demand": "linear", "substitution": 1, "capacities": 30}
    with pytest.raises(EquilibriumError, match="logit demand"):
        play_pricing(["fixed:1.6", "random"], path=tmp_path / "run.db", periods=2, market=linear)
    assert list(tmp_path.iterdir()) == []
