"""What strategies lead to, against a recursion over the tree that shares no code with it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludens.envs import (
    PROTOCOLS,
    ChanceNode,
    GameError,
    PayoffNode,
    check_strategy,
    describe_strategy,
    expected_payoff,
    outcome_probabilities,
    pure_strategies,
    strategy,
    uniform_strategy,
)
from ludens.testing import behaviour_strategies, games

TG = PROTOCOLS["TG3"]


@st.composite
def played_games(draw):
    game = draw(games())
    return game, draw(behaviour_strategies(game)), draw(behaviour_strategies(game))


def value(game, node, plans, role):
    """What `role` expects below `node` when each role follows its plan (information set → option → share)."""
    if isinstance(node, PayoffNode):
        return node.payoffs[game.roles.index(role)]
    if isinstance(node, ChanceNode):
        return sum(share * value(game, child, plans, role) for share, child in node.branches.values())
    shares = plans[node.role][node.information]
    return sum(shares[name] * value(game, child, plans, role) for name, child in node.options.items())


@given(played_games())
@settings(max_examples=60)
def test_expected_payoffs_are_those_of_a_recursion_over_the_tree(case):
    game, own, others = case
    by_role = []
    for role in game.roles:
        plans = {other: describe_strategy(game, own if other == role else others) for other in game.roles}
        by_role.append(value(game, game.root, plans, role))
        assert expected_payoff(game, own, others, role) == pytest.approx(by_role[-1], rel=1e-9, abs=1e-9)
    mean = sum(by_role) / len(by_role)
    assert expected_payoff(game, own, others) == pytest.approx(mean, rel=1e-9, abs=1e-9)


@given(played_games())
@settings(max_examples=60)
def test_outcome_probabilities_sum_to_one(case):
    game, own, others = case
    together = outcome_probabilities(game, own, others)
    assert together.shape == (len(game.leaves), len(game.roles))
    np.testing.assert_allclose(together.sum(axis=0), 1, atol=1e-9)
    for place, role in enumerate(game.roles):
        np.testing.assert_array_equal(outcome_probabilities(game, own, others, role), together[:, place])


@given(games(max_depth=2), st.data())
@settings(max_examples=30)
def test_batches_are_what_single_strategies_give(game, data):
    own = np.stack([data.draw(behaviour_strategies(game)) for _ in range(3)])
    others = np.stack([data.draw(behaviour_strategies(game)) for _ in range(2)])
    table = expected_payoff(game, own[:, None], others[None])
    assert table.shape == (3, 2)
    for i, j in itertools.product(range(3), range(2)):
        assert table[i, j] == pytest.approx(float(expected_payoff(game, own[i], others[j])))


@given(games(max_depth=2))
@settings(max_examples=30)
def test_pure_strategies_are_all_and_each_once(game):
    table = pure_strategies(game)
    assert len({tuple(row) for row in table.tolist()}) == len(table)
    assert len(table) == np.prod([len(node.options) for node in game.information_sets])
    check_strategy(game, table)


def test_pure_strategies_of_the_dilemma_are_eight_in_order():
    table = pure_strategies(PROTOCOLS["SPD1"])
    assert table.shape == (8, 6)
    assert describe_strategy(PROTOCOLS["SPD1"], table[0])["opening"] == {"cooperate": 1.0, "defect": 0.0}
    assert table[:4, 0].tolist() == [1, 1, 1, 1]


def test_strategies_are_written_by_names_or_numbers():
    plan = strategy(TG, {"opening": "trust", "reply to trust": 0.25})
    assert plan.tolist() == [1, 0, 0.25, 0.75]
    assert describe_strategy(TG, plan) == {
        "opening": {"trust": 1.0, "keep": 0.0},
        "reply to trust": {"reciprocate": 0.25, "defect": 0.75},
    }
    assert uniform_strategy(TG).tolist() == [0.5] * 4


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"opening": "trust"}, "says nothing of 'reply to trust'"),
        ({"opening": "trust", "reply to trust": 0.5, "coda": 1}, "no information set 'coda'"),
        ({"opening": "hope", "reply to trust": 0.5}, "offers no 'hope' at 'opening', only trust, keep"),
        ({"opening": 1.5, "reply to trust": 0.5}, "not a probability distribution at 'opening'"),
        ({"opening": float("nan"), "reply to trust": 0.5}, "not a probability distribution at 'opening'"),
        ({"opening": [1, 0], "reply to trust": 0.5}, "needs an option or probabilities"),
        ({"opening": {"trust": "all"}, "reply to trust": 0.5}, "needs numbers as probabilities"),
        ({"opening": {"hope": 1, 2: 0}, "reply to trust": 0.5}, "offers no 2 at 'opening'"),
        ({1: "trust", "coda": 0.5}, "no information set 1"),
        ({"opening": {"trust": 0.4, "keep": 0.4}, "reply to trust": 0.5}, "not a probability distribution"),
    ],
)
def test_wrong_plans_are_told_in_one_sentence(plan, message):
    with pytest.raises(GameError, match=message):
        strategy(TG, plan)


@pytest.mark.parametrize(
    "vector",
    [
        [1, 0, 1],
        [[1, 0, 1]],
        1.0,
        [1, 0, 0.5, 0.4],
        [2, -1, 0.5, 0.5],
        None,
        "uniform",
        {"opening": "trust"},
        [[1, 0], [1]],
    ],
)
def test_wrong_vectors_are_refused(vector):
    with pytest.raises(GameError, match="TG3"):
        check_strategy(TG, vector)


@pytest.mark.parametrize("role", [None, "trustee"])
def test_batches_that_do_not_fit_together_are_told(role):
    own, others = np.stack([uniform_strategy(TG)] * 3), np.stack([uniform_strategy(TG)] * 2)
    with pytest.raises(GameError, match=r"do not broadcast: \(\(3,\), \(2,\)\)"):
        expected_payoff(TG, own, others, role)
