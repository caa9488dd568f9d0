"""Firms with several products, from the start or after a merger: what is charged, kept and measured."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from ludens import cli
from ludens.agents import Decision, Policy
from ludens.envs.pricing import HomogeneousMarket, Market, Merger
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.errors import UsageError
from ludens.experiments import Run
from ludens.experiments.pricing.deviations_config import DeviateConfig, pointed
from ludens.experiments.pricing.reading import panel
from ludens.experiments.pricing.study import play_pricing

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
        (["local/smollm2-135m", "nash"], BRANDS, (), "firm_0 sells 2 at some time"),
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
