"""Policies of Stable-Baselines3 and sb3-contrib play by the file that they were saved in."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from typer.testing import CliRunner

from ludens.agents import against, make_policy
from ludens.cli import app
from ludens.envs import PROTOCOLS
from ludens.envs.tree.questions import questions
from ludens.errors import UsageError
from ludens.experiments import bench
from ludens.experiments.pricing import play_pricing
from ludens.experiments.pricing.history import histories

WHY = "is not installed: only policies saved by it need it"
sb3 = pytest.importorskip("stable_baselines3", reason=f"stable-baselines3 {WHY}")
RNG = np.random.default_rng(0)
pytestmark = pytest.mark.filterwarnings("ignore")  # these libraries warn of their own futures

SHORT = {"n_steps": 32}
OFF_POLICY = {"learning_starts": 16}


def contrib(name):
    return getattr(pytest.importorskip("sb3_contrib", reason=f"sb3-contrib {WHY}"), name)


def trained(algorithm, env, path, network="MlpPolicy", **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = algorithm(network, env, seed=0, **settings).learn(32)
    model.save(path)
    return model


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        ("PPO", SHORT),
        ("A2C", {}),
        ("DQN", OFF_POLICY),
        ("TRPO", SHORT),
        ("MaskablePPO", SHORT),
        ("QRDQN", OFF_POLICY),
    ],
)
def test_the_algorithm_is_read_from_the_file_and_plays_as_in_its_library(tmp_path, algorithm, settings):
    kind = getattr(sb3, algorithm, None) or contrib(algorithm)
    env = against("bertrand", "myopic", periods=5)
    model = trained(kind, env, tmp_path / "learner.zip", **settings)
    policy = make_policy(f"sb3:{tmp_path / 'learner.zip'}", "bertrand")
    observation, _ = env.reset(seed=0)
    for _ in range(5):
        expected = int(model.predict(observation, deterministic=True)[0])
        turn = env.env.turn("firm_0")
        assert policy.decide(turn, RNG).action == expected
        observation, *_ = env.step(expected)
    run = play_pricing([f"sb3:{tmp_path / 'learner.zip'}", "myopic"], periods=3, path=tmp_path / "run.db")
    assert np.isin(histories(run)[0].prices[:, 0], env.env.options.grid[0]).all()


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        ("SAC", OFF_POLICY),
        ("TD3", OFF_POLICY),
        ("DDPG", OFF_POLICY),
        ("PPO", SHORT),
        ("TQC", OFF_POLICY),
        ("CrossQ", OFF_POLICY),
    ],
)
def test_learners_of_any_price_name_theirs(tmp_path, algorithm, settings):
    kind = getattr(sb3, algorithm, None) or contrib(algorithm)
    env = against("bertrand", "myopic", periods=5, actions="continuous")
    model = trained(kind, env, tmp_path / "learner.zip", **settings)
    run = play_pricing(
        [f"sb3:{tmp_path / 'learner.zip'}", "nash"], periods=2, scales=(2.0,), path=tmp_path / "run.db"
    )
    observation, _ = env.reset(seed=0)
    price = float(model.predict(observation, deterministic=True)[0][0])
    assert histories(run)[0].prices[0, 0] == pytest.approx(2 * price, rel=1e-6)


def test_probabilities_are_those_of_the_learner(tmp_path):
    import torch

    env = against("trust", "random", protocol="TG5")
    model = trained(sb3.PPO, env, tmp_path / "ppo.zip", **SHORT)
    turn = questions(PROTOCOLS["TG5"])["opening"]
    drawn = make_policy(f"sb3:{tmp_path / 'ppo.zip'},deterministic=0")
    decision = drawn.decide(turn, RNG)
    with torch.no_grad():
        tensor, _ = model.policy.obs_to_tensor(turn.observation["observation"])
        expected = model.policy.get_distribution(tensor).distribution.probs.numpy()[0]
    assert decision.probabilities == pytest.approx(tuple(expected.tolist()), abs=1e-6)
    greedy = make_policy(f"sb3:{tmp_path / 'ppo.zip'}").decide(turn, RNG)
    assert greedy.action == int(np.argmax(expected))
    assert sorted(greedy.probabilities) == [0.0, 1.0]


def test_prices_are_drawn_from_the_generator_of_the_turn(tmp_path):
    env = against("bertrand", "nash", actions="continuous")
    trained(sb3.PPO, env, tmp_path / "ppo.zip", **SHORT)
    policy = make_policy(f"sb3:{tmp_path / 'ppo.zip'},deterministic=0", "bertrand")
    env.reset(seed=0)
    turn = env.env.turn("firm_0")
    once, again = (
        [policy.decide(turn, np.random.default_rng(seed)).action for seed in range(5)] for _ in range(2)
    )
    assert once == again
    assert len(set(once)) > 1


def test_masks_of_questions_are_kept(tmp_path):
    env = against("av_dilemma", "random", study=1)  # some questions have 2 answers, others 101
    trained(contrib("MaskablePPO"), env, tmp_path / "masked.zip", **SHORT)
    policy = make_policy(f"sb3:{tmp_path / 'masked.zip'},deterministic=0", "av_dilemma")
    env.reset(seed=0)
    for seed in range(10):
        turn = env.env.turn("respondent_0")
        decision = policy.decide(turn, np.random.default_rng(seed))
        assert decision.action in [option.action for option in turn.options]
        assert sum(decision.probabilities) == pytest.approx(1)
        _, _, terminated, truncated, _ = env.step(decision.action)
        if terminated or truncated:
            env.reset()


def test_observations_that_are_dicts_are_kept(tmp_path):
    env = against("trust", "random", observation="dict", rounds=3, memory=2)
    model = trained(sb3.PPO, env, tmp_path / "ppo.zip", "MultiInputPolicy", **SHORT)
    policy = make_policy(f"sb3:{tmp_path / 'ppo.zip'}")
    observation, _ = env.reset(seed=0)
    turn = env.env.turn(env.seat)
    assert policy.decide(turn, RNG).action == int(model.predict(observation, deterministic=True)[0])


def test_it_is_benchmarked_and_priced_from_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained(sb3.PPO, against("trust", "tit_for_tat"), "trust.zip", **SHORT)
    trained(sb3.DQN, against("bertrand", "myopic"), "dqn.zip", **OFF_POLICY)
    for arguments in (
        ["bench", "sb3:trust.zip", "--protocols", "TG1,TG5", "--out", "bench.db"],
        ["price", "--firms", "sb3:dqn.zip,myopic", "--periods", "3", "--out", "price.db"],
        ["extend", "price.db", "runs=2"],
        ["resume", "price.db"],
        ["play", "trust", "-p", "sb3:trust.zip", "--out", "play.db"],
    ):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
    trained(sb3.DQN, against("bertrand", "nash"), "dqn.zip", **OFF_POLICY, learning_rate=0.5)
    done = CliRunner().invoke(app, ["extend", "price.db", "runs=3"])
    assert done.exit_code == 2
    assert "is not the one that the run began with" in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("algorithm", "more", "message"),
    [
        ("DQN", ",deterministic=0", "values actions and has no probabilities"),
        ("PPO", ",alpha=1", "no setting 'alpha'"),
        ("PPO", ",env=trust", "was trained in ludens/trust-v0, and cannot decide"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(tmp_path, algorithm, more, message):
    env = against("bertrand", "myopic")
    trained(getattr(sb3, algorithm), env, tmp_path / "a.zip", **(SHORT if algorithm == "PPO" else OFF_POLICY))
    env.reset(seed=0)
    with pytest.raises(UsageError, match=message):
        make_policy(f"sb3:{tmp_path / 'a.zip'}{more}", "bertrand").decide(env.env.turn("firm_0"), RNG)


def test_a_learner_behind_a_wrapper_does_not_say_what_it_saw(tmp_path):
    from gymnasium.wrappers import NormalizeObservation

    trained(sb3.PPO, NormalizeObservation(against("trust", "random")), tmp_path / "ppo.zip", **SHORT)
    with pytest.raises(UsageError, match="does not say what its observations mean"):
        make_policy(f"sb3:{tmp_path / 'ppo.zip'}")


def test_a_recurrent_learner_is_refused(tmp_path):
    trained(contrib("RecurrentPPO"), against("trust", "random"), tmp_path / "a.zip", "MlpLstmPolicy", **SHORT)
    with pytest.raises(UsageError, match="is recurrent, and remembers more than a turn shows"):
        make_policy(f"sb3:{tmp_path / 'a.zip'}")


def test_a_predict_function_is_a_policy_itself(tmp_path):
    from ludens.agents import CallablePolicy

    env = against("trust", "tit_for_tat")
    model = trained(sb3.PPO, env, tmp_path / "ppo.zip", **SHORT)
    policy = CallablePolicy(lambda seen: model.predict(seen, deterministic=True), "ppo", env=env)
    assert bench([policy], protocols=["TG1"], path=tmp_path / "run.db").models == ("ppo",)
