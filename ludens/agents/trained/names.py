"""The names of policies that other libraries trained and saved.

==========================================  ==========================================================
specification                               policy
==========================================  ==========================================================
``sb3:ppo.zip``                             saved by Stable-Baselines3 or sb3-contrib
``rllib:checkpoint``                        a checkpoint of RLlib, a folder
``torch:actor.pt``                          a module of PyTorch, saved by ``torch.jit.save`` or
                                            ``torch.export.save``
``torch:state.pt,module=nets:Actor``        a state that is loaded into a module of one's own
==========================================  ==========================================================

All take ``env`` (the environment that it was trained in, where the file does not say so), ``seat``,
``deterministic=0`` (draw actions with the probabilities that the policy gives them) and ``transfer=1``, see
`ludens.agents.CallablePolicy`. The libraries are not needed for anything else, and are imported only here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ludens.agents.digests import digest
from ludens.agents.specs import Name, build, parse
from ludens.agents.trained.policy import CallablePolicy
from ludens.errors import LudensError, UsageError

_WORDS = frozenset({"path", "env", "seat", "module"})
NAMES: Mapping[str, Name] = {
    "sb3": Name("ludens.agents.trained.sb3:load", "sb3:ppo.zip", "path", "file", _WORDS),
    "rllib": Name("ludens.agents.trained.rllib:load", "rllib:checkpoint", "path", "folder", _WORDS),
    "torch": Name("ludens.agents.trained.modules:load", "torch:actor.pt", "path", "file", _WORDS),
}
"""What each name means."""

CONTENT = "sha256"
"""The setting that says which content the file had when a run began."""


def load_trained(name: str, head: str, tail: str, settings: Mapping[str, Any]) -> CallablePolicy:
    """Return a policy that another library saved.

    Args:
        name: the whole specification.
        head: the part before its first colon.
        tail: the part after it.
        settings: beside the specification.

    Raises:
        UsageError: there is no such file, it is not what it was when the run began, its library is not
            installed, or it holds no policy that can be used here.
    """
    given = parse(name, tail, NAMES[head]) | dict(settings)
    content = given.pop(CONTENT, None)
    path = given.get("path")
    there = None if path is None else _content(name, str(path))
    if content is not None and there != content:
        raise UsageError(
            f"The policy {name!r} is not the one that the run began with, because its file has changed: put "
            "the file of that time back, or start another run."
        )
    try:
        policy = build(head, NAMES[head], given)
    except LudensError:
        raise
    except Exception as error:  # whatever another library does with a file
        raise UsageError(
            f"The policy {name!r} cannot be loaded ({type(error).__name__}: {' '.join(str(error).split())}): "
            "load it with the library that saved it, in the release that did so."
        ) from error
    assert isinstance(policy, CallablePolicy)
    policy.name = name
    policy.made_from = {"spec": name, **settings, CONTENT: there}
    return policy


def pinned(spec: Any) -> Any:
    """Return a specification together with the content of the file that it names, so that a run goes on with
    the same policy alone; any other specification as it is.

    Args:
        spec: a text, or a mapping with ``spec``.
    """
    settings = dict(spec) if isinstance(spec, Mapping) else {"spec": spec}
    path = path_in(settings.get("spec"))
    if path is None or CONTENT in settings:
        return spec
    try:
        return {**settings, CONTENT: digest(path)}
    except OSError:
        return spec  # which is an error where the policy is made


def path_in(spec: object) -> str | None:
    """Return the file that a specification names; None if it names none."""
    if not isinstance(spec, str):
        return None
    head, _, tail = spec.strip().partition(":")
    if head.strip() not in NAMES or not tail.strip():
        return None
    try:
        path = parse(spec, tail, NAMES[head.strip()]).get("path")
    except UsageError:
        return None
    return None if path is None else str(path)


def moved(spec: str) -> str:
    """Return a specification without the place of its file, by which two of the same content are compared."""
    path = path_in(spec)
    return spec if path is None else spec.replace(path, "", 1)


def missing(name: str, package: str) -> UsageError:
    """Return the error of a library that is not installed.

    Args:
        name: of the policy.
        package: as pip calls it.
    """
    return UsageError(f"The policy {name!r} needs {package}, which is not installed: pip install {package}")


def _content(name: str, path: str) -> str:
    try:
        return digest(path)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UsageError(
            f"The policy {name!r} cannot be read ({why}): name its file as seen from {Path.cwd()}."
        ) from None
