"""Replies and demands of servers in all their forms, through the real client, against a server that
answers as they do."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from ludens.agents import LLMPolicy, recording
from ludens.agents.llm import ModelError
from ludens.agents.local.engine import Choice, EngineReply, RequestError
from ludens.envs import PROTOCOLS
from ludens.envs.tree.questions import questions
from tests.journals import Journal
from tests.loopback import Answer, Loopback, together

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
    thoughts = form is EMPTY["thoughts alone"]
    assert decision.calls[0].detail == (
        "The reply held thoughts and no answer." if thoughts else "The reply was empty."
    )


COUNTS = {
    "fractions": ({"prompt_tokens": 30.5, "completion_tokens": 2.0}, (30, 2)),
    "texts": ({"prompt_tokens": "30", "completion_tokens": "many"}, (30, 0)),
    "below zero": ({"prompt_tokens": -30, "completion_tokens": -1}, None),
    "absurd": ({"prompt_tokens": 10**30, "completion_tokens": 1e300}, None),
    "not a number": ({"prompt_tokens": float("nan"), "completion_tokens": float("inf")}, None),
    "nothing": ({"prompt_tokens": None}, None),
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
    assert decision.action == 1
    assert ("counted" in call.marks) == (counted is None)
    if counted is None:  # no sensible count, so that the tokens are counted here
        assert call.prompt_tokens > 50
        assert 0 < call.completion_tokens < 20
    else:
        assert (call.prompt_tokens, call.completion_tokens) == counted
    assert call.cost == pytest.approx(call.prompt_tokens * 0.15e-6 + call.completion_tokens * 0.6e-6)


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


def error(status, message, **body):
    """An error as OpenAI words it; with `body`, further keys of the error."""
    said = {"message": message, "type": "invalid_request_error", "param": None, "code": None} | body
    return Answer(status=status, body=json.dumps({"error": said}).encode())


AZURE = error(
    400,
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please "
    "modify your prompt and retry.",
    type=None,
    param="prompt",
    code="content_filter",
    innererror={
        "code": "ResponsibleAIPolicyViolation",
        "content_filter_result": {"violence": {"filtered": True}},
    },
)
FILTERS = {
    "Azure": AZURE,
    "Azure, in the code alone": error(
        400, "Bad request", innererror={"code": "ResponsibleAIPolicyViolation"}
    ),
    "OpenAI": error(
        400,
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again "
        "with a different prompt.",
        code="invalid_prompt",
    ),
    "Anthropic": error(400, "Output blocked by content filtering policy"),
    "DeepSeek": error(400, "Content Exists Risk", code="invalid_request_error"),
    "Qwen": error(400, "Input data may contain inappropriate content.", code="data_inspection_failed"),
    "Qwen, by another way": error(400, "<400> InternalError.Algo.DataInspectionFailed: Input text data"),
    "Zhipu": error(400, "系统检测到输入或生成内容可能包含不安全或敏感内容", code="1301"),
    "Moonshot": error(
        400, "The request was rejected because it was considered high risk", type="content_filter"
    ),
    "Volcengine": error(400, "The request failed", code="InputTextSensitiveContentDetected"),
    "StepFun": error(451, "The request was blocked", type="censorship_blocked"),
    "xAI": Answer(
        status=403,
        body=json.dumps(
            {
                "code": "The caller does not have permission to execute the specified operation",
                "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO",
            }
        ).encode(),
    ),
    "a gateway": error(400, "The request was blocked by the guardrail pii"),
    "OpenRouter": error(403, 'openai/x requires moderation. Your input was flagged for "violence"', code=403),
    "in a reply of status 200": Answer(body=b'{"error": {"message": "Content Exists Risk", "code": 400}}'),
}


@pytest.mark.parametrize("model", ["openai/loopback", "hosted_vllm/loopback"])
@pytest.mark.parametrize("answer", FILTERS.values(), ids=FILTERS)
def test_a_content_filter_refuses_one_prompt_even_as_the_first_one(answer, model):
    with Loopback([answer], reply()) as server:
        asked = policy(server, model, api_key="none")
        first, second = (asked.decide(TURN, np.random.default_rng(n)) for n in range(2))
    assert (first.action, first.status, first.calls[0].outcome) == (None, "refused", "refused")
    assert first.calls[0].detail.startswith("The provider's content filter: ")
    assert (second.status, server.count) == ("valid", 2)


def test_a_key_that_is_not_accepted_is_no_refusal_of_a_prompt():
    answer = error(403, "Your key has no access to this model")
    with Loopback([], answer) as server, pytest.raises(ModelError, match="did not accept the key"):
        decide(server)


def harmless(request):
    return "first in the alphabet" in request["messages"][-1]["content"]


def test_an_unknown_rejection_is_of_the_prompt_if_the_same_form_is_taken_with_another():
    bad = error(400, "Request 4711 was not processed")
    with Loopback([], lambda request: reply() if harmless(request) else bad) as server:
        decision = decide(server)
    assert (decision.action, decision.status) == (None, "refused")
    assert [call.outcome for call in decision.calls] == ["ok", "refused"]
    assert decision.calls[1].detail == (
        "The provider turned this prompt down: Request 4711 was not processed."
    )
    assert {name: server.requests[0][name] for name in ("temperature", "max_tokens")} == {
        name: server.requests[1][name] for name in ("temperature", "max_tokens")
    }


def test_llama_cpp_reports_the_chat_template_as_a_fault_of_its_own():
    said = error(500, "Value is not callable at row 1: System role not supported", code=500)
    with Loopback(
        [], lambda request: said if request["messages"][0]["role"] == "system" else reply()
    ) as server:
        asked = policy(server)
        assert [asked.decide(TURN, np.random.default_rng(n)).status for n in range(2)] == ["valid", "valid"]
    assert server.count == 3


def test_an_unknown_rejection_of_every_prompt_stops_and_is_found_out_once():
    async def all_at_once(asked):
        tasks = [asked.adecide(TURN, np.random.default_rng(n)) for n in range(16)]
        return await asyncio.gather(*tasks, return_exceptions=True)

    bad = error(400, "Request 4711 was not processed")
    waiting = replace(bad, heard=together(16))
    with Loopback([], lambda request: bad if harmless(request) else waiting) as server:
        outcomes = asyncio.run(all_at_once(policy(server)))
    assert all(isinstance(each, ModelError) and "4711" in str(each) for each in outcomes)
    assert sum(map(harmless, server.requests)) == 1


@pytest.mark.parametrize("elicit", ["auto", "logprobs", "sample"])
def test_a_prompt_that_is_too_long_is_no_refusal_and_no_fault_of_its_form(elicit):
    words = "This model's maximum context length is 512 tokens. However, your messages resulted in 700."
    journal, good = Journal(), weighed(("A", 0.75, None), ("B", 0.25, None))
    with Loopback([], error(400, words, code="context_length_exceeded")) as server, recording(journal):
        asked = policy(server, "openai/gpt-4o-mini", elicit=elicit)
        with pytest.raises(ModelError, match="does not fit the context"):
            asked.decide(TURN, np.random.default_rng(0))
        assert (server.count, journal.kept, journal.facts) == (1, [], {})
        server.otherwise = good
        assert asked.decide(TURN, np.random.default_rng(1)).status == "valid"


def demanding(*demands):
    """A server that rejects requests until each demand is met: (whether it is not, what the server says)."""

    def answer(request):
        for unmet, said in demands:
            if unmet(request):
                return said
        return reply()

    return answer


NEW_LIMIT = (
    lambda request: "max_tokens" in request,
    error(
        400,
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
        "'max_completion_tokens' instead.",
        param="max_tokens",
        code="unsupported_parameter",
    ),
)
OWN_TEMPERATURE = (
    lambda request: "temperature" in request,
    error(
        400,
        "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value "
        "is supported.",
        param="temperature",
        code="unsupported_value",
    ),
)
NO_SEED = (lambda request: "seed" in request, error(400, "Extra inputs are not permitted: seed"))
NO_SYSTEM = (
    lambda request: request["messages"][0]["role"] == "system",
    error(400, "System role not supported"),
)


def test_what_servers_ask_for_is_done_once_and_remembered():
    demands = demanding(NEW_LIMIT, OWN_TEMPERATURE, NO_SEED, NO_SYSTEM)
    journal = Journal()
    with Loopback([], demands) as server, recording(journal):
        asked = policy(server, temperature=0.2, persona="You are Ann.")
        first, second = (asked.decide(TURN, np.random.default_rng(n)) for n in range(2))
    assert (first.action, second.action, server.count) == (1, 1, 6)
    assert len(first.calls) == len(second.calls) == 1
    last = server.requests[-1]
    assert not {"max_tokens", "temperature", "seed"} & set(last)
    assert last["max_completion_tokens"] == 256
    assert [message["role"] for message in last["messages"]] == ["user"]
    assert last["messages"][0]["content"].startswith("You are Ann.\n\n")
    assert [dict(message) for message in second.calls[0].messages] == last["messages"]
    assert set(second.calls[0].parameters) == {"max_completion_tokens"}
    (facts,) = journal.facts.values()
    assert facts == {
        "without": ["seed", "temperature"],
        "limit_as": "max_completion_tokens",
        "system": False,
        "temperatures": [0.2],
    }


def test_a_run_that_goes_on_knows_what_its_server_takes():
    journal = Journal()
    with Loopback([], demanding(OWN_TEMPERATURE, NO_SYSTEM)) as server:
        with recording(journal):
            decide(server, temperature=0.2)
        made = server.count
        with recording(Journal(facts=json.loads(json.dumps(journal.facts)))):
            decide(server, temperature=0.2)
    assert (made, server.count) == (3, 4)


def test_calls_to_a_server_without_system_messages_are_replayed():
    journal = Journal()
    with Loopback([], demanding(NO_SYSTEM)) as server:
        with recording(journal):
            first = decide(server)
        made = server.count
        with recording(Journal(journal.kept)):
            again = decide(server)
    assert (again.action, server.count) == (first.action, made)


REJECTIONS = {
    "the older name of the limit": (
        "openai/o3",
        lambda request: "max_completion_tokens" in request,
        "Unrecognized request argument supplied: max_completion_tokens",
        {"max_tokens": 256},
    ),
    "a temperature above 0": (
        "openai/loopback",
        lambda request: request.get("temperature") == 0,
        "`temperature` must be strictly positive",
        {"temperature": 0.01},
    ),
    "a deprecated temperature": (
        "openai/loopback",
        lambda request: "temperature" in request,
        "temperature is deprecated for this model.",
        {"temperature": None},
    ),
    "a temperature beside thoughts": (
        "openai/loopback",
        lambda request: "temperature" in request,
        "`temperature` may only be set to 1 when thinking is enabled.",
        {"temperature": None},
    ),
    "a developer's instruction": (
        "openai/loopback",
        lambda request: request["messages"][0]["role"] == "system",
        "Developer instruction is not enabled for models/gemma-3-1b-it",
        {},
    ),
    "roles that alternate": (
        "openai/loopback",
        lambda request: request["messages"][0]["role"] == "system",
        "Conversation roles must alternate user/assistant/user/assistant/...",
        {},
    ),
}


@pytest.mark.parametrize(("model", "unmet", "said", "sent"), REJECTIONS.values(), ids=REJECTIONS)
def test_each_demand_is_met_in_its_own_words(model, unmet, said, sent):
    with Loopback([], demanding((unmet, error(400, said)))) as server:
        decision = decide(server, model, temperature=0.0, max_tokens=256)
    assert (decision.action, server.count) == (1, 2)
    assert {name: server.requests[-1].get(name) for name in sent} == sent


@pytest.mark.parametrize(
    "said",
    [
        "Requested sample logprobs of 20, which is greater than max allowed: 5",
        "top_logprobs must be less than or equal to 5.",
        "Invalid value for 'top_logprobs': must be between 0 and 5 (gpt-4o)",
    ],
)
def test_fewer_likely_tokens_are_asked_for_where_a_server_lists_fewer(said):
    def answer(request):
        return (
            error(400, said) if request["top_logprobs"] > 5 else weighed(("A", 0.75, None), ("B", 0.25, None))
        )

    with Loopback([], answer) as server:
        decision = decide(server, elicit="logprobs")
    assert decision.probabilities == pytest.approx((0.75, 0.25))
    assert [request["top_logprobs"] for request in server.requests] == [20, 5]


def test_a_temperature_out_of_range_is_the_users_to_change():
    with (
        Loopback([], error(400, "temperature must be less than or equal to 1")) as server,
        pytest.raises(ModelError, match="temperature must be less"),
    ):
        decide(server, temperature=1.5)


def test_a_change_that_does_not_help_is_not_kept():
    journal = Journal()
    with (
        Loopback([], error(400, "temperature and seed are invalid")) as server,
        recording(journal),
        pytest.raises(ModelError, match="temperature and seed are invalid"),
    ):
        decide(server)
    assert not any(journal.facts.values())


async def test_of_many_that_are_rejected_one_finds_out_what_the_server_takes():
    with Loopback([], demanding(NEW_LIMIT, OWN_TEMPERATURE, NO_SEED, NO_SYSTEM)) as server:
        asked = policy(server, temperature=0.2)
        decisions = await asyncio.gather(*(asked.adecide(TURN, np.random.default_rng(n)) for n in range(16)))
    assert all(decision.action == 1 for decision in decisions)
    assert server.count <= 16 + 4 + 16


async def test_what_has_helped_is_kept_where_log_probabilities_are_not_given_at_last():
    no_logprobs = (lambda request: "logprobs" in request, error(400, "logprobs is not supported"))
    demands = demanding(NEW_LIMIT, OWN_TEMPERATURE, NO_SEED, NO_SYSTEM, no_logprobs)
    with Loopback([], demands) as server:
        asked = policy(server, elicit="auto", temperature=0.2)
        decisions = await asyncio.gather(*(asked.adecide(TURN, np.random.default_rng(n)) for n in range(16)))
    assert all(decision.action == 1 for decision in decisions)
    # Each is rejected at first and for its log-probabilities, and answered without; one finds out the rest.
    assert server.count <= 16 + 4 + 16 + 16


async def test_one_decision_finds_out_that_a_server_gives_no_log_probabilities():
    with Loopback([], Answer("A")) as server:
        asked = policy(server, elicit="auto")
        decisions = await asyncio.gather(*(asked.adecide(TURN, np.random.default_rng(n)) for n in range(16)))
    assert all(decision.status == "valid" for decision in decisions)
    assert sum("logprobs" in request for request in server.requests) == 1
    assert server.count == 17


def test_a_server_may_ask_for_the_other_name_of_the_limit_later():
    old_limit = REJECTIONS["the older name of the limit"][1:3]
    with Loopback([], demanding(NEW_LIMIT)) as server:
        asked = policy(server)
        first = asked.decide(TURN, np.random.default_rng(0))
        server.otherwise = demanding((old_limit[0], error(400, old_limit[1])))
        second = asked.decide(TURN, np.random.default_rng(1))
        server.otherwise = demanding(NEW_LIMIT)
        third = asked.decide(TURN, np.random.default_rng(2))
    assert [each.status for each in (first, second, third)] == ["valid"] * 3
    assert server.count == 6


def test_two_servers_behind_one_address_that_ask_for_opposite_things_end_in_a_sentence():
    old_limit = REJECTIONS["the older name of the limit"][1:3]
    limits = ("max_tokens", "max_completion_tokens")

    def answer(request):
        return next(
            said
            for name, said in zip(limits, (NEW_LIMIT[1], error(400, old_limit[1])), strict=True)
            if name in request
        )

    with Loopback([], answer) as server, pytest.raises(ModelError, match="rejects the request"):
        decide(server)
    assert server.count <= 4


def test_a_prompt_refused_while_log_probabilities_are_given_is_weighed_the_next_time():
    bad = error(400, "Request 4711 was not processed")
    good = weighed(("A", 0.75, None), ("B", 0.25, None))
    with Loopback([bad], good) as server:
        asked = policy(server, elicit="auto")
        first, second = (asked.decide(TURN, np.random.default_rng(n)) for n in range(2))
    assert first.status == "refused"
    assert (second.provenance, second.probabilities) == ("logprobs", pytest.approx((0.75, 0.25)))


def thinking(least):
    """A model on a server of one's own that thinks for so many tokens before its first word."""

    def answer(request):
        if request["max_tokens"] < least:
            thoughts = {"content": None, "reasoning_content": "First, the payoffs"}
            return reply(thoughts, {"finish_reason": "length"})
        return reply({"content": "B", "reasoning_content": "More is better."})

    return answer


def test_a_reply_cut_before_its_first_word_is_given_room():
    journal = Journal()
    with Loopback([], thinking(2000)) as server, recording(journal):
        asked = policy(server)
        first, second = (asked.decide(TURN, np.random.default_rng(n)) for n in range(2))
    assert [request["max_tokens"] for request in server.requests] == [256, 1280, 4352, 4352]
    assert (first.action, second.action) == (1, 1)
    assert [call.outcome for call in first.calls] == ["invalid", "invalid", "ok"]
    assert [call.completion_tokens for call in first.calls] == [2, 2, 2]
    assert first.calls[0].detail.startswith("Asked again with more room: ")
    assert server.requests[0]["messages"] == server.requests[2]["messages"]
    assert [facts["room"] for facts in journal.facts.values()] == [4096]
    assert journal.kept == [*first.calls, *second.calls]


async def test_of_many_replies_that_are_cut_one_finds_out_how_much_room_they_need():
    def answer(request):
        said = thinking(2000)(request)
        return replace(said, heard=waiting) if request["max_tokens"] == 256 else said

    waiting = together(16)
    with Loopback([], answer) as server:
        asked = policy(server)
        decisions = await asyncio.gather(*(asked.adecide(TURN, np.random.default_rng(n)) for n in range(16)))
    assert all(decision.action == 1 for decision in decisions)
    assert sorted(request["max_tokens"] for request in server.requests) == [256] * 16 + [1280] + [4352] * 16
    assert sum(len(decision.calls) for decision in decisions) == server.count


@pytest.mark.parametrize("kept", range(4))
def test_calls_with_more_room_are_not_made_again(kept):
    with Loopback([], thinking(2000)) as server:
        whole = Journal()
        with recording(whole):
            first = decide(server)
        made = server.count
        with recording(Journal(whole.kept[:kept], whole.facts if kept == 3 else {})):
            second = decide(server)
    assert (second.action, [call.reply for call in second.calls][-1]) == (first.action, "B")
    assert [request["seed"] for request in server.requests] == [server.requests[0]["seed"]] * server.count
    assert server.count - made == (0 if kept == 3 else 3)


def test_a_limit_of_the_users_own_is_kept():
    with Loopback([], thinking(2000)) as server:
        decision = decide(server, max_tokens=100, retries=1)
    assert (decision.status, [request["max_tokens"] for request in server.requests]) == (
        "invalid",
        [100, 100],
    )


def test_a_model_that_never_comes_to_an_end_is_given_up():
    with Loopback([], thinking(10**9)) as server:
        decision = decide(server, retries=0)
    assert decision.status == "invalid"
    assert [request["max_tokens"] for request in server.requests] == [256, 1280, 4352, 16640]


def test_a_server_that_takes_no_higher_limit_cuts_the_reply():
    def answer(request):
        return (
            error(400, "max_tokens is too large: 1280")
            if request["max_tokens"] > 1000
            else thinking(2000)(request)
        )

    with Loopback([], answer) as server:
        asked = policy(server, retries=0)
        first, second = (asked.decide(TURN, np.random.default_rng(n)) for n in range(2))
    assert (first.status, second.status) == ("invalid", "invalid")
    assert [request["max_tokens"] for request in server.requests] == [256, 1280, 256]


@pytest.mark.parametrize("model", ["openai/loopback", "hosted_vllm/loopback"])
def test_openais_error_in_place_of_a_cut_reply_calls_for_room_too(model):
    words = "Could not finish the message because max_tokens or model output limit was reached."

    def answer(request):
        return error(400, words) if request["max_tokens"] < 1000 else reply()

    with Loopback([], answer) as server:
        decision = decide(server, model, api_key="none")
    assert (decision.action, [request["max_tokens"] for request in server.requests]) == (1, [256, 1280])


def test_the_texts_of_tokens_are_asked_for_where_a_server_gives_ids():
    def answer(request):
        if request.get("return_tokens_as_token_ids") is False:
            return weighed(("A", 0.75, None), ("B", 0.25, None))
        return weighed(("token_id:33", 0.75, None), ("token_id:34", 0.25, None))

    with Loopback([], answer) as server:
        decision = decide(server, elicit="logprobs")
    assert decision.probabilities == pytest.approx((0.75, 0.25))
    assert [call.outcome for call in decision.calls] == ["invalid", "ok"]


def test_a_temperature_that_litellm_leaves_out_is_known():
    journal = Journal()
    with Loopback([], reply()) as server, recording(journal):
        decision = decide(server, "openai/o3", temperature=0.2)
    assert "temperature" not in server.requests[0]
    assert "temperature" not in decision.calls[0].parameters
    assert [facts["temperatures"] for facts in journal.facts.values()] == [[0.2]]


PAGES = {
    "Ollama": Answer(status=404, body=b"404 page not found"),
    "FastAPI": Answer(status=404, body=b'{"detail": "Not Found"}'),
    "llama.cpp": error(404, "File Not Found", type="not_found_error"),
    "nginx": Answer(status=404, body=b"<html><head><title>404 Not Found</title></head></html>"),
    "LM Studio": Answer(body=b'{"error": "Unexpected endpoint or method. (POST /chat/completions)"}'),
    "a server that takes no POST": Answer(status=405, body=b'{"detail": "Method Not Allowed"}'),
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_where_nothing_is_asked_the_address_is_wrong_and_not_the_name(page):
    with Loopback([], page) as server, pytest.raises(ModelError) as wrong:
        decide(server, api_base=server.address)
    assert str(wrong.value).startswith(f"{server.address} is the wrong address for openai/loopback")
    assert f"such as {server.address}/v1" in str(wrong.value)
    assert server.count == 1


@pytest.mark.parametrize("model", ["ollama/llama3", "ollama_chat/llama3"])
def test_ollama_is_asked_without_the_path_of_openais_api(model):
    with Loopback([], PAGES["Ollama"]) as server, pytest.raises(ModelError) as wrong:
        decide(server, model)
    assert str(wrong.value).startswith(f"{server.url} is the wrong address for {model}")
    assert str(wrong.value).endswith(f"Ollama is asked at {server.address}.")


@pytest.mark.parametrize("model", ["openai/loopback", "ollama_chat/llama3"])
def test_a_model_that_is_not_there_is_the_name(model):
    answer = Answer(status=404, body=b'{"error": "model \'llama3\' not found, try pulling it first"}')
    with Loopback([], answer) as server, pytest.raises(ModelError, match="knows no model"):
        decide(server, model)


def test_the_chat_template_of_a_local_model_may_take_no_system_message(monkeypatch):
    asked = []

    class Engine:
        def submit(self, messages, params):
            future = Future()
            asked.append([message["role"] for message in messages])
            if messages[0]["role"] == "system":
                words = "The chat template of gemma does not take these messages (System role not supported)."
                future.set_exception(RequestError(words))
            else:
                future.set_result(EngineReply((Choice("B", "stop"),), 10, 1))
            return future

    monkeypatch.setattr("ludens.agents.local.provider.engine_for", lambda reference, settings: Engine())
    local = LLMPolicy("local/smollm2-135m", elicit="sample", order=0, format="letter")
    decisions = [local.decide(TURN, np.random.default_rng(n)) for n in range(2)]
    assert [decision.action for decision in decisions] == [1, 1]
    assert asked == [["system", "user"], ["user"], ["user"]]
