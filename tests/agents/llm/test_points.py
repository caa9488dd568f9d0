"""Ratings and allocations are read where they can be meant in one way only."""

from __future__ import annotations

import pytest

from ludens.agents.llm.reading.points import read_allocation, read_rating
from ludens.envs import Scale

RATING = Scale("rating", things=("stay", "swerve"), noun="program")
ALLOCATION = Scale("allocation", things=("stay", "swerve"), noun="program")


@pytest.mark.parametrize(
    ("reply", "points"),
    [
        ("70", 70),
        ("0", 0),
        ("100", 100),
        ("Rating: 70", 70),
        ("70/100", 70),
        ("70 %", 70),
        ("I'd say 80.", 80),
        ('{"rating": 55}', 55),
    ],
)
def test_a_rating_is_read(reply, points):
    reading = read_rating(reply, RATING)
    assert (reading.outcome, reading.points) == ("ok", (points,))


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "free",
        "-1",
        "101",
        "1e308",
        "about 50 or 60",
        "50-60",
        "[70]",
        "seventy",
        "It depends. 40",
        "0 100",
    ],
)
def test_no_rating_is_made_up(reply):
    reading = read_rating(reply, RATING)
    assert reading.outcome == "invalid"
    assert reading.points == ()
    assert reading.detail.endswith(".")


def test_a_refusal_is_its_own_outcome():
    assert read_rating("I cannot answer that.", RATING).outcome == "refused"


@pytest.mark.parametrize("reply", ["A: 60\nB: 40", '{"A": 60, "B": 40}'])
def test_an_allocation_is_read(reply):
    assert read_allocation(reply, ("A", "B"), ALLOCATION).points == (60, 40)


@pytest.mark.parametrize(
    "reply", ["A: 60\nB: 50", "A: 60", "60 40 0", '{"A": 60, "B": -40}', "A: 100\nB: 100"]
)
def test_an_allocation_must_give_out_all_points_once(reply):
    assert read_allocation(reply, ("A", "B"), ALLOCATION).outcome == "invalid"


@pytest.mark.parametrize(
    ("reply", "points"),
    [("I would rate swerving 73.", 73), ("I give the program 73.", 73), ("I would rate braking 73.", None)],
)
def test_what_is_rated_may_be_named_as_the_scale_calls_it(reply, points):
    expected = () if points is None else (points,)
    assert read_rating(reply, RATING).points == expected
    assert read_rating(reply, Scale("rating")).points == ()


def test_the_range_is_that_of_the_scale():
    short = Scale("rating", lowest=1, highest=7)
    assert read_rating("7/7", short).points == (7,)
    assert read_rating("5 out of 7", short).points == (5,)
    for reply in ("0", "8", "70/100"):
        assert read_rating(reply, short).outcome == "invalid"
    assert "from 1 to 7" in read_rating("high", short).detail
    ten = Scale("allocation", highest=10, noun="jar")
    assert read_allocation("jar A: 6\njar B: 4", ("A", "B"), ten).points == (6, 4)
    assert read_allocation("A: 60\nB: 40", ("A", "B"), ten).detail == "A: 60 does not lie between 0 and 10."
    assert "sum to 10;" in read_allocation("A: 6\nB: 6", ("A", "B"), ten).detail


@pytest.mark.parametrize("text", ["A=60 B=40", "A: 60 and B: 40", "A: 60, B: 40"])
def test_points_for_both_may_stand_on_one_line(text):
    assert read_allocation(text, ["A", "B"], ALLOCATION).points == (60, 40)
