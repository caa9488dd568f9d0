"""What papers say of the games of the library."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.optimize import linprog

from ludens.envs import (
    LIBRARY,
    GameError,
    GameTree,
    StrategicFamily,
    StrategicGame,
    dominated,
    efficient,
    family_of,
    find_game,
    mixed_nash,
    numbers_of,
    protocols,
    pure_nash,
    strategy,
    uniform_strategy,
)
from ludens.preferences import (
    HOMO_ECONOMICUS,
    Preferences,
    best_strategies,
    homo_moralis,
    level_k,
    optimal_options,
    subgame_perfect,
    symmetric_equilibria,
)

NAMES = {
    *(
        "dictator",
        "dictator_taking",
        "ultimatum_offers",
        "ultimatum_thresholds",
        "investment",
        "gift_exchange",
    ),
    *("centipede", "prisoners_dilemma", "stag_hunt", "hawk_dove", "battle_of_the_sexes", "coordination"),
    *("matching_pennies", "public_goods", "threshold_public_good", "public_goods_punishment", "commons"),
    *("beauty_contest", "eleven_twenty", "travelers_dilemma", "cournot", "first_price_auction"),
    *("second_price_auction", "volunteers_dilemma", "taking", "one_person_dilemma", "colonel_blotto"),
}


def only_equilibrium(protocol: str, kappa: float) -> np.ndarray:
    (found,) = symmetric_equilibria(find_game(protocol), homo_moralis(kappa))
    return found


def amount(protocol: str, kappa: float) -> float:
    """What everybody does in the only symmetric equilibrium, where that is pure and a number."""
    game = find_game(protocol)
    chosen = only_equilibrium(protocol, kappa)
    assert chosen.max() == 1
    return float(game.finite[game.roles[0]].values[int(chosen.argmax())])


def test_the_library_is_complete():
    assert set(LIBRARY) >= NAMES
    for name in NAMES:
        family = LIBRARY[name]
        assert family.protocols, name
        for protocol in family.protocols:
            game = find_game(protocol)
            assert protocol in protocols()
            assert family_of(game) is family
            assert isinstance(game, StrategicGame if isinstance(family, StrategicFamily) else GameTree)


@pytest.mark.parametrize(("protocol", "v", "c"), [("HD1", 40, 60), ("HD2", 20, 80)])
@pytest.mark.parametrize("kappa", [0, 0.3, 0.8])
def test_hawks(protocol, v, c, kappa):
    assert only_equilibrium(protocol, kappa)[0] == pytest.approx((1 - kappa) / (1 + kappa) * v / c, abs=1e-6)


@pytest.mark.parametrize("protocol", ["STH1", "STH2", "STH3"])
def test_stag_hunters_mix_with_four_fifths(protocol):
    weights = sorted(symmetric_equilibria(find_game(protocol), HOMO_ECONOMICUS)[:, 0])
    assert weights == pytest.approx([0, 0.8, 1], abs=1e-6)


@pytest.mark.parametrize(("protocol", "left"), [("MP1", 1 / 2), ("MP2", 1 / 8), ("MP3", 10 / 11)])
def test_pennies(protocol, left):
    (found,) = mixed_nash(find_game(protocol))
    assert found.first[0] == pytest.approx(1 / 2)
    assert found.second[0] == pytest.approx(left)
    assert pure_nash(find_game(protocol)) == ()


@pytest.mark.parametrize(("protocol", "share"), [("BS1", 2 / 3), ("BS2", 3 / 4)])
def test_the_sexes(protocol, share):
    found = mixed_nash(find_game(protocol))
    assert len(found) == 3
    assert sorted(each.first[0] for each in found) == pytest.approx([0, share, 1])


def test_to_meet():
    found = symmetric_equilibria(find_game("CG2"), HOMO_ECONOMICUS)
    assert sorted(found[:, 0]) == pytest.approx([0, 1 / 3, 1], abs=1e-6)
    assert only_equilibrium("CG2", 1)[0] == 1


@pytest.mark.parametrize(("kappa", "tokens"), [(0, 8), (1, 4.5)])
def test_the_commons(kappa, tokens):
    formula = (23 - 5) / (0.25 * (8 + 1 + (8 - 1) * kappa))
    assert formula == tokens
    # On a grid of half tokens, on which both lie.
    fine = dataclasses.replace(find_game("CM1"), actions={"user": numbers_of(np.arange(0, 10.5, 0.5))})
    chosen = symmetric_equilibria(fine, homo_moralis(kappa))
    assert tokens in {fine.finite["user"].values[int(each.argmax())] for each in chosen}


@pytest.mark.parametrize(("protocol", "n", "rest"), [("CO1", 2, 120), ("CO2", 4, 120)])
@pytest.mark.parametrize("kappa", [0, 1])
def test_cournot(protocol, n, rest, kappa):
    assert amount(protocol, kappa) == pytest.approx(rest / (2 + (n - 1) * (1 + kappa)), abs=0.5)


def test_the_11_20_game():
    game = find_game("ET1")
    published = np.array([0, 0, 0, 0, 25, 25, 20, 15, 10, 5]) / 100
    found = [each for each in mixed_nash(game) if np.allclose(each.first, each.second)]
    assert len(found) == 1
    np.testing.assert_allclose(found[0].first, published, atol=1e-9)
    assert [int(level_k(game, k, start=np.eye(10)[-1]).argmax()) + 11 for k in range(4)] == [20, 19, 18, 17]


@pytest.mark.parametrize("protocol", ["TD1", "TD2", "TD3"])
def test_travellers_claim_the_least(protocol):
    low = find_game(protocol).finite["traveller"].names[0]
    assert pure_nash(find_game(protocol)) == ((low, low),)


@pytest.mark.parametrize(("protocol", "n", "cost"), [("VD1", 3, 0.25), ("VD2", 10, 0.5)])
def test_volunteers(protocol, n, cost):
    assert only_equilibrium(protocol, 0)[0] == pytest.approx(cost ** (1 / (n - 1)), abs=1e-6)


def test_bidders_bid_half_their_value_or_all_of_it():
    assert ("50", "50") in pure_nash(find_game("FP1"))
    second = find_game("SP1")
    assert ("100", "100") in pure_nash(second)
    assert set(dominated(second, "bidder", strictly=False)) == set(second.finite["bidder"].names) - {"100"}
    # The expected payoff at the equilibrium is a sixth of the highest value in both (Vickrey 1961).
    for game, bid in ((find_game("FP1"), "50"), (second, "100")):
        place = game.finite["bidder"].names.index(bid)
        assert game.payoffs[place, place, 0] == pytest.approx(100 / 6)


def test_expected_payoffs_of_bidders_are_those_of_drawn_values():
    rng = np.random.default_rng(1)
    values = rng.random((400_000, 2))
    for protocol, paid in (("FP1", 0), ("SP1", 1)):
        game = find_game(protocol)
        for shares in ((0.5, 0.3), (0.4, 0.9), (1.1, 0.8)):
            bids = values * shares
            price = bids[:, paid]
            drawn = 100 * np.where(bids[:, 0] > bids[:, 1], values[:, 0] - price, 0).mean()
            exact = game.payoffs_of(100 * np.array(shares))[0]
            assert exact == pytest.approx(drawn, abs=0.2)


def test_in_the_beauty_contest_zero_is_the_equilibrium_and_high_numbers_are_dominated():
    game = find_game("BC1")
    # With three players and whole numbers all at 0 and all at 1 are equilibria (Nagel 1995, note 1).
    assert ("0", "0", "0") in pure_nash(game)
    assert {"67", "80", "100"} <= set(dominated(game, "guesser", strictly=False))
    assert "0" not in dominated(game, "guesser", strictly=False)


def test_a_threshold_is_met_exactly_or_nobody_contributes():
    for profile in pure_nash(find_game("TP1")):
        assert sum(map(int, profile)) in {0, 20}
    assert all(sum(map(int, profile)) == 20 for profile in efficient(find_game("TP1")))


def test_the_ultimatum_game_has_the_equal_split_for_every_kappa():
    game = find_game("UT1")
    assert {(offer, least) for offer, least in pure_nash(game) if offer == least} == {
        (name, name) for name in game.finite["proposer"].names
    }
    for kappa in (0, 0.5, 1):
        fair = np.zeros(game.width)
        fair[[5, 11 + 5]] = 1
        best = best_strategies(game, homo_moralis(kappa), fair)
        assert any(np.array_equal(each, fair) for each in best.strategies)
    tree = find_game("UO1")
    offers = {
        tree.information_sets[0].options[int(row[:11].argmax())] for row in subgame_perfect(tree).strategies
    }
    assert offers == {"offer 0", "offer 10"}


def test_the_equilibria_of_trees_are_those_of_backward_induction():
    for protocol, node, option in (
        ("CT1", "move 1", "take"),
        ("CT2", "move 1", "take"),
        ("IG1", "investment", "send 0"),
        ("GE1", "offer", "wage 30"),
    ):
        game = find_game(protocol)
        places = game.information_set(node)
        firsts = {
            places.options[int(row[places.columns].argmax())] for row in subgame_perfect(game).strategies
        }
        assert firsts == {option}, protocol


@pytest.mark.parametrize(("protocol", "g", "l"), [("TK1", 10, 40), ("TK2", 20, 25), ("TK3", 20, 40)])
def test_the_taking_game_sets_two_thresholds_apart(protocol, g, l):  # noqa: E741
    game = find_game(protocol)

    def takes(preferences):
        return optimal_options(game, preferences, uniform_strategy(game))["taking"] == {"take"}

    for weight, turn in (("kappa", g / l), ("beta", g / (g + l))):
        assert takes(Preferences(**{weight: turn - 0.01}))
        assert not takes(Preferences(**{weight: turn + 0.01}))


@pytest.mark.parametrize(("protocol", "suitable"), [("OP1", 50), ("OP2", 70)])
def test_the_adviser_turns_at_the_explicit_threshold(protocol, suitable):
    game = find_game(protocol)
    kappa = (100 - suitable) / (100 * (1 - 0.2))
    for weight, option in ((kappa - 0.01, "unsuitable"), (kappa + 0.01, "suitable")):
        best = best_strategies(game, homo_moralis(weight), uniform_strategy(game))
        assert best.plans == ({"choice": option},)


def test_the_half_is_given_by_who_hates_to_be_ahead():
    game = find_game("DG1")
    for beta, gift in ((0.4, "give 0"), (0.6, "give 50")):
        best = optimal_options(game, Preferences(beta=beta), uniform_strategy(game))
        assert best == {"giving": {gift}}
    assert len(optimal_options(game, homo_moralis(1), uniform_strategy(game))["giving"]) == 11


def test_nobody_punishes_or_contributes_by_backward_induction():
    game = find_game("PP1")
    best = optimal_options(game, HOMO_ECONOMICUS, uniform_strategy(game))
    spared = [label for label in best if "punishment" in label]
    assert len(spared) == 8
    assert all("spare" in best[label] for label in spared)
    belief = strategy(
        game, {node.label: "spare" if node.label in spared else 0.5 for node in game.information_sets}
    )
    best = optimal_options(game, HOMO_ECONOMICUS, belief)
    assert best["first contribution"] == best["second contribution"] == {"keep"}


def test_blotto_shares_the_fields_and_an_equilibrium_is_worth_half_of_them():
    game = find_game("BL1")
    actions = game.finite["commander"]
    places = {name: place for place, name in enumerate(actions.names)}
    assert (len(places), actions.vectors.sum(1).tolist()) == (28, 28 * [6])
    assert tuple(actions.vectors[places["(3, 2, 1)"]]) == (3, 2, 1)
    # The larger part wins each field: (3, 3, 0) beats equal parts, (4, 1, 1) loses to them.
    assert game.payoffs_of([places["(3, 3, 0)"], places["(2, 2, 2)"]]).tolist() == [2, 1]
    assert game.payoffs_of([places["(4, 1, 1)"], places["(2, 2, 2)"]]).tolist() == [1, 2]
    assert game.payoffs_of([places["(3, 2, 1)"], places["(1, 2, 3)"]]).tolist() == [1.5, 1.5]
    assert np.all(game.payoffs.sum(-1) == 3)
    # The best mixture secures 1.5 and no more, by linear programming.
    table = np.asarray(game.payoffs[..., 0])
    size = len(table)
    found = linprog(
        [*np.zeros(size), -1.0],
        A_ub=np.column_stack([-table.T, np.ones(size)]),
        b_ub=np.zeros(size),
        A_eq=[[*np.ones(size), 0.0]],
        b_eq=[1.0],
        bounds=[*size * [(0, 1)], (None, None)],
    )
    assert -found.fun == pytest.approx(1.5)
    # A homo kantiensis is indifferent: if both do the same, each gets half.
    assert len(optimal_options(game, homo_moralis(1.0), uniform_strategy(game))["choice"]) == size
    assert len(optimal_options(game, HOMO_ECONOMICUS, uniform_strategy(game))["choice"]) < size


def test_families_of_blotto_that_are_too_large_are_refused():
    with pytest.raises(GameError, match="at most, not in"):
        LIBRARY["colonel_blotto"].game(payoffs=(120, 6))
