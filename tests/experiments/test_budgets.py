"""Budget sets as an environment that any policy plays, and as a study of consistency."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from ludens.agents import make_policy
from ludens.agents.llm.prompts.games import render
from ludens.envs.budgets.budget import DOMAINS, budget_game, bundles, draw_budgets
from ludens.envs.budgets.env import BudgetEnv
from ludens.errors import UsageError
from ludens.experiments import run_study
from ludens.experiments.budgets.study import BudgetConfig, BudgetStudy
from ludens.testing import EnvironmentConformance


class TestConformance(EnvironmentConformance):
    environment = "ludens/budget-v0"
    options: ClassVar = {"domain": "risk", "budgets": 4}


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_kind_of_policy_plays_it(domain):
    env = BudgetEnv(domain=domain, budgets=5)
    for name in ("random", "homo_economicus", "homo_moralis:0.5", "quantal:kappa=0.5,noise=8"):
        env.reset(seed=0)
        policy, rng, rewards = make_policy(name, game=env), np.random.default_rng(0), 0.0
        while env.agents:
            decision = policy.decide(env.turn("chooser_0"), rng)
            _, reward, *_ = env.step({"chooser_0": decision.action})
            rewards += reward["chooser_0"]
        if name == "homo_economicus":
            best = {
                "social": env.intercepts[:, 0],
                "risk": env.intercepts.max(axis=1) / 2,
                "time": env.intercepts.max(axis=1),
            }
            assert rewards == pytest.approx(best[domain].sum())
    env.reset(seed=0)
    with pytest.raises(UsageError, match="give a whole number from 0 to 10"):
        env.step({"chooser_0": 11})


def test_budgets_are_whole_points_on_their_lines():
    intercepts = draw_budgets(25)
    assert intercepts.shape == (25, 2)
    assert (intercepts.max(axis=1) >= 50).all()
    assert np.array_equal(intercepts, draw_budgets(25))
    assert not np.array_equal(intercepts, draw_budgets(25, draw=1))
    for row in intercepts:
        table = bundles(row, 11)
        assert np.allclose(table, table.round())
        assert np.allclose((table / row).sum(axis=1), 1)
    game = budget_game("social", np.array([60.0, 40.0]), 3)
    assert game.information_sets[0].options == (
        "60 for you, 0 for the other person",
        "30 for you, 20 for the other person",
        "0 for you, 40 for the other person",
    )


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"domain": "love"}, "domain"),
        ({"points": 1}, "points"),
        ({"budgets": 0}, "budgets"),
        ({"draw": -1}, "draw"),
    ],
)
def test_impossible_budgets(settings, told):
    with pytest.raises(UsageError, match=told):
        BudgetEnv(**settings)


def test_maximisers_are_consistent_and_a_coin_is_not(tmp_path):
    config = BudgetConfig(models=("homo_economicus", "homo_moralis:0.4", "random"), budgets=25)
    study = BudgetStudy(config)
    run = run_study(study, tmp_path / "run.db")
    rows = {(row.policy, row.domain): row for row in study.measure(run)}
    assert len(rows) == 9
    for domain in DOMAINS:
        assert rows["homo_economicus", domain].choices == 25
        coin = rows["random", domain]
        assert (coin.garp, coin.ccei < 0.95, coin.consistent < 25) == (False, True, True)
    assert rows["homo_economicus", "social"].ccei == 1
    assert rows["homo_economicus", "social"].share == 0
    assert rows["homo_moralis:0.4", "social"].garp
    assert len(list(study.tables(tuple(rows.values()))["budgets"])) == 9
    assert "CCEI" in study.page(tuple(rows.values())).tables[0].caption


def test_a_model_reads_to_whom_and_when_points_go():
    env = BudgetEnv(domain="time", budgets=1, points=3)
    env.reset(seed=0)
    turn = env.turn("chooser_0")
    text = render(turn, "neutral").messages[-1]["content"]
    for letter, option in zip("ABC", turn.options, strict=True):
        assert f"{letter}: {option.name}" in text
    assert "today" in text
    assert "in four weeks" in text
