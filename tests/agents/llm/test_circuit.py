"""Many requests to one server at once: what goes out while it is down, and that every answer counts once."""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludens.agents import LLMPolicy, recording
from ludens.agents.llm import NoReplyError, circuit
from ludens.agents.llm.abilities import load
from ludens.agents.llm.endpoint import Endpoint
from ludens.envs import PROTOCOLS
from ludens.envs.tree.questions import questions
from tests import loopback
from tests.journals import Journal
from tests.loopback import Loopback, say

TURN = questions(PROTOCOLS["TG3"])["reply to trust"]
LONG = 3600.0
"""Seconds that no test needs, on however slow a machine."""
FLIGHT = 32


def policy(server, model="openai/loopback", **settings):
    base = {"api_base": server.url, "elicit": "sample", "order": 0, "retry_wait": 0.001, "timeout": LONG}
    return LLMPolicy(model, **base | {"patience": LONG} | settings)


def ask(*policies):
    """Ask all at once; return decisions, or the errors in their places."""

    async def every():
        asked = [each.adecide(TURN, np.random.default_rng(place)) for place, each in enumerate(policies)]
        return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(every())


def flight(fault):
    """The fault for as many requests as are asked at once, when all of them have come."""
    return [replace(fault, heard=loopback.together(FLIGHT))] * FLIGHT


class Outage:
    """A server that answers, except while `down`."""

    def __init__(self):
        self.down = False

    def __call__(self, request):
        return loopback.failing(503) if self.down else say("B")


def test_while_a_server_is_down_one_request_at_a_time_goes_out():
    down = loopback.failing(503)
    with Loopback([say("B"), *flight(down)], down) as server:
        ask(policy(server))
        errors = ask(*[policy(server, patience=0.3, retry_wait=0.05)] * FLIGHT)
        sent = server.count - 1
    assert {type(error) for error in errors} == {NoReplyError}
    assert len({str(error) for error in errors}) == 1
    # All that were under way, and then probes: 0.05 s after the first failure, doubling.
    assert FLIGHT <= sent <= FLIGHT + 8


def test_a_wrong_address_is_asked_a_few_times_only():
    with Loopback(flight(loopback.broken()), loopback.broken()) as server:
        errors = ask(*[policy(server)] * FLIGHT)
        assert server.count <= FLIGHT + 4
    assert {type(error) for error in errors} == {NoReplyError}
    assert "see whether a server answers there" in str(errors[0])


def test_when_the_server_is_back_all_are_answered_and_few_come_at_first():
    probes = 6
    down = loopback.failing(503)
    done = [say("B"), *flight(down), *[down] * probes]
    with Loopback(done, say("B")) as server:
        ask(policy(server))
        answers = ask(*[policy(server)] * FLIGHT)
        assert server.count == 1 + FLIGHT + probes + FLIGHT
    assert [answer.action for answer in answers] == [1] * FLIGHT


def test_a_long_wait_is_told_of_once(caplog):
    busy, down = loopback.limited(retry_after=0), loopback.failing(503)
    with (
        Loopback([say("B"), down, down, busy, busy], say("B")) as server,
        patch.object(circuit, "NOTICED", 0.0),
        caplog.at_level(logging.WARNING, "ludens"),
    ):
        first, second = ask(policy(server)), ask(policy(server))
    assert [decision.status for decision in (*first, *second)] == ["valid"] * 2
    (record,) = caplog.records
    assert record.getMessage().startswith(f"openai/loopback gives no reply at {server.url} (")
    assert record.getMessage().endswith("): waiting for it, for up to 60 minutes more.")


def test_a_limit_on_requests_is_waited_out_with_fewer_under_way():
    passed, lock = [0], threading.Lock()

    def limited(request):
        with lock:
            passed[0] += 1
            return say("B") if passed[0] % 4 == 0 else loopback.limited()

    with Loopback([], limited) as server:
        answers = ask(*[policy(server)] * FLIGHT)
    assert [answer.action for answer in answers] == [1] * FLIGHT


def test_one_model_does_not_hold_back_another():
    outage = Outage()
    with Loopback([], lambda r: outage(r) if r["model"] == "down" else say("B")) as server:
        ask(policy(server, "openai/down"), policy(server, "openai/up"))
        outage.down = True

        async def both():
            waiting = [asyncio.ensure_future(one("openai/down")) for _ in range(8)]
            answered = [await one("openai/up") for _ in range(3)]
            still = [each.done() for each in waiting]
            outage.down = False
            return answered, still, await asyncio.gather(*waiting)

        async def one(model):
            return (await policy(server, model).adecide(TURN, np.random.default_rng(0))).action

        assert asyncio.run(both()) == ([1] * 3, [False] * 8, [1] * 8)


def test_a_request_that_alone_fails_is_given_up_while_others_are_answered():
    def reply(request):
        return loopback.failing(500) if request["temperature"] == 0.5 else say("B")

    with Loopback([], reply) as server:
        fine = policy(server)
        ask(fine)
        alone = policy(server, temperature=0.5, patience=0.0)
        *answers, error = ask(*[fine] * 8, alone)
    assert [answer.action for answer in answers] == [1] * 8
    assert isinstance(error, NoReplyError)


def test_after_an_outage_that_was_given_up_the_next_question_has_patience_again():
    with Loopback([say("B"), *[loopback.failing(503)] * 12], say("B")) as server:
        (first,) = ask(policy(server))
        (error,) = ask(policy(server, patience=0.0))
        (second,) = ask(policy(server))
        assert server.count == 1 + 1 + 11 + 1
    assert (first.action, type(error), second.action) == (1, NoReplyError, 1)


def test_after_a_refusal_the_number_at_once_is_halved_and_grows_slowly():
    """Of 16 that are allowed after 32 were refused, n successes make √(16² + 2n)."""
    server, endpoint = circuit.Circuit(), Endpoint("openai/loopback", patience=LONG, retry_wait=0.001)
    refusal = load("openai/loopback").exceptions.RateLimitError
    begun, under_way, most, answered = 0, 0, 0, 0
    flying = asyncio.Barrier(FLIGHT)

    async def request():
        nonlocal begun, under_way, most, answered
        begun += 1
        if begun <= FLIGHT:
            await flying.wait()
            raise refusal("Rate limit reached", "openai", "loopback")
        under_way += 1
        most = max(most, under_way)
        for _ in range(5):
            await asyncio.sleep(0)
        answered, under_way = answered + 1, under_way - 1

    async def asked():
        for _ in range(4):
            await server.send(endpoint, request)

    async def every():
        await asyncio.gather(*(asked() for _ in range(FLIGHT)))

    asyncio.run(every())
    assert answered == 4 * FLIGHT
    assert FLIGHT // 2 < most <= (16**2 + 2 * answered) ** 0.5 + 1


def test_another_failure_shrinks_nothing():
    server, endpoint = circuit.Circuit(), Endpoint("openai/loopback", patience=LONG, retry_wait=0.001)
    failure = load("openai/loopback").exceptions.InternalServerError
    at_once, most, sent = 0, 0, 0

    async def request():
        nonlocal at_once, most, sent
        sent, at_once = sent + 1, at_once + 1
        most = max(most, at_once)
        try:
            await asyncio.sleep(0)
            if sent % 4 == 0:
                raise failure("The server had an error", "openai", "loopback")
        finally:
            at_once -= 1

    async def every():
        await server.send(endpoint, request)
        await asyncio.gather(*(server.send(endpoint, request) for _ in range(FLIGHT)))

    asyncio.run(every())
    assert most == FLIGHT


FAULTS = {
    "429": loopback.limited(),
    "429 asking": loopback.limited(0.001),
    "500": loopback.failing(500),
    "503": loopback.failing(503),
    "529": loopback.failing(529),
    "broken": loopback.broken(),
    "cut": loopback.cut_short(),
    "garbled": loopback.garbled(),
}
ANSWERS = {"valid": say("B"), "refused": loopback.refusing(), "unreadable": say("Hm."), "empty": say(None)}


@pytest.fixture(scope="module")
def scripted():
    """A server whose reactions to the next requests can be set: LiteLLM keeps a client for every address."""
    with Loopback() as server:
        yield server


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from([*FAULTS, *ANSWERS]), max_size=12),
    st.integers(1, 6),
    st.sampled_from([None, 0, 2]),
)
def test_decisions_are_as_many_as_answers_whatever_the_server_does(scripted, script, at_once, retries):
    def reply(request):
        with lock:
            name = script[len(sent)] if len(sent) < len(script) else "valid"
            sent.append(name)
        return (FAULTS | ANSWERS)[name]

    sent, lock, journal, scripted.otherwise = [], threading.Lock(), Journal(), reply
    with recording(journal):
        asked = policy(scripted, retries=0, transport_retries=retries)
        results = ask(*[asked] * at_once)
    decisions = [each for each in results if not isinstance(each, Exception)]
    answered = sorted({"empty": "invalid", "unreadable": "invalid"}.get(n, n) for n in sent if n in ANSWERS)
    assert sorted(decision.status for decision in decisions) == answered
    assert sorted(call.outcome for call in journal.kept) == sorted(
        {"valid": "ok"}.get(status, status) for status in answered
    )
    errors = [each for each in results if isinstance(each, Exception)]
    assert all(isinstance(error, NoReplyError) for error in errors)


def test_a_refusal_of_another_process_counts_once_and_as_ones_own():
    there = circuit.Refusal("m", "http://a/v1", seconds=0.0, wait=None, retry_wait=60.0)

    async def main():
        circuit.heed_refusal(there)  # nobody here asks that server
        own = circuit.circuit_of(Endpoint("m", {"api_base": "http://a/v1"}))
        own._under_way = 8
        circuit.heed_refusal(there)
        assert (own._allowed, own._attempt) == (4, 1)
        assert own._pause_until > circuit.now()
        circuit.heed_refusal(replace(there, seconds=LONG))  # of a request that went out before
        assert (own._allowed, own._attempt) == (4, 1)
        circuit.heed_refusal(replace(there, wait=LONG))
        assert own._asked_until > circuit.now() + LONG / 2

    asyncio.run(main())
