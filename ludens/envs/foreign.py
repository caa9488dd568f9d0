"""Environments of anybody's, in whatever wrappers, as policies see them: seat by seat, in turns.

An environment of another library needs one method, ``turn(agent)``, to be played by the policies of ludens.
`numbered_turn` makes the turn of a seat whose actions are numbered, `with_turns` adds it to an environment::

    env = with_turns(connect_four_v3.env(), lambda env, agent: numbered_turn(env, agent, names="ABCDEFG"))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from gymnasium.spaces import Discrete
from numpy.typing import NDArray
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils import BaseParallelWrapper, BaseWrapper
from pettingzoo.utils.conversions import parallel_to_aec, turn_based_aec_to_parallel_wrapper

from ludens.envs.turn import Option, Turn
from ludens.errors import UsageError

Env: TypeAlias = AECEnv[str, Any, Any] | ParallelEnv[str, Any, Any]
TurnFunction: TypeAlias = Callable[[Any, str], Turn]
"""A function from an environment and a seat that is to move to all that the seat may know."""


@dataclass(frozen=True)
class NamedGame:
    """A game of which ludens knows the name and the seats, and not the rules.

    Attributes:
        name: the environment's.
        roles: its seats.
        parameters: none.
        protocol: none.
    """

    name: str
    roles: tuple[str, ...]
    parameters: Mapping[str, float] = field(default_factory=dict)
    protocol: str | None = None


def numbered_turn(
    env: Any,
    agent: str,
    names: Sequence[str] | Callable[[int], str] | None = None,
    *,
    node: str = "move",
    round: int = 0,
    rounds: int = 1,
    **facts: Any,
) -> Turn:
    """Return the turn of a seat in an environment that numbers its actions, legal ones by its action mask.

    The mask is read where PettingZoo's environments have it: in the observation or in the infos, under
    ``action_mask``; without one all actions are legal.

    Args:
        env: with a method ``observe(agent)``, as all AEC environments and those of `with_turns` have it.
        agent: the seat that is to move.
        names: of the actions, by number, or a function from an action to its name; None for the numbers.
        node: what the point of decision is called in runs and reports.
        round: the number of this round, from 0.
        rounds: how many rounds there will be.
        facts: what prompt templates are to know, by name, such as the board as text: ``{{ facts.board }}``.

    Raises:
        UsageError: actions are not numbered, there are not as many names or entries of the mask as actions, a
            name is no text, or no action is legal.
    """
    called, seat = environment_name(env), f"{agent} of {environment_name(env)}"
    space = env.action_space(agent)
    if not isinstance(space, Discrete):
        raise UsageError(
            f"The actions of {seat} are a {space}, and a turn lists actions that are numbered: give it a "
            "space Discrete(n), for example in a wrapper that offers n of these actions."
        )
    first, count = int(space.start), int(space.n)
    if names is not None and not callable(names) and len(names) != count:
        raise UsageError(f"{seat} has {count} actions, and {len(names)} names were given: name each of them.")
    observed = env.observe(agent)
    mask = _mask(env, agent, observed)
    if mask is not None and mask.shape != (count,):
        raise UsageError(f"{seat} has {count} actions, and its action mask has the shape {mask.shape}.")
    legal = range(count) if mask is None else np.flatnonzero(mask).tolist()
    if not legal:
        raise UsageError(f"No action of {seat} is legal by its action mask, and it is to move.")
    return Turn(
        environment=called,
        agent=agent,
        role=agent,
        node=node,
        options=tuple(Option(first + place, _name(names, first, place, seat)) for place in legal),
        observation=_arrays(observed),
        game=NamedGame(called, tuple(env.possible_agents)),
        round=round,
        rounds=rounds,
        facts=facts,
    )


def with_turns(env: Env, turn: TurnFunction = numbered_turn) -> Any:
    """Return a PettingZoo environment with turns, so that policies can play it.

    Args:
        env: with either API. Where seats move in turns, give the AEC environment.
        turn: makes the turn of a seat that is to move from the environment and the seat; see `numbered_turn`,
            which without more names options by their numbers.

    Raises:
        UsageError: it is no PettingZoo environment, or a turn-based one with the Parallel API.
    """
    if not callable(turn):
        raise UsageError(f"with_turns takes a function turn(env, agent); got {turn!r}.")
    if isinstance(env, AECEnv):
        return _TurnsOfAEC(env, turn)
    if not isinstance(env, ParallelEnv):
        raise UsageError(f"with_turns takes an environment of PettingZoo's; got {env!r}.")
    if one_at_a_time(env) is not None:
        raise UsageError(f"In {env} one seat moves at a time: give with_turns the AEC environment.")
    return _TurnsOfParallel(env, turn)


def environment_name(env: Any) -> str:
    """Return what an environment is called: its id in ludens, or the name in its metadata, or its class."""
    inner = env.unwrapped
    metadata = getattr(inner, "metadata", None)
    named = metadata.get("name") if isinstance(metadata, Mapping) else None
    return str(getattr(inner, "environment", None) or named or type(inner).__name__)


def has_turns(env: Any) -> bool:
    """Return whether an environment, or one of the wrappers around it, has a method ``turn``."""
    return any(_has_turn(layer) for layer in _layers(env))


def turn_of(env: Any, agent: str) -> Turn:
    """Return all that a seat that is to move may know, by the outermost method ``turn`` of the environment
    and its wrappers.

    Raises:
        UsageError: there is none, or it gave no turn.
    """
    for layer in _layers(env):
        if _has_turn(layer):
            turn = layer.turn(agent)
            if not isinstance(turn, Turn):
                raise UsageError(
                    f"turn({agent!r}) of {environment_name(env)} returned {turn!r}; return a "
                    "ludens.envs.Turn, which ludens.envs.numbered_turn makes."
                )
            return turn
    raise no_turns(environment_name(env))


def no_turns(environment: str) -> UsageError:
    """Return the error for an environment without a method ``turn``."""
    return UsageError(
        f"{environment} has no turn(agent), from which policies learn what they may know: add it with "
        "ludens.envs.with_turns(env, turn)."
    )


def seat_to_move(env: Any) -> str | None:
    """Return the seat to move in an environment in which one moves at a time; None where all move at once."""
    if isinstance(env, AECEnv):
        selected: str | None = env.agent_selection
        return selected
    turns = one_at_a_time(env)
    return None if turns is None else turns.agent_selection


def one_at_a_time(env: Any) -> AECEnv[str, Any, Any] | None:
    """Return the AEC environment below a conversion to the Parallel API in which one seat moves at a time;
    None where all move at once.
    """
    for layer in _layers(env):
        if isinstance(layer, turn_based_aec_to_parallel_wrapper):
            below: AECEnv[str, Any, Any] = layer.aec_env
            return below
    return None


def as_aec(env: Any) -> AECEnv[str, Any, Any]:
    """Return an environment with the AEC API: itself, what a turn-based one was converted from, or
    PettingZoo's conversion.

    Raises:
        UsageError: it is no PettingZoo environment.
    """
    if isinstance(env, AECEnv):
        return env
    if not isinstance(env, ParallelEnv):
        raise UsageError(f"An environment is one of PettingZoo's, AEC or Parallel; got {env!r}.")
    turns = one_at_a_time(env)
    converted: AECEnv[str, Any, Any] = parallel_to_aec(env) if turns is None else turns
    return converted


class _TurnsOfAEC(BaseWrapper[str, Any, Any]):  # type: ignore[misc]  # PettingZoo ships no types
    """An AEC environment with turns."""

    def __init__(self, env: AECEnv[str, Any, Any], turn: TurnFunction) -> None:
        super().__init__(env)
        self._turn = turn

    def turn(self, agent: str | None = None) -> Turn:
        """Return all that a seat may know; by default the seat to move."""
        return self._turn(self, self.env.agent_selection if agent is None else agent)


class _TurnsOfParallel(BaseParallelWrapper[str, Any, Any]):  # type: ignore[misc]  # as above
    """A Parallel environment with turns, which keeps the last observations and infos for them."""

    def __init__(self, env: ParallelEnv[str, Any, Any], turn: TurnFunction) -> None:
        super().__init__(env)
        self._turn = turn
        self._observed: dict[str, Any] = {}
        self.infos: dict[str, dict[str, Any]] = {}

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start an episode."""
        self._observed, self.infos = self.env.reset(seed=seed, options=options)
        return self._observed, self.infos

    def step(self, actions: dict[str, Any]) -> Any:
        """Take the actions of all seats."""
        result = self.env.step(actions)
        self._observed, self.infos = result[0], result[4]
        return result

    def observe(self, agent: str) -> Any:
        """Return what a seat observes now."""
        return self._observed[agent]

    def turn(self, agent: str) -> Turn:
        """Return all that a seat may know."""
        return self._turn(self, agent)


def _layers(env: Any) -> Iterator[Any]:
    """Yield an environment's wrappers from the outside in, conversions among them, and the environment."""
    while env is not None:
        yield env
        below = getattr(env, "__dict__", {})
        env = below.get("env", below.get("aec_env"))


def _has_turn(layer: Any) -> bool:
    # Wrappers hand on what they lack, so it is their classes that are looked at; a function may also have
    # been set on the environment itself.
    return callable(getattr(type(layer), "turn", None)) or callable(vars(layer).get("turn"))


def _mask(env: Any, agent: str, observed: Any) -> NDArray[np.generic] | None:
    given = observed.get("action_mask") if isinstance(observed, Mapping) else None
    if given is None:
        infos = getattr(env, "infos", None)
        given = (infos or {}).get(agent, {}).get("action_mask")
    return None if given is None else np.asarray(given)


def _name(names: Sequence[str] | Callable[[int], str] | None, first: int, place: int, seat: str) -> str:
    if names is None:
        return str(first + place)
    name = names(first + place) if callable(names) else names[place]
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"Action {first + place} of {seat} is called {name!r}: give it a text for a name.")
    return name


def _arrays(observed: Any) -> dict[str, NDArray[np.generic]]:
    if isinstance(observed, Mapping):
        return {str(name): np.asarray(value) for name, value in observed.items()}
    return {"observation": np.asarray(observed)}
