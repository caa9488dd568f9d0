"""Gambit reads the exported file as the same game."""

from __future__ import annotations

import io
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.envs import (
    PROTOCOLS,
    ChanceNode,
    DecisionNode,
    GameError,
    GameTree,
    PayoffNode,
    expected_payoff,
    pure_strategies,
)
from ludens.envs.tree.efg import to_efg
from ludens.testing import games

pygambit = pytest.importorskip("pygambit", reason="it is compiled on the user's machine")


def read(game):
    return pygambit.read_efg(io.StringIO(to_efg(game)))


def gambit_payoffs(game, vector):
    """Expected payoffs by role if everybody plays the strategy, by Gambit's reckoning."""
    there = read(game)
    profile = there.mixed_behavior_profile()
    share = {
        (node.label, name): vector[node.columns.start + k]
        for node in game.information_sets
        for k, name in enumerate(node.options)
    }
    for node in there.infosets:
        for action in node.actions:
            profile[action] = share[node.label, action.label]
    return [profile.payoff(player) for player in there.players]


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_the_protocols_keep_their_names_and_numbers(name):
    game = PROTOCOLS[name]
    there = read(game)
    assert there.title == repr(game)
    assert [player.label for player in there.players] == list(game.roles)
    by_label = {node.label: node for node in there.infosets}
    assert set(by_label) == {node.label for node in game.information_sets}
    for node in game.information_sets:
        assert by_label[node.label].player.label == node.role
        assert [action.label for action in by_label[node.label].actions] == list(node.options)
    outcomes = [[outcome[player] for player in there.players] for outcome in there.outcomes]
    np.testing.assert_array_equal(np.array(outcomes, dtype=float), game.payoffs)


@given(games(), st.integers(0, 100))
def test_expected_payoffs_agree_on_any_tree(game, seed):
    rng = np.random.default_rng(seed)
    vector = np.concatenate([rng.dirichlet(np.ones(len(node.options))) for node in game.information_sets])
    ours = [float(expected_payoff(game, vector, vector, role)) for role in game.roles]
    assert gambit_payoffs(game, vector) == pytest.approx(ours, abs=1e-9)


@given(games())
def test_information_sets_and_chance_are_kept(game):
    there = read(game)
    assert {node.label: len(node.members) for node in there.infosets} == {
        node.label: sum(other.information == node.label for other in decisions(game.root))
        for node in game.information_sets
    }
    assert there.is_perfect_recall
    assert [player.label for player in there.players] == list(game.roles)


def decisions(node):
    if isinstance(node, PayoffNode):
        return []
    children = (
        node.options.values()
        if isinstance(node, DecisionNode)
        else [child for _, child in node.branches.values()]
    )
    found = [node] if isinstance(node, DecisionNode) else []
    return found + [other for child in children for other in decisions(child)]


def test_probabilities_are_exact_fractions_that_sum_to_one():
    ends = {f"draw {k}": (1 / 3, PayoffNode((k,))) for k in range(3)}
    game = GameTree("thirds", ("me",), ChanceNode("nature", ends))
    assert '{ "draw 0" 1/3 "draw 1" 1/3 "draw 2" 1/3 }' in to_efg(game)
    odd = [0.1234567890123, 0.3456789012345, 0.5308643097533]  # exact sums miss 1 by rounding
    game = GameTree(
        "odd", ("me",), ChanceNode("nature", {f"{k}": (p, PayoffNode((0.0,))) for k, p in enumerate(odd)})
    )
    chance = read(game).root.infoset
    shares = [Fraction(int(a.prob.numerator), int(a.prob.denominator)) for a in chance.actions]
    assert sum(shares) == 1
    assert [float(share) for share in shares] == pytest.approx(odd, abs=1e-12)


@pytest.mark.parametrize("points", [0.1, -2.5, 1e-7, 12345678.9, 1e21, 5e-324])
def test_payoffs_are_exact(points):
    leaf = PayoffNode((points,))
    game = GameTree("one", ("me",), DecisionNode("choice", "me", {"a": leaf, "b": PayoffNode((0,))}))
    there = read(game)
    (player,) = there.players
    value = next(iter(there.outcomes))[player]
    assert Fraction(str(value)) == Fraction(repr(points))


def test_quotes_in_names_survive():
    options = {'say "yes"': PayoffNode((1, 0)), "it's": PayoffNode((0, 1))}
    game = GameTree(
        'a "game"', ("the 'first'", "no. 2 {x}"), DecisionNode('the "choice"', "the 'first'", options)
    )
    there = read(game)
    assert [player.label for player in there.players] == list(game.roles)
    (node,) = there.infosets
    assert node.label == 'the "choice"'
    assert [action.label for action in node.actions] == list(options)


@pytest.mark.parametrize("name", ["größer", "two  spaces", " edge", "new\nline", "tab\t", "back\\slash"])
def test_names_that_gambit_does_not_read_are_refused(name):
    options = {name: PayoffNode((1,)), "other": PayoffNode((0,))}
    with pytest.raises(GameError, match="rename"):
        to_efg(GameTree("one", ("me",), DecisionNode("choice", "me", options)))
    with pytest.raises(GameError, match="rename"):
        to_efg(GameTree("one", (name,), PayoffNode((1,))))


def test_any_title_can_be_read():
    for name in ("größer", "back\\", 'a "game"', "new\nline"):
        there = read(GameTree(name, ("me",), PayoffNode((1,))))
        assert there.title.startswith("GameTree(")


def test_gambit_writes_back_the_game_that_it_read():
    game = PROTOCOLS["SPD4"]
    again = pygambit.read_efg(io.StringIO(read(game).to_efg()))
    assert again.title == repr(game)
    for row in pure_strategies(game):
        assert gambit_payoffs(game, row) == [
            float(expected_payoff(game, row, row, role)) for role in game.roles
        ]
