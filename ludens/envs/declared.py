"""What a learner's observations and actions mean, written on the spaces of its environment.

Libraries save the spaces with a trained policy, so that the declaration travels in its file: the environment,
the layout of observations, and for markets the demand, the units and the price grid. A wrapper that changes
observations or actions replaces the space, and the declaration is gone with it, as it should be.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

import gymnasium

Space = gymnasium.spaces.Space[Any]
SpaceT = TypeVar("SpaceT", bound=Space)

_ATTRIBUTE = "ludens"


def declare(space: Space, facts: Mapping[str, Any]) -> None:
    """Write a declaration on a space, in place of the one that it has."""
    setattr(space, _ATTRIBUTE, dict(facts))


def seated(space: SpaceT, seat: str) -> SpaceT:
    """Return a copy of a space for a learner that is trained in one seat alone; a space without a declaration
    is returned as it is.
    """
    facts = declared(space)
    if facts is None:
        return space
    own = copy.deepcopy(space)
    declare(own, {**facts, "seat": seat})
    return own


def declared(space: object) -> dict[str, Any] | None:
    """Return the declaration on a space; None where there is none."""
    facts = getattr(space, _ATTRIBUTE, None)
    return dict(facts) if isinstance(facts, Mapping) else None
