"""A model enters a market only if it found the monopoly price where it was alone."""

from __future__ import annotations

import json

import pytest

from ludens.envs.pricing import Market
from ludens.envs.pricing.theory.benchmarks import monopoly_prices
from ludens.errors import UsageError
from ludens.experiments import Run
from ludens.experiments.pricing.screening import screened
from ludens.experiments.pricing.study import play_pricing
from tests.loopback import Loopback, say

MONOPOLY = float(monopoly_prices(Market.symmetric(1))[0])


def model(server, **settings):
    return {"spec": "openai/loopback", "api_base": server.url, "retry_wait": 0.01, "prefix": "P0"} | settings


def priced(price):
    return say(json.dumps({"observations": "o", "plans": "p", "insights": "i", "price": price}))


def alone(tmp_path, prices, **settings):
    """The run of a monopoly in which a model charges these prices, in one run after another."""
    with Loopback([priced(price) for run in prices for price in run]) as server:
        periods = {"periods": len(prices[0]), "runs": len(prices), "concurrency": 1}
        return play_pricing([model(server, **settings)], path=tmp_path / "alone.db", **periods)


GOOD, DEAR, RESTLESS = [1.2, 1.8, 1.79], [1.8, 1.9, 1.95], [1.8, 1.6, 2.0]


def test_a_run_is_passed_where_prices_settle_near_the_monopoly_price(tmp_path):
    assert pytest.approx(1.802, abs=1e-3) == MONOPOLY
    run = alone(tmp_path, [GOOD * 2, DEAR * 2, RESTLESS * 2])
    assert screened(run) == {"openai/loopback": (1, 3)}


def test_a_model_that_passed_enters_and_others_need_no_screening(tmp_path):
    source = alone(tmp_path, [GOOD, GOOD, DEAR]).path
    with Loopback([], priced(1.6)) as server:
        run = play_pricing([model(server), "nash"], periods=2, screening=source, path=tmp_path / "duopoly.db")
    assert run.manifest["config"]["screening"] == str(source)
    assert Run(run.path).summary().status == "done"


def test_a_model_that_failed_or_was_not_screened_is_not_asked(tmp_path):
    source = alone(tmp_path, [GOOD, DEAR]).path
    with Loopback([], priced(1.6)) as server:
        for settings, message in (
            ({}, r"may not enter: it found the monopoly price in 1 of 2 runs of .*alone\.db"),
            ({"label": "another"}, r"another was not screened in .* ended runs of openai/loopback"),
        ):
            with pytest.raises(UsageError, match=message):
                play_pricing(
                    [model(server, **settings), "nash"], screening=source, path=tmp_path / "duopoly.db"
                )
    assert server.count == 0
    assert not (tmp_path / "duopoly.db").exists()


def test_models_are_screened_alone(tmp_path):
    two = play_pricing(["nash", "nash"], periods=2, path=tmp_path / "two.db")
    with pytest.raises(UsageError, match="is a run of 2 firms"):
        play_pricing(["nash", "nash"], screening=two.path, path=tmp_path / "x.db")


def test_an_aborted_run_is_not_passed(tmp_path):
    with Loopback([priced(1.8)], say("I cannot tell.")) as server:
        run = play_pricing([model(server, tries=2)], periods=3, path=tmp_path / "alone.db")
    assert screened(run) == {"openai/loopback": (0, 1)}
