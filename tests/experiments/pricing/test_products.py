"""Firms with several products, from the start or after a merger: what is charged, kept and measured."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from ludens import cli
from ludens.agents import Decision, Policy
from ludens.agents.llm.prompts.prices import PricePromptOptions, render_price_turn
from ludens.agents.llm.reading.schemas import price_schema
from ludens.agents.llm.reading.several_prices import read_price_replies
from ludens.agents.pricing.view import market_view, market_views
from ludens.envs.pricing import HomogeneousMarket, Market, Merger
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.errors import UsageError
from ludens.experiments import Run
from ludens.experiments.pricing.deviations_config import DeviateConfig, pointed
from ludens.experiments.pricing.reading import panel
from ludens.experiments.pricing.study import play_pricing
from tests.agents.pricing.turns import pricing_turn
from tests.loopback import Loopback, say

BRANDS = Market([2.0, 2.3, 2.0], [1.0, 1.2, 1.0], owners=[0, 0, 1], quantity_scale=100.0)
"""The first firm sells two products of different quality and cost."""


@pytest.fixture
def ran(tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder; returns what it prints as JSON."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = cli.main([*map(str, arguments), "--json"])
        captured = capsys.readouterr()
        assert (code, captured.err) == (0, "")
        return json.loads(captured.out)

    return run


def test_a_firm_with_two_products_sets_both_prices(ran):
    found = ran("price", "--firms", "nash,fixed:1.7", "--market", "owners=0,0,1", "--qualities", "2,2.3,2",
                "--costs", "1,1.2,1", "--periods", 6, "--out", "r.db")  # fmt: skip
    nash = nash_prices(BRANDS)
    assert [each["firm"] for each in found["products"]] == [0, 0, 1]
    assert [each["nash"] for each in found["products"]] == pytest.approx(nash)
    assert [each["joint"] for each in found["products"]] == pytest.approx(monopoly_prices(BRANDS))
    charged = np.array([nash[0], nash[1], 1.7])
    assert [each["price"]["value"] for each in found["products"]] == pytest.approx(charged)
    sold = BRANDS.quantities(charged)
    assert [each["quantity"]["value"] for each in found["products"]] == pytest.approx(sold)
    (run,) = found["runs"]
    assert run["prices"] == pytest.approx([charged[:2].mean(), 1.7])
    assert run["nash"] == pytest.approx([nash[:2].mean(), nash[2]])
    assert run["profits"] == pytest.approx(BRANDS.profits(charged))
    low, high = (BRANDS.profits(of(BRANDS)).sum() for of in (nash_prices, monopoly_prices))
    assert run["gain"] == pytest.approx((BRANDS.profits(charged).sum() - low) / (high - low))
    # The prices stand in the run as they were set, and every later report replays them.
    first = next(iter(Run("r.db").decisions()))
    assert (first.decision.action, *first.decision.further) == pytest.approx(charged[:2])
    assert first.choice == ", ".join(f"{price:.6g}" for price in charged[:2])
    assert ran("resume", "r.db")["runs"] == [run]
    assert ran("extend", "r.db", "runs=2")["runs"][1]["prices"] == run["prices"]
    ran("export", "r.db", "--table", "products", "--out", "p.csv")
    with Path("p.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 6 * 3
    assert [float(row["price"]) for row in rows[:3]] == pytest.approx(charged)
    assert "Each product" in Path("r.html").read_text(encoding="utf-8")


def test_a_merger_is_measured_against_the_benchmarks_of_the_new_owners(ran):
    asked = ("price", "--firms", "nash,myopic,nash", "--with", "merger:period=9,firm=1,into=0",
             "--periods", 16, "--scale", 10)  # fmt: skip
    found = ran(*asked, "--out", "r.db")
    three = Market.symmetric(3, quantity_scale=100.0)
    merged = Market(three.qualities, three.costs, owners=[0, 0, 1], quantity_scale=100.0)
    before, after = found["regimes"]
    assert (before["present"], after["present"]) == ([0, 1, 2], [0, 2])
    assert before["nash"] == pytest.approx(nash_prices(three))
    assert after["nash"] == [
        pytest.approx(nash_prices(merged)[0]),
        None,
        pytest.approx(nash_prices(merged)[2]),
    ]
    assert after["group"]["gain"]["value"] == pytest.approx(0.0, abs=1e-9)
    assert after["group"]["profit"]["value"] == pytest.approx(merged.profits(nash_prices(merged)).sum())
    whole = panel("r.db")
    assert whole.product_prices[0, 7] == pytest.approx(10 * nash_prices(three))
    assert whole.product_prices[0, 8] == pytest.approx(10 * nash_prices(merged))
    assert np.isnan(whole.profits[0, 8:, 1]).all()


def test_the_study_file_holds_owners_and_mergers(ran, capsys):
    cli.main(["price", "--firms", "nash,nash,grim", "--market", "owners=0,1,1,2", "--with",
              "merger:period=4,firm=1,into=0", "--periods", "6", "--print-config"])  # fmt: skip
    Path("study.toml").write_text(capsys.readouterr().out, encoding="utf-8")
    found = ran("run", "study.toml")
    assert [each["firm"] for each in found["products"]] == [0, 0, 0, 2]


class OnePrice(Policy):
    name = "one price"

    def decide(self, turn, rng):
        return Decision(1.5)


class TooFew(OnePrice):
    several = True


@pytest.mark.parametrize(
    ("firms", "market", "events", "said"),
    [
        (["qlearning", "nash"], BRANDS, (), "firm_0 sells 2 at some time"),
        (["nash", "nash", OnePrice()], None, (Merger(5, 0, 2),), "firm_2 sells 2 at some time"),
        # What has no price in a market is refused before a file is made.
        (["myopic", "nash"], HomogeneousMarket(), (), "no best reply"),
        (["homo_moralis:0.5", "nash"], HomogeneousMarket(), (), "has no price"),
    ],
)
def test_policies_that_cannot_price_there_are_refused_before_a_file_is_made(
    tmp_path, firms, market, events, said
):
    with pytest.raises(UsageError, match=said):
        play_pricing(firms, market=market, interventions=events, periods=4, path=tmp_path / "r.db")
    assert list(tmp_path.iterdir()) == []


def test_a_policy_that_names_too_few_prices_is_a_sentence(tmp_path):
    with pytest.raises(UsageError, match=r"returned 1 number\(s\) at 'price'; return 2"):
        play_pricing([TooFew(), "nash"], market=BRANDS, periods=2, path=tmp_path / "r.db")


def test_random_and_myopic_firms_price_each_product(tmp_path):
    run = play_pricing(["random", "myopic"], market=BRANDS, periods=3, path=tmp_path / "r.db")
    charged = panel(run).product_prices[0]
    assert (charged[:, 0] != charged[:, 1]).all()
    reply = BRANDS.best_response(1, charged[0])
    assert charged[1, 2] == pytest.approx(reply[2])
    with pytest.raises(UsageError, match="A deviation is of one price"):
        pointed(DeviateConfig(source=run.path))


@pytest.mark.parametrize("held", [True, False])
def test_a_model_prices_all_its_products(tmp_path, held):
    """The model buys its first competitor in period 3, and has then two prices to set."""

    def answer(request):
        several = "YOUR PRODUCTS" in request["messages"][1]["content"]
        prices = {"price_1": 1.6, "price_2": 1.8} if several else {"price": 1.5}
        if held:
            return say(json.dumps({"observations": "o", "plans": "p", "insights": "i", **prices}))
        return say("\n".join(["PLANS: p", *(f"{name.upper()}: {price}" for name, price in prices.items())]))

    with Loopback([], answer) as server:
        model = {"spec": "openai/loopback", "api_base": server.url, "schema": held}
        run = play_pricing([model, "nash", "fixed:1.7"], interventions=[Merger(3, 1, 0)], periods=4,
                           path=tmp_path / "r.db")  # fmt: skip
        asked = [request["messages"][1]["content"] for request in server.requests]
    charged = panel(run).product_prices[0]
    assert charged[:2, 0] == pytest.approx(1.5)
    assert charged[2:] == pytest.approx(np.tile([1.6, 1.8, 1.7], (2, 1)))
    assert "You set the price of a product" in asked[1]
    assert "YOUR PRODUCT\n" in asked[1]
    assert "You set the prices of the products" in asked[2]
    assert "Your firm sells 2 products, which also compete with each other." in asked[2]
    assert "Your firm bought competitor 1 and has set all their prices since period 3." in asked[2]
    assert "One other firm sells a product that competes with yours." in asked[2]
    # Competitor 2 keeps its name, and what competitor 1 sold before is not known.
    assert "your price of product 1 | your price of product 2 | competitor 2's price" in asked[3]
    sold = Market.symmetric(3, quantity_scale=100.0).quantities(charged[2])
    rows = [line.split(" | ") for line in asked[3].splitlines() if line.startswith(("2 | ", "3 | "))]
    assert rows[0][5] == "-"
    assert [float(each) for each in rows[1][1:6]] == pytest.approx([1.6, 1.8, 1.7, *sold[:2]], abs=1e-3)


def test_json_is_asked_for_with_a_price_of_each_product():
    turn = pricing_turn([(1.5, 1.6, 1.7)], market=BRANDS, own_quantities=np.ones((1, 2)))
    view = market_views(turn)[0]
    text = render_price_turn(view, PricePromptOptions(), "json").messages[1]["content"]
    assert '"price_1": <your price of product 1' in text
    assert '"price_2": <your price of product 2' in text
    assert '"price":' not in text
    required = price_schema(("plans",), None, 2)["json_schema"]["schema"]["required"]
    assert required == ["plans", "price_1", "price_2"]


@pytest.mark.parametrize("layout", ["full", "compact"])
def test_rivals_products_are_named_by_their_firms(layout):
    market = Market([2.0] * 4, [1.0] * 4, owners=[0, 1, 1, 2])
    view = market_view(pricing_turn([(1.5, 1.6, 1.7, 1.8)], market=market))
    text = render_price_turn(view, PricePromptOptions(layout=layout), "slots").messages[1]["content"]
    for name in ("competitor 1's price for its product 1", "competitor 1's price for its product 2",
                 "competitor 2's price"):  # fmt: skip
        assert name in text
    assert "2 other firms" in text


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ('{"plans": "p", "price_1": 1.4, "price_2": "1.60"}', (1.4, 1.6)),
        ('{\n  "price_2": 1.6,\n  "price_1": 1.4\n}', (1.4, 1.6)),
        ("PLANS: p\nPRICE_1: 1.4\nPRICE_2: $1.60", (1.4, 1.6)),
        ("**Price 1:** 1.4\n**Price 2:** 1.6", (1.4, 1.6)),
        ("PRICE_1: 1.4", "The reply gives no price_2."),
        ('{"price": 1.4}', "The reply gives no price_1."),
        ("PRICE: 1.4", "The reply gives no price_1."),
        ("1.4", "The reply gives no price_1."),
        ('{"price_1": 1.4, "price_2": null}', "price_2: "),
        ("PRICE_1: 1.4\nPRICE_1: 1.5\nPRICE_2: 1.6", "price_1: The reply names a price more than once"),
        ('{"price_1": 1.4, "price_2": 9.0}', "price_2: "),
    ],
)
def test_several_prices_are_read_each_by_itself(reply, read):
    found = read_price_replies(reply, 2, highest=5.0)
    if isinstance(read, str):
        assert found.outcome == "invalid"
        assert found.detail.startswith(read)
    else:
        assert (found.price, *found.further) == read
