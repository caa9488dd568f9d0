"""Many episodes stepped together are as many environments stepped one by one."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from ludens.agents import Decision, Policy, RandomPolicy, against, against_many
from ludens.agents.batch import BatchEnv
from ludens.agents.tree import batch as tree_batch
from ludens.agents.tree.batch import TreeBatch
from ludens.envs import SequentialEnv, expected_payoff, uniform_strategy
from ludens.errors import UsageError
from ludens.testing import games

MODES = [mode.value for mode in AutoresetMode]
FIXED = {"roles": "fixed"}
# Nothing is drawn in these, so that every episode is that of one environment.
SURE = [
    ("trust", "always_cooperate", None, {**FIXED, "rounds": 4}),
    ("trust", "tit_for_tat", None, {**FIXED, "rounds": 4, "memory": 2}),
    ("trust", "tit_for_tat", None, {**FIXED, "rounds": 4, "memory": 0, "observation": "rllib"}),
    ("trust", "always_defect", "player_1", {**FIXED, "rounds": 3}),
    ("trust", "always_defect", "player_1", FIXED),
    ("trust", "homo_moralis:0.5", None, {**FIXED, "rounds": 3, "method": "strategy", "protocol": "TG3"}),
    ("trust", "always_cooperate", "player_1", {**FIXED, "rounds": 3, "method": "strategy"}),
    ("sequential_prisoners_dilemma", "grim", None, {**FIXED, "rounds": 5, "observation": "dict"}),
    ("bertrand", "matching", None, {"periods": 7}),
    ("bertrand", "matching", None, {"periods": 4, "memory": 0}),
    ("bertrand", "grim", "firm_1", {"periods": 7, "firms": 3, "memory": 2, "points": 5}),
    ("bertrand", ["myopic", "matching"], None, {"periods": 5, "firms": 3, "points": 4}),
    ("bertrand", "myopic", None, {"periods": 7, "observation": "dict"}),
    ("bertrand", "nash", None, {"periods": 5, "actions": "continuous"}),
    ("bertrand", "qlearning:points=5,memory=2,beta=0.05", None, {"periods": 5, "points": 5}),
]


def drawn(env, rng, infos):
    """Legal actions of all episodes."""
    space = env.single_action_space
    if hasattr(space, "low"):
        return rng.uniform(1, 2, (env.num_envs, *space.shape)).astype(np.float32)
    if "action_mask" in infos:
        return np.array([rng.choice(np.flatnonzero(mask)) for mask in infos["action_mask"]])
    return rng.integers(space.n, size=env.num_envs)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("environment", "policies", "seat", "options"), SURE)
def test_where_nothing_is_drawn_episodes_are_those_of_single_environments(
    environment, policies, seat, options, mode
):
    count = 4
    batch = against_many(environment, policies, seat, count, autoreset_mode=mode, **options)
    assert isinstance(batch, BatchEnv)
    single = [lambda: against(environment, policies, seat, **options)] * count
    sync = SyncVectorEnv(single, autoreset_mode=mode)
    assert batch.observation_space == sync.observation_space
    assert batch.action_space == sync.action_space
    assert batch.metadata["autoreset_mode"] == sync.metadata["autoreset_mode"]
    rng = np.random.default_rng(0)
    returned = batch.reset(seed=1)
    assert data_equivalence(returned, sync.reset(seed=1))
    for _ in range(20):
        actions = drawn(batch, rng, returned[-1])
        returned = batch.step(actions)
        assert data_equivalence(returned, sync.step(actions))
        if mode == "Disabled" and (returned[2] | returned[3]).all():
            returned = batch.reset()
            assert data_equivalence(returned, sync.reset())
        elif mode == "Disabled" and (returned[2] | returned[3]).any():
            over = returned[2] | returned[3]
            returned = batch.reset(options={"reset_mask": over})
            sync.reset(options={"reset_mask": over})


def returns(batch, episodes_at_least, rng):
    """The returns of whole episodes with actions drawn uniformly from the legal ones."""
    _, infos = batch.reset(seed=0)
    totals, done = np.zeros(batch.num_envs), []
    while len(done) < episodes_at_least:
        masks = infos["action_mask"]
        actions = np.argmax(np.where(masks == 1, rng.random(masks.shape), -1.0), axis=1)
        _, rewards, terminated, truncated, infos = batch.step(actions)
        totals += rewards
        over = terminated | truncated
        done.extend(totals[over].tolist())
        totals[over] = 0.0
    return np.array(done)


@settings(max_examples=25, deadline=None)
@given(
    game=games(), roles=st.sampled_from(["random", "fixed"]), method=st.sampled_from(["direct", "strategy"])
)
def test_any_game_pays_on_average_what_the_strategies_earn(game, roles, method):
    env = SequentialEnv(game, roles=roles, method=method, rounds=2, observation="box")
    batch = TreeBatch(
        env, "player_0", {seat: RandomPolicy() for seat in env.possible_agents[1:]}, 500, "SameStep"
    )
    uniform = uniform_strategy(game)
    role = game.roles[0] if roles == "fixed" else None
    expected = 2 * float(expected_payoff(game, uniform, uniform, role))
    paid = returns(batch, 5000, np.random.default_rng(1))
    # Five standard errors; those whose payoffs never vary are exact.
    assert abs(paid.mean() - expected) <= 5 * paid.std() / np.sqrt(len(paid)) + 1e-9 * (1 + abs(expected))


@pytest.mark.parametrize(
    ("environment", "policy", "options"),
    [
        ("trust", "homo_moralis:0.5", {"rounds": 3}),
        ("trust", "tit_for_tat", {"rounds": 3, "method": "strategy"}),
        ("sequential_prisoners_dilemma", "random", {"rounds": 2, "memory": 2}),
        ("bertrand", "random", {"periods": 4, "points": 3}),
    ],
)
def test_where_something_is_drawn_episodes_have_the_same_distribution(environment, policy, options):
    batch = against_many(environment, policy, number=2000, autoreset_mode="SameStep", **options)
    assert isinstance(batch, BatchEnv)
    together = returns(batch, 4000, np.random.default_rng(0))
    env, rng, alone = against(environment, policy, **options), np.random.default_rng(1), []
    for seed in range(400):
        _, info = env.reset(seed=seed)
        total, over = 0.0, False
        while not over:
            action = int(rng.choice(np.flatnonzero(info["action_mask"])))
            _, reward, terminated, truncated, info = env.step(action)
            total, over = total + reward, terminated or truncated
        alone.append(total)
    alone = np.array(alone)
    error = np.sqrt(together.var() / len(together) + alone.var() / len(alone))
    assert abs(together.mean() - alone.mean()) < 5 * error
    assert together.std() == pytest.approx(alone.std(), rel=0.25)


def test_the_same_seed_gives_the_same_episodes():
    played = []
    for _ in range(2):
        batch = against_many("trust", "random", number=50, rounds=5)
        rng, seen = np.random.default_rng(0), [batch.reset(seed=3)]
        for _ in range(20):
            seen.append(batch.step(drawn(batch, rng, seen[-1][-1])))
        played.append(seen)
    assert data_equivalence(played[0], played[1])
    assert not data_equivalence(
        played[0][0], against_many("trust", "random", number=50, rounds=5).reset(seed=4)
    )


def test_states_that_are_forgotten_are_worked_out_anew(monkeypatch):
    options = {"rounds": 6, "memory": 6, **FIXED}

    def played():
        batch = against_many("sequential_prisoners_dilemma", "tit_for_tat", number=8, **options)
        rng, seen = np.random.default_rng(0), [batch.reset(seed=3)]
        for _ in range(40):
            seen.append(batch.step(drawn(batch, rng, seen[-1][-1])))
        return seen

    expected = played()
    monkeypatch.setattr(tree_batch, "MOST_STATES", 3)
    assert data_equivalence(played(), expected)


class Coin(Policy):
    """It draws, and does not say with what probability."""

    name = "coin"

    def decide(self, turn, rng):
        return Decision(int(rng.integers(len(turn.options))))


@pytest.mark.parametrize(
    ("environment", "policies", "options"),
    [
        ("trust", Coin(), {}),
        ("bertrand", Coin(), {}),
        ("bertrand", "matching", {"actions": "continuous"}),
        ("bertrand", "nash", {"interventions": [{"kind": "CheapTalk"}]}),
        ("bertrand", "qlearning:mode=online", {"points": 15}),
        ("bertrand_sequential", "random", {}),
        ("av_adoption", "random", {}),
    ],
)
def test_other_policies_and_environments_are_stepped_one_by_one(environment, policies, options):
    many = against_many(environment, policies, number=3, autoreset_mode="SameStep", **options)
    assert isinstance(many, SyncVectorEnv)
    many.reset(seed=0)
    assert many.autoreset_mode is AutoresetMode.SAME_STEP


def test_gymnasium_makes_it_by_name():
    made = gymnasium.make_vec(
        "ludens.agents:ludens/Against-v0", num_envs=5, env="trust", policies="tit_for_tat", rounds=3
    )
    assert isinstance(made, TreeBatch)
    assert made.num_envs == 5
    assert made.reset(seed=0)[0].shape == (5, *made.single_observation_space.shape)


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        ([0, 0], "shape"),
        ([0, 0, 0.5], "whole numbers"),
        ([0, 2, 0], "2 is not a legal action of player_0 in episode 1"),
        ([0, 0, -1], "episode 2"),
        (["a", "b", "c"], "whole numbers"),
    ],
)
def test_wrong_actions_change_nothing(actions, said):
    batch, other = (against_many("trust", "tit_for_tat", number=3, **FIXED) for _ in range(2))
    with pytest.raises(UsageError, match=r"reset\(\)"):
        batch.step(np.zeros(3, dtype=int))
    for each in (batch, other):
        each.reset(seed=0)
    with pytest.raises(UsageError, match=said):
        batch.step(np.array(actions))
    assert data_equivalence(batch.step(np.zeros(3, dtype=int)), other.step(np.zeros(3, dtype=int)))


def test_wrong_prices_and_seeds_and_numbers_are_one_sentence():
    batch = against_many("bertrand", "nash", number=2, actions="continuous")
    for seed in (-1, 0.5, "1", [1, 2]):
        with pytest.raises(UsageError, match="seed"):
            batch.reset(seed=seed)
    batch.reset(seed=0)
    with pytest.raises(UsageError, match="episode 1"):
        batch.step(np.array([[1.5], [-1.0]], dtype=np.float32))
    with pytest.raises(UsageError, match="episode 0"):
        batch.step(np.array([[np.nan], [1.0]], dtype=np.float32))
    with pytest.raises(UsageError, match="together"):
        batch.reset(options={"reset_mask": np.array([True, False])})
    for wrong in (0, -1, 1.5, "3"):
        with pytest.raises(UsageError, match="number"):
            against_many("trust", "random", number=wrong)
    with pytest.raises(UsageError, match="autoreset_mode"):
        against_many("trust", "random", autoreset_mode="never")


def test_an_episode_that_is_over_waits_for_its_reset_where_autoreset_is_off():
    batch = against_many("trust", "tit_for_tat", number=2, autoreset_mode="Disabled", **FIXED)
    batch.reset(seed=0)
    batch.step(np.zeros(2, dtype=int))
    with pytest.raises(UsageError, match="2 episodes are over"):
        batch.step(np.zeros(2, dtype=int))
    batch.reset(options={"reset_mask": np.array([True, True])})
    batch.step(np.zeros(2, dtype=int))
