"""An environment that is no game tree: what lists show of it, and how its PettingZoo faces are registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from pettingzoo import AECEnv, ParallelEnv, aec_registry, parallel_registry
from pettingzoo import register as register_api
from pettingzoo.utils.conversions import parallel_to_aec

from ludens.errors import UsageError


@dataclass(frozen=True)
class EnvSpec:
    """An environment as lists show it.

    Attributes:
        environment: its id.
        title, source: for people.
        roles: the parts that its seats may play.
        options: the names of what it can be made with.
    """

    environment: str
    title: str
    source: str
    roles: tuple[str, ...]
    options: tuple[str, ...]

    def known(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options as they are, if the environment has them all.

        Raises:
            UsageError: it lacks one.
        """
        unknown = set(options) - set(self.options)
        if unknown:
            raise UsageError(
                f"{self.environment} has no option {min(unknown)!r}; it has {', '.join(self.options)}."
            )
        return options


def register(
    environment: str,
    *,
    parallel: Callable[..., ParallelEnv[str, Any, Any]],
    aec: Callable[..., AECEnv[str, Any, Any]],
) -> None:
    """Add both PettingZoo faces of an environment to the registries. Doing it twice changes nothing.

    Args:
        environment: its id.
        parallel: makes the parallel face.
        aec: makes the other.
    """
    if environment not in parallel_registry:
        register_api("parallel", environment, parallel)
    if environment not in aec_registry:
        register_api("aec", environment, aec)


def register_parallel(kind: EnvSpec, entry: str) -> None:
    """Add an environment whose seats all move at once. Doing it twice changes nothing.

    Its other face is PettingZoo's own conversion, where a round is played when the last seat has moved.
    Either face tells of unknown options in one sentence.

    Args:
        kind: what it is.
        entry: its class, as ``module:name``; it is loaded when one is first made.
    """
    register(kind.environment, parallel=partial(_parallel, kind, entry), aec=partial(_aec, kind, entry))


def _parallel(kind: EnvSpec, entry: str, **options: Any) -> ParallelEnv[str, Any, Any]:
    known = kind.known(options)
    module, _, name = entry.partition(":")
    environment: ParallelEnv[str, Any, Any] = getattr(import_module(module), name)(**known)
    return environment


def _aec(kind: EnvSpec, entry: str, **options: Any) -> AECEnv[str, Any, Any]:
    environment: AECEnv[str, Any, Any] = parallel_to_aec(_parallel(kind, entry, **options))
    return environment
