"""The environment of simultaneous games: payoffs, repetition, matching, what seats see, bad input."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from ludens.envs import Interval, StrategicEnv, StrategicGame, find_game
from ludens.errors import UsageError


def quantities() -> StrategicGame:
    """Cournot's duopoly in which any quantity can be sold."""

    def own(mine, rest):
        return mine * (130 - mine - rest - 10)

    return StrategicGame("drawn", {"firm": 2}, {"firm": Interval(0, 120)}, own_payoff=own)


def played(env: StrategicEnv, choose, seed: int) -> StrategicEnv:
    env.reset(seed=seed)
    while env.agents:
        env.step({agent: choose(env.round, place) for place, agent in enumerate(env.agents)})
    return env


def test_a_step_pays_what_the_game_pays():
    env = StrategicEnv(find_game("PD1"))
    env.reset(seed=1)
    _, rewards, terminations, truncations, _ = env.step({"player_0": 0, "player_1": 1})
    assert rewards == {"player_0": 0.0, "player_1": 5.0}
    assert terminations == {"player_0": True, "player_1": True}
    assert not any(truncations.values())


@pytest.mark.parametrize("protocol", ["PD1", "PG1", "UT1", "BC2"])
def test_rewards_are_payoffs_of_what_was_played(protocol):
    game = find_game(protocol)
    env = StrategicEnv(game, rounds=4)
    sizes = [len(game.finite[role]) for role in game.seats]
    rng = np.random.default_rng(2)
    played(env, lambda _, place: int(rng.integers(sizes[place])), 3)
    assert env.round == 4
    np.testing.assert_allclose(env.paid, game.payoffs_of(env.played), atol=1e-9)


def test_a_random_length_has_the_mean_that_the_probability_gives():
    env = StrategicEnv(find_game("PD1"), continuation=0.75)
    lengths = [played(env, lambda *_: 0, seed).round for seed in range(600)]
    assert np.mean(lengths) == pytest.approx(4, abs=0.5)
    assert played(StrategicEnv(find_game("PD1"), continuation=1.0, rounds=7), lambda *_: 0, 1).round == 7
    assert played(StrategicEnv(find_game("PD1"), continuation=0.0), lambda *_: 0, 1).round == 1


def test_partners_are_drawn_anew_and_keep_their_roles():
    env = StrategicEnv(find_game("BS1"), groups=5, matching="random", rounds=40)
    env.reset(seed=4)
    met: dict[int, set[int]] = {}
    while env.agents:
        for members in env._groups:
            assert members[0] % 2 == 0
            assert members[1] % 2 == 1
            met.setdefault(members[0], set()).add(members[1])
        env.step(dict.fromkeys(env.agents, 0))
    assert all(others == {1, 3, 5, 7, 9} for others in met.values())
    fixed = StrategicEnv(find_game("PG1"), groups=3, rounds=5)
    fixed.reset(seed=1)
    assert fixed._groups == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert len(fixed.possible_agents) == 12


def test_payoffs_of_groups_are_those_of_their_members():
    game = find_game("PG1")
    env = StrategicEnv(game, groups=6, matching="random", rounds=2)
    env.reset(seed=8)
    groups = [list(each) for each in env._groups]
    chosen = np.random.default_rng(1).integers(0, 21, len(env.agents))
    _, rewards, *_ = env.step({agent: int(chosen[place]) for place, agent in enumerate(env.agents)})
    for members in groups:
        np.testing.assert_allclose(
            [rewards[f"player_{seat}"] for seat in members], game.payoffs_of(chosen[members].astype(float))
        )


@pytest.mark.parametrize("protocol", ["PG1", "PG3", "CM2", "TP1", "CO2"])
def test_payoffs_that_follow_from_sums_are_those_of_the_game(protocol):
    game = find_game(protocol)
    env = StrategicEnv(game, groups=2, rounds=3, matching="random")
    rng = np.random.default_rng(3)
    env.reset(seed=8)
    groups = []
    while env.agents:
        groups.append(np.array(env._groups))
        env.step({agent: int(rng.integers(env.action_space(agent).n)) for agent in env.agents})
    for members, values, paid in zip(groups, env.played, env.paid, strict=True):
        np.testing.assert_allclose(paid[members], game.payoffs_of(values[members]), atol=1e-9)


def test_a_seat_sees_its_own_group_its_own_action_first():
    env = StrategicEnv(find_game("PG1"), rounds=2)
    env.reset(seed=1)
    env.step({f"player_{seat}": seat for seat in range(4)})
    past = env.turn("player_2").past[0]
    assert [step.option for step in past.path] == ["2", "0", "1", "3"]
    assert past.path[0].role == past.role
    assert past.payoffs[past.role] == pytest.approx(20 - 2 + 0.4 * 6)
    vector = env.turn("player_2").observation["observation"]
    assert vector[1:6].tolist() == [1, 2, 0, 1, 3]


def test_noise_misleads_as_often_as_it_says_and_pays_what_was_done():
    env = StrategicEnv(find_game("PD1"), rounds=4000, noise=0.2, memory=0)
    played(env, lambda *_: 0, 5)
    assert set(env.paid.ravel().tolist()) == {3.0}
    wrong = np.mean([seen[0, 1] != 0 for seen in env._seen])
    assert wrong == pytest.approx(0.2, abs=0.03)
    assert all(seen[0, 0] == 0 for seen in env._seen)  # one's own action is known


def test_reputation_shows_what_partners_did_to_others():
    env = StrategicEnv(find_game("PD1"), groups=2, matching="random", history="reputation", rounds=3)
    env.reset(seed=2)
    for _ in range(2):
        env.step({agent: int(agent in {"player_1", "player_3"}) for agent in env.agents})
    for seat in range(4):
        (partner,) = [
            other for members in env._groups if seat in members for other in members if other != seat
        ]
        told = env.turn(f"player_{seat}").facts["reputation"]
        assert told == (("defect", "defect") if partner in {1, 3} else ("cooperate", "cooperate"),)


def test_any_number_of_an_interval_can_be_chosen():
    env = StrategicEnv(quantities())
    env.reset(seed=1)
    assert env.turn("player_0").interval == (0.0, 120.0)
    assert env.turn("player_0").options == ()
    _, rewards, *_ = env.step({"player_0": 40.5, "player_1": np.array([39.5])})
    assert rewards["player_0"] == pytest.approx(40.5 * 40)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rounds": 0}, "rounds"),
        ({"continuation": 1.5}, "continuation"),
        ({"continuation": "often"}, "continuation"),
        ({"groups": 0}, "groups"),
        ({"groups": 2.5}, "groups"),
        ({"matching": "swiss"}, "matching"),
        ({"history": "all"}, "history"),
        ({"noise": -0.1}, "noise"),
        ({"noise": float("nan")}, "noise"),
        ({"memory": -1}, "memory"),
    ],
)
def test_wrong_options_are_one_sentence(options, said):
    with pytest.raises(UsageError, match=said) as caught:
        StrategicEnv(find_game("PD1"), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("action", [-0.1, 120.1, float("nan"), None, "40", [40], np.array([1.0, 2.0]), True])
def test_a_number_outside_of_the_interval_changes_nothing(action):
    env = StrategicEnv(quantities(), rounds=3)
    env.reset(seed=1)
    before = pickle.dumps((env.round, env.agents))
    with pytest.raises(UsageError, match="from 0 to 120"):
        env.step({"player_0": action, "player_1": 1.0})
    assert pickle.dumps((env.round, env.agents)) == before


@pytest.mark.parametrize("protocol", ["PD1", "MP2", "CO1", "UT1", "VD1"])
def test_a_game_is_drawn_and_written(protocol):
    env = StrategicEnv(find_game(protocol), rounds=2, render_mode="ansi")
    env.reset(seed=1)
    env.step(dict.fromkeys(env.agents, 1))
    text = env.render()
    assert protocol in text
    assert "Round 1 of 2" in text
    pixels = StrategicEnv(find_game(protocol), render_mode="rgb_array")
    pixels.reset(seed=1)
    shown = pixels.render()
    assert shown.ndim == 3
    assert shown.std() > 0
