"""A game tree says what is wrong with it, at the node where it is."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given

from ludens.envs import (
    PROTOCOLS,
    ChanceNode,
    DecisionNode,
    GameError,
    GameTree,
    PayoffNode,
    Step,
    expected_payoff,
    walk,
)
from ludens.testing import games

ONE, TWO = PayoffNode((1.0, 0.0)), PayoffNode((0.0, 2.0))
ROLES = ("first", "second")


def move(label="start", role="first", options=None, information_set=None):
    return DecisionNode(label, role, {"a": ONE, "b": TWO} if options is None else options, information_set)


def chance(label="weather", **branches):
    return ChanceNode(label, branches)


WRONG = {
    "no roles": (((), ONE), r"'g' needs at least one role"),
    "roles in one text": (("ab", ONE), r"needs at least one role"),
    "roles missing": ((None, ONE), r"needs at least one role, .* got None"),
    "role twice": ((("first", "first"), ONE), r"names a role twice"),
    "not a node": ((ROLES, "leaf"), r"the node at the root, is 'leaf'; use a DecisionNode"),
    "a child that is no node": ((ROLES, move(options={"a": ONE, "b": 3})), r"the node at b, is 3; use"),
    "no label": ((ROLES, move(label="")), r"needs a label of its own, a non-empty text; '' is none"),
    "numbered label": ((ROLES, move(label=3)), r"needs a label of its own, a non-empty text; 3 is none"),
    "list as label": ((ROLES, chance(["x"], a=(1.0, ONE))), r"needs a label of its own"),
    "numbered set": ((ROLES, move(information_set=5)), r"node 'start' .* in information set 5; name it by"),
    "label twice": ((ROLES, move(options={"a": move(), "b": ONE})), r"node 'start' \(at a\), needs a label"),
    "unknown role": ((ROLES, move(role="third")), r"node 'start' .* belongs to role 'third'"),
    "one option": ((ROLES, move(options={"a": ONE})), r"node 'start' .* offers 1 option"),
    "no options": ((ROLES, move(options={})), r"node 'start' .* offers 0 option"),
    "options in a list": ((ROLES, move(options=[ONE, TWO])), r"node 'start' .* give a mapping"),
    "nameless option": ((ROLES, move(options={"": ONE, "b": TWO})), r"options named ''"),
    "numbered option": ((ROLES, move(options={0: ONE, 1: TWO})), r"options named 0"),
    "one payoff": ((ROLES, PayoffNode((1.0,))), r"pays 1 number\(s\) for 2 role\(s\)"),
    "a bare payoff": ((ROLES, PayoffNode(1.0)), r"pays 1.0; give a tuple"),
    "payoff in words": ((ROLES, PayoffNode(("1", "2"))), r"must be finite numbers"),
    "payoff nan": ((ROLES, PayoffNode((float("nan"), 1))), r"must be finite numbers"),
    "payoff infinite": ((ROLES, move(options={"a": ONE, "b": PayoffNode((0, float("inf")))})), r"at b, pays"),
    "payoff too large": ((ROLES, PayoffNode((0, -2e30))), r"finite numbers of at most 1e\+30"),
    "payoff larger than any float": ((ROLES, PayoffNode((10**400, 0))), r"finite numbers of at most"),
    "no branches": ((ROLES, chance()), r"node 'weather' .* must be above 0"),
    "zero probability": ((ROLES, chance(a=(0.0, ONE), b=(1.0, TWO))), r"each must be above 0"),
    "probability nan": ((ROLES, chance(a=(float("nan"), ONE), b=(1.0, TWO))), r"each must be above 0"),
    "sum": ((ROLES, chance(a=(0.5, ONE), b=(0.4, TWO))), r"node 'weather' .* sum to 0.9"),
    "branch without probability": ((ROLES, chance(a=ONE, b=TWO)), r"pair: its probability, and what follows"),
    "set with the label of another node": (
        (ROLES, move(options={"a": move("x", information_set="s"), "b": move("y", information_set="x")})),
        r"node 'y' \(at b\), is in information set 'x', the label of another node",
    ),
    "set with the label of a chance node": (
        (ROLES, chance(a=(0.5, move("x", information_set="weather")), b=(0.5, ONE))),
        r"is in information set 'weather', the label of another node",
    ),
    "set met twice": (
        (ROLES, move("x", "first", {"a": move("y", "first", None, "s"), "b": ONE}, "s")),
        r"node 'y' \(at a\), meets information set 's' twice",
    ),
    "set with two roles": (
        (ROLES, move(options={"a": move("x", "second", None, "s"), "b": move("y", "first", None, "s")})),
        r"node 'y' .* shares information set 's' with node 'x' but differs in role or options",
    ),
    "set with two lists of options": (
        (
            ROLES,
            move(
                options={
                    "a": move("x", "second", {"l": ONE, "r": TWO}, "s"),
                    "b": move("y", "second", {"r": ONE, "l": TWO}, "s"),
                }
            ),
        ),
        r"differs in role or options",
    ),
    "forgets its own move": (
        (ROLES, move(options={"a": move("x", "first", None, "s"), "b": move("y", "first", None, "s")})),
        r"'first' came there by other moves of its own: roles must remember",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_each_mistake_is_told_with_its_place(case):
    (roles, root), message = WRONG[case]
    with pytest.raises(GameError, match=message) as caught:
        GameTree("g", roles, root)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", 3, None])
def test_a_game_needs_a_name(name):
    with pytest.raises(GameError, match="A game needs a name"):
        GameTree(name, ROLES, ONE)


@pytest.mark.parametrize("parameters", [["T"], {"T": "90"}, {1: 90}, {"T": [90]}, None])
def test_parameters_are_numbers_by_name(parameters):
    with pytest.raises(GameError, match=r"Game 'g' has parameters .* give a mapping from names to numbers"):
        GameTree("g", ROLES, ONE, parameters)


def test_numpy_numbers_are_payoffs_too():
    game = GameTree("g", ("first",), PayoffNode((np.int64(3),)))
    assert game.payoffs.tolist() == [[3.0]]


def test_an_unknown_information_set_is_told_with_those_that_exist():
    with pytest.raises(GameError, match="no information set 'nowhere'; it has opening, reply to trust"):
        PROTOCOLS["TG1"].information_set("nowhere")


def test_known_is_what_all_paths_into_a_set_share():
    def answer(label):
        return move(label, "second", None, "answer")

    hidden = move("pick", "first", {"left": answer("l"), "right": answer("r")})
    root = chance(sun=(0.5, hidden), rain=(0.5, ONE))
    game = GameTree("g", ROLES, root)
    assert game.information_set("answer").known == (Step("weather", "sun", None),)
    assert game.information_set("pick").known == (Step("weather", "sun", None),)


def test_games_are_compared_with_the_order_of_their_options():
    # The same mappings and the same payoffs in tree order, yet options are numbered differently.
    deep = move("deep", "first", {"c": PayoffNode((1,)), "d": PayoffNode((2,))})
    one = GameTree("g", ("first",), move(options={"a": deep, "b": PayoffNode((1,)), "e": PayoffNode((2,))}))
    two = GameTree("g", ("first",), move(options={"b": PayoffNode((1,)), "e": PayoffNode((2,)), "a": deep}))
    assert one.root == two.root
    assert one.payoffs.tolist() == two.payoffs.tolist()
    assert one != two
    plan = np.array([0, 1, 0, 0, 1.0])
    assert (expected_payoff(one, plan, plan), expected_payoff(two, plan, plan)) == (1.0, 2.0)


@given(games())
def test_copies_are_equal_and_hash_alike(game):
    for other in (copy.deepcopy(game), pickle.loads(pickle.dumps(game))):
        assert other == game
        assert hash(other) == hash(game)
        assert other.parameters == game.parameters


@given(games())
def test_chances_of_the_leaves_of_a_plan_of_nature_sum_over_moves(game):
    # Every path's length and nature's share can be read off the walk; leaves say the same.
    ends = [path for path, node in walk(game.root) if isinstance(node, PayoffNode)]
    assert [leaf.path for leaf in game.leaves] == ends
    assert game.payoffs.shape == (len(ends), len(game.roles))
    assert game.width == sum(len(node.options) for node in game.information_sets)
    assert [node.columns.start for node in game.information_sets][1:] == [
        node.columns.stop for node in game.information_sets
    ][:-1]
