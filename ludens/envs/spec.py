"""An environment that is no game tree: what lists show of it, and how its PettingZoo faces are registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pettingzoo import AECEnv, ParallelEnv, aec_registry, parallel_registry
from pettingzoo import register as register_api
from pettingzoo.utils.conversions import parallel_to_aec

from ludens.errors import UsageError
from ludens.plugins import load_object


@dataclass(frozen=True)
class EnvSpec:
    """An environment as lists show it.

    Attributes:
        environment: its id.
        title, source: for people.
        roles: the parts that its seats may play.
        options: the names of what it can be made with.
        entry: the class of its Parallel API, as ``module:name``, which is loaded when the first one is made;
            None where the API is registered in another way.
    """

    environment: str
    title: str
    source: str
    roles: tuple[str, ...]
    options: tuple[str, ...]
    entry: str | None = None

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


def register_parallel(spec: EnvSpec) -> None:
    """Add an environment whose seats all move at once. Doing it twice changes nothing.

    Its AEC API is PettingZoo's own conversion, where a round is played when the last seat has moved. Both
    report unknown options in one sentence.

    Args:
        spec: with its entry.
    """
    register(spec.environment, parallel=partial(parallel_of, spec), aec=partial(aec_of, spec))


def parallel_of(spec: EnvSpec, **options: Any) -> ParallelEnv[str, Any, Any]:
    """Return a new environment with the Parallel API.

    Raises:
        UsageError: an option is unknown or wrong, or the environment cannot be loaded.
    """
    known = spec.known(options)
    environment: ParallelEnv[str, Any, Any] = load_object(str(spec.entry))(**known)
    return environment


def aec_of(spec: EnvSpec, **options: Any) -> AECEnv[str, Any, Any]:
    """Return a new environment with the AEC API.

    Raises:
        UsageError: as `parallel_of`.
    """
    environment: AECEnv[str, Any, Any] = parallel_to_aec(parallel_of(spec, **options))
    return environment
