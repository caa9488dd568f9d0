"""Trained Q-learners: what is measured on their limit cycles, and the page."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ludens.agents.qlearning import QLearning
from ludens.envs.pricing import Market
from ludens.envs.pricing.theory.benchmarks import firm_gains, profit_benchmarks, profit_gain
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
