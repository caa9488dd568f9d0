"""Markets with other demand than the plain logit, from the command line and from study files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from ludens import cli
from ludens.agents.llm.prompts.prices import PricePromptOptions, render_price_turn
from ludens.agents.pricing.view import market_view
from ludens.envs.pricing import HomogeneousMarket, Market
from ludens.experiments.pricing.cells import training_of
from ludens.experiments.pricing.config import PricingConfig
from ludens.experiments.pricing.market_config import market_of
from tests.agents.pricing.turns import pricing_turn


@pytest.fixture
def ran(tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder; returns code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def options(**numbers):
    return [part for name, value in numbers.items() for part in ("--market", f"{name}={value}")]


def nested(nests, sigma, prices):
    """Profits under nested logit demand by its formula, written again for one σ."""
    values = (2.0 - np.asarray(prices)) / (0.25 * (1 - sigma))
    nests = np.asarray(nests)
    totals = np.array([np.exp(values[nests == nest]).sum() for nest in range(nests.max() + 1)])
    powers = totals ** (1 - sigma)
    shares = np.exp(values) / totals[nests] * powers[nests] / (1 + powers.sum())
    return 100.0 * (np.asarray(prices) - 1.0) * shares


def nash_by_replies(profits, start):
    """Nash prices by turns of one-dimensional best replies, which know nothing of first-order conditions."""
    prices = np.array(start, dtype=float)
    for _ in range(200):
        for firm in range(len(prices)):

            def loss(price, firm=firm):
                return -profits(np.where(np.arange(len(prices)) == firm, price, prices))[firm]

            prices[firm] = minimize_scalar(loss, bounds=(1.0, 4.0), method="bounded",
                                           options={"xatol": 1e-10}).x  # fmt: skip
    return prices


CASES = [
    # Shubik & Levitan: q = [1 − m − γ(m − m̄)]/J, so that Nash margins solve 1 − m = m(1 + γ/2); joint 1/2.
    (options(demand="linear", substitution=1), (1.4, 1.4), (1.5, 1.5)),
    # One good: competition drives the price to cost; a monopolist charges (1 + c)/2, with unit demand 1.
    (options(demand="homogeneous", cost=0.2), (0.2, 0.2), (0.6, 0.6)),
    ([*options(demand="homogeneous", unit="true"), "--costs", 0.2], (0.2, 0.2), (1.0, 1.0)),
]


@pytest.mark.parametrize(("market", "nash", "joint"), CASES)
def test_a_market_named_on_the_command_line_is_played_kept_and_measured(ran, market, nash, joint):
    code, out, err = ran("price", "--firms", "nash,monopoly", "--periods", 8, *market, "--json",
                         "--panel", "p.csv", "--out", "r.db")  # fmt: skip
    assert (code, err) == (0, "")
    (run,) = json.loads(out)["runs"]
    assert run["nash"] == pytest.approx(nash)
    assert run["joint"] == pytest.approx(joint)
    assert run["prices"] == pytest.approx((nash[0], joint[1]))
    with Path("p.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["nash_price"]) == pytest.approx(nash[0])
    assert json.loads(ran("resume", "r.db", "--json")[1])["runs"] == [run]
    both = json.loads(ran("extend", "r.db", "runs=2", "--json")[1])["runs"]
    assert [each["prices"] for each in both] == [run["prices"]] * 2
    assert ran("export", "r.db", "--table", "panel", "--out", "q.csv")[0] == 0
    assert Path("q.csv").read_text(encoding="utf-8").count("\n") == 1 + 2 * len(rows)


def test_the_study_file_of_a_market_is_played_again(ran):
    asked = ("price", "--firms", "nash", "--periods", 6, *options(
        demand="nested", nests="0,0,1", nest_parameter=0.5, quantity_scale=10))  # fmt: skip
    written = ran(*asked, "--print-config")[1]
    Path("study.toml").write_text(written, encoding="utf-8")
    (run,) = json.loads(ran("run", "study.toml", "--json")[1])["runs"]
    expected = nash_by_replies(lambda prices: nested([0, 0, 1], 0.5, prices), [1.4, 1.4, 1.4])
    assert run["prices"] == pytest.approx(expected, abs=1e-6)
    assert run["profits"] == pytest.approx(nested([0, 0, 1], 0.5, expected) / 10, abs=1e-6)
    assert run["gain"] == pytest.approx(0.0, abs=1e-9)
    assert json.loads(ran(*asked, "--json")[1])["runs"][0]["prices"] == run["prices"]


def test_short_forms_are_written_out():
    market = PricingConfig(firms=["nash"], market={"firms": 3, "quality": 3, "cost": 0.5}).market.made(1)
    assert market == Market([3.0] * 3, [0.5] * 3, quantity_scale=100.0)
    slopes = [[0.75, -0.25], [-0.25, 0.75]]
    assert market_of({"demand": "linear", "substitution": 1}, 2) == market_of(
        {"demand": "linear", "slopes": slopes}, 2
    )
    config = PricingConfig(firms=["nash"], market={"demand": "homogeneous", "firms": 3})
    assert len(config.firms) == 3
    assert PricingConfig(**config.as_json()).market.made(1) == HomogeneousMarket(3, quantity_scale=100.0)
    assert training_of({"demand": "linear", "substitution": 2, "firms": 3}).market.firms == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (options(demand="linear"), "needs substitution"),
        ([*options(demand="linear", substitution=1), "--mu", 0.3], "mu is no number of a market with linear"),
        (options(demand="nested"), "needs nests"),
        (options(demand="homogeneous", quality=2), "quality is no number"),
        (options(demand="cubic"), "demand"),
        (options(quality=2, qualities="2,2"), "qualities or quality"),
        (options(colour="red"), "--market takes"),
        (options(firms="many", costs="1,1"), "firms of a market should be a valid integer"),
        (options(owners="a,b"), "owners of a market should be"),
        (options(demand="homogeneous", unit="maybe"), "unit of a market should be"),
        (["--market", "demand"], "--market takes KEY=VALUE"),
        (options(firms=3, costs="1,1"), "3 firms"),
        (options(demand="linear", substitution=1, outside=0.5), "no outside good"),
    ],
)
def test_numbers_that_make_no_market_are_refused_by_one_sentence(ran, arguments, said):
    code, out, err = ran("price", "--firms", "nash,nash", *arguments, "--out", "r.db")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert said in err
    assert not list(Path().iterdir())


def test_a_sweep_trains_in_the_same_markets(ran):
    code, out, _ = ran("price", "sweep", *options(demand="linear", substitution=1), "--set", "beta=1e-3",
                       "--sessions", 2, "--json", "--out", "s.db")  # fmt: skip
    assert code == 0
    assert "linear" in json.dumps(json.loads(ran("show", "s.db", "--json")[1]) | {"out": out})


def text(market, layout="full", **facts):
    history = [(1.5,) * market.firms]
    view = market_view(pricing_turn(history, market=market, **facts))
    return render_price_turn(view, PricePromptOptions(layout=layout), "slots").messages[1]["content"]


@pytest.mark.parametrize("layout", ["full", "compact"])
def test_models_learn_what_kind_of_goods_compete(layout):
    usual = text(Market.symmetric(3), layout)
    same = text(HomogeneousMarket(2, 3.0), layout)
    assert "the same product" in same
    assert "the same product" not in usual
    assert "compete" not in same.partition("PLANS")[0]
    near = text(Market([2.0] * 4, [1.0] * 4, demand="nested", nests=[0, 1, 0, 0], nest_parameter=0.5), layout)
    assert "that of competitor 2 and that of competitor 3" in near
    # A nest that is no closer than others, or holds all rivals, sets none apart.
    for nests, parameter in ([0, 1, 0], 0.0), ([0, 0, 0], 0.5):
        market = Market([2.0] * 3, [1.0] * 3, demand="nested", nests=nests, nest_parameter=parameter)
        assert "Customers switch" not in text(market, layout)
