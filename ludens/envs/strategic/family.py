"""A family of simultaneous games: the rules with free numbers, and the published sets of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from ludens.envs.strategic.game import StrategicGame
from ludens.envs.tree.family import BaseFamily
from ludens.envs.tree.nodes import GameError


@dataclass(frozen=True, repr=False)
class StrategicFamily(BaseFamily):
    """One kind of simultaneous game.

    Attributes:
        name, title, source, roles, parameters, check, protocols: as for every family.
        build: makes the game from the numbers; its name, parameters and protocol are filled in.
        prosocial: for each information set, the action whose share is reported as the cooperation rate; none
            where no action is the cooperative one.
    """

    build: Callable[..., StrategicGame]
    check: Callable[..., str | None]
    prosocial: Mapping[str, str] = field(default_factory=dict)
    protocols: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    shown_by: ClassVar[str] = "ludens.envs.tree.family:view"

    def game(self, protocol: str | None = None, payoffs: Sequence[float] | None = None) -> StrategicGame:
        """Return the game of a published `protocol`, or of `payoffs`, one number per parameter.

        Raises:
            GameError: both or neither are given, the protocol is unknown, the numbers do not make such a
                game, or the family itself is inconsistent.
        """
        named = self.numbers(protocol, payoffs)
        game = replace(self.build(*named.values()), name=self.name, parameters=named, protocol=protocol)
        if game.roles != tuple(self.roles):
            raise GameError(
                f"Family {self.name!r} names the roles {', '.join(self.roles)}, and its game has "
                f"{', '.join(game.roles)}."
            )
        self.check_prosocial(game)
        return game
