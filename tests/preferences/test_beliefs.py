"""Beliefs come from where they claim to come from, and are refused where there is nothing to come from."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.envs import PROTOCOLS, GameError, describe_strategy, strategy
from ludens.errors import UsageError
from ludens.preferences import (
    HOMO_ECONOMICUS,
    BeliefError,
    elicited_belief,
    equilibrium_belief,
    homo_moralis,
    observed_belief,
    resolve_belief,
    symmetric_equilibria,
    uniform_belief,
)

TRUST = PROTOCOLS["TG5"]
DILEMMA = PROTOCOLS["SPD5"]


def test_uniform():
    np.testing.assert_array_equal(uniform_belief(TRUST), [0.5, 0.5, 0.5, 0.5])


def test_observed_shares_from_counts_by_name():
    belief = observed_belief(
        TRUST, {"opening": {"trust": 3, "keep": 1}, "reply to trust": {"reciprocate": 2}}
    )
    np.testing.assert_array_equal(belief, [0.75, 0.25, 1, 0])


def test_observed_shares_from_vectors_and_batches():
    np.testing.assert_array_equal(observed_belief(TRUST, [3, 1, 0.5, 0.5]), [0.75, 0.25, 0.5, 0.5])
    batch = observed_belief(TRUST, [[3, 1, 2, 0], [0, 4, 1, 1]])
    np.testing.assert_array_equal(batch, [[0.75, 0.25, 1, 0], [0, 1, 0.5, 0.5]])


def test_a_node_nobody_reached_needs_a_prior():
    counts = {"opening": {"trust": 0, "keep": 8}}
    with pytest.raises(BeliefError, match="'reply to trust'"):
        observed_belief(TRUST, counts)
    np.testing.assert_array_equal(observed_belief(TRUST, counts, prior=1), [0.1, 0.9, 0.5, 0.5])


def test_observing_leaves_the_counts_alone():
    counts = np.array([3.0, 1, 1, 1])
    observed_belief(TRUST, counts, prior=2)
    np.testing.assert_array_equal(counts, [3, 1, 1, 1])


@pytest.mark.parametrize(
    ("counts", "options", "words"),
    [
        ([1, 2, 3], {}, "4 entries"),
        ([1, -1, 1, 1], {}, "not negative"),
        ([1, np.nan, 1, 1], {}, "finite"),
        ({"opening": {"give": 1}}, {}, "no 'give'"),
        ({"nowhere": {"give": 1}}, {}, "no information set 'nowhere'"),
        ([1, 1, 1, 1], {"prior": -1}, "prior"),
        ([1, 1, 1, 1], {"prior": "1"}, "prior"),
        ("abc", {}, "are numbers, by names or a vector; got 'abc'"),
        ({"opening": {"trust": "often"}}, {}, "are numbers, by names or a vector"),
        ({"opening": 3}, {}, "are numbers, by names or a vector"),
    ],
)
def test_wrong_counts(counts, options, words):
    with pytest.raises(UsageError, match=words):
        observed_belief(TRUST, counts, **options)


def test_elicited_answers_in_all_their_forms():
    expected = [0.7, 0.3, 0.2, 0.8]
    for opening in (0.7, [0.7, 0.3], (0.7, 0.3), {"trust": 0.7, "keep": 0.3}):
        belief = elicited_belief(TRUST, {"opening": opening, "reply to trust": [0.2, 0.8]})
        np.testing.assert_allclose(belief, expected)
    np.testing.assert_array_equal(
        elicited_belief(TRUST, {"opening": "keep", "reply to trust": 1.0}), [0, 1, 1, 0]
    )


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"opening": 0.7}, "'reply to trust'"),
        ({"opening": [70, 30], "reply to trust": 0.5}, "not a probability distribution at 'opening'"),
        ({"opening": [1.0], "reply to trust": 0.5}, "2 numbers"),
        ({"opening": 0.5, "reply to trust": 0.5, "more": 1}, "'more'"),
        ({"opening": ["all", "none"], "reply to trust": 0.5}, "needs numbers as probabilities"),
    ],
)
def test_wrong_answers_are_not_mended(answers, words):
    with pytest.raises(UsageError, match=words):
        elicited_belief(TRUST, answers)


def test_the_equilibrium_belief_of_homo_economicus_is_backward_induction():
    assert describe_strategy(TRUST, equilibrium_belief(TRUST, HOMO_ECONOMICUS)) == {
        "opening": {"trust": 0, "keep": 1},
        "reply to trust": {"reciprocate": 0, "defect": 1},
    }


def test_several_equilibria_are_listed_and_none_is_said():
    with pytest.raises(BeliefError, match="2 symmetric pure equilibria") as caught:
        equilibrium_belief(DILEMMA, homo_moralis(0.25))
    assert "opening: cooperate, reply to cooperation: cooperate, reply to defection: defect" in str(
        caught.value
    )
    assert len(symmetric_equilibria(DILEMMA, homo_moralis(0.25))) == 2
    with pytest.raises(BeliefError, match="no symmetric pure equilibria"):
        equilibrium_belief(PROTOCOLS["TG4"], homo_moralis(0.25))


def test_a_belief_in_words_or_numbers():
    np.testing.assert_array_equal(resolve_belief(TRUST, HOMO_ECONOMICUS, "uniform"), uniform_belief(TRUST))
    np.testing.assert_array_equal(
        resolve_belief(TRUST, HOMO_ECONOMICUS, "equilibrium"), equilibrium_belief(TRUST, HOMO_ECONOMICUS)
    )
    plan = {"opening": "trust", "reply to trust": 0.25}
    np.testing.assert_array_equal(resolve_belief(TRUST, HOMO_ECONOMICUS, plan), strategy(TRUST, plan))
    np.testing.assert_array_equal(resolve_belief(TRUST, HOMO_ECONOMICUS, [1, 0, 0, 1]), [1, 0, 0, 1])
    with pytest.raises(BeliefError, match="'rational'"):
        resolve_belief(TRUST, HOMO_ECONOMICUS, "rational")
    with pytest.raises(GameError, match="4 entries"):
        resolve_belief(TRUST, HOMO_ECONOMICUS, [1, 0])
    with pytest.raises(GameError, match="is a vector of numbers; got"):
        resolve_belief(TRUST, HOMO_ECONOMICUS, [[1, 0], [1]])
