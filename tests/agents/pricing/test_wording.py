"""What firms are shown. The texts in ``golden/`` are read by people: ``python -m
tests.agents.pricing.test_wording`` writes them anew after a change of wording.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from ludens.agents.llm.prompts.prices import (
    PricePromptOptions,
    check_prefix,
    number,
    prefixes,
    render_price_turn,
)
from ludens.agents.llm.prompts.templates import WordingError
from ludens.agents.pricing.view import market_view
from ludens.envs.pricing import Market
from tests.agents.pricing.turns import pricing_turn

GOLDEN = Path(__file__).parent / "golden"
PAST = [(1.5, 1.6), (1.55, 1.5999999), (1.7, 1.4)]
NOTES = {"observations": "unseen", "plans": "Try 1.8.\n\nThen 1.7.", "insights": "The rival follows."}


def prompt(options, format_="slots", history=PAST, **facts):
    return render_price_turn(market_view(pricing_turn(history, **{"notes": NOTES} | facts)), options, format_)


def text(*arguments, **facts):
    return prompt(*arguments, **facts).messages[1]["content"]


def transcript(prefix):
    """A prompt of each layout and form, the first period, and all that may be added."""
    several = {
        "market": Market.symmetric(3, quantity_scale=100.0),
        "history": [(1.5, 1.6, 1.7), (1.5, 1.6, 1.75)],
        "messages": (("firm_0", "Quiet times."), ("firm_2", "Quality has its price.")),
        "notices": ("A new firm entered the market in period 2.",),
    }
    ways = {
        "full, in parts": prompt(PricePromptOptions(prefix)),
        "full, in JSON": prompt(PricePromptOptions(prefix), "json"),
        "the first period, no ceiling": prompt(
            PricePromptOptions(prefix), history=[], price_limit=None, notes={}
        ),
        "without notes": prompt(PricePromptOptions(prefix, notes=False)),
        "three firms that talk, with news": prompt(
            PricePromptOptions(prefix, window=1, note_limit=12), **several
        ),
        "as homo economicus": prompt(PricePromptOptions(prefix, persona="homo_economicus")),
        "as homo moralis": prompt(PricePromptOptions(prefix, persona="homo_moralis")),
        "compact": prompt(PricePromptOptions(prefix, layout="compact", window=2, note_limit=60), "json"),
        "compact, three firms that talk, with news": prompt(
            PricePromptOptions(prefix, layout="compact"), **several
        ),
    }
    return "\n\n".join(
        "\n".join(
            [
                f"##### {way}",
                *(f"[{each['role']}]\n{each['content']}" for each in made.messages),
                f"[asked again]\n{made.reread('The reply gives no price.')}",
            ]
        )
        for way, made in ways.items()
    )


@pytest.mark.parametrize("prefix", prefixes())
def test_prompts_are_as_they_were_last_read(prefix):
    assert transcript(prefix) + "\n" == (GOLDEN / f"{prefix}.txt").read_text(encoding="utf-8")


def test_the_four_treatments_are_there():
    assert prefixes() == ("P0", "P1", "P2", "P3")


def test_every_number_in_a_prompt_is_the_markets():
    shown = text(PricePromptOptions(), price_limit=17.25, market=Market.symmetric(price_scale=3.2, cost=1.5))
    assert "costs your firm 4.8 to make" in shown
    assert "above a price of 17.25" in shown
    table = [line.split(" | ") for line in shown.splitlines() if re.match(r"\d+ \|", line)]
    market = Market.symmetric(price_scale=3.2, cost=1.5)
    expected = [
        [place, *pair, market.quantities(pair)[0], market.profits(pair)[0]]
        for place, pair in enumerate(PAST, 1)
    ]
    assert np.array(table, dtype=float) == pytest.approx(np.array(expected), rel=1e-4)


def test_a_firm_sees_all_prices_but_only_its_own_quantities_and_profits():
    market = Market([2.0, 2.5], [1.0, 1.0], quantity_scale=100.0)
    first, second = (text(PricePromptOptions(), market=market, agent=f"firm_{n}") for n in range(2))
    rows = [line for line in (first + second).splitlines() if line.startswith("1 |")]
    quantities, profits = market.quantities(PAST[0]), market.profits(PAST[0])
    assert rows == [
        f"1 | 1.5 | 1.6 | {number(quantities[0], 5)} | {number(profits[0], 5)}",
        f"1 | 1.6 | 1.5 | {number(quantities[1], 5)} | {number(profits[1], 5)}",
    ]
    assert number(profits[1], 5) not in first


def test_only_the_window_is_shown_and_says_what_it_hides():
    shown = text(PricePromptOptions(window=100), history=[(1.5, 1.6)] * 250)
    rows = [line for line in shown.splitlines() if re.match(r"\d+ \|", line)]
    assert [int(row.split(" | ")[0]) for row in rows] == list(range(151, 251))
    assert "the last 100 of 250 periods" in shown
    assert "Reply now for period 251." in shown
    assert "the last" not in text(PricePromptOptions(window=100), history=[(1.5, 1.6)] * 100)


def test_notes_are_shown_up_to_their_limit_and_observations_are_forgotten():
    shown = text(PricePromptOptions())
    assert "Try 1.8.\n\nThen 1.7." in shown
    assert "The rival follows." in shown
    assert "unseen" not in shown
    assert "The riv\n" in text(PricePromptOptions(note_limit=7)) + "\n"
    assert "PLANS" not in text(PricePromptOptions(notes=False))


def test_all_that_stays_the_same_stands_before_the_last_paragraph_of_a_compact_prompt():
    options = PricePromptOptions(layout="compact")
    now, later = (text(options, history=PAST * times) for times in (1, 2))
    assert now.rpartition("\n\n")[0] == later.rpartition("\n\n")[0]
    assert "\n\n" not in now.rpartition("\n\n")[0]


def test_a_persona_or_prefix_of_ones_own_is_shown_as_it_is_and_changes_the_hash():
    plain, own = (
        prompt(PricePromptOptions()),
        prompt(PricePromptOptions("Sell {{ dear }}.", persona="You are a baker.")),
    )
    assert own.messages[0]["content"] == "You are a baker."
    assert own.messages[1]["content"].startswith("Sell {{ dear }}.")
    assert (plain.wording.framing, own.wording.framing) == ("P0", "own")
    hashes = {prompt(PricePromptOptions(prefix)).wording.hash for prefix in prefixes()}
    hashes |= {
        plain.wording.hash,
        own.wording.hash,
        prompt(PricePromptOptions(persona="homo_moralis")).wording.hash,
    }
    hashes |= {
        prompt(PricePromptOptions(layout="compact")).wording.hash,
        prompt(PricePromptOptions(persona="x y")).wording.hash,
    }
    assert len(hashes) == 4 + 4


def test_a_prefix_that_does_not_exist_is_a_sentence():
    with pytest.raises(WordingError, match="no prefix 'P4'; choose one of P0, P1, P2, P3"):
        check_prefix("P4")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.4729266, "1.47293"), (1234567.0, "1234570"), (1e-7, "0.0000001"), (2.0, "2"), (np.nan, "-")],
)
def test_numbers_are_short_and_have_no_exponent(value, shown):
    assert number(value) == shown


def test_what_hardly_sells_is_no_long_row_of_zeros():
    rows = [
        line
        for line in text(PricePromptOptions(), history=[(40.0, 1.5)]).splitlines()
        if line.startswith("1 |")
    ]
    assert rows == ["1 | 40 | 1.5 | 0 | 0"]
    assert number(-1e-9, 5, 4) == "0"


if __name__ == "__main__":
    for name in prefixes():
        (GOLDEN / f"{name}.txt").write_text(transcript(name) + "\n", encoding="utf-8")
