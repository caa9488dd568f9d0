"""Preferences say what they are, and refuse what they cannot be."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from ludens.errors import UsageError
from ludens.preferences import HOMO_ECONOMICUS, Preferences, homo_moralis, preference_array


def test_homo_economicus_and_homo_moralis():
    assert Preferences() == HOMO_ECONOMICUS
    assert homo_moralis(0.5) == Preferences(0, 0, 0.5)
    assert homo_moralis(0) == HOMO_ECONOMICUS


@pytest.mark.parametrize("kappa", [-0.01, 1.01, math.nan, math.inf, 10**400, "much", None])
def test_kappa_outside_its_range_is_one_clear_sentence(kappa):
    with pytest.raises(UsageError, match="kappa") as caught:
        Preferences(kappa=kappa)
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_social_weights_may_be_any_finite_number(name):
    assert getattr(Preferences(**{name: -3}), name) == -3.0
    with pytest.raises(UsageError, match=name):
        Preferences(**{name: math.inf})


def test_equal_preferences_are_interchangeable():
    whole, floating = Preferences(1, 0, 1), Preferences(np.float64(1.0), -0.0, True)
    assert whole == floating
    assert hash(whole) == hash(floating)
    assert repr(whole) == repr(floating)
    assert pickle.loads(pickle.dumps(whole)) == whole


def test_names_for_tables():
    assert HOMO_ECONOMICUS.name == "homo economicus"
    assert homo_moralis(0.5).name == "homo moralis κ=0.5"
    assert Preferences(0.4, 0.2, 0.1).name == "α=0.4 β=0.2 κ=0.1"


def test_arrays_of_preferences():
    np.testing.assert_array_equal(preference_array(Preferences(1, 2, 0.5)), [1, 2, 0.5])
    np.testing.assert_array_equal(
        preference_array([Preferences(1, 2, 0.5), homo_moralis(1)]), [[1, 2, 0.5], [0, 0, 1]]
    )
    assert preference_array(np.zeros((4, 5, 3))).shape == (4, 5, 3)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([[0, 0, 1.5]], "kappa"),
        ([[0, math.nan, 0]], "finite"),
        ([[0, 0]], "last axis"),
        (0.5, "last axis"),
        ("selfish", "Preferences"),
    ],
)
def test_wrong_arrays_of_preferences(wrong, words):
    with pytest.raises(UsageError, match=words):
        preference_array(wrong)
