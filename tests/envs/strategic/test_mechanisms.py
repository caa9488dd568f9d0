"""Mechanisms around simultaneous games: mediation, contracts, sanctions, cheap talk."""

from __future__ import annotations

import itertools
import pickle
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.agents import OraclePolicy, make_policy
from ludens.envs import (
    MECHANISMS,
    CheapTalk,
    Contracts,
    GameError,
    Mediation,
    Sanctions,
    dominated,
    find_game,
    make_env,
    pure_nash,
)
from ludens.envs.strategic.mechanisms.contracts import ContractGame
from ludens.envs.strategic.mechanisms.foresight import selfish_play
from ludens.errors import UsageError
from ludens.experiments import play as play_run
from ludens.preferences import Preferences
from ludens.testing import EnvironmentConformance
from tests.envs.strategic.test_game import symmetric

PD1, PG1 = find_game("PD1"), find_game("PG1")
numbers = st.floats(-10, 10).map(lambda value: round(value, 2))
tables = st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=3, max_size=3)


def play(environment, policies, **options):
    """Play an episode; return what every seat was paid and, by node, what the first seat chose."""
    env = make_env(environment, **options)
    env.reset(seed=0)
    seats = env.possible_agents
    made = {seat: make_policy(policies[place % len(policies)], env) for place, seat in enumerate(seats)}
    paid, chosen = dict.fromkeys(seats, 0.0), {}
    rng = np.random.default_rng(0)
    while env.agents:
        seat = env.agent_selection
        _, reward, ended, cut, _ = env.last()
        paid[seat] += reward
        if ended or cut:
            env.step(None)
            continue
        turn = env.unwrapped.turn(seat)
        action = made[seat].decide(turn, rng).action
        if seat == seats[0]:
            chosen[turn.node] = turn.options[action].name
        env.step(action)
    return list(paid.values()), chosen


# Mediation


def test_in_the_mediated_prisoners_dilemma_to_delegate_is_weakly_dominant_and_all_cooperate():
    game = Mediation().around(PD1)
    assert ("delegate", "delegate") in pure_nash(game)
    assert ("cooperate", "cooperate") not in pure_nash(game)
    assert dominated(game, "player", strictly=False) == ("cooperate", "defect")
    assert play("prisoners_dilemma", ["homo_economicus"], mechanism="mediation")[0] == [3, 3]


def test_a_mediator_contributes_where_all_delegate_and_else_keeps():
    game = Mediation().around(PG1)
    places = np.array([[21, 21, 21, 21], [21, 21, 21, 20], [0, 21, 21, 21], [5, 20, 10, 0]])
    values = np.array([[20, 20, 20, 20], [0, 0, 0, 20], [0, 0, 0, 0], [5, 20, 10, 0]])
    np.testing.assert_allclose(game.payoffs_of(places), PG1.payoffs_of(values))


@given(tables)
def test_all_delegating_pays_the_most_that_acting_alike_can(table):
    game = symmetric(table)
    mediated = Mediation().around(game)
    alike = max(table[action][action] for action in range(3))
    assert mediated.payoffs[3, 3].tolist() == [alike, alike]
    # Whoever acts for itself gets at most the smallest best reply that the mediator can hold it to.
    held = min(max(row[action] for row in table) for action in range(3))
    assert mediated.payoffs[:3, 3, 0].max() == pytest.approx(held)


def test_the_mediator_can_be_told_what_to_play():
    swapped = Mediation(all_delegate="defect", otherwise="cooperate").around(PD1)
    assert swapped.payoffs[2, 2].tolist() == [1, 1]
    assert swapped.payoffs[2, 1].tolist() == [0, 5]
    by_rule = Mediation(rule=lambda who: ["cooperate" if all(who) else "defect"] * 2).around(PD1)
    np.testing.assert_allclose(by_rule.payoffs, Mediation().around(PD1).payoffs)


# Contracts


@pytest.mark.parametrize(("protocol", "fine"), [("PD1", 3), ("PD2", 3), ("PG1", 13), ("PG2", 6)])
def test_the_fine_is_the_least_whole_number_above_what_deviating_gains(protocol, fine):
    # PD1 and PD2: T − R = 2; public goods: (1 − m) · 20 = 12 and 5.
    game = Contracts().around(find_game(protocol))
    assert isinstance(game, ContractGame)
    assert game.fines == (fine,)


@given(tables, st.integers(0, 2), st.integers(0, 2))
def test_a_contract_makes_the_efficient_actions_an_equilibrium_and_takes_nothing_from_the_sum(
    table, first, second
):
    game = symmetric(table)
    contract = Contracts().around(game)
    bound = contract.stage(((0, 0),)).games[0]
    (agreed,) = contract.agreed.values()
    name = game.finite["player"].names[agreed]
    assert (name, name) in pure_nash(bound)
    np.testing.assert_allclose(bound.payoffs.sum(-1), game.payoffs.sum(-1), atol=1e-9)
    np.testing.assert_allclose(
        contract.payoffs(((0, 1), (first, second))), game.payoffs[first, second], atol=1e-9
    )


def test_homo_economicus_signs_and_keeps_a_contract_and_without_it_defects():
    paid, chosen = play("prisoners_dilemma", ["homo_economicus"], mechanism="contracts")
    assert (paid, chosen) == ([3, 3], {"signature": "sign", "choice": "cooperate"})
    paid, chosen = play("prisoners_dilemma", ["homo_economicus", "always_defect"], mechanism="contracts")
    assert (paid, chosen) == ([1, 1], {"signature": "sign", "choice": "defect"})
    assert play("public_goods", ["homo_economicus"], mechanism="contracts")[0] == [32] * 4


def test_of_a_menu_the_contract_binds_that_all_name():
    game = Contracts(menu=[1, 4]).around(PD1)
    assert game.stage(()).games[0].finite["player"].names == (
        "sign for a fine of 1",
        "sign for a fine of 4",
        "refuse",
    )
    defects = (1, 0)  # the first player alone
    assert game.payoffs(((0, 0), defects)).tolist() == [4, 1]
    assert game.payoffs(((1, 1), defects)).tolist() == [1, 4]
    for signed in ((0, 1), (2, 2), (1, 2)):
        assert game.payoffs((signed, defects)).tolist() == [5, 0]
    # The fine of 1 is too small to change what homo economicus does.
    _, chosen = play(
        "prisoners_dilemma", ["homo_economicus"], mechanism={"kind": "contracts", "menu": [1, 4]}
    )
    assert chosen == {"signature": "sign for a fine of 4", "choice": "cooperate"}


# Sanctions


@pytest.mark.parametrize("policy", ["homo_economicus", "homo_moralis:0.3", "homo_moralis:1"])
def test_with_sanctions_nobody_punishes_and_all_contribute_as_without(policy):
    _, without = play("public_goods", [policy])
    paid, chosen = play("public_goods", [policy], mechanism="sanctions")
    assert chosen.pop("choice") == without["choice"]
    assert set(chosen.values()) == {"0"}
    assert len(chosen) == 3
    assert paid == ([32] * 4 if without["choice"] == "20" else [20] * 4)


def test_points_cost_one_and_take_three():
    game = Sanctions().around(PG1)
    # Player 1 keeps, and players 0 and 2 assign it 2 and 4 points: its own first, second and third others
    # are players 0, 2, 3.
    history = ((20, 0, 20, 20), (2, 0, 0, 0), (0, 0, 4, 0), (0, 0, 0, 1))
    earned = PG1.payoffs_of([20, 0, 20, 20])
    np.testing.assert_allclose(game.payoffs(history), earned - [2, 3 * 2 + 3 * 4, 4 + 3 * 1, 1])
    cheap = Sanctions(cost=0.5, effect=2, points=1).around(PG1)
    np.testing.assert_allclose(
        cheap.payoffs(((0, 0, 0, 0), (1, 0, 0, 0), (0,) * 4, (0,) * 4)), [19.5, 18, 20, 20]
    )


@given(st.lists(st.integers(0, 10), min_size=16, max_size=16))
def test_what_sanctions_cost_all_is_four_points_for_each(drawn):
    rounds = np.array(drawn).reshape(4, 4)
    game = Sanctions().around(PG1)
    history = tuple(map(tuple, rounds.tolist()))
    lost = PG1.payoffs_of(rounds[0]).sum() - game.payoffs(history).sum()
    assert lost == pytest.approx(4 * rounds[1:].sum())


def test_who_dislikes_being_behind_enough_punishes_a_defector_and_expects_it():
    # After (cooperate, defect), 0 and 5: a point narrows the gap by 2, for 1 point and α · 2 of behindness.
    for alpha, points in ((0.4, "0"), (0.6, "2")):
        env = make_env("prisoners_dilemma", mechanism="sanctions")
        env.reset(seed=0)
        env.step(0)
        env.step(1)
        turn = env.unwrapped.turn("player_0")
        policy = make_policy(f"fehr_schmidt:alpha={alpha},beta=0.1", env)
        assert turn.options[policy.decide(turn, np.random.default_rng(0)).action].name == points
    # Foreseen: to defect on a cooperator then earns 5 − 3 · 2, and being behind costs 0.6 · 0.
    game = Sanctions().around(PD1).stage(()).games[0]
    policy = make_policy("fehr_schmidt:alpha=0.6,beta=0.1", game)
    assert game.foreseen(policy.strategy).payoffs_of([1, 0]).tolist() == [-1, -2]


# Cheap talk


def test_among_three_each_expects_and_is_expected_to_punish_alike():
    """Whoever has less than another takes two points from it: volunteers from those who wait."""
    base, asked = find_game("VD1"), set()

    def foresight(later):
        asked.add(later.stage)
        (mover,) = [role for role, actions in later.finite.items() if len(actions) > 1]
        mine = later.seats.index(mover)
        paid, moved = later.payoffs_of(np.stack([np.zeros(3), np.eye(3)[mine]]))
        (target,) = [seat for seat in range(3) if seat != mine and moved[seat] < paid[seat]]
        plan = np.zeros(later.width)
        for node in later.information_sets:
            points = 2 if node.label == later.node(mover) and paid[target] > paid[mine] else 0
            plan[node.columns.start + points] = 1
        return plan

    found = Sanctions().around(base).stage(()).games[0].foreseen(foresight)
    for volunteers in itertools.product((0, 1), repeat=3):
        acts = np.array(volunteers, dtype=float)[None]
        lost = base.payoffs_of(acts)[0] - found.payoffs_of(acts)[0]
        for volunteered, loss in zip(volunteers, lost, strict=True):
            others = 3 - sum(volunteers) if volunteered else sum(volunteers)
            assert loss == pytest.approx((2 if volunteered else 3 * 2) * others)
    assert asked == {"points for other 1"}


def test_stages_of_other_rules_are_other_games():
    one, other = (
        rule.around(find_game("PD1")).stage(()).games[0] for rule in (Sanctions(), Sanctions(cost=0.01))
    )
    assert one != other
    assert one != find_game("PD1")
    assert one == Sanctions().around(find_game("PD1")).stage(()).games[0]
    oracle = OraclePolicy(Preferences(0.9, 0.6, 0))
    fresh = OraclePolicy(Preferences(0.9, 0.6, 0)).strategy(one)
    oracle.strategy(find_game("PD1"))
    assert np.array_equal(oracle.strategy(one), fresh)
    assert len(repr(one)) < 80


def test_messages_change_no_payoff_and_homo_economicus_babbles():
    game = CheapTalk().around(PD1)
    first = game.stage(()).games[0]
    assert first.finite["player"].names == ("announce cooperate", "announce defect", "say nothing")
    np.testing.assert_allclose(first.payoffs, 1)
    policy = make_policy("homo_economicus", first)
    np.testing.assert_allclose(policy.strategy(first), 1 / 3)
    assert play("prisoners_dilemma", ["homo_economicus"], mechanism="cheap_talk")[0] == [1, 1]
    assert play("prisoners_dilemma", ["homo_moralis:1"], mechanism="cheap_talk")[0] == [3, 3]


def test_all_see_messages_before_they_act_and_rules_announce_what_they_do():
    env = make_env("prisoners_dilemma", mechanism="cheap_talk")
    env.reset(seed=0)
    env.step(2)
    assert env.unwrapped.turn("player_1").known == ()
    env.step(0)
    (own, other) = env.unwrapped.turn("player_0").known
    assert (own.option, other.option) == ("say nothing", "announce cooperate")
    _, chosen = play("prisoners_dilemma", ["always_cooperate"], mechanism="cheap_talk")
    assert chosen == {"message": "announce cooperate", "choice": "cooperate"}


def test_tit_for_tat_answers_deeds_and_not_words():
    options = {"mechanism": "cheap_talk", "rounds": 2}
    _, chosen = play("prisoners_dilemma", ["tit_for_tat", "always_defect"], **options)
    assert chosen["choice"] == "defect"


# All of them


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_mechanisms_go_with_repetition_groups_and_reputation(mechanism):
    options = {"groups": 3, "matching": "random", "history": "reputation", "rounds": 3}
    paid, _ = play("prisoners_dilemma", ["homo_economicus"], mechanism=mechanism, **options)
    assert paid == [{"mediation": 9, "contracts": 9}.get(mechanism, 3)] * 6


def test_a_run_keeps_its_mechanism(tmp_path):
    option = {"mechanism": {"kind": "contracts", "menu": [1, 4]}}
    run = play_run(("prisoners_dilemma", option), "homo_economicus", path=tmp_path / "run.db")
    assert run.manifest["config"]["environment"]["mechanism"] == option["mechanism"]
    assert dict(run.episodes()[0].payoffs) == {"player_0": 3, "player_1": 3}
    assert [record.node for record in run.decisions()] == ["signature"] * 2 + ["choice"] * 2


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_finished_rounds_show_what_was_paid(mechanism):
    env = make_env("public_goods", mechanism=mechanism, rounds=2)
    env.reset(seed=0)
    rng = np.random.default_rng(1)
    paid = dict.fromkeys(env.possible_agents, 0.0)
    while env.unwrapped.round == 0:
        turn = env.unwrapped.turn(env.agent_selection)
        env.step(rng.choice([option.action for option in turn.options[:3]]))
        for seat, reward in env.rewards.items():
            paid[seat] += reward
    assert any(paid.values())
    for seat in env.possible_agents[:1]:
        (past,) = env.unwrapped.turn(seat).past
        assert list(past.payoffs.values()) == pytest.approx(list(paid.values()))
        stages = len(env.unwrapped.staged.widths) if hasattr(env.unwrapped, "staged") else 1
        assert len(past.path) == 4 * stages


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_games_with_a_mechanism_can_be_sent_to_other_processes(mechanism):
    env = make_env("prisoners_dilemma", mechanism=mechanism)
    env.reset(seed=0)
    turn = env.unwrapped.turn("player_0")
    assert pickle.loads(pickle.dumps(turn)).game == turn.game


@given(tables)
def test_what_the_selfish_do_is_an_equilibrium(table):
    game = symmetric(table)
    strategy = selfish_play(game)
    earned = game.payoffs[..., 0] @ strategy
    stable = earned.max() <= strategy @ earned + 1e-6
    assert stable or np.allclose(strategy, 1 / 3)


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ("courts", "no mechanism 'courts'; name one of mediation"),
        ({"kind": "sanctions", "price": 1}, "no setting 'price'; it has cost, effect, points"),
        ({"cost": 1}, "no mechanism"),
        (3, "no mechanism 3"),
        ({"kind": "sanctions", "cost": 0}, "cost of a point"),
        ({"kind": "sanctions", "effect": "3"}, "effect of a point"),
        ({"kind": "sanctions", "points": 0}, "From 1 to 100 points"),
        ({"kind": "cheap_talk", "messages": ["hello"]}, "at least two different texts"),
        ({"kind": "cheap_talk", "messages": "hello"}, "at least two different texts"),
        ({"kind": "contracts", "fine": -1}, "at least 0"),
        ({"kind": "contracts", "menu": []}, "from 1 to 12 fines"),
        ({"kind": "contracts", "menu": [1, 1]}, "must differ"),
        ({"kind": "contracts", "fine": 1, "menu": [1]}, "not both"),
        ({"kind": "contracts", "agreed": "share"}, "cannot ask 'player'"),
        ({"kind": "mediation", "otherwise": "share"}, "cannot play 'share'"),
        ({"kind": "mediation", "rule": "cooperate"}, "is a function"),
    ],
)
def test_what_is_no_mechanism_is_refused_in_one_sentence(given_, said):
    with pytest.raises(UsageError, match=said) as caught:
        make_env("prisoners_dilemma", mechanism=given_)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mechanism", ["contracts", "sanctions", "cheap_talk"])
def test_noise_is_refused_where_there_are_stages(mechanism):
    with pytest.raises(UsageError, match=r"noise=0\.1"):
        make_env("prisoners_dilemma", mechanism=mechanism, noise=0.1)


def test_sanctions_of_a_crowd_are_refused():
    with pytest.raises(GameError, match="at most 20 players"):
        make_env("public_goods", protocol="PG3", mechanism="sanctions")


def _case(mechanism: str, environment: str, **options) -> type[EnvironmentConformance]:
    name = f"Test{mechanism}_{'_'.join(options)}".title().replace("_", "")
    attributes = {"environment": f"ludens/{environment}-v0", "options": {"mechanism": mechanism, **options}}
    return type(name, (EnvironmentConformance,), attributes)


CASES = [_case(mechanism, "prisoners_dilemma", rounds=2) for mechanism in MECHANISMS]
CASES.append(_case("sanctions", "public_goods", protocol="PG2"))
globals().update({case.__name__: case for case in CASES})


# Messages in one's own words


def _talking(**options):
    env = make_env("prisoners_dilemma", mechanism="cheap_talk:free", rounds=2, **options)
    env.reset(seed=0)
    return env


def test_words_are_heard_by_all_and_stand_in_the_past():
    env = _talking()
    env.unwrapped.say("player_0", "Let us both\ncooperate.")
    for action in (1, 0):
        env.step(action)
    turn = env.unwrapped.turn("player_0")
    assert [step.option for step in turn.known] == ["Let us both cooperate.", "say nothing"]
    for action in (0, 0, 1, 1):
        env.step(action)
    turn = env.unwrapped.turn("player_1" if env.agent_selection == "player_1" else "player_0")
    assert [step.option for step in turn.past[0].path][:2] == ["Let us both cooperate.", "say nothing"]
    # Nobody handed over words: both say the fixed sentence.
    assert [step.option for step in turn.known] == ["Hello.", "Hello."]


def test_words_that_were_not_sent_are_forgotten():
    env = _talking()
    env.unwrapped.say("player_0", "Trust me.")
    for action in (0, 0, 0, 0):
        env.step(action)
    env.step(1)
    env.step(1)
    assert [step.option for step in env.unwrapped.turn("player_0").known] == ["Hello.", "Hello."]


@pytest.mark.parametrize("text", ["", "  ", "a" * 301, None])
def test_words_must_be_a_text_within_the_limit(text):
    env = _talking()
    with pytest.raises(UsageError, match="1 to 300 characters"):
        env.unwrapped.say("player_0", text)


def test_words_are_sent_in_the_first_stage_alone():
    env = _talking()
    env.step(0)
    env.step(0)
    with pytest.raises(UsageError, match="Nothing can be said"):
        env.unwrapped.say("player_0", "Too late.")
    listed = make_env("prisoners_dilemma", mechanism="cheap_talk")
    listed.reset(seed=0)
    with pytest.raises(UsageError, match="Nothing can be said"):
        listed.unwrapped.say("player_0", "Hello.")


@pytest.mark.parametrize("limit", [0, 1001, "many"])
def test_a_limit_of_characters_is_checked(limit):
    with pytest.raises(GameError, match="1 to 1000 characters"):
        CheapTalk("free", limit)


def test_rules_say_nothing_and_oracles_babble():
    paid, chosen = play("prisoners_dilemma", ["tit_for_tat", "always_defect"], mechanism="cheap_talk:free")
    assert (paid, chosen) == ([0, 5], {"message": "say nothing", "choice": "cooperate"})
    env = _talking()
    decision = make_policy("homo_moralis:0.5", env).decide(
        env.unwrapped.turn("player_0"), np.random.default_rng(0)
    )
    assert decision.probabilities == (0.5, 0.5)


class TestFreeCheapTalk(EnvironmentConformance):
    environment = "ludens/prisoners_dilemma-v0"
    options: ClassVar = {"mechanism": "cheap_talk:free", "rounds": 2}
