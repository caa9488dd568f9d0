"""A learner plays in the units of its training, and is refused where they cannot be kept."""

from __future__ import annotations

import copy
import json
import pickle

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.wrappers import RescaleAction, TimeLimit

from ludens.agents import CallablePolicy, against, against_many, declaration_of, make_policy
from ludens.agents.trained.inputs import input_of
from ludens.envs import PROTOCOLS, environments, make_env
from ludens.envs.declared import declared
from ludens.envs.pricing import Market
from ludens.envs.tree.questions import questions
from ludens.errors import UsageError
from ludens.experiments import bench, play
from ludens.experiments.pricing import play_pricing
from ludens.experiments.pricing.history import histories
from ludens.experiments.runs.run import Run

UNEVEN = Market([2, 1.5, 1], [1, 1, 0.9], price_scale=3, quantity_scale=50)
RNG = np.random.default_rng(0)


def turns(env, seed=0, steps=30):
    """The turns of an environment in which all act at random, with the seat and what its own space shows."""
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)
    for _ in range(steps):
        if not env.agents:
            return
        parallel = not hasattr(env, "agent_selection")
        if not parallel and (env.terminations[env.agent_selection] or env.truncations[env.agent_selection]):
            return
        movers = list(env.agents) if parallel else [env.agent_selection]
        actions = {}
        for seat in movers:
            turn = env.turn(seat)
            yield turn
            if turn.options:
                actions[seat] = int(rng.choice([option.action for option in turn.options]))
            else:
                actions[seat] = float(rng.uniform(*turn.interval))
        env.step(actions if parallel else actions[movers[0]])


@pytest.mark.parametrize(
    ("environment", "options"),
    [
        *((each, {}) for each in environments() if each != "ludens/av_dilemma-v0"),
        ("av_dilemma", {"study": 1}),
        ("trust", {"rounds": 4, "memory": 3}),
        ("sequential_prisoners_dilemma", {"rounds": 3, "memory": 0, "roles": "fixed"}),
        ("trust", {"rounds": 3, "method": "strategy"}),
        ("bertrand", {"memory": 3, "firms": 3}),
        ("bertrand", {"actions": "continuous", "memory": 0}),
        ("bertrand_sequential", {"memory": 4}),
        ("bertrand_sequential", {"actions": "continuous", "firms": 3}),
        (
            "bertrand",
            {"market": Market([2, 1.5, 1], [1, 1, 0.9], price_scale=3, quantity_scale=50).parameters},
        ),
        ("av_adoption", {"memory": 2, "people": 5, "rounds": 4}),
    ],
)
def test_a_learner_observes_in_its_own_environment_what_the_environment_shows(environment, options):
    env = make_env(environment, **options).unwrapped
    for turn in turns(env):
        own = input_of(declaration_of(env, turn.agent))
        assert own.refusal(turn, transfer=False) == ""
        assert np.array_equal(own.vector(turn), turn.observation["observation"])
        if "action_mask" in turn.observation:
            assert np.array_equal(own.mask(turn), turn.observation["action_mask"])


@pytest.mark.parametrize("memory", [0, 1, 2, 5])
@pytest.mark.parametrize(
    ("environment", "options"),
    [("trust", {"rounds": 5}), ("bertrand", {"firms": 3, "periods": 8}), ("bertrand_sequential", {})],
)
def test_the_learners_memory_is_kept_whatever_the_environment_shows(environment, options, memory):
    if environment == "bertrand_sequential" and memory == 0:
        pytest.skip("firms that move in turns see the prices that stand")
    shows, trained = (make_env(environment, memory=k, **options).unwrapped for k in (1, memory))
    for here, there in zip(turns(shows), turns(trained), strict=True):
        own = input_of(declaration_of(trained, here.agent))
        assert np.array_equal(own.vector(here), there.observation["observation"])


@pytest.mark.parametrize("form", ["box", "dict", "rllib"])
def test_an_observation_has_the_form_of_the_training(form):
    seen = []
    env = against("trust", "random", observation=form, protocol="TG5")

    def first(observation):
        seen.append(observation)
        return 0

    policy = CallablePolicy(first, env=env)
    turn = questions(PROTOCOLS["TG5"])["opening"]
    assert policy.decide(turn, RNG).action == 0
    assert env.observation_space.contains(seen[0])


@pytest.mark.parametrize("scale", [1.0, 10.0])
@pytest.mark.parametrize("grid", [None, 15])
def test_a_grid_learner_prices_in_money_and_sees_the_units_of_its_training(tmp_path, scale, grid):
    """Trained on grid indices, it names the price of its point, and never the index."""
    env = against("bertrand", "myopic", periods=6)
    seen = []

    def third(observation):
        seen.append(observation)
        return 3

    run = play_pricing(
        [CallablePolicy(third, env=env), "myopic"],
        periods=6,
        scales=(scale,),
        price_grid=grid,
        path=tmp_path / "run.db",
    )
    point = env.env.options.grid[0, 3]
    assert point == pytest.approx(1.544, abs=1e-3)
    (history,) = histories(run)
    assert history.prices[:, 0] == pytest.approx(np.full(6, scale * point), rel=1e-12)
    # The market of the study has 100 customers: the learner sees what one of its own would have earned.
    env.reset(seed=0)
    there = [env.reset(seed=0)[0], *(env.step(3)[0] for _ in range(5))]
    if grid is not None:  # without one the rival's price lies between two points
        assert np.stack(seen) == pytest.approx(np.stack(there), rel=1e-6)


def test_a_learner_of_any_price_names_it_in_its_own_money(tmp_path):
    env = against("bertrand", "myopic", actions="continuous", periods=4)
    policy = CallablePolicy(lambda observation: np.array([1.6], dtype=np.float32), env=env)
    run = play_pricing([policy, "nash"], periods=4, scales=(3.2,), path=tmp_path / "run.db")
    assert histories(run)[0].prices[:, 0] == pytest.approx(np.full(4, 3.2 * 1.6), rel=1e-6)


def test_a_learner_finds_its_own_price_where_it_stood_in_training():
    market = {"qualities": [2.0, 2.0, 2.0], "costs": [1.0, 1.0, 1.0]}
    trained = input_of(declaration_of(against("bertrand", "nash", seat="firm_1", market=market)))
    env = make_env("bertrand", market=market).unwrapped
    env.reset(seed=0)
    env.step({"firm_0": 0, "firm_1": 5, "firm_2": 9})
    grid = env.options.grid[0]
    for seat, expected in (("firm_0", [5, 0, 9]), ("firm_1", [0, 5, 9]), ("firm_2", [0, 9, 5])):
        assert trained.vector(env.turn(seat))[:3] == pytest.approx(grid[expected])
    # One network for all seats sees what each seat is shown.
    shared = input_of(declaration_of(env))
    assert shared.vector(env.turn("firm_2"))[:3] == pytest.approx(grid[[0, 5, 9]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"price_grid": 9}, "its prices go from 1.42772 to 1.97019 in 15 points, and those on offer"),
        ({"market": {"mu": 0.3}}, "mu is 0.3 there, and 0.25 in its training; set transfer=1"),
        ({"market": {"qualities": [2, 1.5]}}, "qualities is"),
        ({"market": {"qualities": [2, 2, 2]}, "firms": 3}, "3 products of 3 firms there"),
    ],
)
def test_another_market_or_grid_is_refused_before_anything_is_asked(tmp_path, options, message):
    policy = CallablePolicy(lambda observation: 3, env=against("bertrand", "myopic"))
    firms = [policy, *["nash"] * (options.pop("firms", 2) - 1)]
    with pytest.raises(UsageError, match=message):
        play_pricing(firms, periods=2, path=tmp_path / "run.db", **options)
    assert not list(tmp_path.iterdir())


def test_a_transfer_to_another_market_is_asked_for(tmp_path):
    policy = CallablePolicy(lambda observation: 3, env=against("bertrand", "myopic"), transfer=True)
    run = play_pricing(
        [policy, "nash"], periods=2, market={"mu": 0.3}, price_grid=[1.4, 1.5, 1.6], path=tmp_path / "run.db"
    )
    assert histories(run)[0].prices[:, 0].tolist() == [1.5, 1.5]  # the nearest to 1.544


def test_firms_of_one_kind_change_places_where_the_market_allows_it():
    uneven = {"qualities": [2.0, 1.5], "costs": [1.0, 1.0], "demand": "logit"}
    trained = input_of(declaration_of(against("bertrand", "nash", seat="firm_0", market=uneven)))
    same = make_env("bertrand", market=uneven).unwrapped
    same.reset(seed=0)
    assert trained.refusal(same.turn("firm_0"), transfer=False) == ""
    assert "qualities" in trained.refusal(same.turn("firm_1"), transfer=False)
    mirrored = {**uneven, "qualities": [1.5, 2.0]}
    other = make_env("bertrand", market=mirrored).unwrapped
    other.reset(seed=0)
    assert trained.refusal(other.turn("firm_1"), transfer=False) == ""


def test_another_family_role_or_environment_is_refused():
    turn = questions(PROTOCOLS["TG5"])
    first = CallablePolicy(lambda observation: 0, "first", env=against("trust", "random", roles="fixed"))
    assert first.decide(turn["opening"], RNG).action == 0
    late = next(each for node, each in turn.items() if node != "opening")
    with pytest.raises(UsageError, match=f"never the {late.role} in its training; set transfer=1"):
        first.decide(late, RNG)
    anywhere = CallablePolicy(
        lambda observation: 0, env=against("trust", "random", roles="fixed"), transfer=True
    )
    assert anywhere.decide(late, RNG).action == 0
    for other in ("ultimatum", "bertrand", "av_adoption"):
        env = make_env(other).unwrapped
        env.reset(seed=0)
        with pytest.raises(UsageError, match="was trained in ludens/trust-v0, and cannot decide for"):
            first.decide(env.turn(env.possible_agents[0]), RNG)


def test_the_adoption_game_of_the_training_is_kept():
    policy = CallablePolicy(lambda observation: 1, env=against("av_adoption", "random", people=4, memory=2))
    other = make_env("av_adoption", people=5, memory=2).unwrapped
    other.reset(seed=0)
    with pytest.raises(UsageError, match="people is 5 there, and 4"):
        policy.decide(other.turn("owner_0"), RNG)
    shorter = make_env("av_adoption", people=4).unwrapped
    shorter.reset(seed=0)
    with pytest.raises(UsageError, match="have 8 numbers there, and 9"):
        policy.decide(shorter.turn("owner_0"), RNG)


def test_scores_choose_the_best_legal_action_or_draw_by_softmax():
    env = against("av_dilemma", "random", study=1)  # some questions have 2 answers, others 101
    count = int(env.action_space.n)
    scores = np.linspace(0, 5, count)
    policy = CallablePolicy(lambda observation: scores, env=env, scores=True)
    made = make_env("av_dilemma", study=1, rounds=12).unwrapped
    made.reset(seed=0)
    sizes = set()
    for turn in turns(made, steps=12):
        sizes.add(len(turn.options))
        decision = policy.decide(turn, RNG)
        assert decision.action == len(turn.options) - 1
        assert decision.provenance == "exact"
        assert decision.probabilities[-1] == 1.0
    assert len(sizes) > 1
    tree = against("trust", "random")
    drawn = CallablePolicy(lambda observation: np.log([1, 3]), env=tree, scores=True, deterministic=False)
    turn = questions(PROTOCOLS["TG5"])["opening"]
    decisions = [drawn.decide(turn, np.random.default_rng(seed)) for seed in range(400)]
    assert decisions[0].probabilities == pytest.approx((0.25, 0.75))
    assert np.mean([each.action for each in decisions]) == pytest.approx(0.75, abs=0.06)


def test_a_mask_and_a_generator_are_given_to_functions_that_take_them():
    def learner(observation, action_masks, rng):
        return int(rng.choice(np.flatnonzero(action_masks))), None  # a pair, as predict() returns

    env = against("trust", "random")
    policy = CallablePolicy(learner, env=env)
    turn = questions(PROTOCOLS["TG5"])["opening"]
    drawn = [policy.decide(turn, np.random.default_rng(seed)).action for seed in range(20)]
    assert set(drawn) == {0, 1}
    assert drawn == [policy.decide(turn, np.random.default_rng(seed)).action for seed in range(20)]


@pytest.mark.parametrize("wrong", [2, -1, 1.0, "x", None, [0, 1], True])
def test_an_action_that_is_not_legal_is_an_error(wrong):
    policy = CallablePolicy(lambda observation: wrong, "mine", env=against("trust", "random"))
    with pytest.raises(UsageError, match=r"mine returned .* legal are \[0, 1\]"):
        policy.decide(questions(PROTOCOLS["TG5"])["opening"], RNG)


@pytest.mark.parametrize("wrong", [[1.0], [1.0, 2.0, 3.0], [np.nan, 1.0], "x", None])
def test_scores_that_are_not_one_for_each_action_are_an_error(wrong):
    policy = CallablePolicy(lambda observation: wrong, "mine", env=against("trust", "random"), scores=True)
    with pytest.raises(UsageError, match="must be 2 scores"):
        policy.decide(questions(PROTOCOLS["TG5"])["opening"], RNG)


def test_what_was_trained_in_is_named_in_any_way():
    env = against("bertrand", "nash", points=7)
    expected = declaration_of(env)
    assert json.loads(json.dumps(expected)) == expected
    without = {name: value for name, value in expected.items() if name != "seat"}
    parallel = pettingzoo.make("parallel", "ludens/bertrand-v0", points=7, observation="box")
    aec = pettingzoo.make("aec", "ludens/bertrand-v0", points=7, observation="box")
    many = against_many("bertrand", "nash", number=3, points=7)
    for other in (
        expected,
        TimeLimit(env, 5),
        many,
        gymnasium.make("ludens.agents:ludens/Against-v0", env="bertrand", policies="nash", points=7),
    ):
        assert declaration_of(other) == expected
    for other in (parallel, aec, {"id": "bertrand", "points": 7}):
        assert declaration_of(other) == without
        assert declaration_of(other, "firm_0") == expected
    for copied in (pickle.loads(pickle.dumps(env.observation_space)), copy.deepcopy(env.observation_space)):
        assert declared(copied) == expected


def test_an_environment_that_says_nothing_is_refused():
    continuous = RescaleAction(
        against("bertrand", "nash", actions="continuous"), np.float32(-1), np.float32(1)
    )
    for env, what in ((continuous, "actions"), (gymnasium.make("CartPole-v1"), "observations")):
        with pytest.raises(UsageError, match=f"does not say what its {what} mean"):
            CallablePolicy(lambda observation: 0, env=env)
    with pytest.raises(UsageError, match="no environment"):
        CallablePolicy(lambda observation: 0, env="chess")
    with pytest.raises(UsageError, match="no seat 'firm_9'"):
        CallablePolicy(lambda observation: 0, env="bertrand", seat="firm_9")
    with pytest.raises(UsageError, match="belong to numbered actions"):
        CallablePolicy(lambda observation: 0, scores=True)
    with pytest.raises(UsageError, match="lacks 'form'"):
        CallablePolicy(lambda observation: 0, env={"environment": "ludens/trust-v0"})


def test_it_is_played_and_benchmarked_like_any_policy(tmp_path):
    env = against("trust", "tit_for_tat", rounds=3)
    policy = CallablePolicy(lambda observation: np.array([0.0, 1.0]), "learner", env=env, scores=True)
    run = play(("trust", {"rounds": 3}), [policy, "tit_for_tat"], path=tmp_path / "play.db")
    assert {each.decision.action for each in run.decisions() if each.labels["player_0"] == "learner"}
    result = bench([policy], protocols=("TG1", "TG2"), path=tmp_path / "bench.db")
    with Run(result.run_path) as run:
        own = [each.decision for each in run.decisions() if each.labels["policy"] == "learner"]
    assert {each.probabilities for each in own} == {(0.0, 1.0)}
    assert {each.provenance for each in own} == {"exact"}
    with pytest.raises(UsageError, match="cannot decide for"):
        bench([policy], path=tmp_path / "all.db")
    assert not (tmp_path / "all.db").exists()


def test_scores_of_a_learner_are_batched_as_an_opponent():
    learner = CallablePolicy(
        lambda observation: np.array([0.0, 1.0]), env=against("trust", "random"), scores=True
    )
    envs = against_many("trust", learner, number=4)
    assert type(envs).__name__ == "TreeBatch"
    assert make_policy(learner, "trust") is learner
