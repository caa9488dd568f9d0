"""What models read of games with a mechanism. People read the texts in ``golden/mechanisms``, which
``python -m tests.agents.llm.test_mechanism_wording`` writes anew after a change of wording.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from ludens.agents import make_policy
from ludens.agents.llm.prompts.games import render
from ludens.agents.llm.prompts.templates import WordingError
from ludens.agents.llm.reading.choices import read_choice
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
from tests.agents.llm.test_library_wording import said

GOLDEN = Path(__file__).parent / "golden" / "mechanisms"
CASES = [
    *(
        (framing, "prisoners_dilemma", kind)
        for framing in ("neutral", "twin", "story")
        for kind in MECHANISMS
    ),
    *(("neutral", "public_goods", kind) for kind in MECHANISMS),
    ("neutral", "battle_of_the_sexes", "contracts"),
]


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
    path = GOLDEN / f"{framing}-{environment}-{mechanism}.txt"
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
        (GOLDEN / f"{'-'.join(case)}.txt").write_text(transcript(*case), encoding="utf-8")
