"""Firms that set prices in turns, or after a leader: who is asked when, what is known, and the benchmarks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from ludens import cli
from ludens.agents import Decision, Policy
from ludens.envs.pricing import HomogeneousMarket, Market, Merger, Regulator
from ludens.envs.pricing.schedule import Schedule
from ludens.errors import UsageError
from ludens.experiments.pricing.branch import source_market
from ludens.experiments.pricing.history import histories
from ludens.experiments.pricing.reading import panel
from ludens.experiments.pricing.study import play_pricing
from tests.loopback import Loopback, say

DUOPOLY = Market.symmetric(quantity_scale=100.0)


class Noting(Policy):
    """Charges its prices one after another, and keeps the turns at which it was asked."""

    def __init__(self, *prices):
        self.name, self.prices, self.turns = "noting", prices, []

    def decide(self, turn, rng):
        self.turns.append(turn)
        return Decision(self.prices[(len(self.turns) - 1) % len(self.prices)])


def stackelberg():
    """The leader's price in the baseline duopoly, by brute force."""

    def reply(price):
        found = minimize_scalar(lambda own: -DUOPOLY.profits([price, own])[1], bounds=(1.0, 2.5),
                                method="bounded", options={"xatol": 1e-10})  # fmt: skip
        return found.x

    found = minimize_scalar(lambda price: -DUOPOLY.profits([price, reply(price)])[0], bounds=(1.2, 2.4),
                            method="bounded", options={"xatol": 1e-9})  # fmt: skip
    return found.x, reply(found.x)


def test_a_leader_commits_and_the_others_reply_in_the_same_period(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    asked = ["price", "--firms", "leader,myopic", "--moves", "leader", "--periods", "4"]
    assert cli.main([*asked, "--out", "r.db", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    expected = stackelberg()
    assert [each["led"] for each in found["firms"]] == pytest.approx(expected, abs=1e-5)
    assert panel("r.db").prices[0] == pytest.approx(np.tile(expected, (4, 1)), abs=1e-5)
    page = Path("r.html").read_text(encoding="utf-8")
    assert "Stackelberg price" in page
    assert "at Stackelberg prices" in page
    # The same from a study file, and again from what is kept.
    assert cli.main([*asked, "--print-config"]) == 0
    Path("study.toml").write_text(capsys.readouterr().out, encoding="utf-8")
    for again in (["run", "study.toml", "--json"], ["report", "r.db", "--json"]):
        assert cli.main(again) == 0
        assert json.loads(capsys.readouterr().out)["runs"] == found["runs"]


def test_followers_learn_what_the_leader_charges_now(tmp_path):
    first, second, third = Noting(1.5, 1.6), Noting(1.7), Noting(1.8)
    play_pricing([first, second, third], moves="leader", periods=2, path=tmp_path / "r.db",
                 market=Market.symmetric(3))  # fmt: skip
    assert [turn.facts.get("announced") for turn in first.turns] == [None, None]
    for follower in (second, third):
        assert [turn.facts["announced"] for turn in follower.turns] == [{0: 1.5}, {0: 1.6}]
        assert [turn.round for turn in follower.turns] == [0, 1]


def test_in_turns_one_firm_is_asked_and_the_others_prices_stand(tmp_path):
    first, second = Noting(1.5, 1.6), Noting(1.7)
    run = play_pricing([first, second], moves="in turns", periods=4, path=tmp_path / "r.db",
                       interventions=[Regulator(1.55, 3.0)])  # fmt: skip
    assert [turn.round for turn in first.turns] == [0, 2]
    assert [turn.round for turn in second.turns] == [1, 3]
    (history,) = histories(run)
    opening = first.turns[0].facts["opening"]
    assert history.prices[:, 0] == pytest.approx([1.5, 1.5, 1.6, 1.6])
    assert history.prices[:, 1] == pytest.approx([opening[1], 1.7, 1.7, 1.7])
    assert history.fines[1:] == pytest.approx(np.array([[0.0, 3.0], [3.0, 3.0], [3.0, 3.0]]))
    before = DUOPOLY.profits(history.prices)
    assert history.profits + history.fines == pytest.approx(before)
    assert sorted(history.decisions) == [(0, 0), (1, 1), (2, 0), (3, 1)]
    (episode,) = run.episodes()
    assert list(episode.payoffs.values()) == pytest.approx(history.profits.sum(axis=0).tolist())


def test_a_grid_is_shared_by_leaders_and_firms_in_turns(tmp_path):
    for moves in ("leader", "in turns"):
        run = play_pricing(["nash", "myopic"], moves=moves, periods=3, price_grid=5,
                           path=tmp_path / f"{moves}.db")  # fmt: skip
        (history,) = histories(run)
        grid = np.array(Schedule(DUOPOLY).regime(0).nash)
        assert history.prices[1:] == pytest.approx(np.tile(grid, (2, 1)), abs=0.05)


def test_learners_are_trained_in_turns(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    quick = "qlearning:points=4,beta=1e-3,window=500"
    asked = ["price", "--firms", f"{quick},{quick}", "--market", "demand=homogeneous", "--sessions", "2"]
    assert cli.main([*asked, "--moves", "in-turns", "--out", "t.npz", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["moves"] == "in turns"
    assert (found["firms"][0]["nash"], found["firms"][0]["joint"]) == (0.0, 0.5)
    assert cli.main([*asked, "--moves", "leader"]) == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"moves": "in turns", "interventions": [Merger(3, 1, 0)]}, "nor merge"),
        ({"moves": "leader", "firms": ["nash", "qlearning"]}, "here one firm leads"),
        ({"moves": "backwards"}, "moves"),
        ({"firms": ["leader", "nash"], "market": HomogeneousMarket()}, "nobody can lead"),
    ],
)
def test_what_does_not_go_with_an_order_of_moves_is_refused(tmp_path, given, said):
    with pytest.raises(UsageError, match=said):
        play_pricing(**{"firms": ["nash", "nash"], "periods": 4, "path": tmp_path / "r.db"} | given)
    assert list(tmp_path.iterdir()) == []


def test_runs_in_another_order_are_not_taken_up_again(tmp_path):
    run = play_pricing(["nash", "nash"], moves="leader", periods=2, path=tmp_path / "r.db")
    with pytest.raises(UsageError, match="do not set prices together"):
        source_market(run)


def test_a_firm_that_takes_turns_with_nobody_reads_of_no_prices_in_force(tmp_path):
    first, _ = prompts("in turns", tmp_path, "full", firms=1)
    assert "No other firm is in the market." in first
    assert "in force" not in first


def prompts(moves, tmp_path, layout, firms=2):
    price = say("OBSERVATIONS: o\nPLANS: p\nINSIGHTS: i\nPRICE: 1.6")
    with Loopback([], price) as server:
        model = {"spec": "openai/loopback", "api_base": server.url, "layout": layout, "schema": False}
        play_pricing([model] * firms, moves=moves, periods=2, path=tmp_path / f"{moves}{layout}.db")
        return [request["messages"][1]["content"] for request in server.requests]


@pytest.mark.parametrize("layout", ["full", "compact"])
def test_models_are_told_who_moves_when(tmp_path, layout):
    leader, follower, *_ = prompts("leader", tmp_path, layout)
    assert "In each period your firm sets its price first; then the other firm learns it" in leader
    assert "In each period the competitor sets its price first" in follower
    assert "In period 1 the competitor charges 1.6" in follower
    first, second = prompts("in turns", tmp_path, layout)
    assert "in turns" in first
    assert "The prices in force before the first period are yours" in first
    assert "in force before" not in second
    for text in (leader, follower, first, second):
        assert "same time" not in text
