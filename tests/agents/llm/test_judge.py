"""A language model as a judge of sentences, against a server on the loopback interface."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ludens.agents.llm import JudgeGame, JudgePolicy, ModelError
from ludens.envs import PROTOCOLS
from ludens.envs.tree.questions import questions
from ludens.errors import UsageError
from tests.loopback import Loopback, failing, say

GAME = JudgeGame(
    "Here is a sentence: {sentence}\n{options}\nOne letter.",
    {"weather": "it is about the weather", "food": "it is about food", "other": "neither"},
)


def judge(server, sentence="It rains.", seed=0, **settings):
    policy = JudgePolicy("openai/loopback", api_base=server.url, api_key="none", retry_wait=0.01, **settings)
    return policy.decide(GAME.turn(sentence), np.random.default_rng(seed))


def weather(request):
    return say(re.search(r"^([A-C])\. .*weather", request["messages"][0]["content"], re.MULTILINE)[1])


def test_the_kind_is_read_whatever_the_order_of_the_statements():
    with Loopback([], weather) as server:
        decisions = [judge(server, seed=seed) for seed in range(20)]
    assert {decision.action for decision in decisions} == {0}
    assert len({decision.wording.orders for decision in decisions}) == 3
    request = server.requests[0]
    assert (request["temperature"], request["max_tokens"]) == (0.0, 16)
    assert "seed" not in request
    assert "Here is a sentence: It rains." in request["messages"][0]["content"]


def test_what_cannot_be_read_is_asked_again_with_the_letters_there_are():
    with Loopback([], say("A or B")) as server:
        decision = judge(server, retries=1)
    assert (decision.action, decision.status, server.count) == (None, "invalid", 2)
    assert server.requests[1]["messages"][-1]["content"].endswith(
        "Answer with one of the letters A, B and C only."
    )


def test_no_reply_is_no_verdict():
    with Loopback([], failing(500)) as server, pytest.raises(ModelError, match="gave no reply"):
        judge(server, transport_retries=0)


def test_a_judge_reads_sentences_alone():
    turn = questions(PROTOCOLS["TG1"])["opening"]
    with pytest.raises(UsageError, match="give it a JudgeGame"):
        JudgePolicy("openai/x").decide(turn, np.random.default_rng(0))
