"""Option probabilities from token log-probabilities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.agents.llm.logprobs import NO_TOKENS, Token, normalised, option_masses

LABELS = ("A", "B")


def token(**probabilities):
    return Token(next(iter(probabilities)), tuple(probabilities.items()))


def of(*pairs):
    return Token(pairs[0][0], pairs)


def test_mass_is_summed_over_the_ways_to_write_a_label():
    found = option_masses(
        [of(("B", 0.4), (" B", 0.1), ("**B", 0.05), ("A", 0.2), ("a", 0.1), ("The", 0.01))], LABELS
    )
    assert found.masses == pytest.approx((0.2, 0.55))


@pytest.mark.parametrize("lead", ["\n", " ", "**", "\n\n**"])
def test_markup_before_the_answer_is_passed_over(lead):
    found = option_masses([of((lead, 0.9), ("A", 0.01)), token(B=0.7, A=0.2)], LABELS)
    assert found.masses == pytest.approx((0.2, 0.7))


def test_the_first_token_counts_even_if_markup_was_drawn_by_chance():
    found = option_masses([of(("\n", 0.1), ("A", 0.6), ("B", 0.3)), token(B=0.9, A=0.1)], LABELS)
    assert found.masses == pytest.approx((0.6, 0.3))


def test_no_label_in_sight_is_no_answer():
    found = option_masses([token(The=0.9, You=0.1), token(A=1.0)], LABELS)
    assert found.masses is None
    assert "none of the answers A, B" in found.detail


def test_a_label_missing_from_a_long_list_counts_as_nothing():
    assert option_masses([token(A=0.9, The=0.05, x=0.001)], LABELS).masses == pytest.approx((0.9, 0.0))


def test_a_label_missing_from_a_short_list_is_not_guessed():
    found = option_masses([token(A=0.5, The=0.3)], LABELS)
    assert found.masses is None
    assert "too short" in found.detail


def test_no_tokens_no_answer():
    assert option_masses([], LABELS).detail == NO_TOKENS


def test_temperature_sharpens_and_flattens():
    assert normalised((0.6, 0.2)) == pytest.approx((0.75, 0.25))
    assert normalised((0.6, 0.2), 0.5) == pytest.approx((0.9, 0.1))
    assert normalised((0.6, 0.2), 0) == (1.0, 0.0)
    assert normalised((0.3, 0.3), 0) == (0.5, 0.5)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=5).filter(lambda m: max(m) > 0), st.floats(0, 5))
def test_what_comes_out_is_a_distribution_in_the_same_order(masses, temperature):
    shares = normalised(masses, temperature)
    assert sum(shares) == pytest.approx(1)
    assert all(
        not a > b or x >= y
        for a, x in zip(masses, shares, strict=True)
        for b, y in zip(masses, shares, strict=True)
    )
