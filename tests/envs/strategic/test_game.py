"""Simultaneous games as data: definitions, expected payoffs, solutions, and the same game as a tree."""

from __future__ import annotations

import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.envs import (
    GameError,
    Interval,
    StrategicGame,
    dominated,
    efficient,
    expected_outcomes,
    find_game,
    mixed_nash,
    named,
    pure_nash,
    tree_form,
    uniform_strategy,
    whole_numbers,
)
from ludens.envs import expected_payoff as tree_payoff
from ludens.envs.strategic.actions import Actions, numbers_of
from ludens.envs.strategic.expectations import _by_draws, expected_payoff, expected_payoffs_of
from tests import gambit_mixed

numbers = st.floats(-10, 10).map(lambda value: round(value, 3))


def two_player(rows, columns) -> StrategicGame:
    """A game of two roles from two tables of payoffs."""
    first, second = np.array(rows, dtype=float), np.array(columns, dtype=float)

    def payoff(profiles):
        own, other = profiles[..., 0].astype(int), profiles[..., 1].astype(int)
        return np.stack([first[own, other], second[own, other]], axis=-1)

    sizes = first.shape
    actions = {
        role: named(*(f"{role[0]}{number}" for number in range(size)))
        for role, size in zip(("row", "column"), sizes, strict=True)
    }
    return StrategicGame("drawn", {"row": 1, "column": 1}, actions, payoff)


def symmetric(table) -> StrategicGame:
    """A symmetric game of two players from the row player's payoffs."""
    own = np.array(table, dtype=float)

    def payoff(profiles):
        places = profiles.astype(int)
        return own[places, places[..., ::-1]]

    return StrategicGame("drawn", {"player": 2}, {"player": named("a", "b", "c")}, payoff)


def threshold(n: int, actions: int) -> StrategicGame:
    """A game that is not linear: a prize if the sum of what all do is large enough."""

    def own(mine, rest):
        return np.where(mine + rest >= n * actions / 2, 10.0, 0.0) - mine**1.5

    return StrategicGame("drawn", {"player": n}, {"player": whole_numbers(0, actions - 1)}, own_payoff=own)


def by_profiles(game: StrategicGame) -> StrategicGame:
    """The same game by a function of whole profiles."""

    def payoff(profiles):
        return game.own_payoff(profiles, profiles.sum(-1, keepdims=True) - profiles)

    return StrategicGame(game.name, dict(game.players), dict(game.actions), payoff)


@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_expected_payoffs_agree_in_all_three_ways_and_with_brute_force(n, actions, data):
    game = threshold(n, actions)
    play = np.array(data.draw(st.lists(st.floats(0.2, 1), min_size=actions, max_size=actions)))
    # A profile so rare that no draw has it would leave an error of 0.
    play /= play.sum()
    by_sum, by_count = (expected_outcomes(each, "player", play) for each in (game, by_profiles(game)))
    drawn = _by_draws(game, "player", play, comparisons=True)
    for one, other in zip(by_sum, by_count, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)
    # A prize of 10 points that is won in one of 400 cases may not be drawn even once in 4096.
    assert np.all(np.abs(drawn.own - by_sum.own) <= 6 * drawn.error + 10 / 400)
    weights = play
    brute = np.moveaxis(game.payoffs[..., 0], 0, -1)
    for _ in range(n - 1):
        brute = np.tensordot(weights, brute, axes=(0, 0))
    np.testing.assert_allclose(by_sum.own, brute, atol=1e-9)


@given(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=3, max_size=3), st.data())
def test_a_game_and_its_tree_pay_alike(table, data):
    game = symmetric(table)
    tree = tree_form(game)
    shares = st.lists(st.floats(0.01, 1), min_size=3, max_size=3)
    own, others = (np.array(data.draw(shares)) for _ in range(2))
    own, others = own / own.sum(), others / others.sum()
    twice = (np.tile(own, 2), np.tile(others, 2))
    assert expected_payoff(game, own, others) == pytest.approx(float(tree_payoff(tree, *twice)), abs=1e-9)
    assert expected_payoff(game, own, others, "player") == pytest.approx(
        float(tree_payoff(tree, *twice, "player 1")), abs=1e-9
    )


@given(st.data())
def test_mixed_equilibria_leave_nothing_to_gain(data):
    shape = (data.draw(st.integers(2, 4)), data.draw(st.integers(2, 4)))
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    rows, columns = rng.normal(size=shape), rng.normal(size=shape)
    found = mixed_nash(two_player(rows, columns))
    assert len(found) % 2 == 1  # Wilson (1971): of a game that is not degenerate, an odd number
    for each in found:
        assert (rows @ each.second).max() <= each.payoffs[0] + 1e-9
        assert (each.first @ columns).max() <= each.payoffs[1] + 1e-9
    pure = [each for each in found if each.first.max() == each.second.max() == 1]
    assert len(pure) == len(pure_nash(two_player(rows, columns)))


def exact(share: str) -> float:
    return float(Fraction(share))


@pytest.mark.parametrize("record", gambit_mixed.records(), ids=lambda record: record["name"])
def test_mixed_equilibria_are_those_that_gambit_enumerates(record):
    game = two_player(np.array(record["first"], dtype=float), np.array(record["second"], dtype=float))
    found = [np.concatenate([each.first, each.second]) for each in mixed_nash(game)]
    wanted = [[[exact(share) for share in player] for player in each] for each in record["equilibria"]]
    # In a degenerate game Gambit names the corners of sets of equilibria, of which some have supports of
    # unequal size, and those of equal size that are ours are some point of such a set.
    equal = [each for each in wanted if len({sum(share > 0 for share in player) for player in each}) == 1]
    for each in equal:
        if not degenerate(record, each):
            assert any(np.allclose(np.concatenate(each), ours, atol=1e-9) for ours in found), each
    if len(wanted) == len(equal) and not any(degenerate(record, each) for each in wanted):
        assert len(found) == len(wanted)


def degenerate(record, equilibrium):
    """Whether a player has another best reply than those that an equilibrium uses."""
    first, second = (np.array(player) for player in equilibrium)
    earned = np.array(record["first"]) @ second, first @ np.array(record["second"])
    return any(
        np.sum(np.isclose(each, each.max(), atol=1e-9)) > np.sum(player > 0)
        for each, player in zip(earned, (first, second), strict=True)
    )


def test_the_prisoners_dilemma_is_one():
    game = find_game("PD1")
    assert pure_nash(game) == (("defect", "defect"),)
    assert dominated(game, "player") == ("cooperate",)
    assert efficient(game) == (("cooperate", "cooperate"),)
    assert pickle.loads(pickle.dumps(game)) == game


def test_a_hundred_players_are_exact():
    game = find_game("PG3")
    met = expected_outcomes(game, "contributor", uniform_strategy(game))
    given_ = np.arange(21)
    np.testing.assert_allclose(met.own, 20 - given_ + 0.03 * (given_ + 99 * 10), atol=1e-9)
    assert not met.error.any()


def test_of_many_players_in_a_game_without_sums_payoffs_are_drawn_and_say_how_well():
    game = by_profiles(threshold(60, 12))
    met = expected_outcomes(game, "player", uniform_strategy(game))
    exact = expected_outcomes(threshold(60, 12), "player", uniform_strategy(game))
    assert met.error.max() > 0
    assert np.all(np.abs(met.own - exact.own) <= 6 * met.error + 1e-12)


def build(**changes):
    parts = {
        "name": "drawn",
        "players": {"player": 2},
        "actions": {"player": named("a", "b")},
        "payoff": lambda profiles: profiles,
    }
    return StrategicGame(**(parts | changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "needs a name"),
        ({"players": {}}, "needs players"),
        ({"players": {"player": 0}}, "at least 1"),
        ({"players": {"player": 1.5}}, "at least 1"),
        ({"players": {"player": 10**6}}, "at most 10000"),
        ({"actions": {"somebody": named("a")}}, "mapping from its roles"),
        ({"actions": {"player": ["a", "b"]}}, "give Actions or an Interval"),
        ({"payoff": None}, "one function"),
        ({"own_payoff": lambda own, rest: own}, "one function"),
        ({"payoff": lambda profiles: profiles[..., 0]}, "returns shape"),
        ({"payoff": lambda profiles: profiles * np.nan}, "not finite at the profile"),
        ({"payoff": lambda profiles: profiles / 0}, "not finite at the profile"),
        ({"payoff": lambda profiles: 1 // 0}, "ZeroDivisionError"),
        ({"payoff": lambda profiles: profiles * 1j}, "complex numbers"),
        ({"payoff": lambda profiles: "text"}, "could not convert"),
        ({"payoff": lambda profiles: np.add(profiles, 1, out=profiles)}, "read-only"),
        ({"payoff": None, "own_payoff": lambda own, rest: np.add(own, rest, out=own)}, "read-only"),
        ({"payoff": None, "own_payoff": lambda own, rest: own * np.nan}, "the action 0 where the others"),
        ({"payoff": None, "own_payoff": lambda own, rest: 1.0}, r"returns shape \(\) for actions and sums"),
        ({"parameters": None}, "a mapping to numbers"),
        ({"parameters": {"m": "much"}}, "Parameter 'm'"),
        ({"parameters": {"m": [1, 2]}}, "Parameter 'm'"),
        ({"parameters": {"m": np.nan}}, "Parameter 'm'"),
        ({"universal": 3}, "universalised payoffs"),
        ({"universal": "ab"}, "universalised payoffs"),
        ({"payoff": lambda profiles: profiles * [1, 2]}, "roles of their own"),
        ({"payoff": lambda profiles: profiles - profiles.mean()}, "treat every profile by itself"),
        (
            {
                "payoff": None,
                "own_payoff": lambda own, rest: own,
                "players": {"one": 1, "two": 1},
                "actions": {"one": named("a", "b"), "two": named("a", "b")},
            },
            "games of one role",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_no_game_is_refused_in_one_sentence(changes, said):
    with pytest.raises(GameError, match=said) as caught:
        build(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: named("a", "a"), "of its own"),
        (lambda: named("a", ""), "not empty"),
        (lambda: whole_numbers(3, 1), "Whole numbers go"),
        (lambda: whole_numbers(0, 2.5), "Whole numbers go"),
        (lambda: whole_numbers(0, 10**12), "at most 10001"),
        (lambda: numbers_of("ab"), "a list of them"),
        (lambda: numbers_of([]), "a list of them"),
        (lambda: numbers_of(None), "a list of them"),
        (lambda: Actions(("a", "b"), ("1", "2")), "finite numbers"),
        (lambda: Actions(("a", "b"), (1.0, 1.0)), "a value of its own"),
        (lambda: Interval(-1e308, 1e308), "low < high"),
        (lambda: Interval(1, 1), "low < high"),
        (lambda: Interval(0, float("inf")), "low < high"),
        (lambda: Interval(0, "1"), "low < high"),
        (lambda: Interval(0, 1, points=1), "2 to"),
    ],
)
def test_what_are_no_actions_is_refused_in_one_sentence(make, said):
    with pytest.raises(GameError, match=said):
        make()


def test_profiles_are_numbers():
    with pytest.raises(GameError, match="consists of numbers"):
        build().payoffs_of(["a", "b"])


def late(own, rest):
    return np.where((own == 3) & (rest == 5), np.nan, own + rest)


def test_a_payoff_that_is_no_number_is_refused_wherever_it_is_met_first():
    game = StrategicGame("late", {"player": 40}, {"player": whole_numbers(0, 10)}, own_payoff=late)
    with pytest.raises(GameError, match="at the action 3 where the others' sum is 5"):
        expected_outcomes(game, "player", uniform_strategy(game))


def test_games_of_many_players_that_differ_in_few_profiles_are_not_mixed_up():
    games = [
        StrategicGame("reached", {"player": 100}, {"player": whole_numbers(0, 10)}, own_payoff=reached(least))
        for least in (900, 950)
    ]
    strategy = np.zeros(11)
    strategy[9:] = 0.5
    sure, open_ = (expected_outcomes(game, "player", strategy).own[9] for game in games)
    assert games[0] != games[1]
    assert sure == pytest.approx(1)
    assert -5 < open_ < -3  # 9 + Σ of 99 others, 940.5 on average, reaches 950 in about half of all cases


def reached(least):
    return lambda own, rest: np.where(own + rest >= least, 10.0, 0.0) - own


def test_a_large_game_equals_its_copy():
    game = find_game("PG3")
    assert pickle.loads(pickle.dumps(game)) == game


def test_adding_to_all_payoffs_changes_no_equilibrium():
    rng = np.random.default_rng(11)
    for _ in range(5):
        first, second = rng.normal(size=(2, 4, 4))
        plain = mixed_nash(two_player(first, second))
        assert len(plain) == len(mixed_nash(two_player(first * 1e-3 + 1e4, second * 1e3 - 1e6))) > 0


def test_one_action_of_each_strategy_pays_what_all_of_them_do():
    game = find_game("BC1")
    rng = np.random.default_rng(3)
    others, actions = rng.dirichlet(np.ones(101), 4), np.array([0, 17, 100, 50])
    others[0] = np.eye(101)[20]
    everything = expected_outcomes(game, "guesser", others, comparisons=False).own
    np.testing.assert_allclose(
        expected_payoffs_of(game, "guesser", actions, others), everything[np.arange(4), actions], atol=1e-9
    )
    drawn = _by_draws(game, "guesser", others, False)
    only = _by_draws(game, "guesser", others, False, actions)
    assert np.array_equal(only.own[np.arange(4), actions], drawn.own[np.arange(4), actions])


def test_a_table_of_strategies_that_does_not_fit_is_refused():
    from ludens.envs import LIBRARY, pure_strategies

    with pytest.raises(GameError, match="1002001 pure strategies"):
        pure_strategies(LIBRARY["ultimatum_thresholds"].game(payoffs=(10_000, 10)))
