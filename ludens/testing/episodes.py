"""Helpers of the conformance tests: play environments to the end and record what is observed."""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

# PettingZoo's recommendations that observations with a mask cannot follow; any other warning fails the test.
_EXPECTED_WARNINGS = (
    "Observation is not a NumPy array",
    "Observation space for each agent probably should be",
)
_TOO_LONG = 2000


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence output, and turn every unexpected warning into an error."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("error")
        for message in _EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        yield


def pettingzoo_test(name: str) -> Callable[..., None]:
    """Return one of PettingZoo's tests.

    Importing them loads environments that warn that they are deprecated.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        test: Callable[..., None] = getattr(importlib.import_module("pettingzoo.test"), name)
    return test


def is_moving(env: Any) -> bool:
    """Return whether the selected seat has a move to make."""
    agent = env.agent_selection
    return bool(env.agents) and not (env.terminations[agent] or env.truncations[agent])


def mask_of(observation: Any, info: Any) -> Any:
    """Return the action mask in an observation or else in the info, or None."""
    mask = observation.get("action_mask") if isinstance(observation, dict) else None
    return info.get("action_mask") if mask is None else mask


def vector_of(observation: Any) -> Any:
    """Return the vector in an observation, or its space in those of the parts."""
    if not isinstance(observation, dict):
        return observation
    return observation["observations" if "observations" in observation else "observation"]


def mask_now(env: Any) -> Any:
    """Return the action mask of the selected seat, or None."""
    agent = env.agent_selection
    return mask_of(env.observe(agent), env.infos[agent])


def check_types(space: Any, observation: Any, reward: Any, flags: list[Any], info: Any) -> None:
    """Assert that the values returned to one seat have the types that learners rely on."""
    assert space.contains(observation)
    parts = observation if isinstance(observation, dict) else {"observation": observation}
    assert all(
        part.dtype in {np.dtype(np.float32), np.dtype(np.int64), np.dtype(np.int8)} for part in parts.values()
    )
    mask = mask_of(observation, info)
    assert mask is None or mask.dtype == np.int8
    assert type(reward) is float
    assert all(type(flag) is bool for flag in flags)
    assert type(info) is dict


def turn_of(env: Any) -> Any:
    """Return the turn of the seat to play."""
    return env.unwrapped.turn(env.agent_selection)


def lowest_action(space: Any) -> Any:
    """Return the first action of a space: 0, or its lower bounds."""
    return space.low.copy() if hasattr(space, "low") else 0


def first_legal(env: Any) -> Any:
    """Return the first legal action; None for a seat that is done."""
    if not is_moving(env):
        return None
    mask = mask_now(env)
    return lowest_action(env.action_space(env.agent_selection)) if mask is None else int(np.argmax(mask))


def drawing_from(rng: np.random.Generator) -> Callable[[Any], Any]:
    """Return a function that draws legal actions from `rng`."""

    def choose(env: Any) -> Any:
        if not is_moving(env):
            return None
        mask, space = mask_now(env), env.action_space(env.agent_selection)
        if mask is not None:
            return int(rng.choice(np.flatnonzero(mask)))
        if hasattr(space, "low"):
            return rng.uniform(space.low, space.high).astype(space.dtype)
        return int(rng.integers(space.n))

    return choose


def look(env: Any) -> tuple[Any, ...]:
    """Return the public state of an environment."""
    return (
        env.agent_selection,
        env.last(),
        tuple(env.agents),
        dict(env.rewards),
        dict(env.terminations),
        dict(env.truncations),
    )


def rest(env: Any, choose: Callable[[Any], Any] | None = None) -> tuple[Any, ...]:
    """Play to the end of the episode, and return the public states on the way."""
    choose = choose or first_legal
    seen: list[tuple[Any, ...]] = []
    while env.agents and len(seen) < _TOO_LONG:
        seen.append(look(env))
        env.step(choose(env))
    return tuple(seen)


def episode(env: Any, seed: int | None, choose: Callable[[Any], Any] | None = None) -> tuple[Any, ...]:
    """Play an episode and return its public states; without `choose`, actions are drawn from the seed."""
    env.reset(seed=seed)
    return rest(env, choose or drawing_from(np.random.default_rng(seed)))


def count_moves(env: Any, seed: int) -> int:
    """Return the number of moves in an episode."""
    env.reset(seed=seed)
    count = 0
    while is_moving(env) and count < _TOO_LONG:
        env.step(first_legal(env))
        count += 1
    return count


def parallel_episode(env: Any, seed: int, after: Callable[[Any], None] | None = None) -> list[Any]:
    """Play an episode and return copies of all returned values; `after` is called on the originals."""
    returned: list[Any] = [env.reset(seed=seed)]
    seen = copy.deepcopy(returned)
    while env.agents and len(seen) < _TOO_LONG:
        observations, infos = seen[-1][0], seen[-1][-1]
        if after:
            for part in returned[-1]:
                after(part)
        actions = {}
        for agent in env.agents:
            mask = mask_of(observations[agent], infos[agent])
            actions[agent] = lowest_action(env.action_space(agent)) if mask is None else int(np.argmax(mask))
        returned.append(env.step(actions))
        seen.append(copy.deepcopy(returned[-1]))
    return seen


def spoil(value: Any) -> None:
    """Overwrite every array and dictionary in a value, nested ones included."""
    if isinstance(value, np.ndarray):
        value[...] = 7
    elif isinstance(value, dict):
        for part in value.values():
            spoil(part)
        value["__all__"] = "spoilt"
