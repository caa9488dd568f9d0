"""What models read of games with a mechanism. People read the texts in ``golden/mechanisms``, which
``python -m tests.agents.llm.test_mechanism_wording`` writes anew after a change of wording.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from ludens.agents import make_policy
from ludens.agents.llm import LLMPolicy
from ludens.agents.llm.prompts.games import render
from ludens.agents.llm.prompts.templates import WordingError
from ludens.agents.llm.reading.choices import read_choice
from ludens.agents.llm.reading.messages import read_message
from ludens.envs import (
    MECHANISMS,
    CheapTalk,
    Mediation,
    StrategicGame,
    find_game,
    make_env,
    named,
)
from ludens.envs.strategic.mechanisms.env import StagedEnv
from ludens.envs.tree.questions import questions
from ludens.errors import UsageError
from ludens.experiments import play
from tests.agents.llm.test_library_wording import said
from tests.loopback import Loopback, say

GOLDEN = Path(__file__).parent / "golden" / "mechanisms"
CASES = [
    *(
        (framing, "prisoners_dilemma", kind)
        for framing in ("neutral", "twin", "story")
        for kind in MECHANISMS
    ),
    *(("neutral", "public_goods", kind) for kind in MECHANISMS),
    ("neutral", "battle_of_the_sexes", "contracts"),
    *((framing, "prisoners_dilemma", "cheap_talk:free") for framing in ("neutral", "twin", "story")),
    ("neutral", "public_goods", "cheap_talk:free"),
]


def _golden(framing, environment, mechanism):
    return GOLDEN / f"{framing}-{environment}-{mechanism.replace(':', '-')}.txt"


def transcript(framing, environment, mechanism):
    """What the last seat, which plays otherwise than all others, is asked until the second round begins."""
    env = make_env(environment, mechanism=mechanism, rounds=2)
    env.reset(seed=0)
    own, texts = env.possible_agents[-1], []
    while True:
        turn = env.unwrapped.turn(env.agent_selection)
        if turn.agent == own:
            texts.append(said(turn, framing))
            if turn.round:
                return "\n\n".join(texts)
        env.step(int(turn.agent == own))


@pytest.mark.parametrize(("framing", "environment", "mechanism"), CASES)
def test_what_is_asked_is_as_recorded(framing, environment, mechanism):
    text = transcript(framing, environment, mechanism)
    path = _golden(framing, environment, mechanism)
    assert text == path.read_text(encoding="utf-8")
    assert not re.search(r"cooperat|defect|dilemma|prisoner", text)  # whoever knows the game is not helped


def test_orders_show_the_actions_of_a_table_and_what_is_said_of_them_alike():
    env = make_env("prisoners_dilemma", mechanism="cheap_talk")
    env.reset(seed=0)
    turn = env.unwrapped.turn("player_0")
    straight, turned = (render(turn, "neutral", order) for order in (0, 1))
    assert (
        "action 1 and the other person action 2: you 0, the other person 5"
        in straight.messages[-1]["content"]
    )
    assert (
        "action 1 and the other person action 2: you 5, the other person 0" in turned.messages[-1]["content"]
    )
    # The second message announces to defect, which is the first action of the other order.
    assert turned.order[0] == 1
    assert "A: announce action 1" in turned.messages[-1]["content"]


def test_who_read_reputations_reads_actions_by_their_numbers():
    env = make_env(
        "prisoners_dilemma",
        mechanism="cheap_talk",
        groups=2,
        matching="random",
        history="reputation",
        rounds=2,
    )
    env.reset(seed=0)
    for _ in range(8):
        env.step(1)
    assert "The other chose before: action 2." in said(env.unwrapped.turn("player_0"), "neutral")


def test_a_rule_of_the_mediator_is_told_case_by_case():
    rule = Mediation(rule=lambda who: ["cooperate" if all(who) else "defect"] * 2)
    env = make_env("prisoners_dilemma", mechanism=rule)
    env.reset(seed=0)
    text = said(env.unwrapped.turn("player_0"), "neutral")
    assert (
        "- you: action 1, the other person: action 1\n- you: action 2\n- the other person: action 2\n" in text
    )


def test_many_options_have_numbers_that_are_read_as_such():
    (turn,) = questions(find_game("BL1 with mediation")).values()
    prompt = render(turn)
    assert len(prompt.labels) == len(turn.options) == 29
    # No label is a number of an allocation: "6" could be either.
    assert not set(prompt.labels) & set("0123456")
    for place, label in enumerate(prompt.labels):
        read = read_choice(f"Answer: {label}", prompt.labels, prompt.words)
        assert (read.outcome, read.place) == ("ok", place)
    assert read_choice("Answer: 6", prompt.labels, prompt.words).outcome == "invalid"


def _talk(answers, **settings):
    """Play a round of the prisoner's dilemma with free messages; return the run and the requests."""
    with Loopback(answers, otherwise=say("A")) as server:
        model = {"spec": "openai/loopback", "api_base": server.url, "api_key": "none", "order": 0}
        model |= {"elicit": "sample", "format": "letter", "retries": 2, "patience": 0} | settings
        game = ("prisoners_dilemma", {"mechanism": "cheap_talk:free"})
        run = play(game, [model, "homo_economicus"], seed=1)
        return run, server.requests


def test_a_message_is_written_read_by_the_others_and_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, requests = _talk([say('**"I take action 1, and hope that you do too."**')])
    first, _, own, other = run.decisions()
    assert first.options == ("say nothing", "say something")
    assert first.decision.notes == {"message": "I take action 1, and hope that you do too."}
    assert first.decision.action == 1
    asked = requests[-1]["messages"][-1]["content"]
    assert 'you: "I take action 1, and hope that you do too."; the other person: ' in asked
    assert (own.node, other.node) == ("choice", "choice")
    # Who has no words says nothing, or one fixed sentence.
    assert any(said in asked for said in ('the other person: "Hello."', "the other person: say nothing"))


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "empty"),
        ("...", "holds no message"),
        ("a" * 301, "301 characters"),
        ("Message: one\nMessage: two", "more than one message"),
        ("Message: I will take action 1\nonly if you take action 1 too.", "on one line"),
        ("Message:", "holds no message"),
        ("Message", "holds no message"),
        ("I won't take part in this unless you take action 1.", "not clear whether"),
        ("I cannot help with that, but I will take action 1.", "not clear whether"),
        ('{"message": 5}', "holds no message"),
        ('{"text": "hello"}', "holds no message"),
    ],
)
def test_what_is_no_message_is_asked_again_and_never_made_up(reply, reason):
    env = make_env("prisoners_dilemma", mechanism="cheap_talk:free")
    env.reset(seed=0)
    turn, rng = env.unwrapped.turn("player_0"), np.random.default_rng(0)
    with Loopback([say(reply), say("no message."), say(reply), say(reply)]) as server:
        policy = LLMPolicy(
            "openai/loopback", api_base=server.url, api_key="none", format="letter", retries=1, patience=0
        )
        decision = policy.decide(turn, rng)
        assert (decision.action, decision.notes, len(decision.calls)) == (0, None, 2)
        assert reason in server.requests[1]["messages"][-1]["content"]
        decision = policy.decide(turn, rng)
        assert (decision.action, decision.status, decision.notes) == (None, "invalid", None)


def test_a_message_that_was_cut_and_a_refusal_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, _ = _talk([say("I take act", finish_reason="length"), say("I take action 2.")])
    assert run.decisions()[0].decision.notes == {"message": "I take action 2."}
    run, _ = _talk([say("I'm sorry, but I can't help with that.")])
    assert run.decisions()[0].decision.status == "refused"


@pytest.mark.parametrize(
    ("reply", "reasoning", "text"),
    [
        ("I won't choose action 2.", False, "I won't choose action 2."),
        ('{"message": "Trust me."}', False, "Trust me."),
        ("<think>What now?</think>Trust\nme.", False, "Trust me."),
        ("They may lie.\nMessage: Trust me.", True, "Trust me."),
        ("No message", False, ""),
        ("(No message)", False, ""),
        ('{"message": "say nothing."}', False, ""),
        ("Sure! Here's my message:\n\"I'll take action 1.\"", False, "I'll take action 1."),
        ("**Message to the other person:** Trust me.", False, "Trust me."),
        ('I will choose "action 1"', False, 'I will choose "action 1"'),
    ],
)
def test_messages_are_read(reply, reasoning, text):
    read = read_message(reply, 40, reasoning=reasoning)
    assert (read.outcome, read.text) == ("ok", text)


def test_words_that_a_terminal_would_obey_and_the_words_for_silence_are_not_said():
    env = make_env("prisoners_dilemma", mechanism="cheap_talk:free")
    env.reset(seed=0)
    env.unwrapped.say("player_0", "\x1b[31mHi\x00 \x07\u202etrust me")
    with pytest.raises(UsageError, match="is an action of its own"):
        env.unwrapped.say("player_0", "Say  nothing")
    with pytest.raises(UsageError, match=r"1 to 300 characters; got 400 characters\.$"):
        env.unwrapped.say("player_0", "a" * 400)
    env.step(1)
    env.step(0)
    asked = render(env.unwrapped.turn("player_1")).messages[-1]["content"]
    assert '"[31mHi trust me"' in asked
    assert "the other person: " in asked


def test_a_message_after_thoughts_needs_its_title():
    assert read_message("They may lie. Trust me.", 40, reasoning=True).outcome == "invalid"


def test_tables_have_no_words_for_messages():
    env = make_env("prisoners_dilemma", mechanism="cheap_talk:free")
    env.reset(seed=0)
    with pytest.raises(WordingError, match="asks for a message"):
        said(env.unwrapped.turn("player_0"), "table")


def test_actions_keep_their_numbers_where_others_write_of_them():
    env = make_env("prisoners_dilemma", mechanism="cheap_talk:free")
    env.reset(seed=0)
    env.step(0)
    env.step(0)
    turned = render(env.unwrapped.turn("player_0"), "neutral", 1).messages[-1]["content"]
    assert "A: action 2\nB: action 1" in turned
    assert "action 1 and the other person action 2: you 0, the other person 5" in turned


def test_a_large_game_without_rules_in_words_says_what_to_add():
    game = StrategicGame("strange", {"player": 7}, {"player": named("a", "b")}, lambda profiles: profiles)
    env = StagedEnv(CheapTalk().around(game))
    env.reset(seed=0)
    with pytest.raises(WordingError, match=r"rules/strange\.j2"):
        render(env.turn("player_0"))


def test_a_person_can_play(monkeypatch):
    game = CheapTalk().around(find_game("PD1"))
    env = StagedEnv(game)
    env.reset(seed=0)
    monkeypatch.setattr("builtins.input", lambda *_: "2")
    decision = make_policy("human", env).decide(env.turn("player_0"), np.random.default_rng(0))
    assert decision.action == 1


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for case in CASES:
        _golden(*case).write_text(transcript(*case), encoding="utf-8")
