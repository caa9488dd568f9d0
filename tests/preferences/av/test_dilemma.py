"""The dilemma's thresholds against brute force, and the curve through people's approval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ludens.envs.av.dilemma.vignette import FAMILY, Vignette
from ludens.errors import UsageError
from ludens.preferences.av.approval import approval_probability, fit_approval
from ludens.preferences.av.dilemma import (
    DilemmaPreferences,
    altruism_threshold,
    kappa_threshold,
    worth,
)
from ludens.preferences.av.people import PEOPLE
from ludens.preferences.av.ratings import RatingMap, rating

COMPANY = st.lists(
    st.sampled_from(["co-worker", "family member", "child", "stranger"]), min_size=0, max_size=4
).map(lambda others: ("self", *others))
VIGNETTES = st.builds(
    Vignette,
    pedestrians=st.integers(1, 100),
    passengers=COMPANY,
    certainty=st.sampled_from([0.25, 0.5, 1.0]),
)
SHARES = st.floats(0, 1)
FAMILY_WEIGHTS = st.sampled_from([0.0, 0.5, 2.0])


def survivors(vignette, x, y, family):
    """π(x, y) behind the veil of the headcount, by going through every seat and every place on the road."""
    m, n, c = len(vignette.passengers), vignette.pedestrians, vignette.certainty
    lost = [c * x * (1 + family * (kind in FAMILY)) for kind in vignette.passengers]
    lost += [c * (1 - y)] * n
    return -sum(lost) / (m + n)


@given(VIGNETTES, SHARES, FAMILY_WEIGHTS, st.sampled_from([0.0, 1.0]))
def test_the_veil_is_the_enumeration_of_all_places(vignette, kappa, family, others):
    def utility(x):
        return (1 - kappa) * survivors(vignette, x, others, family) + kappa * survivors(
            vignette, x, x, family
        )

    preferences = DilemmaPreferences(kappa=kappa, family=family)
    assert worth(vignette, preferences).choice == pytest.approx(utility(1) - utility(0), abs=1e-12)


@given(VIGNETTES, SHARES, FAMILY_WEIGHTS, st.sampled_from(["veil", "even", "mixed"]))
def test_homo_moralis_sacrifices_exactly_above_the_threshold(vignette, kappa, family, universalisation):
    threshold = kappa_threshold(vignette, family=family, universalisation=universalisation)
    assume(abs(kappa - threshold) > 1e-9)
    gain = worth(
        vignette, DilemmaPreferences(kappa=kappa, family=family, universalisation=universalisation)
    ).choice
    assume(abs(gain) > 1e-12)
    assert (gain > 0) == (kappa > threshold)


@given(VIGNETTES, st.floats(0, 50), FAMILY_WEIGHTS)
def test_the_altruist_sacrifices_exactly_above_its_threshold(vignette, altruism, family):
    threshold = altruism_threshold(vignette, family=family)
    gain = worth(vignette, DilemmaPreferences("altruist", altruism=altruism, family=family)).choice
    assume(abs(gain) > 1e-9)
    assert (gain > 0) == (altruism > threshold)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (4, 1), (10, 2), (100, 5)])
def test_the_closed_form_is_the_ratio_of_lives(n, m):
    vignette = Vignette(pedestrians=n, passengers=("self", *["stranger"] * (m - 1)))
    assert kappa_threshold(vignette) == pytest.approx(m / n)
    assert kappa_threshold(vignette, universalisation="even") == 1.0
    assert kappa_threshold(vignette, universalisation="role") == math.inf


def test_a_family_weight_raises_the_threshold():
    vignette = Vignette(pedestrians=10, passengers=("self", "child"))
    assert kappa_threshold(vignette, family=2) == pytest.approx((2 + 2) / 10)


def test_homo_economicus_never_sacrifices_itself():
    for n in (1, 10, 100):
        assert worth(Vignette(pedestrians=n), DilemmaPreferences()).choice < 0


def test_the_curve_through_peoples_approval_has_the_kappa_of_two_numbers():
    # 23 % for one pedestrian and 76 % for ten (Bonnefon, Shariff & Rahwan 2016): kappa .41, lambda 4.1.
    found = fit_approval([1, 10], [0.23, 0.76])
    assert found.kappa == pytest.approx(0.41, abs=0.005)
    assert found.scale == pytest.approx(4.1, abs=0.05)
    curve = approval_probability([1, 10], found.kappa, found.scale)
    assert curve == pytest.approx([0.23, 0.76], abs=1e-6)


def test_a_planted_curve_is_recovered_within_its_interval():
    rng = np.random.default_rng(0)
    n = rng.integers(1, 101, size=4000)
    swerved = rng.random(4000) < approval_probability(n, 0.3, 6.0)
    found = fit_approval(n, swerved.astype(float))
    low, high = found.kappa_interval
    assert low < 0.3 < high
    assert high - low < 0.1
    low, high = found.scale_interval
    assert low < 6.0 < high


def test_answers_that_switch_at_once_bound_kappa_and_tell_no_slope():
    found = fit_approval([1, 2, 5, 10], [0, 0, 1, 1])
    assert found.kappa is None
    assert found.scale is None
    assert found.bounds == pytest.approx((0.2, 0.5))


@given(VIGNETTES, SHARES, SHARES, st.floats(0.1, 20))
def test_ratings_rise_with_what_is_rated(vignette, kappa, other, scale):
    asked = Vignette(**{**vignette.describe(), "passengers": vignette.passengers, "question": "purchase"})
    low, high = sorted((kappa, other))
    by = RatingMap(scale=scale)
    values = [rating(asked, DilemmaPreferences(kappa=each), by) for each in (low, high)]
    assert 0 <= values[0] <= values[1] + 1e-9 <= 100 + 1e-6


def test_recalled_numbers_of_people_are_marked_and_missing_ones_have_reasons():
    assert all(not number.verified for number in PEOPLE)
    assert all(number.missing for number in PEOPLE if number.value is None)


@pytest.mark.parametrize(
    "wrong",
    [{"kappa": 1.5}, {"kappa": -0.1}, {"altruism": math.inf}, {"universalisation": "x"}, {"family": "much"}],
)
def test_wrong_preferences_are_said(wrong):
    with pytest.raises(UsageError):
        DilemmaPreferences(**wrong)
