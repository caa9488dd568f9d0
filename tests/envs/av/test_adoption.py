"""The adoption game: its payoffs, its accidents, its law, and the environment that is the game."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pettingzoo import make

from ludens.envs import make_env
from ludens.envs.av.adoption.env import AdoptionEnv
from ludens.envs.av.adoption.game import AdoptionGame, Regulation
from ludens.envs.av.adoption.render import gains
from ludens.envs.av.adoption.simulator import PASSENGER, PEDESTRIAN, AdoptionCore
from ludens.errors import UsageError
from ludens.testing import EnvironmentConformance

MONEY = {
    "price_utilitarian": 0.02,
    "price_protective": 0.01,
    "ride_utilitarian": 0.005,
    "ride_protective": 0.03,
    "economies": 0.01,
}
LAW = {"mandate": True, "fine": 0.3, "subsidy": 0.1, "period": 3, "until": 6}


class TestRealised(EnvironmentConformance):
    """Drawn accidents, outsiders and money keep the promises."""

    environment = "ludens/av_adoption-v0"
    options = {  # noqa: RUF012  # pytest's
        "payoffs": "realised",
        "people": 7,
        "pedestrians": 2,
        "accident": 0.28,
        "symmetry": 0.5,
        "memory": 2,
        **MONEY,
    }


class TestFined(EnvironmentConformance):
    """So does a fine for two people."""

    environment = "ludens/av_adoption-v0"
    options = {"people": 2, "memory": 0, "regulation": {"fine": 1.5, "period": 2}}  # noqa: RUF012  # pytest's


@st.composite
def adoption_games(draw, most=12, regulated=True):
    people = draw(st.integers(2, most))
    walkers = draw(st.integers(1, people - 1))
    highest = (people // (walkers + 1)) / people
    cents = st.integers(-20, 20).map(lambda value: value / 100)
    law = st.builds(Regulation, fine=st.sampled_from([0.0, 0.05]), subsidy=st.sampled_from([0.0, 0.03]))
    return AdoptionGame(
        people=people,
        pedestrians=walkers,
        accident=highest * draw(st.sampled_from([0.01, 0.2, 0.5, 1.0])),
        symmetry=draw(st.sampled_from([0.0, 0.3, 1.0])),
        price_utilitarian=draw(cents),
        price_protective=draw(cents),
        ride_utilitarian=draw(cents),
        ride_protective=draw(cents),
        economies=draw(st.sampled_from([0.0, 0.0, 0.07])),
        regulation=draw(st.none() | law) if regulated else None,
    )


def by_hand(game, choices, person):
    """A person's expected payoff, going through all cars and through all places before them."""
    survival, n, k, c = 1.0, game.people, game.walkers, game.accident
    if choices[person]:
        survival -= c
    for other in range(n):
        if other != person and not choices[other]:
            survival -= game.symmetry * c * k / (n - 1)
    others = sum(choices[other] for other in range(n) if other != person) / (n - 1)
    fine, subsidy = (game.law.fine, game.law.subsidy) if game.law else (0, 0)
    if choices[person]:
        return survival - (game.price_utilitarian - game.economies * others - game.ride_utilitarian - subsidy)
    return survival - (game.price_protective - game.ride_protective + fine)


@given(data=st.data(), game=adoption_games())
@settings(max_examples=60)
def test_payoffs_are_those_counted_by_hand(data, game):
    choices = data.draw(st.lists(st.integers(0, 1), min_size=game.people, max_size=game.people))
    expected = [by_hand(game, choices, person) for person in range(game.people)]
    assert game.payoffs(choices) == pytest.approx(expected, abs=1e-12)
    core = AdoptionCore(game, populations=2)
    core.reset(0)
    outcome = core.step([choices, [1 - each for each in choices]])
    assert outcome.payoffs[0] == pytest.approx(expected, abs=1e-12)
    # Lives lost are what survival falls short of.
    lost = outcome.deaths.passengers + outcome.deaths.pedestrians
    alive = game.survival(np.array(choices), game.others(choices)).sum()
    assert lost[0] == pytest.approx(game.people - alive, abs=1e-9)


def test_known_answers():
    game = AdoptionGame(people=101, pedestrians=10, accident=0.001)
    # All protective: a person dies as a pedestrian only, ten times as often as cars meet pedestrians.
    assert game.payoff(0, 0) == pytest.approx(1 - 0.01)
    assert game.payoff(1, 1) == pytest.approx(1 - 0.001)
    # Free riding is best for the one, worst for the rest.
    assert game.payoff(0, 1) == pytest.approx(1.0)
    assert game.deaths(0.0) == pytest.approx((0.0, 1.01, 0.0))
    assert game.deaths(1.0) == pytest.approx((0.101, 0.0, 0.0))


def test_profiles_of_all_shapes_are_evaluated_at_once():
    game = AdoptionGame(people=6, **MONEY)
    choices = np.random.default_rng(0).integers(0, 2, size=(3, 4, 6))
    payoffs = game.payoffs(choices)
    assert payoffs.shape == (3, 4, 6)
    assert payoffs[1, 2] == pytest.approx(game.payoffs(choices[1, 2]))


@pytest.mark.parametrize("symmetry", [1.0, 0.4])
def test_drawn_accidents_have_the_expected_payoffs_as_mean(symmetry):
    game = AdoptionGame(people=9, pedestrians=2, accident=0.2, symmetry=symmetry, **MONEY)
    populations = 40_000
    core = AdoptionCore(game, populations=populations, realised=True)
    core.reset(7)
    choices = np.array([1, 0, 0, 1, 1, 0, 0, 0, 1])
    outcome = core.step(np.tile(choices, (populations, 1)))
    expected = game.payoffs(choices)
    error = outcome.payoffs.std(axis=0) / np.sqrt(populations)
    assert np.all(np.abs(outcome.payoffs.mean(axis=0) - expected) < 4.5 * error + 1e-12)
    for counted, mean in zip(outcome.deaths, game.deaths(choices.mean()), strict=True):
        assert counted.mean() == pytest.approx(float(mean), abs=4.5 * counted.std() / 200 + 1e-12)
    # Each has one part at most, and is a pedestrian s·k times as often as a passenger.
    riding, walking = (outcome.parts == PASSENGER).mean(), (outcome.parts == PEDESTRIAN).mean()
    assert riding == pytest.approx(0.2, abs=0.005)
    assert walking == pytest.approx(0.4 * symmetry, abs=0.005)
    # Who dies is told by the program of the car.
    users = choices == 1
    assert np.array_equal(outcome.died[:, users] & (outcome.parts[:, users] == PASSENGER),
                          outcome.parts[:, users] == PASSENGER)  # fmt: skip
    assert not (outcome.died[:, ~users] & (outcome.parts[:, ~users] == PASSENGER)).any()
    assert outcome.died.sum() == outcome.deaths.passengers.sum() + outcome.deaths.pedestrians.sum()


def test_many_populations_are_one_after_another():
    game = AdoptionGame(people=8, pedestrians=3, accident=0.2, symmetry=0.7, **MONEY)
    seeds = np.random.SeedSequence(3).spawn(5)
    together = AdoptionCore(game, populations=5, realised=True)
    together.reset(seeds)
    choices = np.random.default_rng(1).integers(0, 2, size=(150, 5, 8))
    rounds = [together.step(each) for each in choices]
    for place, seed in enumerate(seeds):
        alone = AdoptionCore(game, realised=True)
        alone.reset([seed])
        for number, each in enumerate(choices):
            outcome = alone.step(each[place : place + 1])
            assert np.array_equal(outcome.payoffs[0], rounds[number].payoffs[place])
            assert np.array_equal(outcome.died[0], rounds[number].died[place])


@pytest.mark.parametrize("payoffs", ["expected", "realised"])
def test_the_environment_is_the_core(payoffs):
    options = {"people": 6, "pedestrians": 2, "accident": 0.3, "rounds": 8, "regulation": LAW, **MONEY}
    env = AdoptionEnv(payoffs=payoffs, **options)
    env.reset(seed=11)
    core = AdoptionCore(env.game, realised=payoffs == "realised")
    seed = int(np.random.default_rng(11).integers(2**63)) if payoffs == "realised" else 0
    core.reset(seed)
    rng = np.random.default_rng(2)
    for number in range(8):
        mandated = 3 <= number < 6
        actions = np.zeros(6, dtype=int) if mandated else rng.integers(0, 2, size=6)
        assert [option.name for option in env.turn("owner_0").options] == (
            ["utilitarian"] if mandated else ["utilitarian", "self-protective"]
        )
        observations, rewards, _, truncations, infos = env.step(dict(zip(env.agents, actions, strict=True)))
        outcome = core.step([1 - actions])
        assert list(rewards.values()) == outcome.payoffs[0].tolist()
        assert infos["owner_3"]["share"] == pytest.approx(1 - actions.mean())
        assert observations["owner_2"]["observation"][0] == np.float32(1 - actions.mean())
        assert observations["owner_2"]["observation"][1] == 1 - actions[2]
        assert observations["owner_2"]["observation"][2] == np.float32(rewards["owner_2"])
        if payoffs == "realised":
            assert [info["died"] for info in infos.values()] == outcome.died[0].tolist()
        assert all(truncations.values()) == (number == 7)


def test_a_mandate_forbids_the_protective_program_for_its_time():
    env = make("parallel", "ludens/av_adoption-v0", people=3, regulation=LAW, rounds=7)
    env.reset(seed=0)
    for number in range(7):
        before = pickle.dumps(env.unwrapped)
        protective = dict.fromkeys(env.agents, 1)
        if 3 <= number < 6:
            with pytest.raises(UsageError, match="choose 0 \\(utilitarian\\)"):
                env.step(protective)
            assert pickle.dumps(env.unwrapped) == before
            env.step(dict.fromkeys(env.agents, 0))
        else:
            env.step(protective)


def test_fine_and_subsidy_are_paid_while_the_law_holds():
    free = AdoptionGame(people=4)
    ruled = AdoptionGame(people=4, regulation={"fine": 0.3, "subsidy": 0.1, "period": 3, "until": 6})
    choices = [1, 0, 1, 0]
    for period in range(8):
        change = ruled.payoffs(choices, period) - free.payoffs(choices, period)
        expected = [0.1, -0.3, 0.1, -0.3] if 3 <= period < 6 else [0.0] * 4
        assert change == pytest.approx(expected)


@pytest.mark.parametrize("payoffs", ["expected", "realised"])
def test_ten_thousand_people_play(payoffs):
    env = AdoptionEnv(people=10_000, pedestrians=10, accident=0.001, rounds=2, payoffs=payoffs)
    env.reset(seed=0)
    actions = {agent: number % 2 for number, agent in enumerate(env.agents)}
    _, rewards, *_ = env.step(actions)
    assert np.mean(list(rewards.values())) == pytest.approx(1 - 0.0055, abs=2e-3)


def test_both_renderings_show_adoption_and_its_gains():
    env = AdoptionEnv(people=6, render_mode="ansi", regulation={"fine": 0.2, "period": 1})
    env.reset(seed=0)
    for _ in range(3):
        env.step({agent: int(number % 3 > 0) for number, agent in enumerate(env.agents)})
    shown = env.render()
    assert "33.3%" in shown
    assert "fine 0.2" in shown
    # Alone, an owner loses its life in one of 20 rounds; together all are spared as one of four pedestrians.
    alone, together = gains(env)
    assert alone[0] / (alone[0] - together[0]) == pytest.approx(0.25)
    assert f"{alone[0]:.4f}" in shown
    assert f"{together[0]:.4f}" in shown


def test_turns_can_be_kept_as_json():
    env = make_env("av_adoption", people=3)
    env.reset(seed=0)
    turn = env.unwrapped.turn("owner_1")
    assert json.loads(json.dumps(turn.facts)) == turn.facts | {"shares": [], "own": [], "own_payoffs": [],
                                                               "others": []}  # fmt: skip
    assert AdoptionGame(**json.loads(json.dumps(turn.game.config))) == turn.game


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"people": 1}, "from 2 to 10,000"),
        ({"people": 10_001}, "from 2 to 10,000"),
        ({"people": 5, "pedestrians": 5}, "from 1 to 4"),
        ({"accident": 0.0}, "above 0"),
        ({"people": 10, "pedestrians": 4, "accident": 0.21}, "at most 0.2"),
        ({"symmetry": 1.5}, "at most 1"),
        ({"economies": -0.1}, "at least 0"),
        ({"price_utilitarian": float("nan")}, "finite number"),
        ({"price_utilitarian": "cheap"}, "finite number"),
        ({"regulation": {"fine": -1}}, "at least 0"),
        ({"regulation": {"tax": 1}}, "has mandate, fine, subsidy"),
        ({"regulation": {"period": 4, "until": 4}}, "above its period 4"),
        ({"regulation": 3}, "Regulation or the attributes"),
        ({"rounds": 0}, "at least 1"),
        ({"payoffs": "certain"}, "'expected', 'realised'"),
        ({"colour": "red"}, "no option 'colour'"),
    ],
)
def test_wrong_parameters_are_told_in_a_sentence(options, told):
    with pytest.raises(UsageError, match=told):
        make("parallel", "ludens/av_adoption-v0", **options)


def test_wrong_choices_change_nothing():
    core = AdoptionCore(AdoptionGame(people=3))
    for wrong in ([[1, 0]], [[1, 0, 2]], [[0.5, 0, 0]]):
        with pytest.raises(UsageError, match="Choices"):
            core.step(wrong)
    assert core.period == 0
