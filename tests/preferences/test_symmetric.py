"""Homo moralis in simultaneous 2×2 games: the closed forms of Alger & Weibull."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ludens.errors import UsageError
from ludens.preferences import moral_equilibria, symmetric_utility

kappas = st.floats(0, 1)


def dilemma(T, R, P, S):
    return [[R, S], [T, P]]


@pytest.mark.parametrize(
    ("kappa", "weight"),
    [(0, 0), (0.2, 0), (0.25, 0), (0.4, 0.6 / 1.4), (0.5, 1 / 1.5), (2 / 3, 1), (0.7, 1), (1, 1)],
)
def test_the_dilemma_7_5_3_2_turns_at_a_quarter_and_two_thirds(kappa, weight):
    assert moral_equilibria(dilemma(7, 5, 3, 2), kappa).weights == pytest.approx((weight,))


@given(st.integers(0, 20), st.integers(1, 20), st.integers(1, 20), st.integers(1, 20), kappas)
def test_cooperation_in_every_dilemma_with_the_stronger_temptation(S, loss, gain, extra, kappa):
    P, R = S + loss, S + loss + gain
    T = R + loss + extra  # T − R > P − S > 0
    (weight,) = moral_equilibria(dilemma(T, R, P, S), kappa).weights
    low, high = (P - S) / (T - P), (T - R) / (R - S)
    assume(min(abs(kappa - low), abs(kappa - high)) > 1e-9)
    assert (weight == 0) == (kappa < low)
    assert (weight == 1) == (kappa > high)


@pytest.mark.parametrize("kappa", [0, 0.25, 0.5, 0.9, 1])
def test_hawks_and_doves(kappa):
    v, c = 4, 6
    (hawk,) = moral_equilibria([[(v - c) / 2, v], [0, v / 2]], kappa).weights
    assert hawk == pytest.approx((1 - kappa) / (1 + kappa) * v / c)


def test_coordination():
    stag = [[4, 0], [3, 2]]
    assert moral_equilibria(stag, 0).weights == pytest.approx((0, 2 / 3, 1))
    assert moral_equilibria(stag, 0.3).weights == (0, 1)
    assert moral_equilibria(stag, 1).weights == (1,)


def test_a_game_of_no_consequence_has_a_continuum():
    for kappa in (0, 0.1, 0.5, 1):
        assert moral_equilibria([[3, 3], [3, 3]], kappa).continuum
    assert moral_equilibria([[1, 1], [0, 0]], 0.5).weights == (1,)


@given(
    st.lists(st.integers(-20, 20), min_size=4, max_size=4), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])
)
def test_a_fine_grid_finds_the_same_equilibria(points, kappa):
    table = np.array(points, dtype=float).reshape(2, 2)
    found = moral_equilibria(table, kappa)
    grid = np.linspace(0, 1, 401)
    mixtures = np.stack([grid, 1 - grid], axis=-1)
    for weight in found.weights:
        here = np.array([weight, 1 - weight])
        own = symmetric_utility(table, here, here, kappa)
        assert symmetric_utility(table, mixtures, here, kappa).max() <= own + 1e-9
    # weights at least a step away from every equilibrium leave something to gain
    if not found.continuum:
        gain = symmetric_utility(table, mixtures[:, None], mixtures, kappa).max(axis=0)
        gain -= symmetric_utility(table, mixtures, mixtures, kappa)
        away = np.min([np.abs(grid - weight) for weight in found.weights], axis=0) > 0.01
        assert np.all(gain[away] > 0)


def test_the_utility_by_hand():
    table = dilemma(7, 5, 3, 2)
    assert symmetric_utility(table, [1, 0], [0, 1], 0.25) == 0.75 * 2 + 0.25 * 5
    assert symmetric_utility(table, [[1, 0], [0, 1]], [0, 1], 0).tolist() == [2, 3]


@pytest.mark.parametrize(
    ("table", "kappa", "words"),
    [
        ([[1, 2]], 0, "square"),
        (np.eye(3), 0, "2×2"),
        ([[1, np.nan], [0, 0]], 0, "finite"),
        (np.eye(2), 1.5, "kappa"),
    ],
)
def test_wrong_input(table, kappa, words):
    with pytest.raises(UsageError, match=words):
        moral_equilibria(table, kappa)
