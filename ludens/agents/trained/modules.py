"""Modules of PyTorch as policies: TorchScript, exported programs, states of one's own modules."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from ludens.agents.trained.names import missing
from ludens.agents.trained.origin import declaration_of
from ludens.agents.trained.policy import CallablePolicy
from ludens.errors import UsageError
from ludens.plugins import load_object

DECLARATION = "ludens.json"
"""The extra file in which a saved module says what it was trained in; see `declaration_of`."""


def load(
    path: str,
    *,
    module: str | None = None,
    env: Any = None,
    seat: str | None = None,
    deterministic: bool = True,
    transfer: bool = False,
) -> CallablePolicy:
    """Return a module of PyTorch as a policy.

    The module is given a batch of one observation, float32, and returns one score for each action (of a tuple
    the first), or where actions are prices the price.

    Args:
        path: what ``torch.jit.save``, ``torch.export.save`` or, with `module`, ``torch.save`` of a state
            wrote.
        module: ``module:object``, a module of one's own or what makes one without arguments, into which the
            state is loaded.
        env: what it was trained in, as for `CallablePolicy`; None for what the file says, under the name
            `DECLARATION` among its extra files, or beside the key ``state`` of a state.
        seat: as for `CallablePolicy`.
        deterministic: take the action with the highest score; False draws from the softmax of the scores.
        transfer: as for `CallablePolicy`.

    Raises:
        UsageError: PyTorch is not installed, or the file holds no such module.
    """
    name = f"torch:{path}"
    try:
        import torch
    except ImportError:
        raise missing(name, "torch") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of releases that differ, and of TorchScript's age
        called, said = _state(path, module) if module is not None else _saved(name, path)
    if env is None and not said:
        raise UsageError(
            f"The policy {name!r} does not say what it was trained in: name the environment (env=…), or save "
            f"what declaration_of(env) returns as the extra file {DECLARATION}, in JSON."
        )
    facts = declaration_of(json.loads(said) if env is None else env, seat)

    def outputs(observation: Any) -> Any:
        with torch.no_grad():
            returned = called(_batch(observation))
        first = returned[0] if isinstance(returned, tuple | list) else returned
        return first.detach().cpu().numpy().reshape(-1)

    if facts.get("actions") is None:
        return CallablePolicy(outputs, name, env=facts, transfer=transfer)
    return CallablePolicy(
        outputs, name, env=facts, scores=True, deterministic=bool(deterministic), transfer=transfer
    )


def _saved(name: str, path: str) -> tuple[Any, str]:
    """Return a module that was saved as a whole, and the declaration beside it, empty if there is none.

    Raises:
        UsageError: the file is neither TorchScript nor an exported program.
    """
    import torch

    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        names = []
    extra = {DECLARATION: ""}
    if any("/code/" in each for each in names):
        scripted = torch.jit.load(path, map_location="cpu", _extra_files=extra)
        return scripted.eval(), _text(extra)
    if any(each.endswith("archive_format") for each in names):
        return torch.export.load(path, extra_files=extra).module(), _text(extra)
    raise UsageError(
        f"The policy {name!r} is neither TorchScript nor an exported program: save it so, or name the module "
        "that its state belongs to (module=my_nets:Actor)."
    )


def _state(path: str, reference: str) -> tuple[Any, str]:
    """Return a module of one's own with a state from a file, which may hold a declaration beside it.

    Raises:
        UsageError: there is no such module, or the file holds no state.
    """
    import torch

    thing = load_object(reference)
    module = thing if isinstance(thing, torch.nn.Module) else thing()
    if not isinstance(module, torch.nn.Module):
        raise UsageError(f"{reference!r} gives {type(module).__name__}, which is no module of PyTorch.")
    kept = torch.load(path, map_location="cpu", weights_only=True)
    said = ""
    if isinstance(kept, Mapping) and DECLARATION in kept:
        said, kept = str(kept[DECLARATION]), kept["state"]
    module.load_state_dict(kept)
    return module.eval(), said


def _text(extra: Mapping[str, str | bytes]) -> str:
    said = extra[DECLARATION]
    return said.decode() if isinstance(said, bytes) else said


def _batch(observation: Any) -> Any:
    import torch

    if isinstance(observation, Mapping):
        return {name: _batch(part) for name, part in observation.items()}
    return torch.from_numpy(np.asarray(observation)[None].astype(np.float32))
