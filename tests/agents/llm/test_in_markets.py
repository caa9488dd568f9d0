"""A language model by its name in a market: the pricing policy, in whatever loop."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pettingzoo
import pytest

from ludens.agents import LLMPolicy, against, make_policy
from ludens.agents.llm import PricePolicy
from ludens.envs import make_env
from ludens.envs.pricing import CheapTalk
from ludens.errors import LudensError, UsageError
from ludens.experiments import Run, play, resume, run_study
from ludens.experiments.pricing.config import PricingConfig
from ludens.experiments.pricing.study import PricingStudy
from tests.loopback import Loopback, failing, say


def price(value, **notes):
    return say(json.dumps({"observations": "x", "plans": "p", "insights": "i", **notes, "price": value}))


def noted(request):
    """Sets the price, and notes how many requests' notes it has seen."""
    text = request["messages"][-1]["content"]
    return price(1.5, plans=f"seen {text.count('seen')}", insights="go on")


def model(server, **settings):
    return LLMPolicy("openai/loopback", api_base=server.url, api_key="none", retry_wait=0.01, **settings)


def text_of(request):
    return request["messages"][-1]["content"]


@pytest.mark.parametrize("actions", [{}, {"actions": "continuous"}])
def test_the_policy_of_a_name_sets_prices(actions):
    env = pettingzoo.make("parallel", "ludens/bertrand-v0", periods=2, **actions)
    env.reset(seed=0)
    grid = [float(option.name) for option in env.unwrapped.turn("firm_0").options]
    wanted = grid[4] if grid else 1.5
    with Loopback([], price(wanted)) as server:
        policies = {"firm_0": model(server), "firm_1": make_policy("nash", env)}
        rng = np.random.default_rng(0)
        while env.agents:
            env.step({agent: policies[agent].act(env, rng, agent) for agent in env.agents})
    assert env.unwrapped.prices[:, 0] == pytest.approx(wanted)
    assert server.count == 2
    assert "Price" in text_of(server.requests[0]) or "price" in text_of(server.requests[0])


@pytest.mark.parametrize("environment", ["bertrand", "bertrand_sequential"])
def test_pettingzoo_s_aec_loop_keeps_what_the_model_notes(environment):
    env = make_env(environment, periods=3, actions="continuous")
    with Loopback([], noted) as server:
        policy = model(server)
        for _ in range(2):
            env.reset(seed=0)
            for _agent in env.agent_iter():
                env.step(policy.act(env, np.random.default_rng(0)))
            texts = list(map(text_of, server.requests))
            server.requests.clear()
            # The notes of each of two firms are shown from its second price on, and none of the last episode.
            assert [text.count("seen") for text in texts] == [0, 0, 1, 1, 1, 1][: len(texts)]
            assert len(texts) >= 3


def test_a_run_keeps_notes_and_is_resumed_as_it_was_begun(tmp_path):
    path = tmp_path / "run.db"
    with Loopback([noted, noted, noted], failing(401, "no key")) as server, pytest.raises(LudensError):
        play(("bertrand", {"actions": "continuous", "periods": 3}), model(server), path=path, concurrency=1)
    with Run(path) as run:
        described = run.manifest["config"]["policies"]
        assert described["prefix"] == "P0"
        assert "framing" not in described
    with Loopback([], noted) as server:
        assert resume(path, api_base=server.url).manifest["status"] == "done"
        assert [text_of(request).count("seen") for request in server.requests] == [1, 1, 1]


def test_messages_are_sent(tmp_path):
    market = make_env("bertrand", actions="continuous", periods=2, interventions=[CheapTalk(limit=40)])
    with Loopback([], price(1.5, message="Let us stay at 1.5.")) as server:
        play(market, [model(server), "nash"], path=tmp_path / "run.db")
        assert "Let us stay" not in text_of(server.requests[0])
        assert "Let us stay at 1.5." in text_of(server.requests[1])


def test_names_specifications_and_policies_are_the_same_policy(tmp_path):
    env = make_env("bertrand")
    named = make_policy("openai/x", env)
    made = make_policy(LLMPolicy("openai/x", temperature=0.5, max_tokens=99, top_p=0.9, api_key="k"), env)
    assert type(named) is type(made) is PricePolicy
    assert (made.settings.temperature, made.settings.max_tokens, made.options["top_p"]) == (0.5, 99, 0.9)
    assert made.options["api_key"] == "k"
    assert LLMPolicy("openai/x").for_game(env) == named
    policy = LLMPolicy("openai/x")
    for same in (pickle.loads(pickle.dumps(policy)), copy.deepcopy(policy)):
        assert same.for_game("bertrand") == named
        assert same.for_game("trust") is same
    assert make_policy(policy) is policy
    assert make_policy(policy, "trust") is policy
    assert type(make_policy(policy, make_env("av_adoption"))) is LLMPolicy


def test_a_policy_of_the_pricing_study_is_one_too(tmp_path):
    with Loopback([], price(1.5)) as server:
        study = PricingStudy(PricingConfig(firms=[model(server), "nash"], periods=2))
        assert run_study(study, tmp_path / "run.db").manifest["status"] == "done"
    assert study.config.as_json()["firms"][0]["prefix"] == "P0"
    with Run(tmp_path / "run.db") as run:
        assert [record.decision.action for record in run.decisions() if record.agent == "firm_0"] == [
            1.5,
            1.5,
        ]


def test_it_plays_against_a_learner():
    with Loopback([], noted) as server:
        env = against("bertrand", model(server), periods=3, actions="continuous")
        env.reset(seed=0)
        for _ in range(3):
            env.step(np.array([1.6], np.float32))
    assert [text_of(request).count("seen") for request in server.requests] == [0, 1, 1]


@pytest.mark.parametrize("setting", [{"framing": "story"}, {"reasoning": True}, {"template": "Price!"}])
def test_a_setting_that_means_nothing_in_a_market_is_one_sentence(tmp_path, setting):
    (name,) = setting
    policy = LLMPolicy("openai/x", **setting)
    env = make_env("bertrand")
    env.reset(seed=0)
    for use in (
        lambda: policy.act(env, np.random.default_rng(0)),
        lambda: play("bertrand", policy, path=tmp_path / "run.db"),
        lambda: make_policy(policy, env),
    ):
        with pytest.raises(UsageError, match=f"PricePolicy has no setting '{name}'"):
            use()
    assert list(tmp_path.iterdir()) == []


def test_a_number_in_another_game_is_one_sentence():
    from dataclasses import replace

    env = make_env("trust")
    env.reset(seed=0)
    turn = replace(env.unwrapped.turn(), options=(), interval=(0.0, 1.0))
    with pytest.raises(
        UsageError, match="x chooses between options, and ludens/trust-v0 has none at 'opening'"
    ):
        LLMPolicy("openai/x").decide(turn, np.random.default_rng(0))
