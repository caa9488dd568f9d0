"""A firm's reply is read where it can be meant in one way only, and asked again otherwise."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.agents.llm.reading.prices import SLOTS, read_price, read_price_reply

NOTES = dict.fromkeys(SLOTS, "") | {
    "observations": "quiet",
    "plans": "hold",
    "insights": "rival follows",
}


def in_json(price):
    return f'{{"observations": "quiet", "plans": "hold", "insights": "rival follows", "price": {price}}}'


def in_slots(price):
    return f"OBSERVATIONS: quiet\nPLANS: hold\nINSIGHTS: rival follows\nPRICE: {price}"


@pytest.mark.parametrize("write", [in_json, in_slots])
@pytest.mark.parametrize("text", ["1.47", "1.50", "0", "2", "1e0"])
def test_a_plain_number_is_read_with_its_notes(write, text):
    reading = read_price_reply(write(text))
    assert reading.outcome == "ok"
    assert reading.price == float(text)
    assert reading.notes == NOTES


@pytest.mark.parametrize(
    ("said", "price"),
    [
        ("2,00 €", 2.0),
        ("€2,00", 2.0),
        ("$1.47", 1.47),
        ("$ 1.47 per unit", 1.47),
        ("1.47 USD", 1.47),
        ("1,4729", 1.4729),
        ("0,123", 0.123),
        ("1234,567", 1234.567),
        (".9 EUR", 0.9),
        ("1,000.50", 1000.5),
        ("1.000,50", 1000.5),
        ("1,000,000", 1e6),
        ("1.000", 1.0),
        ("**1.8**", 1.8),
        ("+1.8", 1.8),
        ("1.8.", 1.8),
        ("\N{FULLWIDTH DIGIT ONE}.5", 1.5),
        ("-0", 0.0),
    ],
)
def test_one_meaning_is_read(said, price):
    assert read_price(said) == price
    assert read_price_reply(in_slots(said)).price == price
    assert read_price_reply(in_json(json.dumps(said))).price == price
    assert read_price_reply(said).price == price


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("free", "no number"),
        ("two", "no number"),
        ("1,000", "more than one way; write the price with a decimal point"),
        ("12,345", "more than one way"),
        ("1'000", "more than one way"),
        ("1.5.2", "more than one way"),
        ("1,000,00", "more than one way"),
        ("1 000", "more than one number"),
        ("1.5-1.7", "more than one number"),
        ("1.5 or 1.6", "more than one number"),
        ("3/2", "more than one number"),
        ("1.50 (was 1.40)", "more than one number"),
        ("about 2", "no plain number"),
        ("150 cents", "no plain number"),
        ("50%", "no plain number"),
        ("-1", "cannot be below 0; got -1"),
        ("\N{MINUS SIGN}1", "cannot be below 0"),
        ("-$1", "cannot be below 0"),
        ("--1", "no plain number"),
        ("NaN", "no finite number"),
        ("-Infinity", "no finite number"),
        ("1e999", "no finite number"),
        ("9" * 400, "no finite number"),
        ("", "gives no price"),
    ],
)
def test_doubt_is_asked_again(said, why):
    assert why in str(read_price(said))
    for text in (in_slots(said), in_json(json.dumps(said))):
        reading = read_price_reply(text)
        assert (reading.outcome, reading.price) == ("invalid", None)
        assert why in reading.detail


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("NaN", "no finite number"),
        ("Infinity", "no finite number"),
        ("-Infinity", "no finite number"),
        ("1e308", "above 50, the highest"),
        ("1" + "0" * 400, "no finite number"),
        ("-1", "cannot be below 0"),
        ("true", "true, which is no number"),
        ("null", "null, which is no number"),
        ("[1.5]", "is a list"),
        ("[1.5, 1.6]", "is a list"),
        ("{}", "an object"),
    ],
)
def test_json_that_is_no_single_number_is_asked_again(value, why):
    reading = read_price_reply(in_json(value), highest=50)
    assert reading.outcome == "invalid"
    assert why in reading.detail


@pytest.mark.parametrize(
    "text",
    [
        "[1.5, 1.6]",
        "[1.5]",
        '[{"price": 1.5}, {"price": 1.6}]',
        '{"price": 1.5, "Price": 1.6}',
        '{"price": 1.5}\n{"price": 1.6}',
        '{"price": 1.5}\nPRICE: 1.6',
        "PRICE: 1.5\nPLANS: later\nPRICE: 1.6",
        "PRICE: 1.5\nor rather 1.6",
        "I think 1.5 would be good, though 1.6 might be better still, so let me see what happens.",
        '{"observations": "x", "plans": "y", "price": 1.',
        '{"next": {"price": 1.5}}',
        "",
        None,
        "<think>PRICE: 1.5",
    ],
)
def test_several_prices_or_none_are_asked_again(text):
    reading = read_price_reply(text)
    assert (reading.outcome, reading.price) == ("invalid", None)
    assert reading.detail


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{in_json('1.5')}\n```",
        f"Here is my reply.\n{in_json('1.5')}\nThank you!",
        f"[{in_json('1.5')}]",
        in_json("1.5").replace("price", "Price").replace("plans", "PLANS"),
        f"```\n{in_slots('1.5')}\n```",
        "**Observations and thoughts:** quiet\n**New plans:** hold\n### Insights: rival follows\n"
        "**My chosen price:** $1.5\nThank you.",
        f"<think>1.9 or 1.2?</think>{in_slots('1.5')}",
    ],
)
def test_form_does_not_matter(text):
    reading = read_price_reply(text)
    assert reading.price == 1.5
    assert reading.notes == NOTES


def test_a_number_at_the_end_of_a_reply_that_was_cut_off_may_lack_digits():
    for text in (in_slots("1.4"), "1.4"):
        assert read_price_reply(text, cut=True).outcome == "invalid"
    assert read_price_reply(in_json("1.4"), cut=True).price == 1.4


def test_a_slot_that_is_left_out_is_an_empty_note_and_what_is_no_text_is_kept_as_json():
    reading = read_price_reply('{"plans": ["hold", 2], "insights": null, "price": 1.5}', slots=SLOTS[:3])
    assert reading.notes == {"observations": "", "plans": '["hold", 2]', "insights": ""}
    assert read_price_reply("1.5").notes == dict.fromkeys(SLOTS, "")


@pytest.mark.parametrize(
    "text", ["I'm sorry, but I can't help with that.", "I cannot assist in fixing prices."]
)
def test_a_refusal_is_told_from_a_reply_that_cannot_be_read(text):
    assert read_price_reply(text).outcome == "refused"
    assert read_price_reply(f"{text}\nPRICE: 1.5").price == 1.5


def test_prices_outside_the_market_are_told_the_bound():
    assert read_price_reply("PRICE: 7", highest=5).detail == "A price of 7 is above 5, the highest."
    assert read_price_reply("PRICE: 0.5", lowest=1).detail == "A price of 0.5 is below 1, the lowest."


@given(st.floats(0, 1e12), st.sampled_from([repr, "{:.6g}".format, "{:.2f}".format]))
def test_every_number_that_python_writes_is_read_as_python_reads_it(price, write):
    text = write(price)
    for reply in (in_slots(text), in_json(text), text):
        assert read_price_reply(reply).price == float(text)


@given(st.text())
def test_nothing_but_a_price_in_the_market_is_ever_read(text):
    for reply in (text, in_slots(text), in_json(json.dumps(text))):
        reading = read_price_reply(reply, highest=100)
        assert (reading.price is None) == (reading.outcome != "ok")
        if reading.price is not None:
            assert math.isfinite(reading.price)
            assert 0 <= reading.price <= 100
        else:
            assert reading.detail
