"""Slots keep the prefixes of chats, and the one used longest ago gives way."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.agents.local.prefix_cache import PrefixCache, prefix


def user(content):
    return {"role": "user", "content": content}


@pytest.mark.parametrize(
    ("messages", "first"),
    [
        ([user("rules\n\npoints\n\nquestion")], (user("rules\n\npoints"),)),
        ([user("earlier\n\nmore"), user("rules\n\nquestion")], (user("earlier\n\nmore"), user("rules"))),
        ([user("question")], ()),
        ([user("\n\nquestion")], ()),
        ([user("rules\n\nquestion"), {"role": "assistant", "content": "a\n\nb"}], ()),
        ([user([{"type": "text", "text": "rules\n\nquestion"}])], ()),
        ([{"role": "user"}], ()),
    ],
)
def test_an_opening_is_all_before_the_last_paragraph(messages, first):
    assert prefix(messages) == first


@given(st.integers(1, 4), st.lists(st.integers(0, 6), max_size=40))
def test_an_opening_stays_until_others_fill_the_slots(slots, asked):
    prefixes = PrefixCache(range(slots))
    kept: OrderedDict[int, None] = OrderedDict()  # the prefixes by their last use, as it should be
    where: dict[int, int] = {}
    for number in asked:
        slot, read_before = prefixes.place((user(str(number)),))
        assert read_before == (number in kept)
        assert slot in range(slots)
        if read_before:
            assert where[number] == slot
        where[number] = slot
        kept[number] = None
        kept.move_to_end(number)
        if len(kept) > slots:
            kept.popitem(last=False)


def test_a_chat_without_a_prefix_takes_a_slot_and_is_never_found_there():
    prefixes = PrefixCache([0])
    prefixes.place((user("a"),))
    assert prefixes.place(()) == (0, False)
    assert prefixes.place(()) == (0, False)
    assert prefixes.place((user("a"),)) == (0, False)


def test_cleared_slots_know_nothing():
    prefixes = PrefixCache(range(2))
    prefixes.place((user("a"),))
    prefixes.clear()
    assert not prefixes.place((user("a"),))[1]
