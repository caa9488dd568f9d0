"""What a run is made of: environments and policies, from what users write and from what a run's file says."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from pettingzoo import AECEnv

from ludens.agents.policy import Policy
from ludens.agents.registry import make_policy
from ludens.envs import SequentialEnv, environments, make_env
from ludens.errors import UsageError

Env: TypeAlias = AECEnv[str, Any, Any]
EnvLike: TypeAlias = str | tuple[str, Mapping[str, Any]] | Env
PolicyLike: TypeAlias = Policy | str | Mapping[str, Any]
Policies: TypeAlias = PolicyLike | Sequence[PolicyLike] | Mapping[str, PolicyLike]


class EnvironmentMaker:
    """Makes fresh environments of one kind, and says how to make them again."""

    def __init__(self, make: Callable[[], Env], description: Mapping[str, Any]) -> None:
        self.description = dict(description)
        self._make = make
        first = make()
        self._idle = [first]
        self.seats: list[str] = list(first.possible_agents)
        self.name = str(getattr(first.unwrapped, "environment", self.description["id"] or first))
        self.game: Env = first
        self.protocol: str | None = getattr(getattr(first.unwrapped, "game", None), "protocol", None)
        if not callable(getattr(first.unwrapped, "turn", None)):
            raise UsageError(
                f"{self.name} has no turn(agent), from which policies learn what they may know: add it, "
                "as ludens.envs.SequentialEnv does."
            )

    def take(self) -> Env:
        """An environment that nobody uses; reset it first."""
        return self._idle.pop() if self._idle else self._make()

    def give_back(self, env: Env) -> None:
        """Let the next episode use it."""
        self._idle.append(env)


def environment_maker(env: EnvLike) -> EnvironmentMaker:
    """The maker of what `ludens.experiments.play` was given.

    Raises:
        UsageError: there is no such environment, it lacks ``turn``, or its options are wrong.
    """
    if isinstance(env, str):
        env = (env, {})
    if isinstance(env, tuple):
        name, options = env
        return EnvironmentMaker(lambda: make_env(name, **options), {"id": name, "options": dict(options)})
    if not isinstance(env, AECEnv):
        kind = type(env).__name__
        raise UsageError(
            f"An environment is an id, (id, options) or a PettingZoo AEC environment; got {kind}."
        )
    template = env
    return EnvironmentMaker(lambda: copy.deepcopy(template), _description(env))


def _description(env: Env) -> dict[str, Any]:
    inner = env.unwrapped
    if not isinstance(inner, SequentialEnv) or inner.environment not in environments():
        return {"id": None, "options": {}, "name": str(env)}
    game = inner.game
    rules: dict[str, Any] = {"payoffs": list(game.parameters.values())}
    if game.protocol is not None:
        rules = {"protocol": game.protocol}
    options = rules | {"roles": inner.roles, "method": inner.method, "rounds": inner.rounds}
    if inner.max_cycles is not None:
        options["max_cycles"] = inner.max_cycles
    return {"id": inner.environment, "options": options}


def seat_policies(environment: EnvironmentMaker, policies: Policies) -> dict[str, Policy]:
    """The policy of every seat."""
    seats = environment.seats
    if isinstance(policies, Policy | str) or (isinstance(policies, Mapping) and "spec" in policies):
        one = make_policy(policies, environment.game)
        return dict.fromkeys(seats, one)
    if isinstance(policies, Mapping):
        if set(policies) != set(seats):
            raise UsageError(
                f"{environment.name} has the seats {', '.join(seats)}; policies were given for "
                f"{', '.join(map(str, policies)) or 'none'}."
            )
        return {seat: make_policy(policies[seat], environment.game) for seat in seats}
    given = list(policies)
    if len(given) != len(seats):
        raise UsageError(
            f"{environment.name} has {len(seats)} seats ({', '.join(seats)}); {len(given)} policies were "
            "given: name one for each, or one for all."
        )
    return {seat: make_policy(policy, environment.game) for seat, policy in zip(seats, given, strict=True)}


def described_env(description: Mapping[str, Any], path: str | os.PathLike[str]) -> EnvLike:
    """What a run's file says of its environment.

    Raises:
        UsageError: it was a Python object.
    """
    if description["id"] is None:
        raise UsageError(
            f"The environment of {path} was a Python object ({description['name']}): go on from Python with "
            f"ludens.experiments.resume({str(path)!r}, env=...)."
        )
    return description["id"], description["options"]


def described_policies(
    described: Mapping[str, Mapping[str, Any]], path: str | os.PathLike[str]
) -> dict[str, PolicyLike]:
    """What a run's file says of its policies.

    Raises:
        UsageError: one was a Python object.
    """
    for seat, description in described.items():
        if "spec" not in description:
            raise UsageError(
                f"The policy {description.get('name')!r} of {seat} in {path} was a Python object: go on from "
                f"Python with ludens.experiments.resume({str(path)!r}, policies=...)."
            )
    return dict(described)
