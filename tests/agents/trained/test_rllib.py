"""Policies in checkpoints of RLlib play by their folder; each is trained and used in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

from ludens.agents import make_policy
from ludens.errors import UsageError

TRAIN = """
import sys
from ray.rllib.algorithms.ppo import PPOConfig
from ray.tune.registry import register_env
from ludens.agents import against

register_env("seat", lambda _: against("bertrand", "myopic", periods=20, **OPTIONS))
config = (
    PPOConfig()
    .environment("seat")
    .env_runners(num_env_runners=0)
    .training(train_batch_size=40, minibatch_size=20, num_epochs=1)
    .debugging(seed=0)
)
"""
SHARED = """
import pettingzoo
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModuleSpec
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.rllib.examples.rl_modules.classes.action_masking_rlm import ActionMaskingTorchRLModule
import ludens.envs

register_env(
    "market",
    lambda _: ParallelPettingZooEnv(
        pettingzoo.make("parallel", "ludens/bertrand-v0", observation="rllib", periods=20)
    ),
)
module = RLModuleSpec(module_class=ActionMaskingTorchRLModule, model_config={"fcnet_hiddens": [16]})
config = (
    config.environment("market")
    .multi_agent(policies={"firm"}, policy_mapping_fn=lambda *_, **__: "firm")
    .rl_module(rl_module_spec=MultiRLModuleSpec(rl_module_specs={"firm": module}))
)
"""
USE = """
import json
from pathlib import Path
algorithm = config.build_algo()
algorithm.train()
algorithm.save_to_path(str(Path("checkpoint").resolve()))
from ludens.agents import make_policy
from ludens.experiments.pricing import play_pricing
from ludens.experiments.pricing.history import histories

env = against("bertrand", "myopic", periods=20, **OPTIONS)
observation, _ = env.reset(seed=0)
turn = env.env.turn("firm_0")
policy = make_policy("rllib:checkpoint", "bertrand")
run = play_pricing(["rllib:checkpoint", "myopic"], periods=2, path="run.db")
print(json.dumps({
    "action": policy.decide(turn, None).action,
    "seat": policy.declaration.get("seat"),
    "prices": histories(run)[0].prices[:, 0].tolist(),
    "grid": policy.declaration["grid"],
    "low": float(env.action_space.low[0]) if OPTIONS else 0.0,
    "high": float(env.action_space.high[0]) if OPTIONS else 0.0,
}))
"""


@pytest.mark.parametrize("kind", ["grid", "any price", "one network for all"])
def test_a_checkpoint_prices(tmp_path, kind):
    missing = [name for name in ("ray", "torch") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed: only checkpoints of RLlib need it")
    options = {"actions": "continuous"} if kind == "any price" else {}
    program = f"OPTIONS = {options!r}\n{TRAIN}{SHARED if kind == 'one network for all' else ''}{USE}"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.strip().splitlines()[-1])
    assert result["seat"] == (None if kind == "one network for all" else "firm_0")
    if kind == "any price":
        assert result["low"] < result["action"] < result["high"]
        # Its outputs are near 0 after so few steps, which is the middle of the prices.
        middle = (result["low"] + result["high"]) / 2
        assert result["prices"][0] == pytest.approx(middle, rel=0.5)
    else:
        assert all(price in result["grid"][0] for price in result["prices"])


def test_a_folder_that_is_no_checkpoint_is_one_sentence(tmp_path):
    pytest.importorskip("ray", reason="ray is not installed: only checkpoints of RLlib need it")
    for folder, message in (("nothing", "cannot be read"), ("", "no checkpoint of RLlib's new API stack")):
        with pytest.raises(UsageError, match=message):
            make_policy(f"rllib:{tmp_path / folder}", "bertrand")
    for name in ("one", "two"):
        (tmp_path / "learner_group" / "learner" / "rl_module" / name).mkdir(parents=True)
        (tmp_path / "learner_group" / "learner" / "rl_module" / name / "class_and_ctor_args.pkl").touch()
    with pytest.raises(UsageError, match="several modules: set module to one of one, two"):
        make_policy(f"rllib:{tmp_path}", "bertrand")
    with pytest.raises(UsageError, match="no module 'three'"):
        make_policy(f"rllib:{tmp_path},module=three", "bertrand")
