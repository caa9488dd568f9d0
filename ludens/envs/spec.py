"""Environments as lists show them, and their registration with both of PettingZoo's APIs.

Importing this module loads no environment: each is loaded when it is first made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pettingzoo import AECEnv, ParallelEnv, aec_registry, parallel_registry
from pettingzoo import register as register_api
from pettingzoo.utils.conversions import parallel_to_aec

from ludens.envs.base import OneAtATime
from ludens.errors import UsageError
from ludens.plugins import load_object


@dataclass(frozen=True)
class EnvSpec:
    """An environment as lists show it.

    Attributes:
        environment: its id.
        title, source: for people.
        roles: the parts that its seats may play.
        options: the names of the arguments that it can be made with.
        entry: its class, with either API, as ``module:name``; it is loaded when the first one is made.
    """

    environment: str
    title: str
    source: str
    roles: tuple[str, ...]
    options: tuple[str, ...]
    entry: str

    def make(self, **options: Any) -> Any:
        """Return a new environment, with the API that its class has.

        Raises:
            UsageError: an option is unknown or wrong, or the environment cannot be loaded.
        """
        unknown = set(options) - set(self.options)
        if unknown:
            raise UsageError(
                f"{self.environment} has no option {min(unknown)!r}; it has {', '.join(self.options)}."
            )
        return load_object(self.entry)(**options)


def register(environment: str, make: Callable[..., Any]) -> None:
    """Add an environment to both PettingZoo registries. Doing it twice changes nothing.

    Args:
        environment: its id.
        make: makes it, with either API; the other one is a conversion. Where all seats move at once, the AEC
            API is PettingZoo's own conversion, in which a round is played when the last seat has moved. Where
            seats move in turns, the Parallel API is `OneAtATime`.
    """
    if environment not in parallel_registry:
        register_api("parallel", environment, partial(_parallel, make))
    if environment not in aec_registry:
        register_api("aec", environment, partial(_aec, make))


def _parallel(make: Callable[..., Any], **options: Any) -> ParallelEnv[str, Any, Any]:
    made = make(**options)
    parallel: ParallelEnv[str, Any, Any] = made if isinstance(made, ParallelEnv) else OneAtATime(made)
    return parallel


def _aec(make: Callable[..., Any], **options: Any) -> AECEnv[str, Any, Any]:
    made = make(**options)
    aec: AECEnv[str, Any, Any] = parallel_to_aec(made) if isinstance(made, ParallelEnv) else made
    return aec
