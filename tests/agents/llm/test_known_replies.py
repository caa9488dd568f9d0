"""Replies of models by their kind: what is clear is read, and what is no answer is asked again.

The replies stand in ``replies/*.toml``, to be read and added to by people.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.agents.llm.reading.choices import read_choice, read_shares
from ludens.agents.llm.reading.points import read_rating
from ludens.agents.llm.reading.prices import read_price_reply
from ludens.envs import Scale

REPLIES = Path(__file__).parent / "replies"
OUTCOMES = {
    "must_read": "ok",
    "must_ask_again": "invalid",
    "asked_again_for_caution": "invalid",
    "refused": "refused",
}


def cases(question):
    """Every reply to a question as a parameter: its group, its text, and the expected outcome."""
    sections = tomllib.loads((REPLIES / f"{question}.toml").read_text(encoding="utf-8"))
    return [
        pytest.param(group, text, OUTCOMES[section], id=f"{section}-{group['kind']}-{text!r:.60}")
        for section, groups in sections.items()
        for group in groups
        for text in group["texts"]
    ]


def read(group, text, **more):
    arguments = {"reasoning": group.get("reasoning", False), "cut": group.get("cut", False)} | more
    return read_choice(text, group.get("labels", "AB"), group.get("names", ()), **arguments)


def chosen(group, reading):
    return None if reading.place is None else group.get("labels", "AB")[reading.place]


@pytest.mark.parametrize(("group", "text", "outcome"), cases("choices"))
def test_choices(group, text, outcome):
    reading = read(group, text)
    assert (reading.outcome, chosen(group, reading)) == (outcome, group.get("answer"))
    assert bool(reading.detail) == (outcome != "ok")


@pytest.mark.parametrize(("group", "text", "outcome"), [*cases("prices"), *cases("prices_unseen")])
def test_prices(group, text, outcome):
    reading = read_price_reply(text, cut=group.get("cut", False))
    assert (reading.outcome, reading.price) == (outcome, group.get("answer"))


@pytest.mark.parametrize(("group", "text", "outcome"), cases("ratings"))
def test_ratings(group, text, outcome):
    reading = read_rating(text, Scale("rating"), cut=group.get("cut", False))
    expected = (group["answer"],) if outcome == "ok" else ()
    assert (reading.outcome, reading.points) == (outcome, expected)


CLEAR = [case.values[:2] for case in cases("choices") if case.values[2] == "ok"]


@given(st.sampled_from(CLEAR), st.data())
def test_the_beginning_of_an_answer_that_was_cut_off_is_never_another_answer(clear, data):
    group, text = clear
    begun = text[: data.draw(st.integers(0, len(text)))]
    reading = read(group, begun, cut=True)
    assert chosen(group, reading) in (None, group["answer"])


@given(st.sampled_from([each for each in CLEAR if not set("<[◁{") & set(each[1])]))
def test_thoughts_in_any_tags_are_no_answer(clear):
    group, text = clear
    for tag in ("think", "thinking", "reflection", "scratchpad", "inner_voice"):
        assert read(group, f"<{tag}>{text}").place is None
        assert read(group, f"<{tag}>{text}</{tag}>").place is None
        assert chosen(group, read(group, f"<{tag}>I choose B, or A.</{tag}>\n{text}")) == group["answer"]


# Marks of turns and of thoughts take what stands after or before them along.
SPOKEN = [each for each in CLEAR if not set("<[◁") & set(each[1])]


@given(st.sampled_from(SPOKEN), st.sampled_from(SPOKEN))
def test_two_answers_one_after_the_other_are_none(one, other):
    (group, text), (its, second) = one, other
    asked = [(each.get("labels", "AB"), each.get("names", group.get("names"))) for each in (group, its)]
    if asked[0] == asked[1] and group["answer"] != its["answer"]:
        assert read(its | group, f"{text}\n{second}", reasoning=False).place is None


LONG = ["A ", "(", "{", "<think>", "I choose A. ", "\\boxed{", '"A" ', "\\(\\(", '{"choice": "', "a"]
UNUSUAL = [
    *(
        "I choose A, ",
        "if A ",
        "A\n",
        "'",
        "我选A",
        "А ",
        "n't",
        "l'",
        "a-",
        "A.B.",
        "1,",
        "so, ",
        "\n",
        "e.g. ",
    ),
    *(
        "cooperate ",
        "$",
        "1.8, ",
        "PRICE: 1\n",
        "I can't ",
        "ich kann nicht ",
        "as an ai ",
        "1.",
        "[",
        "<|",
        "</",
    ),
    *("1 points ", "per unit "),
]


@pytest.mark.parametrize("part", LONG)
def test_a_megabyte_is_read_to_its_end(part):
    text = part * (1_000_000 // len(part))
    assert read_choice(text, "AB").outcome in ("ok", "invalid")


@pytest.mark.parametrize("part", LONG + UNUSUAL)
def test_what_no_model_would_say_is_read_to_its_end(part):
    text = part * (40_000 // len(part))
    for reading in (
        read_choice(text, "AB", ("cooperate", "defect")),
        read_choice(text, "AB", reasoning=True),
        read_shares(text, "AB"),
        read_price_reply(text),
        read_rating(text, Scale("rating")),
    ):
        assert reading.outcome in ("ok", "invalid", "refused")
