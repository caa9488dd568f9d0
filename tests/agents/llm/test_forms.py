"""Replies and demands of servers in all their forms, through the real client, against a server that
answers as they do."""

from __future__ import annotations

import json
from copy import deepcopy

import numpy as np
import pytest

from ludens.agents import LLMPolicy
from ludens.envs import PROTOCOLS
from ludens.envs.tree.questions import questions
from tests.loopback import Answer, Loopback

TURN = questions(PROTOCOLS["TG3"])["reply to trust"]
NEVER = 3600.0
REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "loopback",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "B"}}],
    "usage": {"prompt_tokens": 30, "completion_tokens": 2, "total_tokens": 32},
}


def policy(server, model="openai/loopback", **settings):
    return LLMPolicy(
        model,
        **{"api_base": server.url, "elicit": "sample", "order": 0, "retry_wait": 0.01, "timeout": NEVER}
        | settings,
    )


def decide(server, *arguments, **settings):
    return policy(server, *arguments, **settings).decide(TURN, np.random.default_rng(0))


def reply(message=None, choice=None, **more):
    """A body as servers send it, with another message, choice or anything else."""
    body = deepcopy(REPLY) | more
    if message is not None:
        body["choices"][0]["message"] = {"role": "assistant"} | message
    if choice is not None:
        body["choices"][0] |= choice
    return Answer(body=json.dumps(body).encode())


CALL = {"id": "1", "type": "function", "function": {"name": "answer", "arguments": '{"choice": "B"}'}}
OTHER = CALL | {"function": {"name": "answer", "arguments": '{"choice": "A"}'}}
OBJECT = {"id": "1", "type": "function", "function": {"name": "answer", "arguments": {"choice": "B"}}}

FORMS = {
    "content in parts": reply({"content": [{"type": "text", "text": "B"}]}),
    "thoughts as a part": reply(
        {"content": [{"type": "thinking", "thinking": "A? No."}, {"type": "text", "text": "B"}]}
    ),
    "content as the object": reply({"content": {"choice": "B"}}),
    "thoughts in reasoning_content": reply({"content": "B", "reasoning_content": "A pays less. Answer: A"}),
    "thoughts in reasoning": reply({"content": "B", "reasoning": "Answer: A"}),
    "thoughts in blocks": reply({"content": "B", "thinking_blocks": [{"type": "thinking", "thinking": "A"}]}),
    "thoughts in tags": reply({"content": "<think>Answer: A</think>B"}),
    "a call to a tool": reply({"content": None, "tool_calls": [CALL]}, {"finish_reason": "tool_calls"}),
    "a call with an object": reply({"content": "", "tool_calls": [OBJECT]}),
    "the older call": reply(
        {"content": None, "function_call": {"name": "f", "arguments": '{"choice": "B"}'}}
    ),
    "no role": reply(choice={"message": {"content": "B"}}),
    "text in the choice": reply(choice={"message": None, "text": "B"}),
    "no usage": reply(usage=None),
    "usage of another kind": reply(usage=[1, 2]),
    "no model, no time": reply(model=None, created="yesterday", id=None),
    "a reason of another kind": reply(choice={"finish_reason": {"type": "stop"}}),
    "annotations of another kind": reply({"content": "B", "annotations": "none", "audio": "none"}),
    "log-probabilities of another kind": reply(choice={"logprobs": [1, 2]}),
}


@pytest.mark.parametrize("model", ["openai/loopback", "hosted_vllm/loopback"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_paid_reply_is_read_whatever_its_form(model, form):
    with Loopback([], form) as server:
        decision = decide(server, model, api_key="none")
    assert (decision.action, decision.status, server.count) == (1, "valid", 1)


EMPTY = {
    "thoughts alone": reply({"content": None, "reasoning_content": "Answer: B"}),
    "no message": reply(choice={"message": None}),
    "no choices": reply(choices=[]),
    "choices that are none": reply(choices=None),
    "two calls that differ": reply(
        {
            "content": None,
            "tool_calls": [CALL, CALL | {"function": {"name": "a", "arguments": '{"choice": "A"}'}}],
        }
    ),
}


@pytest.mark.parametrize("form", EMPTY.values(), ids=EMPTY)
def test_a_reply_without_an_answer_is_asked_again_and_never_guessed(form):
    with Loopback([form], reply()) as server:
        decision = decide(server)
    assert (decision.action, [call.outcome for call in decision.calls]) == (1, ["invalid", "ok"])
    assert decision.calls[0].reply is None
    assert decision.calls[0].transport_retries == 0


COUNTS = {
    "fractions": ({"prompt_tokens": 30.5, "completion_tokens": 2.0}, (30, 2)),
    "texts": ({"prompt_tokens": "30", "completion_tokens": "many"}, (30, 0)),
    "below zero": ({"prompt_tokens": -30, "completion_tokens": -1}, (0, 0)),
    "absurd": ({"prompt_tokens": 10**30, "completion_tokens": 1e300}, (0, 0)),
    "not a number": ({"prompt_tokens": float("nan"), "completion_tokens": float("inf")}, (0, 0)),
    "nothing": ({"prompt_tokens": None}, (0, 0)),
    "odd details": (
        {"prompt_tokens": 30, "completion_tokens": 2, "completion_tokens_details": "x", "total_tokens": "y"},
        (30, 2),
    ),
}


@pytest.mark.parametrize(("usage", "counted"), COUNTS.values(), ids=COUNTS)
def test_counts_of_tokens_never_cost_an_answer(usage, counted):
    with Loopback([], reply(usage=usage)) as server:
        decision = decide(server, "openai/gpt-4o-mini")
    (call,) = decision.calls
    assert (decision.action, call.prompt_tokens, call.completion_tokens) == (1, *counted)
    assert call.cost == pytest.approx(counted[0] * 0.15e-6 + counted[1] * 0.6e-6)


def test_half_a_surrogate_pair_in_a_reply_costs_nothing():
    with Loopback(
        [reply({"content": "Hm \ud83d."}), reply({"content": '{"choice": "B", "why": "\ude00"}'})]
    ) as server:
        decision = decide(server)
    assert [call.reply for call in decision.calls] == ["Hm \ufffd.", '{"choice": "B", "why": "\ufffd"}']
    assert server.requests[1]["messages"][-2]["content"] == "Hm \ufffd."
    assert decision.status == "valid"


def weighed(*entries):
    """Log-probabilities of one token, given as (token, probability, bytes)."""
    listed = [{"token": token, "logprob": float(np.log(p)), "bytes": data} for token, p, data in entries]
    content = [listed[0] | {"top_logprobs": listed}, {"token": "", "logprob": 0.0, "bytes": None}]
    return reply(choice={"logprobs": {"content": content}})


def test_tokens_that_are_given_as_ids_are_read_from_their_bytes():
    with Loopback([], weighed(("token_id:33", 0.75, [65]), ("token_id:34", 0.25, [66]))) as server:
        decision = decide(server, elicit="logprobs")
    assert decision.probabilities == pytest.approx((0.75, 0.25))
    assert decision.provenance == "logprobs"


def test_tokens_of_which_only_the_ids_are_known_are_not_guessed():
    ids = weighed(("token_id:33", 0.75, list(b"token_id:33")), ("token_id:34", 0.25, None))
    with Loopback([ids], reply()) as server:
        decision = decide(server, elicit="auto")
    assert (decision.action, decision.provenance) == (1, "sample")


def test_the_tokens_of_thoughts_are_none_of_the_answer():
    def token(text, **alternatives):
        top = [
            {"token": each, "logprob": float(np.log(p)), "bytes": None} for each, p in alternatives.items()
        ]
        return {"token": text, "logprob": top[0]["logprob"], "top_logprobs": top}

    tokens = [token("A", A=0.9, B=0.1), token("?", **{"?": 1.0}), token("B", B=0.75, A=0.25)]
    thinks = reply({"content": "B", "reasoning_content": "A?"}, {"logprobs": {"content": tokens}})
    cut = reply(
        {"content": None, "reasoning_content": "A?"},
        {"logprobs": {"content": tokens[:2]}, "finish_reason": "length"},
    )
    with Loopback([thinks]) as server:
        decision = decide(server, elicit="logprobs")
    assert decision.probabilities == pytest.approx((0.25, 0.75))
    with Loopback([cut], reply()) as server:
        decision = decide(server, elicit="auto")
    assert (decision.action, decision.provenance) == (1, "sample")
