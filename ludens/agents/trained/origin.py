"""Where a learner was trained: the declaration on the spaces of an environment, and files that hold one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ludens.envs import make_env
from ludens.envs.declared import declared
from ludens.errors import UsageError


def declaration_of(env: Any, seat: str | None = None) -> dict[str, Any]:
    """Return what a policy that is trained in an environment must know to play elsewhere, as JSON values.

    Args:
        env: an environment of ludens, with either API of PettingZoo, behind `ludens.agents.against` or
            `against_many`, or in wrappers that keep its spaces; its id; a mapping of ``id`` and options; or
            what this function returned.
        seat: the one that is trained; None for the one that `env` names, or for any.

    Raises:
        UsageError: there is no such environment or seat, or its spaces say nothing of it.
    """
    if isinstance(env, Mapping) and "environment" in env:
        facts = dict(env)
        return facts if seat is None else {**facts, "seat": seat}
    if isinstance(env, str):
        env = {"id": env}
    if isinstance(env, Mapping):
        options = {name: value for name, value in env.items() if name != "id"}
        if "id" not in env:
            raise UsageError(
                f"An environment is named by its id, as in {{'id': 'bertrand'}}; got {dict(env)!r}."
            )
        env = make_env(env["id"], **{"observation": "box", **options})
    seats = getattr(env, "possible_agents", None)
    if seats is not None and seat is not None and seat not in seats:
        raise UsageError(f"{env} has no seat {seat!r}; its seats are {', '.join(seats)}.")
    spaces = []
    for kind in ("observation_space", "action_space"):
        space = getattr(env, f"single_{kind}", None) or getattr(env, kind, None)
        spaces.append(space(seat or seats[0]) if callable(space) and seats else space)
    return declaration_on(*spaces, named=str(env), seat=seat)


def declaration_on(
    observation_space: Any, action_space: Any, *, named: str, seat: str | None = None
) -> dict[str, Any]:
    """Return the declaration on a pair of spaces.

    Args:
        observation_space: as a library kept it.
        action_space: as a library kept it.
        named: whose they are, for the error.
        seat: as for `declaration_of`.

    Raises:
        UsageError: one of them has none, because a wrapper made it or the environment is not of ludens.
    """
    facts = declared(observation_space)
    if facts is None or declared(action_space) is None:
        which = "observations" if facts is None else "actions"
        raise UsageError(
            f"{named} does not say what its {which} mean, as spaces of ludens do unless a wrapper changes "
            "them: name the environment that it was trained in (env=…), and undo in a function of your own "
            "what wrappers did."
        )
    return facts if seat is None else {**facts, "seat": seat}
