"""Trained Q-learners: what is measured on their limit cycles, and the page."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ludens import cli
from ludens.agents.qlearning import QLearning
from ludens.envs.pricing import DemandShock, Exit, Market
from ludens.envs.pricing.theory.benchmarks import (
    firm_gains,
    monopoly_prices,
    nash_prices,
    profit_benchmarks,
    profit_gain,
)
from ludens.envs.pricing.theory.welfare import welfare
from ludens.errors import UsageError
from ludens.experiments.pricing.learning import learners, to_json, train_sessions
from ludens.experiments.pricing.learning_page import write_learning_report

QUICK = QLearning(points=4, beta=1e-3, window=500)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learning")
    return train_sessions(QUICK, sessions=12, seed=3, path=folder / "training.npz", workers=1)


def test_measures_are_those_of_the_whole_cycle(result):
    trained = result.sessions
    assert [found.gain for found in result.measures] == pytest.approx(trained.gains.tolist())
    for number, found in enumerate(result.measures):
        path = trained.path_prices(number)
        assert found.prices == pytest.approx(path.mean(axis=0).tolist())
        assert result.panel.prices[number, : len(path)] == pytest.approx(path)
        market = trained.tables.market
        assert found.gain == pytest.approx(profit_gain(market, path).mean())
        own = firm_gains(market.profits(path).mean(axis=0), *profit_benchmarks(market))
        assert found.gains == pytest.approx(own.tolist())
        reached = welfare(market, path)
        assert found.consumer_surplus == pytest.approx(reached.consumer.mean())
        assert found.deadweight_loss == pytest.approx(reached.deadweight.mean())
        assert found.profit == pytest.approx(sum(found.profits))


def test_kinds_of_cycles_add_up(result):
    groups = {group.name: group for group in result.groups}
    assert groups["1"].sessions == groups["1, same price"].sessions + groups["1, different prices"].sessions
    assert groups["all"].sessions == sum(groups[name].sessions for name in ("1", "2", "3 and more")) == 12
    assert groups["all"].gain.value == pytest.approx(result.sessions.gains.mean())
    # Whoever plays a full best reply also passes the one-shot test.
    assert all(group.best_reply.value <= group.one_shot.value for group in result.groups if group.sessions)


def test_the_page_and_the_json_hold_every_session(result):
    written = write_learning_report(result)
    page = written.report_path.read_text(encoding="utf-8")
    assert written.report_path.suffix == ".html"
    assert "12 sessions" in page
    assert 'id="transcripts"' not in page
    data = json.loads(json.dumps(to_json(written), allow_nan=False))
    assert data["sessions"] == 12
    assert data["parameters"]["points"] == 4
    assert np.isfinite(data["q_loss_path"])


def test_the_same_training_is_read_again_and_not_learnt_anew(result):
    again = train_sessions(QUICK, sessions=12, seed=3, path=result.path, workers=2)
    assert np.array_equal(again.sessions.strategies, result.sessions.strategies)
    assert [group.gain for group in again.groups] == [group.gain for group in result.groups]


def test_the_scale_of_prices_does_not_matter(tmp_path):
    found = train_sessions(
        QUICK, market=Market.symmetric(price_scale=10.0), sessions=3, path=tmp_path / "l.npz", workers=1
    )
    assert all(1.3 < measure.price < 2.1 for measure in found.measures)
    assert [measure.gain for measure in found.measures] == pytest.approx(found.sessions.gains.tolist())


def test_only_learners_of_one_kind_are_trained_together():
    assert learners(["qlearning", "nash"]) is None
    assert learners(["qlearning:mode=online", "qlearning:mode=online"]) is None
    assert learners(["qlearning:alpha=0.1,points=5"] * 2) == QLearning(alpha=0.1, points=5)
    differing = learners(["qlearning:alpha=0.1,points=5", "qlearning:alpha=0.2,discount=0.5,points=5"])
    assert differing == QLearning(alpha=(0.1, 0.2), discount=(0.95, 0.5), points=5)
    with pytest.raises(UsageError, match="differ in alpha, discount and beta alone"):
        learners(["qlearning:memory=1", "qlearning:memory=2"])


def test_learners_are_measured_in_the_market_after_all_interventions(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    quick = "qlearning:points=4,beta=1e-3,window=500"
    code = cli.main(["price", "--firms", ",".join([quick] * 3), "--with", "exit:period=2000,firm=2", "--with",
                     "demand-shock:period=3000,qualities=0.5", "--sessions", "3", "--out", "t.npz",
                     "--json"])  # fmt: skip
    assert code == 0
    found = json.loads(capsys.readouterr().out)
    left = Market.symmetric(2, quality=2.5, quantity_scale=100.0)
    for firm in found["firms"][:2]:
        assert firm["nash"] == pytest.approx(nash_prices(left)[0])
        assert firm["joint"] == pytest.approx(monopoly_prices(left)[0])
    assert found["firms"][2]["nash"] is None
    assert [each["kind"] for each in found["interventions"]] == ["Exit", "DemandShock"]
    trained = train_sessions(
        QUICK,
        market=Market.symmetric(3, quantity_scale=100.0),
        interventions=[Exit(2000, 2), DemandShock(3000, 0.5)],
        sessions=3,
        path=tmp_path / "t.npz",
    )
    panel, prices = trained.panel, trained.panel.prices[..., :2]
    assert np.isnan(panel.prices[..., 2]).all()
    assert panel.nash_prices[..., :2] == pytest.approx(np.broadcast_to(nash_prices(left), prices.shape))
    assert panel.profits[..., :2] == pytest.approx(left.profits(prices))
    assert panel.quantities[..., :2] == pytest.approx(left.quantities(prices))
    assert panel.consumer_surplus == pytest.approx(welfare(left, prices).consumer)
    path = trained.sessions.path_prices(0)[:, :2]
    assert trained.measures[0].gain == pytest.approx(profit_gain(left, path).mean())
    assert "after all interventions" in (tmp_path / "t.html").read_text(encoding="utf-8")


def test_a_learner_that_is_left_alone_has_no_gain_and_charges_one_price(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    quick = "qlearning:points=4,alpha=0.3,beta=1e-3,window=500,max_periods=20000"
    arguments = ["--sessions", "2", "--with", "exit:period=10,firm=1", "--out", "l.npz"]
    assert cli.main(["price", "--firms", f"{quick},{quick}", *arguments]) == 0
    said = capsys.readouterr().out
    assert "nan" not in said
    (same,) = [line for line in said.splitlines() if "1, same price" in line]
    assert same.split()[3:6] == ["2", "100", "–"]
