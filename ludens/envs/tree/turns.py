"""The turn of a seat at an information set of a game tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.envs.tree.play import Roles
from ludens.envs.tree.tree import GameTree, InformationSet
from ludens.envs.turn import Method, Option, PastRound, Turn


def tree_turn(
    game: GameTree,
    node: InformationSet,
    *,
    environment: str,
    agent: str,
    observation: Mapping[str, NDArray[np.generic]],
    past: Sequence[PastRound],
    round: int,  # the word for it
    rounds: int,
    method: Method,
    roles: Roles,
    facts: Mapping[str, Any] | None = None,
) -> Turn:
    """Return all that a seat may know where it must decide, in an episode or outside of one.

    Args:
        game: the rules.
        node: where it must decide; its role is the one that the seat plays there.
        environment: the id that the turn names.
        agent: the seat.
        observation: as the environment gives it.
        past: the finished rounds as the seat saw them, oldest first.
        round: the number of the present one, from 0.
        rounds: how many there will be.
        method: the direct or the strategy method.
        roles: whether they are drawn anew for every round.
        facts: anything else that a prompt may need.
    """
    return Turn(
        environment=environment,
        agent=agent,
        role=node.role,
        node=node.label,
        options=tuple(Option(number, name) for number, name in enumerate(node.options)),
        observation=observation,
        game=game,
        known=node.known,
        past=tuple(past),
        round=round,
        rounds=rounds,
        method=method,
        facts={"roles": roles, **(facts or {})},
    )
