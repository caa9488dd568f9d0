"""The 18 protocols are the published ones, and families refuse numbers that do not make such a game."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.envs import (
    FAMILIES,
    PROTOCOLS,
    Family,
    GameError,
    expected_payoff,
    family_of,
    register_family,
    strategy,
)
from ludens.errors import UsageError
from ludens.testing import payoffs

# T, R, P, S as printed in van Leeuwen & Alger (2024).
PUBLISHED = {
    "SPD1": (90, 45, 15, 10),
    "SPD2": (90, 55, 20, 10),
    "SPD3": (80, 65, 25, 20),
    "SPD4": (90, 65, 25, 10),
    "SPD5": (80, 75, 30, 20),
    "SPD6": (90, 75, 30, 10),
    "TG1": (80, 50, 30, 20),
    "TG2": (90, 50, 30, 10),
    "TG3": (80, 60, 30, 20),
    "TG4": (90, 60, 30, 10),
    "TG5": (80, 70, 30, 20),
    "TG6": (90, 70, 30, 10),
    "UG1": (60, 50, 10, 40),
    "UG2": (65, 50, 10, 35),
    "UG3": (70, 50, 10, 30),
    "UG4": (75, 50, 10, 25),
    "UG5": (80, 50, 10, 20),
    "UG6": (85, 50, 10, 15),
}
LEAVES = {
    "sequential_prisoners_dilemma": ["RR", "ST", "TS", "PP"],
    "trust": ["RR", "ST", "PP"],
    "ultimatum": ["RR", "TS", "PP"],
}
SPD, TRUST, ULTIMATUM = (FAMILIES[name] for name in LEAVES)
shares = st.floats(0, 1)


def test_there_are_the_published_18():
    assert {name: tuple(game.parameters.values()) for name, game in PROTOCOLS.items()} == PUBLISHED


@pytest.mark.parametrize("name", PUBLISHED)
def test_payoffs_stand_at_the_right_ends(name):
    game = PROTOCOLS[name]
    numbers = dict(zip("TRPS", PUBLISHED[name], strict=True))
    expected = [[numbers[letter] for letter in pair] for pair in LEAVES[game.name]]
    assert game.payoffs.tolist() == expected
    assert numbers["T"] + numbers["S"] == 100
    assert game.protocol == name


def test_every_family_says_what_is_prosocial_everywhere():
    for family in FAMILIES.values():
        game = next(game for game in PROTOCOLS.values() if family_of(game) is family)
        assert set(family.prosocial) == {node.label for node in game.information_sets}
        for label, option in family.prosocial.items():
            assert option in game.information_set(label).options


def test_the_payoff_of_the_dilemma_is_the_papers_formula():
    @given(payoffs(SPD), st.tuples(*[shares] * 6))
    def check(numbers, probabilities):
        T, R, P, S = numbers
        x1, x2, x3, y1, y2, y3 = probabilities
        game = SPD.game(payoffs=numbers)
        labels = [node.label for node in game.information_sets]
        own = strategy(game, dict(zip(labels, (x1, x2, x3), strict=True)))
        others = strategy(game, dict(zip(labels, (y1, y2, y3), strict=True)))
        formula = 0.5 * (x1 * (y2 * R + (1 - y2) * S) + (1 - x1) * (y3 * T + (1 - y3) * P)) + 0.5 * (
            y1 * (x2 * R + (1 - x2) * T) + (1 - y1) * (x3 * S + (1 - x3) * P)
        )
        assert expected_payoff(game, own, others) == pytest.approx(formula, rel=1e-12, abs=1e-9)

    check()


@pytest.mark.parametrize("family", [TRUST, ULTIMATUM], ids=["trust", "ultimatum"])
def test_the_payoffs_of_the_two_node_games_are_those_of_their_trees(family):
    @given(payoffs(family), st.tuples(*[shares] * 4))
    def check(numbers, probabilities):
        T, R, P, S = numbers
        x1, x2, y1, y2 = probabilities
        game = family.game(payoffs=numbers)
        labels = [node.label for node in game.information_sets]
        own = strategy(game, dict(zip(labels, (x1, x2), strict=True)))
        others = strategy(game, dict(zip(labels, (y1, y2), strict=True)))
        if family is TRUST:
            first = x1 * (y2 * R + (1 - y2) * S) + (1 - x1) * P
            second = y1 * (x2 * R + (1 - x2) * T) + (1 - y1) * P
        else:
            first = x1 * R + (1 - x1) * (y2 * T + (1 - y2) * P)
            second = y1 * R + (1 - y1) * (x2 * S + (1 - x2) * P)
        assert expected_payoff(game, own, others) == pytest.approx((first + second) / 2, rel=1e-12, abs=1e-9)
        assert expected_payoff(game, own, others, game.roles[0]) == pytest.approx(first, rel=1e-12, abs=1e-9)

    check()


@pytest.mark.parametrize(
    ("given_to", "message"),
    [
        ({"payoffs": (50, 65, 25, 20)}, "T > R is needed"),
        ({"payoffs": (80, 65, 65, 20)}, "R > P is needed"),
        ({"payoffs": (80, 65, 25, 25)}, "P > S is needed"),
        ({"payoffs": (80, 65, 25)}, "takes 4 payoffs .T, R, P, S.; got 3"),
        ({"payoffs": (80, 65, 25, 20, 1)}, "takes 4 payoffs .T, R, P, S.; got 5"),
        ({"payoffs": (80, 65, float("nan"), 20)}, "must be finite"),
        ({"payoffs": (float("inf"), 65, 25, 20)}, "must be finite"),
        ({"payoffs": (10**400, 65, 25, 20)}, "finite numbers of at most 1e.30"),
        ({"payoffs": ("80", "65", "25", "20")}, "must be numbers"),
        ({"payoffs": "9876"}, "must be numbers"),
        ({"payoffs": {"T": 80, "R": 65, "P": 25, "S": 20}}, "must be numbers"),
        ({"payoffs": 80}, "must be numbers"),
        ({"protocol": "SPD7"}, "no protocol 'SPD7'; it has SPD1, SPD2"),
        ({"protocol": "TG1"}, "no protocol 'TG1'"),
        ({"protocol": ["SPD1"]}, "no protocol"),
        ({"protocol": "SPD1", "payoffs": (80, 65, 25, 20)}, "either a protocol or payoffs"),
        ({}, "either a protocol or payoffs"),
    ],
)
def test_wrong_numbers_are_told_in_one_sentence(given_to, message):
    with pytest.raises(GameError, match=message) as caught:
        SPD.game(**given_to)
    assert "sequential_prisoners_dilemma" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((40, 50, 10, 30), "T > R is needed"),
        ((80, 50, 60, 70), "R > P is needed"),
        ((80, 50, 10, 5), "S > P is needed"),
        ((80, 50, 10, 60), "R >= S is needed"),
    ],
)
def test_the_ultimatum_game_says_why(numbers, message):
    with pytest.raises(GameError, match=message):
        ULTIMATUM.game(payoffs=numbers)


def test_numpy_arrays_are_payoffs():
    assert SPD.game(payoffs=np.array([80, 65, 25, 20])).payoffs.tolist() == PROTOCOLS["SPD3"].payoffs.tolist()


def test_payoffs_may_come_from_a_generator():
    assert SPD.game(payoffs=(value for value in (80, 65, 25, 20))).payoffs.shape == (4, 2)


@pytest.mark.parametrize(
    ("prosocial", "message"),
    [
        ({"opening": "share"}, "calls 'share' prosocial at 'opening', where the options are trust, keep"),
        ({"start": "trust"}, "no information set 'start'"),
    ],
)
def test_a_family_whose_prosocial_options_do_not_exist_is_refused(prosocial, message):
    wrong = dataclasses.replace(
        TRUST, name="another", protocols={"A1": (80, 50, 30, 20)}, prosocial=prosocial
    )
    with pytest.raises(GameError, match=message):
        register_family(wrong)
    assert "another" not in FAMILIES


def test_registering_a_family_twice_changes_nothing_and_a_taken_name_is_refused():
    before = dict(PROTOCOLS)
    register_family(TRUST)
    other: Family = dataclasses.replace(TRUST, title="Another")
    with pytest.raises(GameError, match=r"The name .* of family 'trust' is taken"):
        register_family(other)
    with pytest.raises(GameError, match=r"The name 'TG1' .* is taken"):
        register_family(dataclasses.replace(TRUST, name="another"))
    assert dict(PROTOCOLS) == before
    assert FAMILIES["trust"] is TRUST
    assert "another" not in FAMILIES


def test_a_game_that_is_not_known_here_is_one_sentence_and_still_a_missing_key():
    for table, name in ((PROTOCOLS, "SH1"), (FAMILIES, "stag_hunt")):
        with pytest.raises(UsageError, match=f"There is no .*'{name}' here: install the package") as raised:
            table[name]
        assert isinstance(raised.value, KeyError)
        assert name not in table
        assert table.get(name) is None
