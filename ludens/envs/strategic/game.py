"""Games in which all players move at once: players, action sets and one vectorised payoff function.

    payoff(profiles) → payoffs,     profiles (..., n) → (..., n), in points

A profile holds one action of every player: the number that it is, or its place among named actions. Players
of one *role* are exchangeable: to exchange the actions of two of them exchanges their payoffs and leaves
those of all others as they are. That is the symmetry that a game declares, and it is checked.

Where a player's payoff depends on the actions of the others through their sum alone, the game can be given by
that function instead (`own_payoff`), and expectations over a hundred players are then exact and fast.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.checks import entries, real_number, whole_number
from ludens.display.notebook import Shown
from ludens.envs.strategic.actions import Actions, Interval
from ludens.envs.tree.definition import MAX_PAYOFF
from ludens.envs.tree.nodes import GameError
from ludens.envs.tree.tree import InformationSet

Floats = NDArray[np.float64]
PayoffFunction = Callable[[Floats], ArrayLike]
OwnPayoff = Callable[[Floats, Floats], ArrayLike]

MAX_PLAYERS = 10_000
MAX_PROFILES = 1 << 20
"""Payoffs of all profiles are laid out in a table up to this many."""

_CHECKED = 4096
_SAMPLED = 128
_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class StrategicGame(Shown):
    """A simultaneous game.

    Args:
        name: the game's family; names its wordings.
        players: how many players each role has, in the order of seats. Players of one role are exchangeable.
        actions: what a player of each role can do.
        payoff: from profiles (..., n) to payoffs (..., n), in points.
        own_payoff: in place of `payoff`: from one's own action and the sum of all the others' to one's
            payoff, arrays of one shape. All players then have one role.
        parameters: the numbers that the rules are made of, for tables and wordings.
        protocol: the name of a published parameter set, if it is one.
        universal: what each action pays if everybody took it, in points, where that does not follow from
            the payoffs, as in a choice that nobody else takes part in; for games of one role.

    Raises:
        GameError: the definition is inconsistent, or the payoff function returns another shape, a number that
            is not finite, or payoffs without the declared symmetry.
    """

    name: str
    players: Mapping[str, int]
    actions: Mapping[str, Actions | Interval]
    payoff: PayoffFunction | None = None
    own_payoff: OwnPayoff | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)
    protocol: str | None = None
    universal: tuple[float, ...] | None = None
    shown_by: ClassVar[str] = "ludens.envs.strategic.drawing:view"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise GameError(f"A game needs a name, a non-empty text; got {self.name!r}.")
        object.__setattr__(self, "players", MappingProxyType(_players(self.name, self.players)))
        object.__setattr__(self, "actions", MappingProxyType(_actions(self.name, self.players, self.actions)))
        object.__setattr__(self, "parameters", MappingProxyType(_parameters(self.name, self.parameters)))
        given = [each for each in (self.payoff, self.own_payoff) if each is not None]
        if len(given) != 1 or not callable(given[0]):
            raise GameError(f"Game {self.name!r} needs one function: payoff or own_payoff; got {given!r}.")
        if self.own_payoff is not None and len(self.players) > 1:
            raise GameError(
                f"Game {self.name!r} has {len(self.players)} roles, and own_payoff is for games of one role: "
                "give payoff."
            )
        if self.universal is not None:
            numbers = tuple(map(real_number, entries(self.universal) or ()))
            wanted = len(next(iter(self.finite.values())))
            if len(self.players) > 1 or len(numbers) != wanted or not all(map(_is_payoff, numbers)):
                raise GameError(
                    f"The universalised payoffs of game {self.name!r} are {self.universal!r}: give one "
                    f"finite number for each of its {wanted} actions, in a game of one role."
                )
            object.__setattr__(self, "universal", numbers)
        self._check_payoffs()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StrategicGame):
            return NotImplemented
        if self is other:
            return True
        return (
            self._identity == other._identity
            and np.array_equal(self._fingerprint, other._fingerprint)
            # A few profiles out of many do not tell functions apart.
            and (
                self.profiles <= _CHECKED
                or (_alike(self.payoff, other.payoff) and _alike(self.own_payoff, other.own_payoff))
            )
        )

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        shown = self.protocol or ", ".join(f"{key}={value:g}" for key, value in self.parameters.items())
        return f"StrategicGame({self.name}{': ' + shown if shown else ''})"

    def __getstate__(self) -> dict[str, object]:
        # A mapping proxy cannot be pickled, and what is derived is cheaper to derive again than to carry.
        kept = ("name", "payoff", "own_payoff", "protocol", "universal")
        mappings = {key: dict(getattr(self, key)) for key in ("players", "actions", "parameters")}
        return {key: getattr(self, key) for key in kept} | mappings

    def __setstate__(self, state: dict[str, object]) -> None:
        for key, value in state.items():
            object.__setattr__(self, key, MappingProxyType(value) if isinstance(value, dict) else value)

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles, in the order of seats."""
        return tuple(self.players)

    @cached_property
    def seats(self) -> tuple[str, ...]:
        """The role of every player, in the order of profiles; its length is n."""
        return tuple(role for role, count in self.players.items() for _ in range(count))

    @cached_property
    def finite(self) -> Mapping[str, Actions]:
        """The finite actions of every role; of an interval, the numbers that stand for it."""
        return {
            role: each.grid() if isinstance(each, Interval) else each for role, each in self.actions.items()
        }

    @property
    def continuous(self) -> bool:
        """Whether any number of an interval can be chosen in some role."""
        return any(isinstance(each, Interval) for each in self.actions.values())

    @property
    def symmetric(self) -> bool:
        """Whether all players are exchangeable."""
        return len(self.players) == 1

    @cached_property
    def information_sets(self) -> tuple[InformationSet, ...]:
        """One for every role, at which its players choose without knowing what others do."""
        sets, start = [], 0
        for role, actions in self.finite.items():
            stop = start + len(actions)
            sets.append(InformationSet(self.node(role), role, actions.names, (), slice(start, stop)))
            start = stop
        return tuple(sets)

    @property
    def width(self) -> int:
        """The length of a strategy vector: actions summed over roles."""
        return sum(map(len, self.finite.values()))

    def node(self, role: str) -> str:
        """Return the name of the information set of a role."""
        return "choice" if len(self.players) == 1 else f"choice of {role}"

    def information_set(self, label: str) -> InformationSet:
        """Return the information set of that name.

        Raises:
            GameError: there is no such set; the message lists those that exist.
        """
        for node in self.information_sets:
            if node.label == label:
                return node
        known = ", ".join(node.label for node in self.information_sets)
        raise GameError(f"{self!r} has no information set {label!r}; it has {known}.")

    def payoffs_of(self, profiles: ArrayLike) -> Floats:
        """Return the payoffs, in points, of profiles of action values, both of shape (..., n).

        Raises:
            GameError: the profiles have another shape, or the function fails or returns another shape or a
                number that is not finite.
        """
        try:
            given = np.asarray(profiles, dtype=np.float64)
        except (TypeError, ValueError):
            raise GameError(
                f"A profile of {self!r} consists of numbers, one for each player; got {profiles!r}."
            ) from None
        players = len(self.seats)
        if given.ndim == 0 or given.shape[-1] != players:
            raise GameError(
                f"A profile of {self!r} has {players} actions in its last axis; got shape {given.shape}."
            )
        if self.own_payoff is not None:
            return self.own_payoffs(given, given.sum(-1, keepdims=True) - given)
        assert self.payoff is not None
        return self._called(self.payoff, (given,), "profiles", "one payoff for each player of each profile")

    def own_payoffs(self, own: ArrayLike, rest: ArrayLike) -> Floats:
        """Return what own actions earn with sums of all the others' actions, of one shape, in points; for
        games that are given by `own_payoff`.

        Raises:
            GameError: as `payoffs_of`.
        """
        assert self.own_payoff is not None
        given = np.broadcast_arrays(np.asarray(own, dtype=np.float64), np.asarray(rest, dtype=np.float64))
        return self._called(self.own_payoff, given, "actions and sums", "one payoff for each action")

    def _called(
        self, function: Callable[..., ArrayLike], given: Sequence[Floats], what: str, wanted: str
    ) -> Floats:
        shape = given[0].shape
        arguments = [array.view() for array in given]
        for array in arguments:
            array.setflags(write=False)  # so that a function cannot change what it is asked about
        try:
            returned = np.asarray(function(*arguments))
            if returned.dtype.kind == "c":
                raise TypeError("complex numbers")
            paid = returned.astype(np.float64)
        except GameError:
            raise
        except Exception as error:
            raise GameError(
                f"The payoff function of {self.name!r} fails for {what} of shape {shape} "
                f"({type(error).__name__}: {' '.join(str(error).split())}): mend it."
            ) from error
        if paid.shape != shape:
            raise GameError(
                f"The payoff function of {self.name!r} returns shape {paid.shape} for {what} of shape "
                f"{shape}: return {wanted}."
            )
        if not np.all(np.abs(paid) <= MAX_PAYOFF):  # NaN is not at most anything
            wrong = tuple(np.argwhere(~(np.abs(paid) <= MAX_PAYOFF))[0])
            if self.own_payoff is None:
                where = f"the profile {given[0][wrong[:-1]].tolist()}"
            else:
                where = f"the action {given[0][wrong]:g} where the others' sum is {given[1][wrong]:g}"
            raise GameError(
                f"The payoff function of {self.name!r} returns a number that is not finite at {where}: "
                f"return finite payoffs of at most {MAX_PAYOFF:g}."
            )
        return paid

    @property
    def profiles(self) -> int:
        """How many profiles of finite actions there are."""
        return math.prod(len(self.finite[role]) for role in self.seats)

    @cached_property
    def payoffs(self) -> Floats:
        """Payoffs of all profiles, shape (actions of player 0, …, actions of player n − 1, n), in points.

        Raises:
            GameError: there are more than about a million profiles.
        """
        if self.profiles > MAX_PROFILES:
            raise GameError(
                f"{self!r} has {self.profiles:.3g} profiles, and a table of payoffs holds at most "
                f"{MAX_PROFILES}: ask for expected payoffs instead."
            )
        axes = [np.array(self.finite[role].values) for role in self.seats]
        table = self.payoffs_of(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
        table.setflags(write=False)
        return table

    @cached_property
    def _identity(self) -> tuple[object, ...]:
        rules = (tuple(self.players.items()), tuple(self.actions.items()), tuple(self.parameters.items()))
        return (self.name, self.protocol, self.universal, *rules)

    @cached_property
    def _fingerprint(self) -> Floats:
        return self.payoffs_of(self._some_profiles())

    def _some_profiles(self) -> Floats:
        """Return profiles to check: all of them if they are few, else corners and a fixed random sample."""
        axes = [np.array(self.finite[role].values) for role in self.seats]
        if self.profiles <= _CHECKED:
            return np.array(list(itertools.product(*axes)))
        rng = np.random.default_rng(0)
        drawn = np.stack([rng.choice(axis, _SAMPLED) for axis in axes], axis=-1)
        corners = [[axis[place] for axis in axes] for place in (0, -1)]
        return np.concatenate([np.array(corners), drawn])

    def _check_payoffs(self) -> None:
        profiles = self._some_profiles()
        paid = self.payoffs_of(profiles)
        single = self.payoffs_of(profiles[0])
        scale = _TOLERANCE * max(1.0, float(np.abs(paid).max()))
        if np.abs(single - paid[0]).max() > scale:
            raise GameError(
                f"The payoff function of {self.name!r} pays {single.tolist()} for one profile and "
                f"{paid[0].tolist()} for the same among others: let it treat every profile by itself."
            )
        if self.own_payoff is not None:
            return  # symmetric by its form
        start = 0
        for role, count in self.players.items():
            # Exchanges of neighbours generate all permutations; of many players the first few and the last.
            pairs = range(start, start + count - 1)
            for one in (*pairs[:8], *pairs[-1:]):
                order = np.arange(len(self.seats))
                order[[one, one + 1]] = one + 1, one
                if np.abs(self.payoffs_of(profiles[:, order]) - paid[:, order]).max() > scale:
                    raise GameError(
                        f"Game {self.name!r} declares its {count} players in role {role!r} exchangeable, and "
                        f"players {one} and {one + 1} are paid differently for the same actions: give them "
                        "roles of their own."
                    )
            start += count


def _players(name: str, players: object) -> dict[str, int]:
    if not isinstance(players, Mapping) or not players:
        raise GameError(f"Game {name!r} needs players, a mapping from roles to how many; got {players!r}.")
    counted = {}
    for role, count in players.items():
        number = whole_number(count)
        if not isinstance(role, str) or not role or number is None or number < 1:
            raise GameError(
                f"Game {name!r} has {count!r} players in role {role!r}: name every role by a text and "
                "give it a "
                "whole number of at least 1."
            )
        counted[role] = number
    if sum(counted.values()) > MAX_PLAYERS:
        raise GameError(f"Game {name!r} has {sum(counted.values())} players, and at most {MAX_PLAYERS} fit.")
    return counted


def _actions(name: str, players: Mapping[str, int], actions: object) -> dict[str, Actions | Interval]:
    if not isinstance(actions, Mapping) or set(actions) != set(players):
        raise GameError(
            f"Game {name!r} needs a mapping from its roles ({', '.join(players)}) to their actions; "
            f"got {actions!r}."
        )
    for role, each in actions.items():
        if not isinstance(each, Actions | Interval):
            raise GameError(
                f"The actions of {role!r} in game {name!r} are {each!r}: give Actions or an Interval."
            )
    return {role: actions[role] for role in players}


def _parameters(name: str, parameters: object) -> dict[str, float]:
    if not isinstance(parameters, Mapping):
        raise GameError(f"The parameters of game {name!r} are a mapping to numbers; got {parameters!r}.")
    numbers = {}
    for key, value in parameters.items():
        number = real_number(value)
        if not isinstance(key, str) or number is None or not _is_payoff(number):
            raise GameError(
                f"Parameter {key!r} of game {name!r} is {value!r}: name every parameter by a text and give "
                f"it a finite number of at most {MAX_PAYOFF:g}."
            )
        numbers[key] = number
    return numbers


def _is_payoff(number: float | None) -> bool:
    return number is not None and abs(number) <= MAX_PAYOFF


def _alike(one: Any, other: Any) -> bool:
    """Return whether two payoff functions are the same, or the same function with equal settings."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, partial):
        return _alike((one.func, one.args, one.keywords), (other.func, other.args, other.keywords))
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, dict):
        return _alike([*one.items()], [*other.items()])
    try:
        return bool(one == other)
    except ValueError:  # something that holds arrays
        return False
