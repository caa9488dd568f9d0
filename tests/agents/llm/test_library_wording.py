"""What models read of the games of the library, and how numbers are read from what they reply."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ludens.agents.llm import LLMPolicy
from ludens.agents.llm.prompts.games import render, render_scale
from ludens.agents.llm.prompts.templates import WordingError
from ludens.agents.llm.reading.points import read_allocation, read_rating
from ludens.envs import (
    LIBRARY,
    GameError,
    Interval,
    Scale,
    StrategicEnv,
    StrategicFamily,
    StrategicGame,
    find_game,
    make_env,
    named,
    shares,
)
from ludens.envs.tree.questions import questions
from ludens.errors import UsageError
from ludens.testing.episodes import turn_of
from tests.loopback import Loopback, say

GOLDEN = Path(__file__).parent / "golden" / "library"
NAMES = [name for name, family in LIBRARY.items() if not getattr(family, "benchmark", False)]
REPEATED = {
    "prisoners_dilemma": {"rounds": 50, "continuation": 0.9, "history": "reputation"},
    "public_goods": {
        "continuation": 0.95,
        "rounds": 20,
        "groups": 2,
        "matching": "random",
        "history": "reputation",
        "noise": 0.1,
    },
}


def said(turn, framing: str, **more) -> str:
    prompt = (render if turn.scale is None else render_scale)(turn, framing, **more)
    return "\n".join(message["content"] for message in prompt.messages) + "\n"


@pytest.mark.parametrize("framing", ["neutral", "twin", "story"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_asked_is_as_recorded(name, framing):
    env = make_env(name)
    env.reset(seed=1)
    text = said(turn_of(env), framing)
    path = GOLDEN / f"{framing}-{name}.txt"
    assert text == path.read_text(encoding="utf-8")
    family = LIBRARY[name]
    if isinstance(family, StrategicFamily):
        assert name not in text  # whoever knows the game by its name is not helped


@pytest.mark.parametrize("name", REPEATED)
def test_what_is_asked_in_a_later_round_is_as_recorded(name):
    env = StrategicEnv(find_game({"prisoners_dilemma": "PD1", "public_goods": "PG1"}[name]), **REPEATED[name])
    env.reset(seed=5)
    for number in range(2):
        env.step({agent: (number + place) % 2 for place, agent in enumerate(env.agents)})
    assert env.agents
    text = said(env.turn("player_0"), "neutral")
    assert text == (GOLDEN / f"later-{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("framing", ["neutral", "twin", "story"])
def test_what_is_asked_in_a_later_round_of_a_tree_among_many_is_as_recorded(framing):
    env = make_env(
        "trust", protocol="TG3", rounds=4, groups=2, matching="random", history="reputation", noise=0.1
    )
    env.reset(seed=3)
    for action in (1, 0, 0):
        env.step(action)
    assert len(env.turn().past) == 1
    text = said(env.turn(), framing)
    assert text == (GOLDEN / f"later-{framing}-trust.txt").read_text(encoding="utf-8")


def duopoly() -> StrategicEnv:
    env = StrategicEnv(replace(find_game("CO1"), actions={"firm": Interval(0.0, 120.0)}), rounds=3)
    env.reset(seed=1)
    return env


@pytest.mark.parametrize("framing", ["neutral", "twin", "story"])
def test_any_number_of_an_interval_is_asked_for_as_recorded(framing):
    env = duopoly()
    env.step({"player_0": 37.5, "player_1": 40.0})
    text = said(env.turn("player_0"), framing)
    assert text == (GOLDEN / f"{framing}-cournot_interval.txt").read_text(encoding="utf-8")


def test_a_model_chooses_any_number_of_an_interval():
    env = duopoly()
    replies = [say("200"), say("about 30"), say("My number is **37.5**.")]
    with Loopback(replies, say('{"number": 0.25}')) as server:
        policy = LLMPolicy("openai/loopback", api_base=server.url, api_key="none", retry_wait=0.01)
        decision = policy.decide(env.turn("player_0"), np.random.default_rng(0))
        json = policy.decide(env.turn("player_1"), np.random.default_rng(0))
    assert (decision.action, decision.status, len(decision.calls)) == (37.5, "valid", 3)
    assert "200 does not lie between 0 and 120" in decision.calls[0].detail
    assert json.action == 0.25
    env.step({"player_0": decision.action, "player_1": json.action})
    with pytest.raises(UsageError, match="what others choose among options"):
        policy.belief(env.turn("player_0"), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        ("0.25", 0.25),
        (".25", 0.25),
        ("0,25", 0.25),
        ("Number: 0.25", 0.25),
        ("1", 1.0),
        ("My number is 0.25.", 0.25),
        ('{"number": 0.25}', 0.25),
        ('{"number": "0.25"}', 0.25),
        ("0.25/1", 0.25),
    ],
)
def test_a_number_of_an_interval_is_read(reply, number):
    reading = read_rating(reply, Scale("number", 0.0, 1.0, 0))
    assert (reading.outcome, reading.points) == ("ok", (number,))


@pytest.mark.parametrize(
    "reply", ["1.5", "-0.5", "0.5%", "0.2 or 0.3", "0.2-0.3", "[0.5]", "half", "1/2", ""]
)
def test_what_is_no_number_of_the_interval_is_asked_again(reply):
    reading = read_rating(reply, Scale("number", 0.0, 1.0, 0))
    assert (reading.outcome, reading.points) == ("invalid", ())


def test_thousands_are_not_taken_for_fractions():
    wide = Scale("number", -2000.0, 2000.0, 0)
    assert read_rating("1,000", wide).outcome == "invalid"
    assert read_rating("1,000.5", wide).points == (1000.5,)
    assert read_rating("-12.5", wide).points == (-12.5,)


def test_a_large_game_without_rules_in_words_says_what_to_add():
    game = StrategicGame("strange", {"player": 9}, {"player": named("a", "b")}, lambda profiles: profiles)
    env = StrategicEnv(game)
    env.reset(seed=1)
    with pytest.raises(WordingError, match="no wording for strange"):
        render(env.turn("player_0"))
    parts = " ".join(f"{{% include '{part}.j2' %}}" for part in ("options", "belief", "answer"))
    own = "{{ game.name }}: choose. " + parts
    assert "strange: choose." in render(env.turn("player_0"), template=own).messages[-1]["content"]


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        ("10", 10),
        ("Number: 15", 15),
        ("I will put 10 points into the project.", 10),
        ("I contribute 5.", 5),
        ('{"number": 20}', 20),
        ('{"reasoning": "all gain", "number": 20}', 20),
    ],
)
def test_an_amount_is_read(reply, number):
    reading = read_rating(reply, Scale("number", 0, 20, 5))
    assert (reading.outcome, reading.points) == ("ok", (number,))


@pytest.mark.parametrize("reply", ["12", "25", "-5", "2.5", "10 or 15", "I keep 5 and give 15", "ten", ""])
def test_what_is_no_amount_of_the_game_is_asked_again_and_never_made_up(reply):
    reading = read_rating(reply, Scale("number", 0, 20, 5))
    assert reading.outcome == "invalid"
    assert reading.points == ()
    assert reading.detail


def test_an_amount_can_be_asked_for_in_words_of_one_s_own():
    env = make_env("public_goods")
    env.reset(seed=1)
    own = "You have {{ game.parameters.endowment | number }} apples. {% include 'answer_scale.j2' %}"
    text = render_scale(env.unwrapped.turn("player_0"), template=own).messages[-1]["content"]
    assert text == "You have 20 apples. Answer with one whole number from 0 to 20."


def test_one_point_is_no_points():
    game = LIBRARY["volunteers_dilemma"].game(payoffs=(3, 2, 1))
    env = StrategicEnv(game)
    env.reset(seed=1)
    plain = render(env.turn("player_0")).messages[-1]["content"]
    assert "gets 2 points;" in plain
    assert "costs 1 point." in plain
    assert "costs 1 coin." in render(env.turn("player_0"), "story").messages[-1]["content"]


def blotto() -> StrategicEnv:
    env = StrategicEnv(find_game("BL1"))
    env.reset(seed=1)
    return env


@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_model_divides_its_troops_whatever_the_order_shown(order):
    def reply(request):
        text = request["messages"][1]["content"]
        at = {label: text.split(f"\n{label}: field ")[1][0] for label in "ABC"}
        return say(
            "\n".join(f"{label}: {dict(zip('123', (3, 1, 2), strict=True))[at[label]]}" for label in "ABC")
        )

    env = blotto()
    with Loopback([], reply) as server:
        policy = LLMPolicy("openai/loopback", api_base=server.url, api_key="none", order=order)
        decision = policy.decide(env.turn("player_0"), np.random.default_rng(0))
    assert env.game.finite["commander"].names[decision.action] == "(3, 1, 2)"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("A: 2\nB: 2", "no number for C"),
        ("A: 2\nB: 2\nC: 2\nD: 0", "gives points to D"),
        ("A: 2\nB: 2\nC: 1", "must sum to 6; they sum to 5"),
        ('{"A": 3, "B": 3, "C": 3}', "must sum to 6; they sum to 9"),
        ("A: 2.5\nB: 2.5\nC: 1", "no whole number"),
        ("A: -1\nB: 4\nC: 3", "-1 does not lie between 0 and 6"),
        ("2, 2, 2", "gives no points"),
    ],
)
def test_troops_that_cannot_be_read_are_asked_again_with_the_reason(reply, reason):
    reading = read_allocation(reply, "ABC", blotto().turn("player_0").scale)
    assert (reading.outcome, reading.points) == ("invalid", ())
    assert reason in reading.detail


def test_contributions_to_several_projects_need_not_be_all_there_is():
    actions = shares(20, ["a well", "a road"], 10, exact=False)
    assert actions.names == ("(20, 0)", "(10, 10)", "(10, 0)", "(0, 20)", "(0, 10)", "(0, 0)")

    def payoff(profiles):
        given = actions.vectors[profiles.astype(int)]
        return 20 - given.sum(-1) + given.sum(-2).max(-1, keepdims=True) * 0.6

    game = StrategicGame("two_projects", {"player": 2}, {"player": actions}, payoff)
    env = StrategicEnv(game)
    env.reset(seed=1)
    turn = env.turn("player_0")
    own = "You have 20 points for a well and a road.\n{{ programs | map(attribute='name') | join(', ') }}"
    text = render_scale(turn, template=own).messages[-1]["content"]
    assert "a well, a road\nAnswer with whole numbers that sum to at most 20, each in steps of 10" in text
    for reply, points in (("A: 10\nB: 0", (10, 0)), ("A: 0\nB: 0", (0, 0))):
        reading = read_allocation(reply, "AB", turn.scale)
        assert (reading.outcome, reading.points) == ("ok", points)
        assert actions.names[turn.scale.place(reading.points)] == str(points)
    assert "at most 20; they sum to 30" in read_allocation("A: 20\nB: 10", "AB", turn.scale).detail
    assert "not one of 0, 10, 20" in read_allocation("A: 5\nB: 10", "AB", turn.scale).detail


@pytest.mark.parametrize(
    "arguments",
    [(6, ["one"]), (6, "abc"), (0, ["a", "b"]), (7, ["a", "b"], 2), (2.5, ["a", "b"]), (500, list("abcdef"))],
)
def test_what_cannot_be_shared_out_is_one_sentence(arguments):
    with pytest.raises(GameError, match=r"^[^.]*(\.\d[^.]*)?\.$"):
        shares(*arguments)


@pytest.mark.parametrize("framing", ["table", "payoffs", *(f"table/{number}" for number in range(40))])
@pytest.mark.parametrize("protocol", ["PD1", "STH1", "BS1", "UT1", "PG1"])
def test_tables_of_simultaneous_games_speak_of_no_later_moves(protocol, framing):
    for turn in questions(find_game(protocol)).values():
        text = said(turn, framing)
        assert not re.search(r"in turn|turns|plans? for the rest|your other moves", text)
        assert len(text.splitlines()) > len(turn.options) or turn.scale is not None


def test_a_symmetric_game_has_a_row_for_each_action():
    (turn,) = questions(find_game("PD1")).values()
    rows = [line for line in said(turn, "table").splitlines() if "alone" in line and "all" in line]
    # Against a coin 3/2 and 3, in twos; if all do the same 3 and 1.
    assert rows[-2:] == ["A: alone 3, all 6", "B: alone 6, all 2"]
