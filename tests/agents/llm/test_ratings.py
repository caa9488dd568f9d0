"""A language model that answers in points, against a server on the loopback interface."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from ludens.agents.llm import LLMPolicy, RatingPolicy, WordingError
from ludens.agents.llm.prompts.games import render_scale
from ludens.envs import PROTOCOLS, Option, Scale
from ludens.envs.av.dilemma.env import dilemma_turn
from ludens.envs.av.dilemma.vignette import Vignette
from ludens.envs.tree.questions import questions
from ludens.errors import UsageError
from tests.loopback import Loopback, say

RATED = dilemma_turn(Vignette(question="morality"))
SHARED_OUT = dilemma_turn(Vignette(question="allocate_morality"))
# LiteLLM knows of this one that it takes a JSON schema.
KNOWN = "openai/gpt-4o-mini"


def ask(kind, server, turn, model="openai/loopback", **settings):
    policy = kind(model, **{"api_base": server.url, "api_key": "none", "retry_wait": 0.01} | settings)
    return policy.decide(turn, np.random.default_rng(0))


@pytest.mark.parametrize("kind", [LLMPolicy, RatingPolicy])
def test_a_rating_is_the_number_of_points(kind):
    with Loopback([], say("I would rate swerving 73.")) as server:
        decision = ask(kind, server, RATED)
    assert (decision.action, decision.status, decision.probabilities) == (73, "valid", None)


@pytest.mark.parametrize("kind", [LLMPolicy, RatingPolicy])
def test_points_go_to_the_second_thing_whatever_the_order_shown(kind):
    def swerving(request):
        text = request["messages"][1]["content"]
        first = text.index("A: cars that swerve") if "A: cars that swerve" in text else -1
        return say("A: 70\nB: 30" if first >= 0 else "A: 30\nB: 70")

    with Loopback([], swerving) as server:
        actions = [ask(kind, server, SHARED_OUT, order=order).action for order in (0, 1)]
    assert actions == [70, 70]


def test_a_schema_is_sent_where_the_model_takes_one_and_left_out_after_it_was_rejected():
    with Loopback([], say('{"rating": 40}')) as server:
        assert ask(RatingPolicy, server, RATED, KNOWN).action == 40
    schema = server.requests[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"] == {"rating": {"type": "integer"}}
    with Loopback([], say("40"), schema=False) as server:
        decision = ask(RatingPolicy, server, RATED, KNOWN)
    assert (decision.action, [call.outcome for call in decision.calls]) == (40, ["error", "ok"])
    with Loopback([], say(json.dumps({"A": 60, "B": 40}))) as server:
        assert ask(RatingPolicy, server, SHARED_OUT, KNOWN, order=0).action == 40


def test_what_cannot_be_read_is_asked_again_and_then_invalid():
    with Loopback([], say("high")) as server:
        decision = ask(RatingPolicy, server, RATED, retries=1, invalid="forfeit")
    assert (decision.action, decision.status, decision.on_invalid) == (None, "invalid", "forfeit")
    assert server.count == 2
    assert "from 0 to 100" in decision.calls[0].detail


def test_turns_without_a_scale_are_not_rated():
    turn = questions(PROTOCOLS["TG1"])["opening"]
    with pytest.raises(UsageError, match="asks for no points"):
        RatingPolicy("openai/x").decide(turn, np.random.default_rng(0))


def test_a_scale_that_the_wordings_do_not_ask_for_is_refused():
    seven = replace(
        RATED,
        options=tuple(Option(point, str(point)) for point in range(8)),
        scale=Scale("rating", highest=7),
    )
    with pytest.raises(WordingError, match="from 0 to 7"):
        render_scale(seven)
