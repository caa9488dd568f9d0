"""A language model as a firm, against a server on the loopback interface."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ludens.agents import make_policy
from ludens.agents.llm import ModelError
from ludens.agents.llm.price_policy import PricePolicy
from ludens.envs.pricing.theory.benchmarks import price_grid
from ludens.errors import UsageError
from tests import loopback
from tests.agents.pricing.turns import BASELINE, pricing_turn
from tests.loopback import Loopback, failing, say

PAST = [(1.5, 1.6), (1.55, 1.5)]
# LiteLLM knows of this one that it takes a JSON schema.
KNOWN = "openai/gpt-4o-mini"
BAD = [
    "free",
    "PRICE: free",
    "-1",
    "PRICE: 1e308",
    '{"price": NaN}',
    '{"price": Infinity}',
    "[1.4, 1.5]",
    '{"price": [1.5]}',
    "PRICE: 1,000",
    "PRICE: 1.5 or 1.6",
    None,
]


def firm(server, model="openai/loopback", **settings):
    more = {"api_base": server.url, "api_key": "none", "retry_wait": 0.01} | settings
    return PricePolicy(model, **more)


def decide(policy, history=PAST, seed=0, **facts):
    return policy.decide(pricing_turn(history, **facts), np.random.default_rng(seed))


def slots(price, plans="hold", insights="calm"):
    return f"OBSERVATIONS: seen\nPLANS: {plans}\nINSIGHTS: {insights}\nPRICE: {price}"


def test_a_reply_becomes_a_price_and_notes():
    with Loopback([say(slots("2,00 €"))]) as server:
        decision = decide(firm(server, prefix="P2"))
    assert decision.action == 2.0
    assert decision.notes == {"observations": "seen", "plans": "hold", "insights": "calm"}
    assert decision.reasoning == "seen"
    assert decision.wording.framing == "P2"
    (call,) = decision.calls
    assert call.outcome == "ok"
    assert call.prompt_tokens > 0
    assert server.requests[0]["temperature"] == 1.0


@pytest.mark.parametrize("bad", BAD)
def test_what_cannot_be_read_is_asked_again_with_the_reason(bad):
    with Loopback([say(bad), say(slots("1.7"))]) as server:
        decision = decide(firm(server))
    assert decision.action == 1.7
    first, second = server.requests
    assert second["messages"][:2] == first["messages"]
    assert [message["role"] for message in second["messages"][2:]] == ["assistant", "user"]
    assert second["messages"][3]["content"].startswith(
        f"That could not be used: {decision.calls[0].detail} Reply"
    )
    assert second["seed"] == first["seed"] + 1


def test_only_the_last_unreadable_reply_is_shown_beside_the_question():
    with Loopback([say(f"maybe {n}?") for n in range(5)], say(slots("1.7"))) as server:
        assert decide(firm(server)).action == 1.7
    assert [len(request["messages"]) for request in server.requests] == [2, 4, 4, 4, 4, 4]
    assert server.requests[-1]["messages"][2]["content"] == "maybe 4?"


def test_in_the_compact_layout_the_prompt_begins_as_it_did_and_no_reply_is_repeated():
    with Loopback([say("free"), say("-1"), say(slots("1.7"))]) as server:
        assert decide(firm(server, layout="compact")).action == 1.7
    first, second, third = (request["messages"] for request in server.requests)
    assert [len(messages) for messages in (first, second, third)] == [2, 2, 2]
    assert second[1]["content"] == (
        first[1]["content"] + "\nYour last reply could not be used: The reply gives no price."
    )
    assert third[1]["content"].startswith(
        first[1]["content"] + "\nYour last reply could not be used: A price"
    )
    assert third[1]["content"].rpartition("\n\n")[0] == first[1]["content"].rpartition("\n\n")[0]


def test_after_ten_tries_there_is_no_price():
    with Loopback([], say("free")) as server:
        decision = decide(firm(server))
    assert server.count == len(decision.calls) == 10
    assert (decision.action, decision.status, decision.on_invalid) == (None, "invalid", "abort")
    assert decision.notes is None


def test_a_refusal_is_not_argued_with():
    for answer in (loopback.refusing(), loopback.filtered(), say("I cannot assist with fixing prices.")):
        with Loopback([answer]) as server:
            decision = decide(firm(server))
        assert (decision.action, decision.status) == (None, "refused")
        assert server.count == 1


def test_above_the_stated_ceiling_is_allowed_and_beyond_all_bounds_is_not():
    with Loopback([say(slots("5")), say(slots("3851")), say(slots("3.9"))]) as server:
        assert decide(firm(server), price_limit=3.85).action == 5.0
        decision = decide(firm(server), price_limit=3.85)
        server.script += [say(slots("20.5")), say(slots("1.5"))]
        bounded = decide(firm(server), interval=(0.0, 20.0))
    assert bounded.calls[0].detail == "20.5 is no price that this market takes."
    assert decision.action == 3.9
    assert "above 3850, the highest" in decision.calls[0].detail


def test_on_a_grid_only_its_prices_count():
    grid = price_grid(BASELINE, 5)
    with Loopback([say(slots("1.5")), say(slots(f"{grid[3]:.6g}"))]) as server:
        decision = firm(server).decide(pricing_turn(grid=grid), np.random.default_rng(0))
    assert decision.action == 3
    assert "none of the prices to choose from" in decision.calls[0].detail
    assert f"{grid[3]:.6g}" in server.requests[0]["messages"][1]["content"]


def test_a_schema_is_sent_where_the_model_takes_one_and_the_reader_stands_behind_it():
    reply = {"observations": "seen", "plans": "hold", "insights": "calm", "message": "hello", "price": 1.7}
    with Loopback([say(json.dumps(reply))]) as server:
        decision = decide(firm(server, KNOWN), messages=())
    assert decision.action == 1.7
    assert decision.notes["message"] == "hello"
    schema = server.requests[0]["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert list(schema["schema"]["properties"]) == ["observations", "plans", "insights", "message", "price"]
    assert schema["schema"]["properties"]["price"] == {"type": "number"}


def test_a_schema_that_the_server_rejects_is_left_out_from_then_on():
    with Loopback([], say(slots("1.7")), schema=False) as server:
        policy = firm(server, KNOWN)
        assert [decide(policy).action for _ in range(2)] == [1.7, 1.7]
    assert ["response_format" in request for request in server.requests] == [True, False, False]
    with Loopback([], say(slots("1.7"))) as server:
        decide(firm(server, KNOWN, schema=False))
    assert "response_format" not in server.requests[0]


def test_a_prompt_that_does_not_fit_is_a_sentence_that_says_so():
    long = (
        "This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens."
    )
    with Loopback([], failing(400, long)) as server, pytest.raises(ModelError) as caught:
        decide(firm(server, window=40))
    assert "does not fit the context of openai/loopback" in str(caught.value)
    assert "window (now 40)" in str(caught.value)
    with (
        Loopback([], failing(400, "no such parameter")) as server,
        pytest.raises(ModelError, match="rejects"),
    ):
        decide(firm(server))


def test_a_provider_that_gives_no_reply_stops_the_run_and_not_the_firm():
    with Loopback([], failing(500)) as server:
        policy = firm(server, transport_retries=1)
        with pytest.raises(ModelError, match=r"gave no reply at .*see to the connection"):
            decide(policy)
    assert server.count == 2


def test_a_reply_that_was_cut_off_is_asked_again():
    with Loopback([say(slots("1."), finish_reason="length"), say(slots("1.7"))]) as server:
        decision = decide(firm(server, max_tokens=40))
    assert decision.action == 1.7
    assert "cut off" in decision.calls[0].detail
    assert server.requests[0]["max_tokens"] == 40


def test_personas_stand_in_the_system_message():
    with Loopback([], say(slots("1.7"))) as server:
        for persona in ("homo_economicus", "homo_moralis", "You are a baker.", None):
            decide(firm(server, persona=persona))
    said = [request["messages"][0]["content"] for request in server.requests]
    assert "one thing: how much your own firm earns" in said[0]
    assert "if every firm in the market" in said[1]
    assert said[2] == "You are a baker."
    assert len(set(said)) == 4


def test_the_same_seed_asks_the_same_and_it_can_be_fixed():
    with Loopback([], say(slots("1.7"))) as server:
        for seed in (1, 1, 2):
            decide(firm(server), seed=seed)
        decide(firm(server, seed=7))
    one, again, two, fixed = (request["seed"] for request in server.requests)
    assert one == again != two
    assert fixed == 7


def test_a_firm_is_made_again_from_what_it_says_of_itself_and_tells_no_secret():
    spec = {"spec": "openai/x", "prefix": "P3", "persona": "homo_moralis", "window": 20, "api_key": "s3cret"}
    policy = make_policy(spec, "bertrand")
    assert "s3cret" not in json.dumps(policy.describe())
    assert make_policy(policy.describe(), "bertrand") == policy
    assert make_policy("openai/x", "bertrand", prefix="P2").settings.prefix == "P2"
    assert make_policy(spec, "bertrand", prefix="P2").settings.prefix == "P3"


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"prefix": "P7"}, "no prefix 'P7'"),
        ({"window": 0}, "window=0"),
        ({"tries": 0}, "tries=0"),
        ({"layout": "wide"}, "layout='wide'"),
        ({"notes": "yes"}, "notes='yes'; it must be True or False"),
        ({"temperature": -1}, "temperature=-1"),
        ({"perfix": "P1"}, "no setting 'perfix'; did you mean 'prefix'"),
        ({"response_format": {}}, "decides response_format itself"),
    ],
)
def test_a_wrong_setting_is_a_sentence_before_anything_is_asked(settings, why):
    with pytest.raises(UsageError, match=why):
        make_policy({"spec": "openai/x", **settings}, "bertrand")


def test_the_compact_layout_is_for_models_on_this_machine_unless_told_otherwise():
    layouts = [
        make_policy(spec, "bertrand").prompt_options.layout for spec in ("local/smollm2-135m", "openai/x")
    ]
    assert layouts == ["compact", "full"]
    shown = make_policy({"spec": "local/smollm2-135m", "layout": "full"}, "bertrand").prompt_options
    assert (shown.window, shown.note_limit) == (100, None)
