"""Policies that Stable-Baselines3 and sb3-contrib saved."""

from __future__ import annotations

import json
import warnings
import zipfile
from importlib import import_module
from typing import Any

import numpy as np

from ludens.agents.trained.names import missing
from ludens.agents.trained.origin import declaration_of, declaration_on
from ludens.agents.trained.policy import CallablePolicy
from ludens.errors import UsageError

# The algorithm by the module of its policies; where several have the same, by a setting of theirs.
_BY_MODULE = {
    "sb3_contrib.common.maskable": "MaskablePPO",
    "sb3_contrib.common.recurrent": "RecurrentPPO",
    "stable_baselines3.dqn": "DQN",
    "stable_baselines3.sac": "SAC",
    "stable_baselines3.td3": "TD3",  # and DDPG, whose policies they are
    "sb3_contrib.qrdqn": "QRDQN",
    "sb3_contrib.tqc": "TQC",
    "sb3_contrib.crossq": "CrossQ",
    "sb3_contrib.ars": "ARS",
}
_BY_SETTING = {"clip_range": "PPO", "cg_max_steps": "TRPO", "gae_lambda": "A2C"}
_CONTRIB = frozenset({"MaskablePPO", "QRDQN", "TQC", "TRPO", "CrossQ", "ARS"})
# What learning alone needs: neither kept schedules nor room for millions of steps.
_LEFT_OUT = {
    "buffer_size": 1,
    "learning_rate": 0.0,
    "lr_schedule": None,
    "clip_range": 0.0,
    "_last_obs": None,
}


def load(
    path: str,
    *,
    env: Any = None,
    seat: str | None = None,
    deterministic: bool = True,
    transfer: bool = False,
) -> CallablePolicy:
    """Return a policy of Stable-Baselines3 or sb3-contrib.

    Args:
        path: what ``save`` wrote. Loading runs code that stands in the file: load files that you trust.
        env: what it was trained in, as for `CallablePolicy`; None for what the file says.
        seat: as for `CallablePolicy`.
        deterministic: take the action that the policy prefers; False draws with its probabilities.
        transfer: as for `CallablePolicy`.

    Raises:
        UsageError: the library is not installed, or the file holds no policy that can be used here.
    """
    name = f"sb3:{path}"
    algorithm = _algorithm(name, path)
    package = "sb3-contrib" if algorithm in _CONTRIB else "stable-baselines3"
    try:
        library = import_module(package.replace("-", "_"))
    except ImportError:
        raise missing(name, package) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of releases that differ
        model = getattr(library, algorithm).load(path, device="cpu", custom_objects=_LEFT_OUT)
    model.policy.set_training_mode(False)
    if env is not None:
        facts = declaration_of(env, seat)
    else:
        facts = declaration_on(model.observation_space, model.action_space, named=name, seat=seat)
    scores = None if facts.get("actions") is None else _scores(model, algorithm)
    if scores is None or (not deterministic and algorithm in {"DQN", "QRDQN"}):
        if not deterministic and scores is not None:
            raise UsageError(
                f"A {algorithm} values actions and has no probabilities: leave deterministic=0 out."
            )
        return CallablePolicy(_predict(model, bool(deterministic)), name, env=facts, transfer=transfer)
    return CallablePolicy(
        scores, name, env=facts, scores=True, deterministic=bool(deterministic), transfer=transfer
    )


def _algorithm(name: str, path: str) -> str:
    """Return the algorithm that saved a file, from what stands in it as plain JSON; nothing in it is run.

    Raises:
        UsageError: it is no such file, or of an algorithm that cannot be used here.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            data = json.loads(archive.read("data"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        raise UsageError(
            f"The policy {name!r} cannot be read, because its file is not what save() of Stable-Baselines3 "
            "writes: name such a file."
        ) from None
    module = str((data.get("policy_class") or {}).get("__module__", ""))
    found = next((each for start, each in _BY_MODULE.items() if module.startswith(start)), None)
    found = found or next((each for setting, each in _BY_SETTING.items() if setting in data), None)
    if found is None:
        raise UsageError(f"The policy {name!r} is of an algorithm that is not known here ({module}).")
    if found == "RecurrentPPO":
        raise UsageError(
            f"The policy {name!r} is recurrent, and remembers more than a turn shows: train one that "
            "observes the past instead (memory=…)."
        )
    return found


def _scores(model: Any, algorithm: str) -> Any:
    """Return the function from an observation to a score for each action; None where there is none.

    The softmax of the scores of a stochastic policy are its probabilities.
    """
    import torch

    policy = model.policy

    def scores(observation: Any) -> Any:
        tensor, _ = policy.obs_to_tensor(observation)
        with torch.no_grad():
            return measure(tensor).cpu().numpy().reshape(-1)

    if algorithm == "DQN":
        measure = policy.q_net
    elif algorithm == "QRDQN":
        measure = lambda tensor: policy.quantile_net(tensor).mean(dim=1)  # noqa: E731  # as short as the others
    elif hasattr(policy, "get_distribution"):
        measure = lambda tensor: policy.get_distribution(tensor).distribution.logits  # noqa: E731
    else:
        return None
    return scores


def _predict(model: Any, deterministic: bool) -> Any:
    """Return the library's own function from an observation to an action; its chance comes from a
    generator.
    """
    import torch

    def predict(observation: Any, rng: np.random.Generator) -> Any:
        if deterministic:
            return model.predict(observation, deterministic=True)[0]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**63)))
            return model.predict(observation, deterministic=False)[0]

    return predict
