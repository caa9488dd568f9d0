"""Ratings and allocations are read where they can be meant in one way only."""

from __future__ import annotations

import pytest

from ludens.agents.llm.reading.points import read_allocation, read_rating


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
    reading = read_rating(reply)
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
    reading = read_rating(reply)
    assert reading.outcome == "invalid"
    assert reading.points == ()
    assert reading.detail.endswith(".")


def test_a_refusal_is_its_own_outcome():
    assert read_rating("I cannot answer that.").outcome == "refused"


@pytest.mark.parametrize("reply", ["A: 60\nB: 40", '{"A": 60, "B": 40}'])
def test_an_allocation_is_read(reply):
    assert read_allocation(reply, ("A", "B")).points == (60, 40)


@pytest.mark.parametrize(
    "reply", ["A: 60\nB: 50", "A: 60", "60 40 0", '{"A": 60, "B": -40}', "A: 100\nB: 100"]
)
def test_an_allocation_must_give_out_all_points_once(reply):
    assert read_allocation(reply, ("A", "B")).outcome == "invalid"
