"""Templates of the user's own: what they may leave out, how their options are labelled, and what is wrong."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ludens.agents import LLMPolicy, make_policy
from ludens.agents.llm import WordingError
from ludens.agents.llm.prompts.games import render, render_scale
from ludens.agents.llm.prompts.own import MOST_OPTIONS, own_labels, template_text
from ludens.agents.llm.reading.choices import read_choice
from ludens.envs import PROTOCOLS, Option, Turn, make_env
from ludens.envs.foreign import NamedGame
from ludens.envs.tree.questions import questions
from ludens.errors import LudensError, UsageError
from ludens.experiments import Run, play, resume
from tests.loopback import Loopback, failing, say, weighing

ROCK = "You play rock-paper-scissors against {{ roles | length - 1 }} other."


def turn(*names, **facts):
    options = tuple(Option(number + 10, name) for number, name in enumerate(names))
    game = NamedGame("hands", ("left", "right"))
    return Turn("hands_v0", "left", "left", "throw", options, {"observation": np.zeros(1)}, game, facts=facts)


HANDS = turn("rock", "paper", "scissors", board="..x\n.o.")


def text(prompt):
    return prompt.messages[-1]["content"]


def text_of(request):
    return request["messages"][-1]["content"]


def policy(server, **settings):
    return LLMPolicy("openai/loopback", api_base=server.url, api_key="none", retry_wait=0.01, **settings)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_what_a_template_leaves_out_follows_it():
    assert text(render(HANDS, template=ROCK)) == (
        "You play rock-paper-scissors against 1 other.\nA: rock\nB: paper\nC: scissors\n"
        "Answer with one letter, A, B or C."
    )
    belief = text(render(HANDS, template=ROCK, belief=True))
    assert "How many of them choose A, and how many B, and how many C?" in belief
    assert belief.endswith("A: <number>\nB: <number>\nC: <number>")


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("{{ labels | series }}?", "A, B and C?\nAnswer with one letter, A, B or C."),
        ('Now.\n{% include "answer.j2" %}', "Now.\nAnswer with one letter, A, B or C.\nA: rock"),
        ('{% include "options.j2" %}\nNow.', "A: rock\nB: paper\nC: scissors\nNow.\nAnswer"),
        (
            "{% for option in options %}{{ option.label }}={{ option.option }} {% endfor %}",
            "A=rock B=paper C=scissors\nAnswer with one letter",
        ),
        ("{{ facts.board }}", "..x\n.o.\nA: rock"),
    ],
)
def test_what_a_template_says_itself_is_not_said_twice(template, shown):
    prompt = text(render(HANDS, template=template))
    assert prompt.startswith(shown)
    assert len(re.findall("Answer with", prompt)) == 1


def test_labels_go_with_the_place_and_not_with_the_option():
    prompt = render(HANDS, template=ROCK, order=2)
    assert "A: scissors\nB: rock\nC: paper" in text(prompt)
    assert (prompt.order, prompt.words) == ((2, 0, 1), ("scissors", "rock", "paper"))


def test_it_words_a_game_tree_as_the_framing_that_it_extends():
    opening = questions(PROTOCOLS["SPD4"])["opening"]
    same = render(opening, template='{% extends "neutral/any.j2" %}')
    assert text(same) == text(render(opening))
    own = "{% macro name(n) %}P{{ n }}{% endmacro %}{{ outcomes | length }} ways, {{ names(name) | series }}."
    assert text(render(opening, template=own)).startswith(
        "4 ways, P1 and P2.\nA: cooperate\nB: defect\nAnswer"
    )


@pytest.mark.parametrize(("study", "kind"), [(1, "rating"), (4, "allocation")])
def test_points_are_asked_for_too(study, kind):
    env = make_env("av_dilemma", study=study)
    made = None
    for seed in range(40):
        env.reset(seed=seed)
        asked = env.unwrapped.turn(env.agent_selection)
        made = asked if asked.scale is not None else made
    assert made.scale.kind == kind
    prompt = render_scale(made, template="A car with {{ facts.vignette.riders }} inside.", order=1)
    listed = ["A: swerve", "B: stay"] if kind == "allocation" else []
    assert prompt.labels == (("A", "B") if listed else ())
    assert text(prompt).split("\n")[1 : 1 + len(listed)] == listed
    assert text(prompt).split("\n")[1 + len(listed)].startswith("Answer with")


# --- Labels


def test_a_label_is_no_word_of_a_name():
    assert own_labels(["plan A", "plan B", "take c"]) == ("D", "E", "F")
    assert own_labels(["rock"] * 3) == ("A", "B", "C")
    assert own_labels([f"place {number}" for number in range(24)]) == tuple("ABCDEFGHJKLMNPQRSTUVWXYZ")
    many = own_labels([f"place {number}" for number in range(25)])
    assert many == tuple(map(str, range(25, 50)))
    assert own_labels([f"{letter}x{digit}" for letter in "abcdefghij" for digit in range(10)])[0] == "1"


def test_more_options_than_letters_have_numbers():
    names = [f"{file}{rank}" for rank in "12345" for file in "abcdefgh"]
    prompt = render(turn(*names), template="Choose a square.", order=3)
    assert prompt.labels == tuple(map(str, range(1, 41)))
    assert "\n1: d1\n2: e1\n" in text(prompt)
    assert text(prompt).endswith("Answer with one number, any of the list.")
    again = prompt.reread("Nothing was said.")
    assert again.endswith("Reply with the number alone: any of the list.")
    assert '{"choice": "<one number, any of the list>"}' in text(
        render(turn(*names), template="Choose a square.", format="json")
    )


@pytest.mark.parametrize(
    ("reply", "place"),
    [
        ("17", 16),
        ("17.", 16),
        ("**17**", 16),
        ("17: a3", 16),
        ("17. a3", 16),
        ("I choose 17.", 16),
        ("Option 17", 16),
        ("Answer: 17", 16),
        ('{"choice": "17"}', 16),
        ('{"choice": 17}', 16),
        ("a3", 16),
        ("17 or 18", None),
        ("17: b3", None),
        ("41", None),
        ("0", None),
        ("1.7", None),
        ("-17", None),
        ('{"choice": 17.5}', None),
        ('{"choice": true}', None),
        ("not 17", None),
        ("17 is bad", None),
        ("I would say 17 because it is 3 fields away from 2", None),
        ("column", None),
        ("", None),
    ],
)
def test_numbers_are_read_as_labels_and_never_guessed(reply, place):
    names = [f"{file}{rank}" for rank in "12345" for file in "abcdefgh"]
    labels = own_labels(names)
    reading = read_choice(reply, labels, names)
    assert reading.place == place
    assert (reading.outcome == "ok") == (place is not None)


@pytest.mark.parametrize("reply", ["1", "10", "1000", "999"])
def test_a_thousand_options_are_told_apart(reply):
    names = [f"move {chr(97 + n // 100)}{n % 100:02}q" for n in range(MOST_OPTIONS)]
    with Loopback([], say(reply)) as server:
        asked = policy(server, template="Choose.", order=0, format="letter")
        decision = asked.decide(turn(*names), rng())
    assert decision.action == int(reply) + 9
    with pytest.raises(WordingError, match="lists 1000 options at most, and there are 1001"):
        render(turn(*names, "one more"), template="Choose.")


def test_names_that_are_labels_elsewhere_are_not_misread():
    """In "D: A", a reply "A" names no label, so that it is asked again and never taken for another option."""
    with Loopback([say("A"), say("D")]) as server:
        asked = policy(server, template="Choose.", order=1, format="letter", elicit="sample")
        decision = asked.decide(turn("A", "B", "C"), rng())
    assert (decision.action, server.count) == (11, 2)


def test_options_with_equal_names_are_told_apart_by_labels_alone():
    same = turn("hit", "hit ", "stay")
    assert render(same, template="Choose.").words == ()
    with Loopback([say("I hit"), say("B")]) as server:
        decision = policy(server, template="Choose.", order=0, format="letter", elicit="sample").decide(
            same, rng()
        )
    assert (decision.action, decision.status) == (11, "valid")
    assert server.count == 2


def test_a_name_is_an_answer_and_phrases_take_its_place():
    asked = {"order": 1, "format": "letter", "elicit": "sample"}
    with Loopback([], say("I choose paper.")) as server:
        assert policy(server, template=ROCK, **asked).decide(HANDS, rng()).action == 11
    phrases = (
        '{% set phrases = {"throw": {"rock": "a fist", "paper": "a flat hand", "scissors": "two fingers"}} %}'
    )
    template = (
        phrases
        + "{% for option in options %}{{ option.label }}: {{ phrases.throw[option.option] }}\n{% endfor %}"
    )
    with Loopback([], say("I choose two fingers.")) as server:
        assert policy(server, template=template, **asked).decide(HANDS, rng()).action == 12


def test_phrases_that_read_alike_are_told_apart_by_labels_alone():
    alike = '{% set phrases = {"throw": {"rock": "a hand", "paper": "A  hand", "scissors": "two fingers"}} %}'
    assert render(HANDS, template=alike).words == ()
    assert render(HANDS, template=alike.replace("A  hand", "a flat hand")).words[1] == "a flat hand"


@pytest.mark.parametrize("phrases", ["3", '{"throw": 3}', '{"throw": {"rock": 1}}', '["rock"]'])
def test_phrases_of_another_shape_are_one_sentence(phrases):
    with pytest.raises(WordingError, match=r'sets phrases to .*\{"throw": \{"rock": "…"\}\}'):
        render(HANDS, template=f"{{% set phrases = {phrases} %}}")


def test_one_option_is_asked_for_like_any_other():
    with Loopback([], say("A")) as server:
        decision = policy(server, template="Go on.", elicit="sample").decide(turn("pass"), rng())
    assert (decision.action, decision.status, server.count) == (10, "valid", 1)


# --- Asking


def test_log_probabilities_of_letters_are_read_and_those_of_numbers_are_not():
    many = turn(*(f"m{n}" for n in range(30)))
    with Loopback([], weighing(A=0.6, B=0.3, C=0.1)) as server:
        decision = policy(server, template=ROCK, order=0, elicit="logprobs").decide(HANDS, rng())
        assert decision.probabilities == pytest.approx((0.6, 0.3, 0.1))
        with pytest.raises(WordingError, match="30 options at 'throw', whose labels are no single tokens"):
            policy(server, template="Choose.", elicit="logprobs").decide(many, rng())
        assert server.count == 1
    with Loopback([], say("7")) as server:
        decision = policy(server, template="Choose.", order=0).decide(many, rng())
        assert (decision.action, decision.provenance, server.count) == (16, "sample", 1)


def test_beliefs_are_asked_in_the_same_template():
    with Loopback([], say('{"A": 50, "B": 30, "C": 20}')) as server:
        report = policy(server, template=ROCK, order=1).belief(HANDS, rng())
    assert report.probabilities == (0.2, 0.5, 0.3)
    assert ROCK[:20] in text_of(server.requests[0])


def test_a_reply_that_cannot_be_read_stays_none():
    with Loopback([], say("I like them all.")) as server:
        decision = policy(server, template=ROCK, retries=1, format="letter", elicit="sample").decide(
            HANDS, rng()
        )
    assert (decision.action, decision.status, server.count) == (None, "invalid", 2)


def test_a_persona_reasoning_and_json_go_with_it():
    prompt = render(HANDS, template=ROCK, persona="You love paper.", reasoning=True, format="json")
    assert prompt.messages[0] == {"role": "system", "content": "You love paper."}
    assert '{"reasoning": "<your thoughts>", "choice": "<one letter, A, B or C>"}' in text(prompt)


# --- Files, descriptions, runs


@pytest.mark.parametrize("name", ["board.j2", "board.txt", "board.md", "board.jinja"])
def test_a_file_is_a_path_or_a_text_that_ends_like_one(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name).write_text("From a file.\n{{ facts.board }}", encoding="utf-8")
    given = [name, Path(name), str(tmp_path / name)]
    assert {LLMPolicy("a/b", template=each).settings.template for each in given} == {
        "From a file.\n{{ facts.board }}"
    }
    assert template_text(f"See {name}\nfor more") == f"See {name}\nfor more"


def test_the_text_of_a_file_is_never_taken_for_a_file(tmp_path):
    path = tmp_path / "odd"
    path.write_text("Read all of rules.txt", encoding="utf-8")
    kept = template_text(path)
    assert template_text(kept) == kept
    assert template_text(kept).strip() == "Read all of rules.txt"


def test_its_description_makes_it_again_and_its_hash_follows_its_text():
    made = LLMPolicy("openai/x", template=ROCK, order=0)
    again = make_policy(made.describe())
    assert again == made
    assert again.settings.template == ROCK
    assert LLMPolicy("openai/x", template=ROCK + " ", order=0) != made
    one, same, other = (render(HANDS, template=each).wording for each in (ROCK, ROCK, ROCK + "!"))
    assert one == same
    assert (one.framing, one.template) == ("own", "own")
    assert one.hash != other.hash


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% if x %}", "The template cannot be read at line 1: Unexpected end of template"),
        ("a\n{{ 1 + }}", "The template cannot be read at line 2"),
        ("{{ 3 | foo }}", "No filter named 'foo'"),
        ("missing.txt", r"'missing.txt' cannot be read \(No such file or directory\)"),
        (Path("missing"), "'missing' cannot be read"),
        (Path(), "cannot be read"),
        ("{% include 'mine.j2' %}", "includes 'mine.j2'; it can include those of ludens alone"),
        ("{% extends parent %}", "named by a variable"),
        ("", "A template is a text or a file; got ''"),
        (" \n", "A template is a text or a file"),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "is nested too deeply"),
        (5, "A template is a text or a file; got 5"),
    ],
)
def test_what_is_no_template_is_one_sentence_at_once(template, message):
    with pytest.raises(UsageError, match=message) as caught:
        LLMPolicy("openai/x", template=template)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xff\xfe\xff"])
def test_a_file_that_is_empty_or_no_text_is_one_sentence(tmp_path, content):
    (tmp_path / "one.j2").write_bytes(content)
    with pytest.raises(UsageError, match=r"one\.j2.* (is empty|is no text in UTF-8)"):
        LLMPolicy("openai/x", template=tmp_path / "one.j2")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a\n\n{{ bord }}", r"rendered at 'throw' of hands_v0, line 3: 'bord' is undefined; .* are: board"),
        ("{{ facts.bord }}", "line 1: 'dict object' has no attribute 'bord'"),
        ("{{ 1 / 0 }}", "line 1: division by zero"),
        ("{% for i in range(1000000) %}{% endfor %}", "line 1: Range too big"),
        (
            "a\n{{ turn.observation.observation.tofile('written') }}",
            "line 2: it calls what a template may not",
        ),
        ("{{ 10 ** 10 ** 8 }}", r"line 1: \*\* is for numbers up to 1000"),
        ("{% for n in 'a' * 10 ** 9 %}{% endfor %}", r"line 1: \* is for numbers up to 1000"),
        ("{{ ''.__class__ }}{{ ''.__class__() }}", "line 1"),
        ("{{ turn.observation.observation.__class__ }}", "line 1"),
    ],
)
def test_what_a_turn_does_not_give_is_one_sentence_with_the_line(tmp_path, monkeypatch, template, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WordingError, match=message) as caught:
        render(HANDS, template=template)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_template_and_a_framing_exclude_each_other():
    with pytest.raises(UsageError, match="A template takes the place of a framing, and framing='story'"):
        LLMPolicy("openai/x", template=ROCK, framing="story")


def test_a_role_that_the_game_has_not_is_one_sentence():
    with pytest.raises(
        UsageError, match="'throw' of hands_v0 has the role 'middle', and its game has left, right"
    ):
        render(replace(HANDS, role="middle"), template=ROCK)


def test_a_run_keeps_the_text_and_refuses_another_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("trust.j2").write_text("Points: {{ outcomes | length }}.", encoding="utf-8")
    model = {"spec": "openai/loopback", "template": "trust.j2", "elicit": "sample"}
    with Loopback([say("A")], failing(401, "no key")) as server, pytest.raises(LudensError):
        play("trust", [{**model, "api_base": server.url}, "tit_for_tat"], path="run.db", episodes=2)
    with Run("run.db") as run:
        assert run.manifest["config"]["policies"][0]["template"] == "Points: {{ outcomes | length }}."
    with Loopback([], say("A")) as server:
        changed = {**model, "template": "Other points.", "api_base": server.url}
        with pytest.raises(UsageError, match="Other points"):
            resume("run.db", policies=[changed, "tit_for_tat"])
        assert server.count == 0
        Path("trust.j2").unlink()
        assert resume("run.db", api_base=server.url).manifest["status"] == "done"
        assert text_of(server.requests[0]).startswith("Points: 3.")


def test_a_file_that_a_stranger_s_run_names_is_not_read(tmp_path, monkeypatch):
    """It would be sent to a model."""
    monkeypatch.chdir(tmp_path)
    Path("diary.txt").write_text("Dear diary", encoding="utf-8")
    with Loopback([say("A")], failing(401, "no key")) as server, pytest.raises(LudensError):
        play("trust", policy(server, template="Go.", elicit="sample"), path="run.db", episodes=2)
    with closing(sqlite3.connect("run.db")) as file, file:
        (text,) = file.execute("SELECT value FROM manifest WHERE key = 'config'").fetchone()
        config = json.loads(text)
        config["policies"]["template"] = "diary.txt"
        file.execute("UPDATE manifest SET value = ? WHERE key = 'config'", (json.dumps(config),))
    with Loopback([], say("A")) as server:
        with pytest.raises(UsageError, match=r"The run names the file 'diary\.txt' where runs keep the text"):
            resume("run.db", api_base=server.url)
        assert server.count == 0


def test_a_file_that_is_missing_stops_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"play\.policies: The template 'none\.j2' cannot be read"):
        play("trust", {"spec": "openai/x", "template": "none.j2"}, path="run.db")
    with pytest.raises(UsageError, match="'bord' is undefined"):
        play("trust", LLMPolicy("openai/x", template="{{ bord }}"), path="run.db")
    assert list(tmp_path.iterdir()) == []


def test_a_key_in_a_template_is_refused_since_no_run_keeps_it():
    key = "sk-" + "a1B2" * 10
    with pytest.raises(UsageError, match="looks like a key"):
        play("trust", LLMPolicy("openai/x", template=f"Use {key}."), path="run.db")


def test_prices_are_asked_in_their_own_wording():
    with pytest.raises(UsageError, match="PricePolicy has no setting 'template'"):
        make_policy({"spec": "openai/x", "template": ROCK}, "bertrand")


def test_it_is_an_option_of_the_command_line(tmp_path, monkeypatch, capsys):
    from ludens.cli.entry import main

    monkeypatch.chdir(tmp_path)
    Path("trust.txt").write_text("You hold {{ outcomes | length }} cards.", encoding="utf-8")
    with Loopback([], say("A")) as server:
        command = ["play", "trust", "-p", "openai/loopback", "-p", "tit_for_tat", "--template", "trust.txt"]
        more = ["--api-base", server.url, "--elicit", "sample", "--out", "run.db", "--json"]
        assert main([*command, *more]) == 0
        assert "You hold 3 cards." in text_of(server.requests[0])
    json.loads(capsys.readouterr().out)
    with Run("run.db") as run:
        assert run.manifest["config"]["policies"][0]["template"] == "You hold {{ outcomes | length }} cards."
