"""Gambit reads the exported file as the same game: by its recorded answers, and live if it is installed."""

from __future__ import annotations

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
    walk,
)
from ludens.envs.tree.efg import to_efg
from ludens.testing import games
from tests import gambit
from tests.gambit import SPECIAL, needs_gambit, records

KNOWN = {**PROTOCOLS, **SPECIAL}


def game_in(record):
    """The game that Gambit was given, which is still written in the same words."""
    game = KNOWN.get(record["name"]) or gambit.game_of(gambit.file_of(record))
    assert to_efg(game) == gambit.file_of(record)
    return game


def check_reading(game, there):
    """Gambit found the game's own players, information sets, payoffs and probabilities in the file."""
    assert there["players"] == list(game.roles)
    assert there["perfect_recall"]
    nodes = [node for _, node in walk(game.root)]
    decisions = [node.information for node in nodes if isinstance(node, DecisionNode)]
    assert {each["label"]: each for each in there["sets"]} == {
        node.label: {
            "label": node.label,
            "player": node.role,
            "options": list(node.options),
            "members": decisions.count(node.label),
        }
        for node in game.information_sets
    }
    assert [[Fraction(value) for value in row] for row in there["outcomes"]] == [
        [Fraction(repr(float(value))) for value in row] for row in game.payoffs
    ]
    chances = {node.label: node for node in nodes if isinstance(node, ChanceNode)}
    assert set(there["draws"]) == set(chances)
    for label, draws in there["draws"].items():
        shares = {name: share for name, (share, _) in chances[label].branches.items()}
        assert {name: float(Fraction(share)) for name, share in draws.items()} == pytest.approx(
            shares, abs=1e-12
        )
        assert list(draws) == list(shares)
        assert sum(Fraction(share) for share in draws.values()) == 1


@pytest.mark.parametrize("name", records())
def test_gambit_read_the_game_that_was_exported(name):
    check_reading(game_in(records()[name]), records()[name])


@pytest.mark.parametrize("name", [*PROTOCOLS, *gambit.recorded("tree ")])
def test_expected_payoffs_are_those_that_gambit_computed(name):
    record = records()[name]
    game = game_in(record)
    assert record["profiles"]
    for profile in record["profiles"]:
        vector = np.array(profile["strategy"])
        ours = [float(expected_payoff(game, vector, vector, role)) for role in game.roles]
        assert profile["payoffs"] == pytest.approx(ours, abs=1e-9)


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_the_protocols_keep_their_titles_and_gambit_writes_back_what_it_read(name):
    record = records()[name]
    assert record["title"] == repr(PROTOCOLS[name])
    again = gambit.game_of("\n".join(record["rewritten"]))
    assert to_efg(again).splitlines()[1:] == record["efg"][1:]
    assert record["rewritten"][0] == record["efg"][0]


@pytest.mark.parametrize("name", gambit.recorded("title "))
def test_any_title_can_be_read(name):
    assert records()[name]["title"].startswith("GameTree(")


@needs_gambit
def test_the_record_is_what_gambit_answers_today():
    for name, record in records().items():
        game = game_in(record)
        now = gambit.answers(name, game, [profile["strategy"] for profile in record["profiles"]])
        for before, after in zip(record["profiles"], now.pop("profiles"), strict=True):
            assert after["payoffs"] == pytest.approx(before["payoffs"], abs=1e-9)
        assert now == {key: record[key] for key in now}
        if "rewritten" in record:
            assert gambit.read(gambit.file_of(record)).to_efg().splitlines() == record["rewritten"]


@needs_gambit
@given(games(), st.integers(0, 100))
def test_expected_payoffs_agree_on_any_tree(game, seed):
    rng = np.random.default_rng(seed)
    vector = np.concatenate([rng.dirichlet(np.ones(len(node.options))) for node in game.information_sets])
    ours = [float(expected_payoff(game, vector, vector, role)) for role in game.roles]
    assert gambit.payoffs(to_efg(game), game, vector) == pytest.approx(ours, abs=1e-9)


@needs_gambit
@given(games())
def test_any_tree_is_read_as_the_same_game(game):
    check_reading(game, gambit.reading(to_efg(game)))


@given(games())
def test_the_file_holds_the_whole_game(game):
    assert to_efg(gambit.game_of(to_efg(game))) == to_efg(game)


def test_probabilities_are_exact_fractions_that_sum_to_one():
    ends = {f"draw {k}": (1 / 3, PayoffNode((k,))) for k in range(3)}
    game = GameTree("thirds", ("me",), ChanceNode("nature", ends))
    assert '{ "draw 0" 1/3 "draw 1" 1/3 "draw 2" 1/3 }' in to_efg(game)
    shares = [Fraction(share) for share in records()["odd shares"]["draws"]["nature"].values()]
    assert sum(shares) == 1


@pytest.mark.parametrize("name", ["größer", "two  spaces", " edge", "new\nline", "tab\t", "back\\slash"])
def test_names_that_gambit_does_not_read_are_refused(name):
    options = {name: PayoffNode((1,)), "other": PayoffNode((0,))}
    with pytest.raises(GameError, match="rename"):
        to_efg(GameTree("one", ("me",), DecisionNode("choice", "me", options)))
    with pytest.raises(GameError, match="rename"):
        to_efg(GameTree("one", (name,), PayoffNode((1,))))
