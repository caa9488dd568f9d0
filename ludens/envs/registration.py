"""Registration of every environment under ``ludens/<name>-v0``, in both PettingZoo registries."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pettingzoo import AECEnv, ParallelEnv, aec_registry, make

from ludens.envs.av.registration import register_av
from ludens.envs.budgets.registration import register_budgets
from ludens.envs.foreign import as_aec
from ludens.envs.games import GROUP, LIBRARY, AnyFamily, add_family, built_in, load_game
from ludens.envs.pricing.registration import register_pricing
from ludens.envs.spec import register
from ludens.envs.strategic.env import StrategicEnv
from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.mechanisms.kinds import mechanism_env
from ludens.envs.tree.family import BaseFamily
from ludens.envs.tree.sequential import SequentialEnv
from ludens.errors import LudensError, UsageError
from ludens.plugins import installed, load_object, of_python

TREE_OPTIONS = (
    "protocol",
    "payoffs",
    *sorted(set(inspect.signature(SequentialEnv).parameters) - {"game", "environment"}),
)
"""The options of every environment of a family of game trees."""

STRATEGIC_OPTIONS = (
    "protocol",
    "payoffs",
    "mechanism",
    *sorted(set(inspect.signature(StrategicEnv).parameters) - {"game", "environment"}),
)
"""The options of every environment of a family of games in which all move at once."""


def family_env(
    family: str, protocol: str | None = None, payoffs: Sequence[float] | None = None, **options: Any
) -> SequentialEnv | StrategicEnv:
    """Return the environment of a family, of its first protocol if neither protocol nor payoffs are given.

    Raises:
        GameError: the protocol or the payoffs are wrong.
        UsageError: another option is wrong.
    """
    kind = LIBRARY[family]
    allowed = STRATEGIC_OPTIONS if isinstance(kind, StrategicFamily) else TREE_OPTIONS
    unknown = set(options) - set(allowed)
    if unknown:
        raise UsageError(f"{kind.environment} has no option {min(unknown)!r}; it has {', '.join(allowed)}.")
    if protocol is None and payoffs is None:
        protocol = next(iter(kind.protocols))
    if isinstance(kind, StrategicFamily):
        game = kind.game(protocol, payoffs)
        if (mechanism := options.pop("mechanism", None)) is not None:
            return mechanism_env(game, mechanism, environment=kind.environment, **options)
        return StrategicEnv(game, environment=kind.environment, **options)
    return SequentialEnv(kind.game(protocol, payoffs), environment=kind.environment, **options)


def register_family(family: AnyFamily) -> None:
    """Add a family to ludens: its protocols and its environment. Doing it twice changes nothing.

    Raises:
        GameError: another family has its name or the name of one of its protocols.
    """
    if LIBRARY.get(family.name) != family:
        add_family(family)
    register(family.environment, partial(family_env, family.name))


def environments() -> list[str]:
    """Return the ids of all environments of ludens."""
    return sorted(name for name in aec_registry if name.startswith("ludens/"))


def environment_id(environment: str) -> str:
    """Return the whole id of an environment, ``ludens/trust-v0`` for ``trust`` or ``trust-v0``.

    Raises:
        UsageError: there is no such environment; the message lists those that exist.
    """
    known = environments()
    short = str(environment).removeprefix("ludens/")
    for name in (f"ludens/{short}", f"ludens/{short}-v0"):
        if name in known:
            return name
    raise UsageError(f"There is no environment {environment!r}; there are {', '.join(known)}.")


def make_env(environment: str, /, **options: Any) -> AECEnv[str, Any, Any]:
    """Make an environment with the AEC API.

    Args:
        environment: its id, with or without ``ludens/`` and ``-v0``; or ``module:object``, a class or
            function that makes an environment of PettingZoo's.
        options: of the environment.

    Raises:
        UsageError: there is no such environment, and the message lists those that exist; or it cannot be
            made.
    """
    if ":" in environment:
        return _own_env(environment, options)
    made: AECEnv[str, Any, Any] = make("aec", environment_id(environment), **options)
    return made


def _own_env(reference: str, options: Mapping[str, Any]) -> AECEnv[str, Any, Any]:
    """Return the environment that a class or function of the user's makes."""
    make_one = load_object(reference)
    if not callable(make_one) or of_python(make_one):
        raise UsageError(
            f"{reference!r} makes no environment: name a class or function that returns one of PettingZoo's."
        )
    try:
        made = make_one(**options)
    except LudensError:
        raise
    except Exception as error:
        raise UsageError(
            f"The environment {reference!r} cannot be made ({type(error).__name__}: "
            f"{' '.join(str(error).split())}): mend it, or its options."
        ) from error
    if not isinstance(made, AECEnv | ParallelEnv):
        raise UsageError(
            f"{reference!r} makes a {type(made).__name__}, which is no environment of PettingZoo's: name a "
            "class or function that returns one."
        )
    return as_aec(made)


def register_plugins() -> None:
    """Add the games of other packages, which are loaded when the first one is made.

    Doing it twice changes nothing; a name that is taken stays with the package that has it.
    """
    for name in installed(GROUP):
        register(f"ludens/{name}-v0", partial(_make_plugin, name))


def _make_plugin(name: str, **options: Any) -> Any:
    game = load_game(name)
    return family_env(name, **options) if isinstance(game, BaseFamily) else game.make(**options)


for _family in built_in():
    register_family(_family)
register_pricing()
register_av()
register_budgets()
register_plugins()
