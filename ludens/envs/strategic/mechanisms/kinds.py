"""The mechanisms by name, and what names one: `mechanism="sanctions"`, or with settings
``{"kind": "sanctions", "effect": 2}``; ``"cheap_talk:free"`` is cheap talk in one's own words.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ludens.envs.strategic.env import StrategicEnv
from ludens.envs.strategic.game import StrategicGame
from ludens.envs.strategic.mechanisms.cheap_talk import FREE, CheapTalk
from ludens.envs.strategic.mechanisms.contracts import Contracts
from ludens.envs.strategic.mechanisms.env import StagedEnv
from ludens.envs.strategic.mechanisms.mechanism import Mechanism, StagedGame
from ludens.envs.strategic.mechanisms.mediation import Mediation
from ludens.envs.strategic.mechanisms.sanctions import Sanctions
from ludens.errors import UsageError

MECHANISMS: Mapping[str, type[Mechanism]] = {
    each.kind: each for each in (Mediation, Contracts, Sanctions, CheapTalk)
}
"""All mechanisms by name."""


def make_mechanism(given: object) -> Mechanism:
    """Return a mechanism from its name, or from a mapping with its name as ``kind`` and its settings.

    Raises:
        UsageError: there is no such mechanism, or it has no such setting.
        GameError: a setting is wrong.
    """
    if isinstance(given, Mechanism):
        return given
    if given == f"{CheapTalk.kind}:{FREE}":
        given = {"kind": CheapTalk.kind, "messages": FREE}
    settings = dict(given) if isinstance(given, Mapping) else {"kind": given}
    kind = settings.pop("kind", None)
    if not isinstance(kind, str) or kind not in MECHANISMS:
        raise UsageError(
            f"There is no mechanism {given!r}; name one of {', '.join(MECHANISMS)}, or give a mapping with "
            "its name as kind and its settings."
        )
    known = [field.name for field in dataclasses.fields(MECHANISMS[kind])]
    unknown = sorted(str(name) for name in settings if name not in known)
    if unknown:
        raise UsageError(f"The mechanism {kind!r} has no setting {unknown[0]!r}; it has {', '.join(known)}.")
    return MECHANISMS[kind](**settings)


def mechanism_env(game: StrategicGame, mechanism: object, **options: Any) -> StrategicEnv:
    """Return the environment of a game with a mechanism; see `make_mechanism` and `StrategicEnv`.

    Raises:
        GameError: the mechanism does not fit the game, or a setting is wrong.
        UsageError: there is no such mechanism, or an option is wrong.
    """
    made = make_mechanism(mechanism).around(game)
    return StagedEnv(made, **options) if isinstance(made, StagedGame) else StrategicEnv(made, **options)
