"""What is drawn follows the model, and designs keep who was asked what."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.envs import PROTOCOLS, uniform_strategy
from ludens.errors import UsageError
from ludens.preferences.estimation import HOMO_MORALIS, questions, simulate
from ludens.preferences.estimation.fitting.likelihood import log_probabilities

GAMES = [PROTOCOLS[name] for name in ("SPD3", "TG4", "UG2")]
SITUATIONS = [(game, uniform_strategy(game)) for game in GAMES]
THETA = np.array([0.3, 0.2, 0.4, 8.0])


def expected(choices, theta):
    return np.exp(log_probabilities(HOMO_MORALIS, choices, HOMO_MORALIS.to_free(theta)))


@pytest.mark.parametrize("seen", ["strategies", "nodes"])
def test_frequencies_are_the_models_probabilities(seen):
    people = 20_000
    drawn = simulate(
        questions(SITUATIONS, subjects=people, seen=seen), "moralis", THETA, np.random.default_rng(1)
    )
    shares = expected(drawn, THETA)
    error = np.sqrt(shares * (1 - shares) / people)
    assert np.all(np.abs(drawn.total / people - shares) <= 4.5 * error)
    assert np.all(drawn.counts.data == 1)


def test_every_question_is_answered_once():
    design = questions(SITUATIONS, subjects=7, seen="nodes")
    drawn = simulate(design, "moralis", THETA, np.random.default_rng(2))
    assert design.size == drawn.size == 7 * (3 + 2 + 2)
    np.testing.assert_allclose(design.total.sum(axis=1), drawn.total.sum(axis=1))


def test_moves_of_one_sitting_come_from_one_strategy():
    """With hardly any noise everybody plays the best strategy, at each of its nodes."""
    people = 50
    drawn = simulate(
        questions(SITUATIONS[:1], subjects=people, seen="nodes"),
        "moralis",
        (0, 0, 1, 1e-3),
        np.random.default_rng(3),
    )
    shares = np.rint(expected(drawn, np.array([0, 0, 1, 1e-3])))
    # After defection by somebody who never defects, all replies are equally good.
    certain = shares[0] == 1
    assert np.all(drawn.total[0, certain] == people)


def test_parameters_by_subject():
    drawn = simulate(
        questions(SITUATIONS, subjects=2),
        "moralis",
        np.array([[0, 0, 0, 1e-3], [0, 0, 0, 1e6]]),
        np.random.default_rng(4),
    )
    assert len(drawn.subjects) == 2
    again = simulate(drawn, "moralis", [0, 0, 0, 8], np.random.default_rng(5))
    np.testing.assert_allclose(again.total.sum(axis=1), drawn.total.sum(axis=1))


def test_own_situations_are_faced_by_their_subject_alone():
    design = questions(SITUATIONS, "moralis", subjects=3, own=True)
    faced = design.counts.toarray().reshape(3, 3, -1).sum(axis=2)
    np.testing.assert_allclose(faced, np.eye(3))


def test_the_seed_decides():
    design = questions(SITUATIONS, subjects=5)
    one, two = (simulate(design, "moralis", THETA, np.random.default_rng(6)) for _ in range(2))
    np.testing.assert_array_equal(one.counts.toarray(), two.counts.toarray())


@pytest.mark.parametrize("theta", [(1, 2, 3), (0, 0, 0, np.nan), (0, 0, 0, -1), np.zeros((4, 4))])
def test_wrong_parameters_are_refused(theta):
    with pytest.raises(UsageError, match="theta"):
        simulate(questions(SITUATIONS, subjects=5), "moralis", theta, np.random.default_rng(0))


def test_a_design_that_does_not_divide_is_refused():
    with pytest.raises(UsageError, match="same number of situations"):
        questions(SITUATIONS, subjects=2, own=True)
