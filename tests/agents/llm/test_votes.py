"""Votes and tables, against a server on the loopback interface."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.agents import LLMPolicy, make_policy
from ludens.agents.llm.price_policy import PricePolicy
from ludens.agents.llm.prompts.templates import WordingError
from ludens.envs import PROTOCOLS, make_env, questions
from ludens.envs.pricing import Market
from ludens.errors import UsageError
from ludens.preferences.pricing.moral import moralis_prices
from tests.loopback import Loopback, refusing, say

TURN = questions(PROTOCOLS["TG1"])["opening"]


def player(server, **settings):
    more = {"api_base": server.url, "api_key": "none", "retry_wait": 0.01, "order": 0, "retries": 0}
    return LLMPolicy("openai/loopback", **more | {"reasoning": True, "format": "letter"} | settings)


def firm(server, **settings):
    more = {"api_base": server.url, "api_key": "none", "retry_wait": 0.01, "layout": "table"}
    return PricePolicy("openai/loopback", **more | settings)


def answers(*labels):
    return [say(f"I think.\nAnswer: {label}") for label in labels]


@pytest.mark.parametrize(
    ("said", "place", "asked"),
    [("AAB", 0, 2), ("ABB", 1, 3), ("BABAA", 0, 5), ("ABBAB", 1, 5), ("AAA", 0, 2)],
)
def test_the_most_frequent_answer_counts_and_no_vote_is_asked_in_vain(said, place, asked):
    with Loopback(answers(*said)) as server:
        decision = player(server, votes=len(said)).decide(TURN, np.random.default_rng(0))
        assert decision.action == TURN.options[place].action
        assert server.count == asked
        assert len(decision.calls) == asked


def test_votes_are_different_draws():
    with Loopback(answers("A", "B", "B")) as server:
        player(server, votes=3, seed=5).decide(TURN, np.random.default_rng(0))
        assert [request["seed"] for request in server.requests] == [5, 6, 7]


def test_unreadable_replies_have_no_vote_unless_all_are():
    with Loopback([say("hm"), *answers("B"), say("hm")]) as server:
        assert player(server, votes=3).decide(TURN, np.random.default_rng(0)).action == TURN.options[1].action
    with Loopback([say("hm"), say("hm"), say("hm")]) as server:
        assert player(server, votes=3).decide(TURN, np.random.default_rng(0)).status == "invalid"
    with Loopback([*answers("A"), refusing()]) as server:
        assert player(server, votes=3).decide(TURN, np.random.default_rng(0)).status == "refused"


def test_votes_belong_to_the_description_of_a_policy():
    policy = make_policy({"spec": "openai/loopback", "votes": 5, "reasoning": True})
    assert policy.describe()["votes"] == 5
    assert make_policy(policy.describe()) == policy
    with pytest.raises(UsageError, match="votes"):
        LLMPolicy("openai/loopback", votes=0)


@pytest.mark.parametrize("options", [{}, {"points": 15}])
def test_a_firm_chooses_a_price_of_a_table(options):
    env = make_env("bertrand", periods=2, **options)
    env.reset(seed=0)
    turn = env.unwrapped.turn("firm_0")
    with Loopback(answers("C")) as server:
        decision = firm(server).decide(turn, np.random.default_rng(0))
        text = server.requests[0]["messages"][1]["content"]
    row = next(line for line in text.splitlines() if line.startswith("C ("))
    price = float(row.split("(")[1].split(")")[0])
    offered = {option.action: float(option.name) for option in turn.options}
    assert offered.get(decision.action, decision.action) == pytest.approx(price, abs=1e-3)
    assert decision.wording.framing == "table"
    assert decision.status == "valid"


def test_a_firm_is_asked_again_about_a_table_and_votes_on_it():
    env = make_env("bertrand", periods=2)
    env.reset(seed=0)
    with Loopback([say("cheap"), *answers("D", "E", "D")]) as server:
        decision = firm(server, votes=3).decide(env.unwrapped.turn("firm_0"), np.random.default_rng(0))
        assert server.count == 4
        assert "could not be used" in server.requests[1]["messages"][-1]["content"]
    assert decision.status == "valid"


def test_layouts_are_checked():
    assert PricePolicy("openai/loopback", layout="table/17").settings.layout == "table/17"
    for wrong in ("tabel", "table/", "table/x"):
        with pytest.raises(UsageError, match="layout"):
            PricePolicy("openai/loopback", layout=wrong)


@pytest.mark.parametrize("kappa", [0.0, 0.25, 0.5, 1.0])
def test_a_moral_reply_to_the_last_prices_stays_at_the_moral_price(kappa):
    env = make_env("bertrand", periods=40)
    env.reset(seed=0)
    policy = make_policy({"spec": "myopic", "kappa": kappa}, env)
    expected = float(moralis_prices(Market.symmetric(2), kappa)[0])
    assert policy == make_policy(f"myopic:{kappa}", env)
    rng = np.random.default_rng(0)
    for _ in range(10):
        for agent in env.possible_agents:
            env.step(policy.decide(env.unwrapped.turn(agent), rng).action)
    step = 0.04  # of the grid
    assert env.unwrapped.prices[-1] == pytest.approx([expected, expected], abs=step)


def test_a_moral_reply_is_the_best_of_a_fine_grid():
    from ludens.preferences.pricing.consequences import price_profits
    from tests.agents.pricing.turns import pricing_turn

    turn = pricing_turn([(1.2, 1.3)])
    price = make_policy("myopic:0.5", "bertrand").decide(turn, None).action
    market = turn.facts["market"]
    grid = np.linspace(1.0, 3.0, 20_001)
    own, together = price_profits(market, 0, [1.2, 1.3], grid)
    assert price == pytest.approx(grid[np.argmax(own + together)], abs=2e-4)


def test_a_hosted_model_is_held_to_its_labels_by_a_schema():
    with Loopback([say('{"reasoning": "I think.", "choice": "B"}')]) as server:
        more = {"api_base": server.url, "api_key": "none", "order": 0, "reasoning": True, "format": "letter"}
        policy = LLMPolicy("openai/gpt-4o-mini", held=True, **more)
        decision = policy.decide(TURN, np.random.default_rng(0))
        assert decision.action == TURN.options[1].action
        schema = server.requests[0]["response_format"]["json_schema"]["schema"]
        assert schema["properties"]["choice"]["enum"] == ["A", "B"]
    with pytest.raises(UsageError, match="held"):
        PricePolicy("openai/loopback", held=True)


def asked_and_answered(env, text, make=LLMPolicy, **settings):
    """Return the turn of the first seat, the prompt that a server saw and the decision after its reply."""
    env.reset(seed=0)
    turn = env.unwrapped.turn(env.possible_agents[0])
    with Loopback([say(text)]) as server:
        more = {"api_base": server.url, "api_key": "none", "reasoning": True} | settings
        decision = make("openai/loopback", **more).decide(turn, np.random.default_rng(0))
        return turn, server.requests[0]["messages"][-1]["content"], decision


def test_games_in_which_all_move_at_once_have_a_table():
    turn, prompt, decision = asked_and_answered(
        make_env("public_goods-v0"), "So.\nNumber: 4", framing="table"
    )
    assert "You and 3 other people choose at the same time" in prompt
    assert prompt.count(": alone ") == 11
    assert "20: alone 100, all 160" in prompt
    assert turn.options[int(decision.action)].name == "4"
    _, prompt, decision = asked_and_answered(
        make_env("volunteers_dilemma-v0"), "So.\nAnswer: B", framing="table", order=0
    )
    assert "B: alone 75, all 75" in prompt
    assert decision.action == 1
    with pytest.raises(WordingError, match="no list"):
        asked_and_answered(make_env("colonel_blotto-v0"), "", framing="table")


def test_scenarios_of_the_moral_machine_have_a_table():
    turn, prompt, decision = asked_and_answered(
        make_env("moral_machine"), "So.\nAnswer: A", framing="table", order=0
    )
    people = sum(group.humans for group in turn.game.groups)
    assert f"The numbers are cases out of {people}" in prompt
    assert "What should the car do?" in prompt
    assert (decision.status, decision.action) == ("valid", 0)


def test_a_firm_with_several_products_takes_one_price_from_a_table():
    market = Market(np.full(4, 2.0), np.ones(4), mu=0.25, owners=(0, 0, 1, 1))
    env = make_env("bertrand", market=market, periods=2, actions="continuous")
    _, prompt, decision = asked_and_answered(env, "So.\nAnswer: B", PricePolicy, layout="table")
    assert "You sell 2 products" in prompt
    assert decision.further == (decision.action,)


def test_the_framing_payoffs_adds_what_the_others_get():
    settings = {"framing": "payoffs", "order": 0}
    _, prompt, _ = asked_and_answered(make_env("volunteers_dilemma-v0"), "So.\nAnswer: B", **settings)
    assert "B: alone 6, all 6, others 7" in prompt
    assert '"others" is what each of the others gets' in prompt
    _, prompt, _ = asked_and_answered(make_env("av_dilemma-v0"), "So.\nAnswer: B", **settings)
    assert ", dead 20" in prompt
    env = make_env("bertrand", periods=2)
    _, prompt, decision = asked_and_answered(env, "So.\nAnswer: B", PricePolicy, layout="payoffs")
    assert ", others " in prompt
    assert decision.status == "valid"
    with pytest.raises(WordingError, match="use the framing 'table'"):
        asked_and_answered(make_env("av_adoption-v0"), "", **settings)
