"""What a misbehaving server does to a decision, through the real LiteLLM client: how each fault ends, what is
counted."""

from __future__ import annotations

import asyncio
import json
import re

import numpy as np
import pytest

from ludens.agents import LLMPolicy, NoDecisionError, recording
from ludens.agents.llm import ModelError, NoReplyError, circuit, faults
from ludens.envs import PROTOCOLS, make_env
from ludens.envs.tree.questions import questions
from tests import loopback
from tests.journals import Journal
from tests.loopback import Loopback, say

TURN = questions(PROTOCOLS["TG3"])["reply to trust"]
NEVER = 3600.0
"""Seconds for a request that no machine needs: what is repeated here was refused or lost, never too slow."""


def policy(server, **settings):
    return LLMPolicy(
        "openai/loopback",
        **{"api_base": server.url, "elicit": "sample", "order": 0, "retry_wait": 0.01, "timeout": NEVER}
        | settings,
    )


def decide(server, **settings):
    return policy(server, **settings).decide(TURN, np.random.default_rng(0))


def outcomes(decision):
    return [call.outcome for call in decision.calls]


FLEETING = {
    "429 with Retry-After": loopback.limited(0.01),
    "429 without": loopback.limited(),
    "500": loopback.failing(500),
    "503": loopback.failing(503),
    "no connection": loopback.broken(),
    "cut in the middle": loopback.cut_short(),
    "body that is no JSON": loopback.garbled(),
    "broken off (OpenRouter)": loopback.ended("error"),
    "broken off in a sentence": loopback.ended("error", "I choose"),
    "broken off (vLLM)": loopback.ended("abort"),
    "broken off (DeepSeek)": loopback.ended("insufficient_system_resource", None),
    "200 with an error": loopback.Answer(
        body=b'{"error": {"message": "Provider returned error", "code": 502}}'
    ),
    "200 with an error and no choices": loopback.Answer(
        body=b'{"id": "x", "choices": [], "error": {"message": "Provider returned error", "code": 502}}'
    ),
    "200 with an error in the choice": loopback.Answer(
        body=b'{"id": "x", "choices": [{"index": 0, "finish_reason": null, "error": {"message": "Lost"}, '
        b'"message": {"role": "assistant", "content": "A"}}]}'
    ),
    "HTML in place of JSON": loopback.Answer(body=b"<html>502 Bad Gateway</html>"),
    "200 with a text as the error": loopback.Answer(body=b'{"error": "model is loading"}'),
    "200 with an error without a code": loopback.Answer(body=b'{"error": {"message": "Internal"}}'),
    "200 with a word as the code": loopback.Answer(
        body=b'{"error": {"message": "Internal", "code": "server_error"}}'
    ),
    "200 with a code of the provider's own": loopback.Answer(
        body=b'{"error": {"message": "Slow down", "code": "1302"}}'
    ),
    "200 with nothing": loopback.Answer(body=b'{"id": "", "object": "chat.completion", "choices": []}'),
    "400 of a model that has crashed (LM Studio)": loopback.Answer(
        status=400, body=b'{"error": "The model has crashed without additional information. (Exit code: 18)"}'
    ),
    "400 of a model that is loading": loopback.failing(400, "The model is loading"),
    "400 of a proxy": loopback.Answer(status=400, body=b"<html><title>400 Bad Request</title></html>"),
}


@pytest.mark.parametrize("model", ["openai/loopback", "hosted_vllm/loopback", "deepseek/loopback"])
@pytest.mark.parametrize(
    "name", ["HTML in place of JSON", *(name for name in FLEETING if "200 with" in name)]
)
def test_status_200_makes_no_answer_of_a_failure(model, name):
    journal = Journal()
    with Loopback([], FLEETING[name]) as server, recording(journal):
        asked = LLMPolicy(
            model, api_base=server.url, api_key="none", elicit="sample", patience=0, retry_wait=0.01
        )
        with pytest.raises(NoReplyError):
            asked.decide(TURN, np.random.default_rng(0))
    assert journal.kept == []


@pytest.mark.parametrize("fault", FLEETING.values(), ids=FLEETING)
def test_a_fault_that_passes_is_repeated_and_counted(fault):
    with Loopback([fault, fault, say("B")]) as server:
        decision = decide(server)
    assert (decision.action, decision.status, outcomes(decision)) == (1, "valid", ["ok"])
    assert decision.calls[0].transport_retries == 2
    assert server.count == 3


@pytest.mark.parametrize("fault", FLEETING.values(), ids=FLEETING)
def test_a_fault_that_stays_is_no_answer_of_the_model_and_leaves_no_trace(fault):
    journal = Journal()
    with Loopback([], fault) as server, recording(journal), pytest.raises(NoReplyError) as error:
        decide(server, transport_retries=1)
    assert f"openai/loopback gave no reply at {server.url} in 2 tries (" in str(error.value)
    assert "\n" not in str(error.value)
    assert journal.kept == []
    assert server.count == 2


class Clock:
    """Time-outs of requests that run out when a test says so, on however slow a machine."""

    def __init__(self):
        self.limits, self._open = [], []

    def timeout(self, seconds):
        limit = asyncio.timeout(None)
        self.limits.append(seconds)
        self._open.append((asyncio.get_running_loop(), limit))
        return limit

    def run_out(self):
        """The time for the latest request is over."""
        loop, limit = self._open[-1]
        loop.call_soon_threadsafe(limit.reschedule, loop.time())


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("ludens.agents.llm.client.asyncio", clock)
    return clock


def test_a_server_that_hangs_is_left_and_asked_again(clock):
    with Loopback([loopback.hanging(clock.run_out), say("B")]) as server:
        decision = decide(server, timeout=3600)
    assert (decision.action, decision.calls[0].transport_retries) == (1, 1)
    with (
        Loopback([], loopback.hanging(clock.run_out)) as server,
        pytest.raises(NoReplyError, match=r"in 1 try \(the time for it ran out\)"),
    ):
        decide(server, timeout=3600, transport_retries=0)
    assert clock.limits == [3600.0] * 3


def test_a_limit_in_seconds_runs_out_by_itself():
    with (
        Loopback([], loopback.hanging()) as server,
        pytest.raises(NoReplyError, match=r"in 2 tries \(the time for it ran out\)"),
    ):
        decide(server, timeout=0.01, transport_retries=1)


class Waits:
    """The time between tries, which passes at once: what was waited, in order, and a clock that shows it."""

    def __init__(self):
        self.seconds = []

    def now(self):
        return 1000.0 + sum(self.seconds)

    async def wait(self, event, seconds):
        self.seconds.append(seconds)


@pytest.fixture
def waits(monkeypatch):
    waits = Waits()
    monkeypatch.setattr(circuit, "now", waits.now)
    monkeypatch.setattr(circuit, "wait", waits.wait)
    return waits


def asking(status=429, text="Slow down", **headers):
    """An error with headers, whose names are written with _ in place of -."""
    return loopback.Answer(
        text, status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


ASKED = {
    "seconds": (asking(retry_after="12.5"), 12.5),
    "milliseconds": (asking(retry_after="30", retry_after_ms="12500"), 12.5),
    "of an outage": (asking(503, retry_after="12.5"), 12.5),
    "more than a minute": (asking(retry_after="240"), 240),
    "when the requests are back": (
        asking(x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="2m5.5s"),
        125.5,
    ),
    "when the tokens are back": (
        asking(
            x_ratelimit_remaining_requests="7",
            x_ratelimit_reset_requests="1h",
            x_ratelimit_remaining_tokens="0",
            x_ratelimit_reset_tokens="250ms",
        ),
        0.25,
    ),
    "in the body": (asking(text='{"@type": "RetryInfo", "retryDelay": "36s"}'), 36),
}


@pytest.mark.parametrize(("limit", "seconds"), ASKED.values(), ids=ASKED)
def test_the_time_that_the_server_asks_for_is_waited(limit, seconds, waits):
    with Loopback([limit, say("B")]) as server:
        decision = decide(server, retry_wait=0.0)
    assert (decision.action, decision.calls[0].transport_retries) == (1, 1)
    assert waits.seconds == pytest.approx([seconds])


def test_the_time_that_the_server_asks_for_may_be_a_date(waits, monkeypatch):
    monkeypatch.setattr(faults.time, "time", lambda: 1_800_000_000.0)
    limit = asking(retry_after="Fri, 15 Jan 2027 08:01:40 GMT")
    with Loopback([limit, say("B")]) as server:
        assert decide(server, retry_wait=0.0).action == 1
    assert waits.seconds == [100.0]


@pytest.mark.parametrize(
    "nonsense",
    [
        "nan",
        "-5",
        "inf",
        "1e300",
        "0",
        "soon",
        "Fri, 15 Jan 1999 08:01:40 GMT",
        "Fri, 99 Foo 2027",
        "9" * 400,
    ],
)
def test_nonsense_in_place_of_a_time_is_as_if_nothing_was_asked(nonsense, waits):
    with Loopback([asking(retry_after=nonsense), say("B")]) as server:
        assert decide(server, retry_wait=2.0).action == 1
    assert len(waits.seconds) == 1
    assert 1.0 <= waits.seconds[0] <= 2.0


def test_a_server_that_asks_for_longer_than_the_patience_stops_at_once_and_says_until_when(waits):
    with Loopback([], asking(retry_after="1260")) as server, pytest.raises(NoReplyError) as error:
        decide(server)
    assert re.search(
        r"asks to wait 21 minutes \(Slow down\): go on after \d\d:\d\d, or with .*--patience",
        str(error.value),
    )
    assert (server.count, waits.seconds) == (1, [])
    with Loopback([asking(retry_after="1260"), say("B")]) as server:
        assert decide(server, patience="30m").action == 1
    assert waits.seconds == [1260]


def test_waits_double_up_to_a_minute_until_patience_is_spent(waits):
    with (
        Loopback([say("B")], loopback.failing(503)) as server,
        pytest.raises(NoReplyError, match=r"for 10 minutes, in \d+ tries \(The server had an error\)"),
    ):
        [decide(server, retry_wait=1.0, patience=600) for _ in range(2)]
    assert all(2.0**n / 2 <= wait <= 2.0**n for n, wait in enumerate(waits.seconds[:6]))
    assert all(30 <= wait <= 60 for wait in waits.seconds[6:-1])
    assert sum(waits.seconds) == pytest.approx(600)


def test_a_server_that_is_unavailable_from_the_first_request_on_is_waited_for(waits):
    with Loopback([loopback.failing(503)] * 9, say("B")) as server:
        assert decide(server, retry_wait=1.0).action == 1
    assert server.count == 10
    assert sum(waits.seconds) > 15


def test_a_server_that_hangs_for_longer_than_the_patience_costs_one_time_out():
    with Loopback([], loopback.hanging()) as server:
        with pytest.raises(NoReplyError, match=r"the time for it ran out.*larger patience"):
            decide(server, timeout=0.3, patience=0.2)
        assert server.count == 1


def test_a_server_that_has_never_answered_is_given_up_soon(waits):
    with (
        Loopback([], loopback.failing(500)) as server,
        pytest.raises(
            NoReplyError, match=r"in 5 tries over \d+ seconds .*see whether a server answers there"
        ),
    ):
        decide(server, retry_wait=1.0)
    assert server.count == 5
    assert 7.5 <= sum(waits.seconds) <= 15


def test_a_limit_without_a_time_is_waited_out_from_the_first_request_on(waits):
    with Loopback([loopback.limited()] * 7, say("B")) as server:
        assert decide(server, retry_wait=1.0).action == 1
    assert server.count == 8
    with (
        Loopback([], loopback.limited()) as server,
        pytest.raises(NoReplyError, match=r"for 5 minutes, because of its limit .*lower concurrency"),
    ):
        decide(server, retry_wait=1.0)


UNREADABLE = {
    "empty": (say(""), "empty"),
    "no content": (say(None), "empty"),
    "JSON cut off": (say('{"choice": "B'), "cut off"),
    "two answers": (say("A or B, but rather B. Answer: A"), "more than one"),
    "not an option": (say("C"), "not one of the options"),
    "long prose": (loopback.prose(), "none of the answers"),
    "limit reached": (say("Let me think about what", finish_reason="length"), "cut off before"),
}


@pytest.mark.parametrize(("answer", "why"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_asked_again_with_the_reason_and_never_made_an_action(answer, why):
    with Loopback([], answer) as server:
        decision = decide(server, retries=2, invalid="forfeit")
    assert (decision.action, decision.status, decision.on_invalid) == (None, "invalid", "forfeit")
    assert outcomes(decision) == ["invalid"] * 3
    assert all(why in call.detail for call in decision.calls)
    assert decision.calls[0].reply == answer.text
    first, second, third = (request["messages"] for request in server.requests)
    assert second[:2] == first
    assert [message["role"] for message in third] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    assert decision.calls[0].detail in second[-1]["content"]
    assert len(second[-2]["content"]) <= 1000


def test_the_second_reply_counts_if_it_can_be_read():
    with Loopback([say("Hm."), say("B")]) as server:
        decision = decide(server)
    assert (decision.action, outcomes(decision)) == (1, ["invalid", "ok"])


@pytest.mark.parametrize(
    "answer",
    [loopback.refusing(), loopback.filtered(), say("I'm sorry, but I can't take part in this.")],
    ids=["refusal field", "content filter", "in words"],
)
def test_a_refusal_is_a_refusal_at_once(answer):
    with Loopback([], answer) as server:
        decision = decide(server)
    assert (decision.action, decision.status, outcomes(decision)) == (None, "refused", ["refused"])
    assert server.count == 1


def test_markup_and_terminal_codes_are_read_through_and_kept_as_they_came():
    text = "<p>\x1b[31;1mB\x1b[0m</p><script>alert('A')</script>"
    with Loopback([], say("<p>\x1b[31;1m**B**\x1b[0m</p>")) as server:
        assert decide(server).action == 1
    with Loopback([], say(text)) as server:
        decision = decide(server, retries=0)
    assert decision.status == "invalid"
    assert decision.calls[0].reply == text


@pytest.mark.parametrize(
    ("status", "says"),
    [(401, "OPENAI_API_KEY"), (403, "OPENAI_API_KEY"), (404, "knows no model"), (402, "is spent")],
)
def test_an_error_that_will_not_go_away_stops_at_once_in_one_sentence(status, says, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with (
        Loopback([], loopback.failing(status, "No.\nReally\x1b[31m no such model.")) as server,
        pytest.raises(ModelError) as error,
    ):
        decide(server)
    assert server.count == 1
    assert says in str(error.value)
    assert "No. Really" in str(error.value)
    assert not {"\n", "\x1b"} & set(str(error.value))


def body(**error):
    return json.dumps({"error": error}).encode()


PLAN = "You exceeded your current quota, please check your plan and billing details."
SPENT = {
    "OpenAI": (429, body(message=PLAN, type="insufficient_quota", param=None, code="insufficient_quota")),
    "Moonshot": (429, body(message="Your account is suspended", type="exceeded_current_quota_error")),
    "DeepSeek": (402, body(message="Insufficient Balance", type="unknown_error", param=None, code="invalid")),
    "OpenRouter": (402, body(message="This request requires more credits, or fewer max_tokens.", code=402)),
    "Anthropic": (400, body(type="invalid_request_error", message="Your credit balance is too low to …")),
    "xAI": (403, body(message="Your team has used all available credits or reached its limit", code="x")),
    "Anthropic, a limit of one's own": (
        400,
        body(
            type="invalid_request_error",
            message="You have reached your specified API usage limits. You will regain access on 2030-01-01.",
        ),
    ),
    "Perplexity": (401, body(message=PLAN, type="insufficient_quota", code=401)),
    "SiliconFlow": (403, b'{"code": 30001, "message": "Sorry, your account balance is insufficient"}'),
    "Together": (403, body(message="Credit limit exceeded, please navigate to …", type="credit_limit")),
    "with status 200": (200, body(message="You have no money", code="insufficient_quota")),
    "in the sentence": (429, body(message="You exceeded your current quota (insufficient_quota)")),
}


@pytest.mark.parametrize(("status", "said"), SPENT.values(), ids=SPENT)
def test_spent_credit_is_not_waited_for(status, said):
    journal, spent = Journal(), loopback.Answer(status=status, body=said)
    with (
        Loopback([], spent) as server,
        recording(journal),
        pytest.raises(
            ModelError, match=r"quota or credit for openai/loopback at http.* is spent .*then go on"
        ),
    ):
        decide(server)
    assert (server.count, journal.kept) == (1, [])


def test_a_limit_per_minute_that_reads_like_a_spent_quota_is_waited_out(waits):
    google = body(code=429, message=PLAN, status="RESOURCE_EXHAUSTED", details=[{"retryDelay": "36s"}])
    with Loopback([loopback.Answer(status=429, body=google), say("B")]) as server:
        assert decide(server).action == 1
    assert waits.seconds == [36]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("Limit 100, Used 99. Please try again in 1m12.5s. Visit us", 72.5),
        ("Please retry after 2 seconds.", 2),
        ("Please try again in 120ms", 0.12),
    ],
)
def test_a_wait_that_stands_in_words_is_waited(waits, said, seconds):
    with Loopback([asking(text=said), say("B")]) as server:
        assert decide(server).action == 1
    assert waits.seconds == [pytest.approx(seconds)]


@pytest.mark.parametrize("model", ["anthropic/loopback", "gemini/loopback", "hosted_vllm/loopback"])
def test_a_message_is_taken_out_of_its_json(model):
    with (
        Loopback([], loopback.failing(503, "Overloaded")) as server,
        pytest.raises(NoReplyError, match=r"\(Overloaded\)"),
    ):
        LLMPolicy(model, api_base=server.url, api_key="none", elicit="sample", patience=0).decide(
            TURN, np.random.default_rng(0)
        )


def test_a_web_page_is_named_by_its_title_and_a_refused_connection_as_such():
    page = b"<!DOCTYPE html>\n<html><head><title>520: origin error</title></head><body>Ray</body></html>"
    with (
        Loopback([], loopback.Answer(status=520, body=page)) as server,
        pytest.raises(NoReplyError, match=r"\(a web page, '520: origin error'\)"),
    ):
        decide(server, patience=0)
    with pytest.raises(NoReplyError, match=r"\(Connection error: it was refused\)"):
        decide(server, patience=0)


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("openai/gpt-5-mini", "OPENAI_API_KEY"),
        ("anthropic/claude-sonnet-4-5", "ANTHROPIC_API_KEY"),
        ("gemini/gemini-2.5-flash", "GEMINI_API_KEY or GOOGLE_API_KEY"),
    ],
)
def test_a_missing_key_is_named(model, variable, monkeypatch):
    for name in variable.split(" or "):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ModelError, match=f"set the environment variable .*{variable}"):
        LLMPolicy(model).decide(TURN, np.random.default_rng(0))


@pytest.mark.parametrize("model", ["nobody/nothing", "gpt-99"])
def test_an_unknown_provider_is_named(model):
    with pytest.raises(ModelError, match="ludens models"):
        LLMPolicy(model).decide(TURN, np.random.default_rng(0))


def test_nothing_is_printed(capfd):
    with Loopback([loopback.failing(500), loopback.failing(401)]) as server, pytest.raises(ModelError):
        decide(server)
    with pytest.raises(ModelError):
        LLMPolicy("nobody/nothing").decide(TURN, np.random.default_rng(0))
    assert capfd.readouterr() == ("", "")


def test_in_pettingzoos_own_loop_an_unread_reply_raises_with_the_decision():
    env = make_env("trust", protocol="TG3")
    env.reset(seed=1)
    with Loopback([], say("Hm.")) as server, pytest.raises(NoDecisionError) as error:
        policy(server).act(env, np.random.default_rng(0))
    assert outcomes(error.value.decision) == ["invalid"] * 3


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "settings", [{}, {"order": "random"}, {"order": "both"}, {"elicit": "auto", "order": "auto"}], ids=str
)
def test_calls_of_an_earlier_life_are_not_made_again(kept, settings):
    def answer(request):
        if request.get("logprobs"):
            return loopback.weighing(A=0.5, B=0.25, The=0.01)
        return say("B" if "could not be used" in request["messages"][-1]["content"] else "Hm.")

    with Loopback([], answer) as server:
        whole = Journal()
        with recording(whole):
            first = decide(server, **settings)
        made = server.count
        again = Journal(whole.kept[:kept])
        with recording(again):
            second = decide(server, **settings)
    assert second.action == first.action is not None
    assert second.probabilities == first.probabilities
    assert outcomes(second) == outcomes(first)
    assert server.count - made == max(0, made - kept) == len(again.kept)
    assert [call.reply for call in whole.kept] == [call.reply for call in first.calls]


def test_a_call_is_kept_before_anything_is_made_of_it():
    class Full(Journal):
        def record(self, call):
            super().record(call)
            raise OSError("disk full")

    journal = Full()
    with Loopback([], say("B")) as server, recording(journal), pytest.raises(OSError, match="disk full"):
        decide(server)
    assert [call.reply for call in journal.kept] == ["B"]


def test_calls_made_for_another_wording_are_not_taken_for_this_one():
    journal = Journal()
    with Loopback([], say("B")) as server:
        with recording(journal):
            decide(server, framing="twin", retries=0)
        with recording(Journal(journal.kept)), pytest.raises(ModelError, match="another wording"):
            decide(server, framing="neutral")


def test_fallbacks_that_do_not_answer_either_are_no_answer():
    with Loopback(otherwise=loopback.failing(500)) as server:
        with pytest.raises(NoReplyError, match="gave no reply"):
            decide(server, fallbacks=["openai/other"], transport_retries=0)
        assert {request["model"] for request in server.requests} == {"loopback", "other"}
