"""Backward induction agrees with Gambit, and symmetric equilibria keep what they promise."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludens.envs import (
    PROTOCOLS,
    DecisionNode,
    GameTree,
    PayoffNode,
    pure_strategies,
    uniform_strategy,
    walk,
)
from ludens.envs.tree.efg import to_efg
from ludens.errors import UsageError
from ludens.preferences import (
    HOMO_ECONOMICUS,
    Preferences,
    best_strategies,
    has_perfect_information,
    homo_moralis,
    optimal_options,
    regret,
    subgame_perfect,
    symmetric_equilibria,
)
from ludens.testing import games
from tests import gambit
from tests.gambit import needs_gambit, records

dyadic = st.sampled_from([-0.5, 0.0, 0.25, 1.0])


def plans(game, table):
    """Strategy vectors as a set of plans: per information set the option's name."""
    return {
        frozenset(
            (node.label, node.options[int(row[node.columns].argmax())]) for node in game.information_sets
        )
        for row in table
    }


def check_against(game, theirs, preferences=HOMO_ECONOMICUS):
    assert plans(game, subgame_perfect(game, preferences).strategies) == theirs


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_homo_economicus_plays_what_gambit_finds_subgame_perfect(name):
    check_against(PROTOCOLS[name], gambit.as_plans(records()[name]["subgame_perfect"]))


@pytest.mark.parametrize("name", [*gambit.recorded("perfect "), *gambit.recorded("tied ")])
def test_drawn_trees_are_solved_as_gambit_solved_them(name):
    record = records()[name]
    check_against(gambit.game_of(gambit.file_of(record)), gambit.as_plans(record["subgame_perfect"]))


@pytest.mark.parametrize("name", gambit.recorded("felt "))
def test_with_social_preferences_gambit_solved_the_game_of_utilities(name):
    record = records()[name]
    game = gambit.game_of("\n".join(record["of"]))
    alpha, beta = record["alpha"], record["beta"]
    assert to_efg(gambit.of_utilities(game, alpha, beta)) == gambit.file_of(record)
    check_against(game, gambit.as_plans(record["subgame_perfect"]), Preferences(alpha, beta))


def test_the_record_holds_what_is_worth_comparing():
    kinds = {kind: gambit.recorded(kind) for kind in ("perfect ", "tied ", "felt ")}
    assert all(len(kinds[kind]) >= least for kind, least in zip(kinds, (40, 20, 10), strict=True))
    assert all(len(records()[name]["subgame_perfect"]) > 1 for name in kinds["tied "])
    assert sum(bool(records()[name]["draws"]) for name in kinds["perfect "]) >= 10


def check_against_gambit(game, felt=None, preferences=HOMO_ECONOMICUS):
    felt = felt or game
    check_against(game, gambit.subgame_perfect_plans(felt), preferences)
    for plan in plans(game, subgame_perfect(game, preferences).strategies):
        for part in gambit.subgames(felt):
            assert gambit.regret(to_efg(part), gambit.restricted(plan, part)) == 0


@needs_gambit
@given(games(hidden=False))
@settings(max_examples=60)
def test_random_trees_are_solved_as_gambit_solves_them(game):
    check_against_gambit(game)


@needs_gambit
@given(games(hidden=False), dyadic, dyadic)
@settings(max_examples=30)
def test_with_social_preferences_gambit_solves_the_game_of_utilities(game, alpha, beta):
    check_against_gambit(game, gambit.of_utilities(game, alpha, beta), Preferences(alpha, beta))


@given(games(hidden=False))
def test_nobody_gains_by_leaving_a_subgame_perfect_strategy_in_any_seat(game):
    for row in subgame_perfect(game).strategies[:4]:
        assert regret(game, HOMO_ECONOMICUS, row, row) == 0


def test_the_canonical_predictions():
    def play(name):
        table = subgame_perfect(PROTOCOLS[name])
        assert not table.tied
        return [int(table.strategies[0][node.columns.start]) for node in PROTOCOLS[name].information_sets]

    for number in range(1, 7):
        assert play(f"SPD{number}") == [0, 0, 0]
        assert play(f"TG{number}") == [0, 0]
        assert play(f"UG{number}") == [0, 1]
    np.testing.assert_array_equal(subgame_perfect(PROTOCOLS["UG3"]).payoffs, [[70, 30]])


def test_ties_are_all_returned():
    leaf = {"accept": PayoffNode((8, 0)), "reject": PayoffNode((0, 0))}
    offer = DecisionNode("reply", "responder", leaf)
    game = GameTree(
        "divide",
        ("proposer", "responder"),
        DecisionNode("offer", "proposer", {"low": offer, "even": PayoffNode((5, 5))}),
    )
    found = subgame_perfect(game)
    assert found.tied
    assert plans(game, found.strategies) == {
        frozenset({("offer", "low"), ("reply", "accept")}),
        frozenset({("offer", "even"), ("reply", "reject")}),
    }


def test_roles_may_have_preferences_of_their_own():
    game = PROTOCOLS["UG5"]
    found = subgame_perfect(game, {"proposer": HOMO_ECONOMICUS, "responder": Preferences(alpha=1)})
    assert plans(game, found.strategies) == {
        frozenset({("opening", "equal"), ("reply to unequal", "reject")})
    }


def matching(hidden=True):
    """Two roles choose left or right, the second without seeing the first: both right pays best."""
    reply = [
        DecisionNode(
            f"reply {k}",
            "second",
            {"left": PayoffNode((a, a)), "right": PayoffNode((b, b))},
            "reply" if hidden else None,
        )
        for k, (a, b) in enumerate([(5, 0), (0, 9)])
    ]
    return GameTree(
        "match",
        ("first", "second"),
        DecisionNode("choice", "first", dict(zip(("left", "right"), reply, strict=True))),
    )


def test_backward_induction_refuses_what_it_cannot_see():
    assert has_perfect_information(matching(hidden=False))
    assert not has_perfect_information(matching())
    with pytest.raises(UsageError, match=r"hides moves in 'reply'.*symmetric_equilibria"):
        subgame_perfect(matching())
    with pytest.raises(UsageError, match="kappa=0"):
        subgame_perfect(PROTOCOLS["TG1"], homo_moralis(0.5))
    with pytest.raises(UsageError, match="'trustee'"):
        subgame_perfect(PROTOCOLS["TG1"], {"investor": HOMO_ECONOMICUS})


def test_too_many_ties_are_said():
    flat = PayoffNode((0,))

    def below(depth):
        if not depth:
            return flat
        return DecisionNode(f"{depth} {next(number)}", "me", {"a": below(depth - 1), "b": below(depth - 1)})

    number = iter(range(100))
    with pytest.raises(UsageError, match="more than 4096"):
        subgame_perfect(GameTree("flat", ("me",), below(4)))


def test_hidden_moves_have_symmetric_equilibria():
    game = matching()
    assert plans(game, symmetric_equilibria(game, HOMO_ECONOMICUS)) == {
        frozenset({("choice", side), ("reply", side)}) for side in ("left", "right")
    }
    assert plans(game, symmetric_equilibria(game, homo_moralis(0.9))) == {
        frozenset({("choice", "right"), ("reply", "right")})
    }


@lru_cache
def equilibria(name, kappa):
    game = PROTOCOLS[name]
    found = symmetric_equilibria(game, homo_moralis(kappa))
    return {"".join(str(int(row[node.columns.start])) for node in game.information_sets) for row in found}


def test_trembles_make_the_moralist_punish_defection_below_full_kappa():
    assert equilibria("SPD6", 0.75) == {"110"}
    assert equilibria("SPD6", 1) == {"110", "111"}
    assert equilibria("TG5", 0.5) == {"11"}
    assert equilibria("TG4", 0.25) == set()


@pytest.mark.parametrize("name", list(PROTOCOLS))
@pytest.mark.parametrize("kappa", [0.1, 0.25, 0.5, 0.9, 1])
def test_equilibria_are_best_against_themselves_with_small_trembles(name, kappa):
    game = PROTOCOLS[name]
    found = plans(game, symmetric_equilibria(game, homo_moralis(kappa)))
    for row in pure_strategies(game):
        trembling = 0.9999 * row + 0.0001 * uniform_strategy(game)
        best = plans(game, best_strategies(game, homo_moralis(kappa), trembling).strategies)
        assert (plans(game, [row]) <= best) == (plans(game, [row]) <= found)


@given(games(max_decisions=4), st.sampled_from([0.0, 0.25, 1.0]), dyadic, dyadic)
def test_symmetric_equilibria_of_any_tree_leave_no_regret(game, kappa, alpha, beta):
    wanted = Preferences(alpha, beta, kappa)
    for row in symmetric_equilibria(game, wanted)[:5]:
        assert regret(game, wanted, row, row) == 0
        for node in game.information_sets:
            used = node.options[int(row[node.columns].argmax())]
            assert used in optimal_options(game, wanted, row)[node.label]


def test_large_games_are_refused_rather_than_searched_for_ever():
    def below(depth):
        if not depth:
            return PayoffNode((0,))
        return DecisionNode(f"{depth} {next(number)}", "me", {"a": below(depth - 1), "b": below(depth - 1)})

    number = iter(range(100))
    game = GameTree("deep", ("me",), below(4))
    assert sum(isinstance(node, DecisionNode) for _, node in walk(game.root)) == 15
    with pytest.raises(UsageError, match="1024"):
        symmetric_equilibria(game, homo_moralis(0.5))
