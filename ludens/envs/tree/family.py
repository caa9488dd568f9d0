"""A family of games: one tree whose payoffs are parameters, with the published parameter sets.

To add a game to ludens, add one `Family` (see `ludens/envs/games/`): environments in both PettingZoo
registries, oracle, benchmark and prompts follow from it.
"""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ludens.checks import entries
from ludens.display.notebook import Shown, View
from ludens.display.table import Table
from ludens.envs.tree.definition import MAX_PAYOFF
from ludens.envs.tree.nodes import GameError, Node
from ludens.envs.tree.tree import GameTree


@dataclass(frozen=True, repr=False)
class BaseFamily(Shown):
    """What every kind of game has: a name, its roles, free numbers, and published sets of them.

    Attributes:
        name: as in the environment's id, ``ludens/<name>-v0``.
        title: the name for display.
        source: the paper the game is taken from.
        roles: in the order of the payoffs.
        parameters: the names of the numbers that `build` takes, in order.
        check: returns a sentence with the condition that the numbers violate, or None if they are valid.
        prosocial: for each information set, the option whose share is reported as the cooperation rate.
        protocols: the published parameter sets, by name.
        designed: further parameter sets by name, which benchmarks ask on request: those of the suite
            ``sharp``, made by `ludens.preferences.estimation.design`.
    """

    name: str
    title: str
    source: str
    roles: tuple[str, ...]
    parameters: tuple[str, ...]
    build: Callable[..., Any]
    check: Callable[..., str | None]
    prosocial: Mapping[str, str]
    protocols: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    designed: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    shown_by: ClassVar[str] = "ludens.envs.tree.family:view"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name}: {', '.join(self.protocols) or 'no protocols'})"

    @property
    def environment(self) -> str:
        """The id in both PettingZoo registries."""
        return f"ludens/{self.name}-v0"

    def numbers(self, protocol: str | None, payoffs: Sequence[float] | None) -> dict[str, float]:
        """Return the numbers of a `protocol`, a published one or one named by `name_of`, or `payoffs` as they
        are given, by parameter.

        Raises:
            GameError: both or neither are given, the protocol is unknown, or the numbers do not make such a
                game.
        """
        if (protocol is None) == (payoffs is None):
            raise GameError(
                f"Give {self.name} either a protocol or payoffs; got {protocol!r} and {payoffs!r}."
            )
        if payoffs is None:
            known = {**self.protocols, **self.designed}
            payoffs = known.get(protocol, self._in_name(protocol)) if isinstance(protocol, str) else None
            if payoffs is None:
                raise GameError(f"{self.name} has no protocol {protocol!r}; it has {', '.join(known)}.")
        values = self._numbers(payoffs)
        broken = self.check(*values)
        if broken:
            given = ", ".join(f"{key}={value:g}" for key, value in zip(self.parameters, values, strict=True))
            raise GameError(f"Payoffs ({given}) do not make a game of {self.name}: {broken}.")
        return dict(zip(self.parameters, values, strict=True))

    def name_of(self, payoffs: Sequence[float]) -> str:
        """Return a protocol's name that says its numbers, such as ``"trust 80 60 30 20"``."""
        texts = [
            f"{number:g}" if float(f"{number:g}") == number else repr(float(number)) for number in payoffs
        ]
        return " ".join([self.name, *texts])

    def _in_name(self, protocol: str) -> tuple[float, ...] | None:
        """Return the numbers in a name of `name_of`; None if it is none."""
        head, *texts = protocol.split(" ")
        try:
            return tuple(map(float, texts)) if head == self.name and texts else None
        except ValueError:
            return None

    def check_prosocial(self, game: Any) -> None:
        """Raise `GameError` where an option that the family calls prosocial is none of the game's."""
        for label, option in self.prosocial.items():
            if option not in game.information_set(label).options:
                raise GameError(
                    f"Family {self.name!r} calls {option!r} prosocial at {label!r}, where the options are "
                    f"{', '.join(game.information_set(label).options)}."
                )

    def _numbers(self, payoffs: Sequence[float]) -> tuple[float, ...]:
        wanted = ", ".join(self.parameters)
        listed = entries(payoffs)
        given = tuple(listed or ())
        if listed is None or not all(isinstance(value, numbers.Real) for value in given):
            raise GameError(f"Payoffs of {self.name} must be numbers ({wanted}); got {payoffs!r}.")
        if len(given) != len(self.parameters):
            raise GameError(f"{self.name} takes {len(self.parameters)} payoffs ({wanted}); got {len(given)}.")
        if not all(abs(value) <= MAX_PAYOFF for value in given):
            raise GameError(
                f"Payoffs of {self.name} must be finite numbers of at most {MAX_PAYOFF:g} ({wanted}); "
                f"got {given}."
            )
        return tuple(float(value) for value in given)


@dataclass(frozen=True, repr=False)
class Family(BaseFamily):
    """One kind of game tree.

    Attributes:
        build: makes the root of the tree from these numbers.
        benchmark: whether it is among the games that benchmarks ask unless others are named.
    """

    build: Callable[..., Node]
    benchmark: bool = True

    def game(self, protocol: str | None = None, payoffs: Sequence[float] | None = None) -> GameTree:
        """Return the game of a published `protocol`, or of `payoffs`, one number per parameter, in points.

        Raises:
            GameError: both or neither are given, the protocol is unknown, the numbers do not make such a
                game, or the family itself is inconsistent.
        """
        named = self.numbers(protocol, payoffs)
        game = GameTree(self.name, self.roles, self.build(*named.values()), named, protocol)
        self.check_prosocial(game)
        return game


def view(family: BaseFamily) -> View:
    """Return what a notebook shows of a family: its protocols."""
    rows = [(name, [f"{number:g}" for number in numbers]) for name, numbers in family.protocols.items()]
    asked = "; ".join(f"{option} at {node}" for node, option in family.prosocial.items())
    table = Table.of("Protocols", "Payoffs in points.", family.parameters, rows, corner="protocol")
    return View(
        family.title,
        "family of games",
        f"{family.source}.",
        tables=[table] if rows else [],
        facts={"environment": family.environment, "roles": ", ".join(family.roles), "prosocial": asked},
    )


def ordered(**numbers: float) -> str | None:
    """Return None if the numbers fall strictly in the order given, else the condition that fails.

    ``ordered(T=1, R=2)`` returns ``"T > R is needed"``.
    """
    names = list(numbers)
    for left, right in itertools.pairwise(names):
        if not numbers[left] > numbers[right]:
            return f"{left} > {right} is needed"
    return None
