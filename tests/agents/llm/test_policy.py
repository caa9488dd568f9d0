"""Language models as policies, against a server on the loopback interface."""

from __future__ import annotations

import asyncio
import json
import pickle
import re

import numpy as np
import pytest

from ludens.agents import LLMPolicy, make_policy
from ludens.agents.llm import ModelError, WordingError, price_known
from ludens.envs import PROTOCOLS, make_env
from ludens.envs.tree.questions import questions
from ludens.errors import UsageError
from tests import loopback
from tests.loopback import Loopback, say, weighing

TURN = questions(PROTOCOLS["SPD4"])["opening"]


def policy(server, model="openai/loopback", **settings):
    return LLMPolicy(model, **{"api_base": server.url, "api_key": "none", "retry_wait": 0.01} | settings)


def rng(seed=0):
    return np.random.default_rng(seed)


def payoffs_of_a(request):
    """What the prompt says of the first person's points if both choose A: tells in which order options
    stood."""
    text = request["messages"][1]["content"]
    return float(re.search(r"Person 1 A, Person 2 A: Person 1 gets (\d+)", text)[1])


def cooperator(request):
    """Answers by content, not by place: R each, where it stands."""
    return say("A" if payoffs_of_a(request) == PROTOCOLS["SPD4"].parameters["R"] else "B")


def test_the_reply_is_the_games_option_whatever_the_order_shown():
    with Loopback([], cooperator) as server:
        for order in (0, 1, 2, "random", "both"):
            decision = policy(server, elicit="sample", order=order).decide(TURN, rng())
            assert decision.action == 0
    assert {payoffs_of_a(request) for request in server.requests} == {65, 25}


def test_a_model_that_always_says_a_is_told_apart_from_one_that_chooses():
    with Loopback([], say("A")) as server:
        asked = policy(server, elicit="sample", order="both")
        actions = {asked.decide(TURN, rng(seed)).action for seed in range(10)}
        decision = asked.decide(TURN, rng())
    assert actions == {0, 1}
    assert decision.probabilities == (0.5, 0.5)
    assert decision.wording.orders == ((0, 1), (1, 0))


def test_probabilities_are_averaged_over_all_orders():
    with Loopback([weighing(A=0.6, B=0.2, The=0.01), weighing(A=0.3, B=0.3, The=0.01)]) as server:
        decision = policy(server).decide(TURN, rng())
    assert decision.provenance == "logprobs"
    assert decision.probabilities == pytest.approx(((0.75 + 0.5) / 2, (0.25 + 0.5) / 2))
    assert [sum(call.option_probabilities) for call in decision.calls] == pytest.approx([0.8, 0.6])
    assert decision.calls[0].option_probabilities == pytest.approx((0.6, 0.2))
    assert [payoffs_of_a(request) for request in server.requests] == [65, 25]
    assert all(request["logprobs"] and request["top_logprobs"] == 20 for request in server.requests)


def test_in_the_second_order_the_first_label_is_the_second_option():
    with Loopback([], weighing(A=0.6, B=0.2, The=0.01)) as server:
        decision = policy(server, order=1).decide(TURN, rng())
    assert decision.probabilities == pytest.approx((0.25, 0.75))
    assert decision.wording.orders == ((1, 0),)


def test_the_action_is_drawn_from_the_probabilities_and_the_generator_alone():
    with Loopback([], weighing(A=0.75, B=0.25)) as server:
        asked = policy(server, order=0)
        actions = [asked.decide(TURN, rng(seed)).action for seed in range(60)]
        again = [asked.decide(TURN, rng(seed)).action for seed in range(60)]
        frozen = policy(server, order=0, temperature=0.0).decide(TURN, rng())
    assert actions == again
    assert 5 <= sum(actions) <= 25
    assert frozen.probabilities == (1.0, 0.0)


@pytest.mark.parametrize("logprobs", [False, "reject"])
def test_a_model_without_log_probabilities_is_sampled_and_asked_for_them_once(logprobs):
    with Loopback([], say("B"), logprobs=logprobs) as server:
        asked = policy(server, order=0)
        first, second = asked.decide(TURN, rng(0)), asked.decide(TURN, rng(1))
    assert (first.action, first.provenance, second.provenance) == (1, "sample", "sample")
    assert [call.outcome for call in first.calls][-1] == "ok"
    assert first.calls[0].outcome != "ok"
    assert first.calls[0].detail
    assert [bool(request.get("logprobs")) for request in server.requests][-2:] == [False, False]
    assert len(second.calls) == 1


@pytest.mark.parametrize("logprobs", [False, "reject"])
def test_log_probabilities_that_were_insisted_on_are_not_replaced(logprobs):
    with (
        Loopback([], say("B"), logprobs=logprobs) as server,
        pytest.raises(ModelError, match="elicit='sample'"),
    ):
        policy(server, elicit="logprobs").decide(TURN, rng())


def test_a_model_that_thinks_first_is_sampled_and_its_thoughts_are_no_answer():
    thinks = loopback.Answer("<think>", tokens=[{"<think>": 0.9, "A": 0.02, "B": 0.01}])

    def answer(request):
        return thinks if request.get("logprobs") else say("<think>A or B? A.</think>\n\nB")

    with Loopback([], answer) as server:
        asked = policy(server, order=0)
        first, second = asked.decide(TURN, rng(0)), asked.decide(TURN, rng(1))
        with pytest.raises(ModelError, match=r"thinks before it answers.*elicit='sample'"):
            policy(server, order=0, elicit="logprobs", retries=0).decide(TURN, rng())
    assert (first.action, first.provenance, second.action) == (1, "sample", 1)
    assert len(second.calls) == 1


def test_a_distribution_without_any_option_is_asked_again_then_invalid():
    with Loopback([], weighing(The=0.9, You=0.1)) as server:
        decision = policy(server, order=0, retries=1).decide(TURN, rng())
    assert (decision.action, decision.status) == (None, "invalid")
    assert [call.outcome for call in decision.calls] == ["invalid", "invalid"]


def test_a_json_schema_is_sent_where_the_model_takes_one():
    with Loopback([], say('{"reasoning": "more", "choice": "B"}')) as server:
        decision = policy(server, "openai/gpt-4o-mini", reasoning=True, order=0).decide(TURN, rng())
    (request,) = server.requests
    schema = request["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["choice"]["enum"] == ["A", "B"]
    assert list(schema["properties"]) == ["reasoning", "choice"]
    assert (decision.action, decision.reasoning) == (1, "more")
    assert decision.calls[0].cost > 0


def test_a_plain_letter_can_be_asked_for_where_the_model_takes_a_schema():
    with Loopback([], say("More is better.\nAnswer: B")) as server:
        asked = policy(server, "openai/gpt-4o-mini", reasoning=True, order=0, format="letter")
        decision = asked.decide(TURN, rng())
    (request,) = server.requests
    assert "response_format" not in request
    assert "JSON" not in request["messages"][1]["content"]
    assert decision.action == 1
    assert make_policy(asked.describe()) == asked
    with pytest.raises(UsageError, match="format"):
        policy(server, format="xml")


def test_a_schema_that_the_server_rejects_is_left_out_from_then_on():
    with Loopback([], say("B"), schema=False) as server:
        asked = policy(server, "openai/gpt-4o-mini", elicit="sample", order=0)
        first, second = asked.decide(TURN, rng()), asked.decide(TURN, rng())
    assert [call.outcome for call in first.calls] == ["error", "ok"]
    assert [call.outcome for call in second.calls] == ["ok"]
    assert "JSON" in server.requests[0]["messages"][1]["content"]
    assert "JSON" not in server.requests[1]["messages"][1]["content"]


def test_a_request_that_is_rejected_however_it_is_put_stops():
    with (
        Loopback([], loopback.failing(400, "temperature must be 1")) as server,
        pytest.raises(ModelError) as error,
    ):
        policy(server, elicit="sample").decide(TURN, rng())
    assert "temperature must be 1" in str(error.value)


def test_reasoning_is_asked_for_and_kept():
    with Loopback([], say("A pays 65, B pays 90.\n\nAnswer: B")) as server:
        decision = policy(server, reasoning=True, order=0).decide(TURN, rng())
    assert decision.action == 1
    assert "65" in decision.reasoning
    assert "step by step" in server.requests[0]["messages"][1]["content"]


def test_what_was_sent_is_what_is_recorded():
    with Loopback([], say("B")) as server:
        decision = policy(server, elicit="sample", order=0, temperature=0.7, persona="You are Ann.").decide(
            TURN, rng()
        )
    (request,), (call,) = server.requests, decision.calls
    assert request["messages"] == [dict(message) for message in call.messages]
    assert request["messages"][0]["content"] == "You are Ann."
    assert {name: request[name] for name in call.parameters} == dict(call.parameters)
    assert call.parameters["temperature"] == 0.7
    assert call.prompt_tokens == sum(len(message["content"].split()) for message in call.messages)
    assert (call.completion_tokens, call.cost, call.transport_retries) == (1, 0.0, 0)


def test_the_runs_generator_decides_orders_and_seeds():
    def trace(seed):
        with Loopback([], say("A")) as server:
            decision = policy(server, elicit="sample").decide(TURN, rng(seed))
        return decision.action, decision.wording, server.requests[0]["seed"], server.requests[0]["messages"]

    assert [trace(seed) for seed in range(6)] == [trace(seed) for seed in range(6)]
    assert {trace(seed)[0] for seed in range(6)} == {0, 1}


def test_a_second_question_is_a_second_draw():
    with Loopback([say("Hm."), say("B")]) as server:
        policy(server, elicit="sample").decide(TURN, rng())
    first, second = (request["seed"] for request in server.requests)
    assert first != second


def test_a_belief_is_read_in_the_games_order():
    with Loopback([], say("A: 70\nB: 30")) as server:
        straight = policy(server, order=0).belief(TURN, rng())
        swapped = policy(server, order=1).belief(TURN, rng())
        both = policy(server, order="both").belief(TURN, rng())
    assert straight.probabilities == pytest.approx((0.7, 0.3))
    assert swapped.probabilities == pytest.approx((0.3, 0.7))
    assert both.probabilities == pytest.approx((0.5, 0.5))
    assert (len(both.calls), both.wording.orders) == (2, ((0, 1), (1, 0)))
    assert "100 other people" in server.requests[0]["messages"][1]["content"]


def test_a_belief_that_cannot_be_read_is_none():
    with Loopback([], say("most of them A")) as server:
        report = policy(server, order=0).belief(TURN, rng())
    assert (report.probabilities, report.status, len(report.calls)) == (None, "invalid", 3)


async def test_many_decisions_wait_at_once():
    with Loopback([], say("B", heard=loopback.together(16))) as server:
        asked = policy(server, elicit="sample")
        decisions = await asyncio.gather(*(asked.adecide(TURN, rng(seed)) for seed in range(32)))
    assert all(decision.status == "valid" for decision in decisions)
    assert server.most_at_once >= 16


async def test_deciding_also_works_inside_a_running_loop():
    with Loopback([], say("B")) as server:
        assert policy(server, elicit="sample", order=0).decide(TURN, rng()).action == 1


def test_a_whole_episode_in_pettingzoos_loop():
    env = make_env("sequential_prisoners_dilemma", protocol="SPD4", rounds=3)
    env.reset(seed=3)
    rewards = dict.fromkeys(env.possible_agents, 0.0)
    with Loopback([], cooperator) as server:
        player = policy(server, elicit="sample")
        for agent in env.agent_iter():
            _, reward, *_ = env.last()
            rewards[agent] += reward
            env.step(player.act(env, rng()))
    assert rewards == {"player_0": 195.0, "player_1": 195.0}
    assert "Round 2, you were" in server.requests[-1]["messages"][1]["content"]


def test_a_policy_is_remade_from_its_description_without_its_secrets():
    made = LLMPolicy(
        "openai/loopback",
        framing="twin",
        order=1,
        persona="homo_moralis",
        api_base="http://x/v1",
        api_key="s3cret",
        top_p=0.9,
    )
    told = json.loads(json.dumps(made.describe()))
    assert "s3cret" not in json.dumps(told)
    assert make_policy(told) == made
    assert make_policy(told).options == {"top_p": 0.9}
    assert pickle.loads(pickle.dumps(made)) == made
    assert make_policy("openai/loopback") != made


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"framing": "poem"}, "neutral, story, twin"),
        ({"elicit": "guess"}, "'auto', 'logprobs', 'sample'"),
        ({"invalid": "ignore"}, "'drop', 'forfeit', 'abort'"),
        ({"order": "up"}, "'auto', 'random', 'both'"),
        ({"framing": None}, "neutral, story, twin"),
        ({"order": True}, "or a number"),
        ({"retries": -1}, "at least 0"),
        ({"retries": 1.5}, "whole number"),
        ({"retry_wait": -1}, "0 or more"),
        ({"temperature": "hot"}, "0 or more"),
        ({"temperature": float("inf")}, "0 or more"),
        ({"max_tokens": 0}, "at least 1"),
        ({"seed": "x"}, "whole number"),
        ({"persona": "homo_economics"}, "did you mean 'homo_economicus'?"),
        ({"persona": ""}, "give a text"),
        ({"framming": "twin"}, "did you mean 'framing'?"),
        ({"max_token": 9}, "did you mean 'max_tokens'?"),
        ({"transport_retry": 9}, "did you mean 'transport_retries'?"),
        ({"num_retries": 9}, "set transport_retries instead"),
        ({"stream": True}, "cannot be set"),
        ({"messages": []}, "persona"),
        ({"temperature": float("nan")}, "0 or more"),
        ({"timeout": 0}, "above 0"),
        ({"elicit": "logprobs", "reasoning": True}, "reasoning=True"),
    ],
)
def test_a_wrong_argument_is_said_at_once(wrong, says):
    with pytest.raises((UsageError, WordingError), match=re.escape(says)):
        LLMPolicy("openai/loopback", **wrong)


@pytest.mark.parametrize("model", [None, "", 3])
def test_a_model_is_named_by_a_text(model):
    with pytest.raises(UsageError, match="provider/model"):
        LLMPolicy(model)


def test_what_litellm_takes_may_be_given():
    names = (
        "top_p top_k min_p stop user thinking verbosity logit_bias num_ctx extra_headers extra_body base_url "
        "reasoning_effort frequency_penalty presence_penalty max_completion_tokens request_timeout fallbacks "
        "api_key api_version custom_llm_provider mock_response allowed_openai_params service_tier "
        "aws_region_name vertex_project"
    )
    options: dict[str, object] = dict.fromkeys(names.split(), "x")
    assert LLMPolicy("openai/x", **options).options == options


def test_a_persona_is_sent_as_it_was_written():
    text = "{{ 7 * 7 }} <b>{% include 'again.j2' %}</b>"
    with Loopback([], say("B")) as server:
        policy(server, elicit="sample", persona=text).decide(TURN, rng())
    assert server.requests[0]["messages"][0]["content"] == text


def test_it_is_known_whether_a_price_is_known():
    assert price_known("openai/gpt-4o-mini")
    assert not price_known("openai/loopback")
