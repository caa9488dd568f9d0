"""Log-probabilities are a choice only where the reply is one: refusals, prose and small masses are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ludens.agents import LLMPolicy
from ludens.agents.journal import recording
from ludens.agents.llm.logprobs import MIN_ANSWER_MASS
from ludens.envs import PROTOCOLS
from ludens.envs.tree.questions import questions
from tests.journals import Journal
from tests.loopback import Loopback, say, weighing

TURN = questions(PROTOCOLS["SPD4"])["opening"]
SORRY = "I'm sorry, but I can't help"

REFUSES = say(SORRY, finish_reason="length", tokens=[{"I": 0.9, "The": 0.05, "A": 3e-5, "B": 1e-5}])
CUT_REFUSAL = say("I'm sorry, but I", finish_reason="length", tokens=REFUSES.tokens)


def spelt(*tokens, finish_reason="length", **first):
    """A reply of these tokens; `first` are the probabilities at the first place."""
    drawn = {tokens[0]: first.pop(tokens[0].strip(), 0.95), **first}
    rest = [{token: 0.9, " x": 0.01} for token in tokens[1:]]
    return say("".join(tokens), finish_reason=finish_reason, tokens=[drawn, *rest])


def policy(server, **settings):
    given = {"api_base": server.url, "api_key": "none", "retry_wait": 0.01, "order": 0} | settings
    return LLMPolicy("openai/loopback", **given)


def decide(server, seed=0, **settings):
    return policy(server, **settings).decide(TURN, np.random.default_rng(seed))


def by_form(weighed, sampled):
    """A server that gives one answer where log-probabilities are asked for, and another where not."""
    return lambda request: weighed if request.get("logprobs") else sampled


@pytest.mark.parametrize("elicit", ["auto", "logprobs"])
def test_a_refusal_is_no_choice_whatever_is_left_on_the_labels(elicit):
    with Loopback([], REFUSES) as server:
        decision = decide(server, elicit=elicit)
    assert (decision.action, decision.status, decision.probabilities) == (None, "refused", None)
    assert decision.answer_mass == pytest.approx(4e-5)
    assert server.count == 1


def test_a_refusal_comes_first_even_where_much_lies_on_the_labels():
    with Loopback([], replace(REFUSES, tokens=[{"I": 0.4, "A": 0.4, "B": 0.2}])) as server:
        assert decide(server).status == "refused"


def test_the_beginning_of_a_refusal_is_asked_again_in_full():
    with Loopback([], by_form(CUT_REFUSAL, say("I'm sorry, but I can't help with that."))) as server:
        assert decide(server).status == "refused"
        assert decide(server, elicit="logprobs").status == "low_mass"


PROSE = [
    spelt("A", " or", " B", "?", " It", " depends", A=0.95, B=0.001, The=1e-4),
    spelt("A", " fair", " split", " would", " be", " best", A=0.95, B=0.001, The=1e-4),
    spelt("A", " mixed", " strategy", ":", " A", " with", A=0.6, B=0.3, The=1e-4),
    spelt("A", ",", " if", " Person", " 2", " does", A=0.6, B=0.3, The=1e-4),
    spelt("A", ".", " But", " I", A=0.6, B=0.3, The=1e-4),
    spelt(" A", " and", " B", " are", " equally", " good", A=0.6, B=0.3, The=1e-4),
]


@pytest.mark.parametrize("prose", PROSE, ids=lambda answer: answer.text)
def test_a_label_that_is_not_the_whole_answer_is_sampled_instead(prose):
    with Loopback([], by_form(prose, say("B"))) as server:
        decision = decide(server)
    assert (decision.action, decision.status, decision.provenance) == (1, "valid", "sample")
    assert decision.probabilities is None
    assert [call.outcome for call in decision.calls] == ["invalid", "ok"]
    assert "goes on after A" in decision.calls[0].detail
    assert [bool(request.get("logprobs")) for request in server.requests] == [True, False]
    assert server.requests[1]["messages"] == server.requests[0]["messages"]


@pytest.mark.parametrize("prose", PROSE, ids=lambda answer: answer.text)
def test_a_label_that_is_not_the_whole_answer_is_unreadable_where_nothing_may_be_sampled(prose):
    with Loopback([], prose) as server:
        decision = decide(server, elicit="logprobs", retries=1)
    assert (decision.action, decision.status) == (None, "invalid")
    assert [call.outcome for call in decision.calls] == ["invalid", "invalid"]
    assert "goes on after A" in decision.calls[-1].detail
    assert all(request.get("logprobs") for request in server.requests)


ANSWERS = [
    spelt("A", finish_reason="stop", A=0.7, B=0.2, The=0.01),
    spelt("A", ".", finish_reason="stop", A=0.7, B=0.2, The=0.01),
    spelt(" A", "\n", finish_reason="stop", A=0.7, B=0.2, The=0.01),
    spelt("A", ")", A=0.7, B=0.2, The=0.01),
    spelt("A", ".", " I", " think", A=0.7, B=0.2, The=0.01),
    spelt("A", "\n\n", "I", A=0.7, B=0.2, The=0.01),
    say("A.", tokens=[{"A.": 0.5, "A": 0.2, "B)": 0.2, "The": 0.01}]),
    say("**A**", tokens=[{"**": 0.9, "The": 0.1}, {"A": 0.7, "B": 0.2, "C": 0.01}, {"**": 1.0}]),
    say("A\n\nIt pays more than the", finish_reason="length", tokens=[{"A": 0.7, "B": 0.2, "The": 0.01}]),
]


@pytest.mark.parametrize("elicit", ["auto", "logprobs"])
@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: repr(answer.text))
def test_a_label_that_ends_the_answer_is_a_choice(answer, elicit):
    with Loopback([], answer) as server:
        decision = decide(server, elicit=elicit)
    assert (decision.status, decision.provenance, server.count) == ("valid", "logprobs", 1)
    assert decision.probabilities == pytest.approx((7 / 9, 2 / 9))
    assert decision.answer_mass == pytest.approx(0.9)


WORDS = spelt("You", " should", " think", " about", You=0.6, A=0.2, B=0.1, The=0.01)


def test_a_reply_in_words_is_sampled_though_labels_have_mass_and_counts_where_it_may_not_be():
    with Loopback([], by_form(WORDS, say("B"))) as server:
        sampled, weighed = decide(server), decide(server, elicit="logprobs")
    assert (sampled.action, sampled.provenance, len(sampled.calls)) == (1, "sample", 2)
    assert "in words" in sampled.calls[0].detail
    assert (weighed.status, weighed.provenance, len(weighed.calls)) == ("valid", "logprobs", 1)
    assert weighed.probabilities == pytest.approx((2 / 3, 1 / 3))
    assert sampled.answer_mass == weighed.answer_mass == pytest.approx(0.3)


@pytest.mark.parametrize(("mass", "counts"), [(MIN_ANSWER_MASS * 0.9, False), (MIN_ANSWER_MASS * 1.1, True)])
def test_a_little_mass_is_never_scaled_up_to_a_choice(mass, counts):
    masses = {"A": 0.75 * mass, "B": 0.25 * mass, "You": 0.9}
    with Loopback([], by_form(weighing(**masses), say("B"))) as server:
        insisted, auto = decide(server, elicit="logprobs", retries=0), decide(server)
    assert insisted.answer_mass == auto.answer_mass == pytest.approx(mass)
    if counts:
        assert insisted.probabilities == auto.probabilities == pytest.approx((0.75, 0.25))
        return
    assert (insisted.action, insisted.status, insisted.probabilities) == (None, "low_mass", None)
    assert "4.5 % of the probability" in insisted.calls[0].detail
    assert (auto.action, auto.status, auto.provenance) == (1, "valid", "sample")
    assert auto.probabilities is None


def test_labels_that_are_not_listed_at_all_count_as_no_mass():
    with Loopback([], weighing(The=0.9, You=0.1)) as server:
        decision = decide(server, elicit="logprobs", retries=1)
    assert (decision.status, decision.answer_mass, server.count) == ("low_mass", 0, 2)


def test_sampling_instead_is_one_of_the_retries():
    with Loopback([], weighing(The=0.9, You=0.1)) as server:
        asked = [len(decide(server, retries=retries).calls) for retries in (0, 1, 2)]
    assert asked == [2, 2, 3]


def test_where_one_order_is_no_answer_the_whole_question_is_sampled():
    good, bad = weighing(A=0.6, B=0.3, The=0.01), weighing(The=0.9, A=0.01, B=0.01)
    with Loopback([good, bad], say("A")) as server:
        decision = decide(server, order="auto")
    assert (decision.status, decision.provenance, decision.probabilities) == ("valid", "sample", None)
    assert [bool(request.get("logprobs")) for request in server.requests] == [True, True, False]
    assert len(decision.wording.orders) == 1
    assert decision.answer_mass == pytest.approx((0.9 + 0.02) / 2)
    with Loopback([good, bad]) as server:
        decision = decide(server, order="auto", elicit="logprobs", retries=0)
    assert (decision.status, len(decision.wording.orders)) == ("low_mass", 2)


@pytest.mark.parametrize("order", [0, "auto", "random"])
def test_a_decision_broken_off_in_between_goes_on_as_it_would_have(order):
    def answering():
        return Loopback([], by_form(PROSE[0], say("B")))

    with answering() as server:
        whole = decide(server, order=order, seed=3)
    assert [call.outcome for call in whole.calls] == ["invalid", "ok"]
    for cut in range(len(whole.calls) + 1):
        journal = Journal(whole.calls[:cut])
        with answering() as server, recording(journal):
            again = decide(server, order=order, seed=3)
        assert server.count == len(whole.calls) - cut == len(journal.kept)
        assert (again.action, again.provenance, again.wording) == (
            whole.action,
            whole.provenance,
            whole.wording,
        )
        assert [call.parameters for call in again.calls] == [call.parameters for call in whole.calls]


def test_a_status_of_low_mass_survives_being_broken_off():
    with Loopback([], weighing(The=0.9, A=0.01, B=0.01)) as server:
        whole = decide(server, elicit="logprobs", retries=1)
    with Loopback() as server, recording(Journal(whole.calls)):
        assert decide(server, elicit="logprobs", retries=1).status == "low_mass"
    assert server.count == 0
