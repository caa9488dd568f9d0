"""Sparing groups of the Moral Machine: thresholds, symmetry, and who is indifferent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.envs.av.dilemma.vignette import Vignette
from ludens.preferences.av.dilemma import DilemmaPreferences, worth
from ludens.preferences.av.moral import sparing_worth

COUNTS = st.integers(1, 5)
KAPPA = st.floats(0, 1)


@given(m=COUNTS, n=COUNTS, kappa=KAPPA)
def test_passengers_against_pedestrians_is_the_dilemma(m, n, kappa):
    wants = DilemmaPreferences(kappa=kappa)
    expected = worth(Vignette(n, ("stranger",) * m, perspective="bystander"), wants).choice
    assert sparing_worth((n, m), (False, True), wants) == pytest.approx(expected)


@given(first=COUNTS, second=COUNTS, kappa=KAPPA)
def test_behind_the_veil_pedestrians_are_counted_by_all_but_homo_economicus(first, second, kappa):
    found = sparing_worth((first, second), (False, False), DilemmaPreferences(kappa=kappa))
    assert found == pytest.approx(kappa * (first - second) / (first + second))
    assert sparing_worth((first, second), (False, False), DilemmaPreferences()) == 0


@given(
    humans=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    riding=st.sampled_from([(False, False), (True, False), (False, True)]),
    own=st.sampled_from([None, 0, 1]),
    wants=st.sampled_from(
        [
            DilemmaPreferences(kind="utilitarian"),
            DilemmaPreferences(kind="altruist", altruism=0.3),
            *(
                DilemmaPreferences(kappa=0.4, universalisation=name)
                for name in ("veil", "even", "role", "mixed")
            ),
        ]
    ),
)
def test_telling_the_groups_the_other_way_round_turns_the_sign(humans, riding, own, wants):
    other = None if own is None else 1 - own
    turned = sparing_worth(humans[::-1], riding[::-1], wants, other)
    assert sparing_worth(humans, riding, wants, own) == pytest.approx(-turned)


def test_altruism_grows_with_lives_and_universalisation_does_not_look_at_who_one_is():
    altruist = DilemmaPreferences(kind="altruist", altruism=0.3)
    assert sparing_worth((5, 1), (False, True), altruist, own=1) > 0
    assert sparing_worth((3, 1), (False, True), altruist, own=1) < 0
    moral = DilemmaPreferences(kappa=0.3)
    assert sparing_worth((5, 1), (False, True), moral, own=1) == sparing_worth((5, 1), (False, True), moral)
