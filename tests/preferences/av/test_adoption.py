"""Preferences in the adoption game: closed forms against enumeration, and what they say."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from ludens.envs.av.adoption.game import AdoptionGame, Regulation
from ludens.errors import UsageError
from ludens.preferences.av.adoption import (
    AdoptionPreferences,
    adoption_equilibria,
    adoption_gains,
    adoption_probabilities,
    adoption_utilities,
    altruism_threshold,
    equilibrium_shares,
    kappa_threshold,
)

CENTS = st.integers(-20, 20).map(lambda value: value / 100)


@st.composite
def games(draw, most=9):
    people = draw(st.integers(2, most))
    walkers = draw(st.integers(1, people - 1))
    return AdoptionGame(
        people=people,
        pedestrians=walkers,
        accident=(people // (walkers + 1)) / people * draw(st.floats(0.01, 1)),
        symmetry=draw(st.floats(0, 1)),
        price_utilitarian=draw(CENTS),
        price_protective=draw(CENTS),
        ride_utilitarian=draw(CENTS),
        ride_protective=draw(CENTS),
        economies=draw(st.sampled_from([0.0, 0.0, 0.07])),
        regulation=Regulation(
            fine=draw(st.sampled_from([0.0, 0.1])), subsidy=draw(st.sampled_from([0, 0.1]))
        ),
    )


def enumerated(game, profile, person, kappa, altruism):
    """u of either program of one person, others as they are, from the payoffs of whole profiles."""
    found = []
    for program in (1, 0):
        actual, everyone = list(profile), [program] * game.people
        actual[person] = program
        alive = game.survival(np.array(actual), game.others(actual))
        outsiders = -float(game.deaths(np.mean(actual)).outsiders)
        others = alive.sum() - alive[person] + outsiders
        moral = (1 - kappa) * game.payoffs(actual)[person] + kappa * game.payoffs(everyone)[person]
        found.append(moral + altruism * others)
    return found


@given(data=st.data(), game=games(), kappa=st.floats(0, 1), altruism=st.sampled_from([0.0, 0.0, 0.2, 1.0]))
@settings(max_examples=200)
def test_the_closed_form_is_what_enumeration_finds(data, game, kappa, altruism):
    profile = data.draw(st.lists(st.integers(0, 1), min_size=game.people, max_size=game.people))
    person = data.draw(st.integers(0, game.people - 1))
    utilitarian, protective = enumerated(game, profile, person, kappa, altruism)
    share = float(game.others(profile)[person])
    gain = float(adoption_gains(game, kappa, share, altruism=altruism))
    assert gain == pytest.approx(utilitarian - protective, abs=1e-12)
    worth = adoption_utilities(game, AdoptionPreferences(kappa, altruism), share)
    assert worth[0] - worth[1] == pytest.approx(gain, abs=1e-12)
    assume(abs(utilitarian - protective) > 1e-9)
    limit = float(kappa_threshold(game, share, altruism=altruism))
    assert (kappa > limit) == (utilitarian > protective)


@given(game=games(), kappa=st.floats(0, 1), share=st.floats(0, 1), altruism=st.floats(0, 1))
@settings(max_examples=100)
def test_the_reading_within_a_role_leaves_the_other_role_out(game, kappa, share, altruism):
    """Both terms of a utility are computed anew, by hand, for somebody who never walks or never rides."""
    c, k, s = game.accident, game.walkers, game.symmetry

    def payoff(universalisation, x, y):
        hurt = c * x if universalisation == "passenger" else s * k * c * (1 - y)
        return 1 - hurt - float(game.cost(x, y))

    for universalisation in ("passenger", "pedestrian"):
        worth = [
            (1 - kappa) * payoff(universalisation, x, share)
            + kappa * payoff(universalisation, x, x)
            + altruism * k * c * x
            for x in (1, 0)
        ]
        gain = float(adoption_gains(game, kappa, share, altruism=altruism, universalisation=universalisation))
        assert gain == pytest.approx(worth[0] - worth[1], abs=1e-12)
        found = adoption_utilities(game, AdoptionPreferences(kappa, altruism, universalisation), share)
        assert found == pytest.approx(worth, abs=1e-12)


@given(game=games(), kappa=st.floats(0, 1), share=st.floats(0, 1), mix=st.floats(0, 1))
@settings(max_examples=100)
def test_no_mixture_of_programs_is_better_than_both(game, kappa, share, mix):
    def utility(x):
        return (1 - kappa) * float(game.payoff(x, share)) + kappa * float(game.payoff(x, x))

    assert utility(mix) <= max(utility(0), utility(1)) + 1e-12


@pytest.mark.parametrize("k", range(1, 100))
def test_behind_the_veil_everybody_wants_utilitarian_cars_from_two_pedestrians_on(k):
    game = AdoptionGame(people=100, pedestrians=k, accident=0.01 * (100 // (k + 1)) / 100)
    assert float(kappa_threshold(game)) == pytest.approx(1 / k)
    best = np.argmax(adoption_utilities(game, AdoptionPreferences(kappa=1.0)))
    everyone = [float(game.payoff(x, x)) for x in (1, 0)]
    if k >= 2:
        assert best == 0
        assert everyone[0] > everyone[1]
    else:
        assert float(adoption_gains(game, 1.0)) == 0  # the passenger's life for one other


def test_known_thresholds():
    game = AdoptionGame(people=50, pedestrians=10, accident=0.01)
    assert float(kappa_threshold(game)) == pytest.approx(0.1)
    assert float(altruism_threshold(game)) == pytest.approx(0.1)
    half = AdoptionGame(people=50, pedestrians=10, accident=0.01, symmetry=0.5)
    # Universalising loses force with the symmetry of roles, altruism does not.
    assert float(kappa_threshold(half)) == pytest.approx(0.2)
    assert float(altruism_threshold(half)) == pytest.approx(0.1)
    outsiders = AdoptionGame(people=50, pedestrians=10, accident=0.01, symmetry=0)
    assert float(kappa_threshold(outsiders)) == np.inf
    assert float(altruism_threshold(outsiders)) == pytest.approx(0.1)
    # As a passenger nobody gains from others' programs; a pedestrian does for any κ.
    assert float(kappa_threshold(game, universalisation="passenger")) == np.inf
    assert float(kappa_threshold(game, universalisation="pedestrian")) == 0
    # A fine of c makes homo economicus indifferent, a larger one utilitarian.
    fined = AdoptionGame(people=50, pedestrians=10, accident=0.01, regulation={"fine": 0.01})
    assert float(kappa_threshold(fined)) == 0
    assert float(adoption_gains(fined, 0.0)) == 0
    dearer = AdoptionGame(people=50, pedestrians=10, accident=0.01, price_utilitarian=0.02)
    assert float(kappa_threshold(dearer)) == pytest.approx(0.3)
    even = AdoptionGame(people=50, pedestrians=10, accident=0.01, regulation={"subsidy": 0.01}, symmetry=0)
    assert np.isnan(kappa_threshold(even))


def test_the_best_choice_depends_on_others_only_with_economies_of_scale():
    shares = np.linspace(0, 1, 11)
    linear = AdoptionGame(people=20, pedestrians=5, accident=0.02, price_utilitarian=0.03)
    assert np.ptp(adoption_gains(linear, 0.4, shares)) < 1e-15
    coupled = AdoptionGame(people=20, pedestrians=5, accident=0.02, price_utilitarian=0.03, economies=0.05)
    assert np.all(np.diff(kappa_threshold(coupled, shares)) < 0)
    assert np.all(np.diff(adoption_gains(coupled, 0.4, shares)) > 0)


@given(data=st.data(), game=games(most=6))
@settings(max_examples=40)
def test_equilibria_are_the_extreme_ones_of_all_profiles(data, game):
    kappa = np.array(data.draw(st.lists(st.floats(0, 1), min_size=game.people, max_size=game.people)))
    lives = np.array(
        data.draw(st.lists(st.sampled_from([0, 0.2]), min_size=game.people, max_size=game.people))
    )

    def stable(profile):
        gains = adoption_gains(game, kappa, game.others(profile), altruism=lives)
        return np.all(np.where(np.array(profile) == 1, gains >= 0, gains <= 0))

    profiles = [np.array(each) for each in itertools.product((0, 1), repeat=game.people) if stable(each)]
    lowest, highest = adoption_equilibria(game, kappa, altruism=lives)
    assert stable(lowest.astype(int))
    assert stable(highest.astype(int))
    assert all(np.all(lowest <= each) and np.all(each <= highest) for each in profiles)


def test_the_share_of_a_distribution_is_what_lies_above_the_threshold():
    game = AdoptionGame(people=100, pedestrians=4, accident=0.01)
    low, high = equilibrium_shares(game, beta(2, 5).sf)
    assert low == high == pytest.approx(beta(2, 5).sf(0.25))
    kappa = np.random.default_rng(0).beta(2, 5, size=10_000)
    crowd = AdoptionGame(people=10_000, pedestrians=4, accident=0.01)
    assert adoption_equilibria(crowd, kappa).lowest.mean() == pytest.approx(low, abs=0.02)


def test_economies_of_scale_give_several_equilibria():
    game = AdoptionGame(
        people=10_000, pedestrians=2, accident=0.01, price_utilitarian=0.05, economies=0.06
    )  # fmt: skip
    low, high = equilibrium_shares(game, beta(4, 4).sf)
    assert high - low > 0.5
    for share in (low, high):
        assert beta(4, 4).sf(float(kappa_threshold(game, share))) == pytest.approx(share, abs=1e-9)


def test_choice_probabilities_are_a_logit():
    gains = np.array([-0.02, 0.0, 0.01])
    expected = 1 / (1 + np.exp(-gains / 0.01))
    assert adoption_probabilities(gains, 0.01) == pytest.approx(expected)
    assert adoption_probabilities(gains).tolist() == [0.0, 0.5, 1.0]
    assert adoption_probabilities(gains, 1e-300).tolist() == [0.0, 0.5, 1.0]
    with pytest.raises(UsageError, match="noise"):
        adoption_probabilities(gains, -1)


@pytest.mark.parametrize(
    "numbers",
    [{"kappa": 1.1}, {"kappa": "half"}, {"altruism": -1}, {"altruism": np.inf}, {"universalisation": "god"}],
)
def test_wrong_preferences_are_told(numbers):
    with pytest.raises(UsageError):
        AdoptionPreferences(**numbers)
