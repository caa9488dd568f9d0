"""Policies in checkpoints of RLlib."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ludens.agents.trained.names import missing
from ludens.agents.trained.origin import declaration_of, declaration_on
from ludens.agents.trained.policy import CallablePolicy
from ludens.errors import UsageError

# Where the modules lie in a checkpoint of an algorithm.
_MODULES = Path("learner_group") / "learner" / "rl_module"
_CLASS = "class_and_ctor_args.pkl"


def load(
    path: str,
    *,
    module: str | None = None,
    env: Any = None,
    seat: str | None = None,
    deterministic: bool = True,
    transfer: bool = False,
) -> CallablePolicy:
    """Return a policy of RLlib (its new API stack, with PyTorch).

    Connectors that change observations are not applied: train without them, as the forms of observations of
    ludens allow.

    Args:
        path: a checkpoint of an algorithm, or of one module. Loading runs code that stands in it: load
            checkpoints that you trust.
        module: which of its modules, where it has several.
        env: what it was trained in, as for `CallablePolicy`; None for what the checkpoint says.
        seat: as for `CallablePolicy`.
        deterministic: take the action that the policy prefers; False draws with its probabilities.
        transfer: as for `CallablePolicy`.

    Raises:
        UsageError: RLlib is not installed, or the folder holds no such policy.
    """
    name = f"rllib:{path}"
    try:
        from ray.rllib.core.columns import Columns
        from ray.rllib.core.rl_module.rl_module import RLModule
    except ImportError:
        raise missing(name, "ray[rllib]") from None
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = RLModule.from_checkpoint(str(_folder(name, path, module).resolve()))
    made.eval()
    if env is not None:
        facts = declaration_of(env, seat)
    else:
        facts = declaration_on(made.observation_space, made.action_space, named=name, seat=seat)
    if facts.get("actions") is None and not deterministic:
        raise UsageError(
            f"The policy {name!r} names prices, which are not drawn here: leave deterministic=0 out."
        )

    priced = _priced(name, path, made) if facts.get("actions") is None else None

    def outputs(observation: Any) -> Any:
        with torch.no_grad():
            returned = made.forward_inference({Columns.OBS: _batch(observation)})
            if priced is not None:
                return priced(returned)
            return returned[Columns.ACTION_DIST_INPUTS].numpy().reshape(-1)

    if facts.get("actions") is None:
        return CallablePolicy(outputs, name, env=facts, transfer=transfer)
    return CallablePolicy(
        outputs, name, env=facts, scores=True, deterministic=bool(deterministic), transfer=transfer
    )


def _priced(name: str, path: str, made: Any) -> Callable[[Mapping[str, Any]], Any]:
    """Return the function from what a module returns to a price, which the algorithm normalises in training
    unless it was told not to.

    Raises:
        UsageError: the folder is of a module alone, which does not say whether.
    """
    from ray.rllib.core.columns import Columns
    from ray.rllib.utils.spaces.space_utils import clip_action, unsquash_action

    file = Path(path) / _CLASS
    kept = pickle.loads(file.read_bytes()) if (Path(path) / _MODULES).is_dir() else {}
    positional, named = kept.get("ctor_args_and_kwargs", ((), {}))
    config = named.get("config", positional[0] if positional else None)
    if config is None:
        raise UsageError(
            f"The policy {name!r} names prices, and its folder does not say in which units: name the "
            "checkpoint of the whole algorithm."
        )
    asked = config.get if isinstance(config, Mapping) else lambda key: getattr(config, key)
    adapt = unsquash_action if asked("normalize_actions") else clip_action

    def price(returned: Mapping[str, Any]) -> Any:
        actions = returned.get(Columns.ACTIONS)
        if actions is None:
            spread = made.get_inference_action_dist_cls().from_logits(returned[Columns.ACTION_DIST_INPUTS])
            actions = spread.to_deterministic().sample()
        return adapt(actions.numpy()[0], made.action_space)

    return price


def _folder(name: str, path: str, module: str | None) -> Path:
    """Return the folder of one module.

    Raises:
        UsageError: there is none, no such one, or several and none is named.
    """
    folder = Path(path)
    if (folder / _CLASS).is_file() and not any(folder.glob(f"*/{_CLASS}")):
        return folder
    for modules in (folder / _MODULES, folder / "rl_module", folder):
        there = sorted(each.parent.name for each in modules.glob(f"*/{_CLASS}"))
        if module in there or (module is None and len(there) == 1):
            return modules / (module or there[0])
        if there:
            problem = f"no module {module!r}" if module is not None else "several modules"
            raise UsageError(f"The policy {name!r} has {problem}: set module to one of {', '.join(there)}.")
    raise UsageError(
        f"The policy {name!r} is no checkpoint of RLlib's new API stack: name a folder that "
        "Algorithm.save_to_path() wrote."
    )


def _batch(observation: Any) -> Any:
    import torch

    if isinstance(observation, Mapping):
        return {name: _batch(part) for name, part in observation.items()}
    return torch.from_numpy(np.asarray(observation)[None].astype(np.float32))
