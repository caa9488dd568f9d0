"""Environments of a run, from what users write and from what a run's file says of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias

from pettingzoo import AECEnv, ParallelEnv
from pydantic import BeforeValidator, PlainSerializer

from ludens.envs import SequentialEnv, environments, make_env
from ludens.envs.foreign import as_aec, environment_name, has_turns, no_turns
from ludens.errors import UsageError
from ludens.experiments.study.config import plain_values

Env: TypeAlias = AECEnv[str, Any, Any]
EnvLike: TypeAlias = (
    str | tuple[str, Mapping[str, Any]] | Mapping[str, Any] | Env | ParallelEnv[str, Any, Any]
)
"""An id, an id with options, the same as one mapping (``{"id": …, **options}``), or an environment."""


def _checked(value: object) -> object:
    if isinstance(value, str):
        return {"id": value}
    if isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[1], Mapping):
        return plain_values({**value[1], "id": value[0]})
    if isinstance(value, Mapping) and {"id", "name"} & set(value):
        return plain_values(value)
    if isinstance(value, AECEnv | ParallelEnv):
        return as_aec(value)
    raise ValueError(
        f"An environment is an id, (id, options) or a PettingZoo environment; got {type(value).__name__}."
    )


def described(env: Mapping[str, Any] | Env) -> dict[str, Any]:
    """Return JSON values from which an equal environment can be made; of an object that ludens did not make,
    its name alone.
    """
    if isinstance(env, Mapping):
        return dict(env)
    inner = env.unwrapped
    if not isinstance(inner, SequentialEnv) or inner.environment not in environments():
        return {"name": environment_name(env)}
    game = inner.game
    rules: dict[str, Any] = {"payoffs": list(game.parameters.values())}
    if game.protocol is not None:
        rules = {"protocol": game.protocol}
    options = rules | {"roles": inner.roles, "method": inner.method} | inner.repetition.options
    if inner.max_cycles is not None:
        options["max_cycles"] = inner.max_cycles
    return {"id": inner.environment, **options}


EnvField = Annotated[Any, BeforeValidator(_checked), PlainSerializer(described)]
"""A field of a configuration that holds an environment: a mapping with its ``id`` and options, or an
object.
"""


class EnvironmentMaker:
    """Makes fresh environments of one kind: one per episode that is being played.

    Args:
        env: what an `EnvField` holds; an object is copied, never stepped itself.

    Attributes:
        seats: in the environment's order.
        name: the environment's id.
        protocol: the name of the published parameters, if it has some.
        game: an environment, for policies that are made for its game.

    Raises:
        UsageError: there is no such environment, it lacks ``turn``, or its options are wrong.
    """

    def __init__(self, env: Mapping[str, Any] | Env) -> None:
        self._make = _maker(env)
        first = self._make()
        self._idle = [first]
        self.seats: list[str] = list(first.possible_agents)
        self.game: Env = first
        self.name = str(
            getattr(first.unwrapped, "environment", described(env).get("id") or environment_name(first))
        )
        self.protocol: str | None = getattr(getattr(first.unwrapped, "game", None), "protocol", None)
        if not has_turns(first):
            raise no_turns(self.name)
        if strange := [seat for seat in self.seats if not isinstance(seat, str)]:
            raise UsageError(
                f"A seat of {self.name} is called {strange[0]!r}, and runs name seats by texts: rename the "
                "agents of the environment."
            )

    def take(self) -> Env:
        """Return an environment that nobody uses; reset it first."""
        return self._idle.pop() if self._idle else self._make()

    def give_back(self, env: Env) -> None:
        """Let the next episode use it."""
        self._idle.append(env)


def _maker(env: Mapping[str, Any] | Env) -> Callable[[], Env]:
    if not isinstance(env, Mapping):
        return lambda: copy.deepcopy(env)
    if "id" not in env:
        raise UsageError(
            f"The environment {env['name']!r} was a Python object, which a file cannot describe: go on from "
            "Python with ludens.experiments.resume(path, environment=...)."
        )
    options = {name: value for name, value in env.items() if name != "id"}
    return lambda: make_env(env["id"], **options)
