"""The games: one short file each, and those of other packages.

A module in this folder that defines `FAMILY` is registered automatically. Another package names its games in
its ``pyproject.toml``::

    [project.entry-points."ludens.games"]
    stag_hunt = "my_package.stag_hunt:FAMILY"

The object is a `Family`, or an `EnvSpec` for an environment that is not a game tree. It is
loaded when it is looked up or listed for the first time.
"""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TypeVar

from ludens.envs.spec import EnvSpec
from ludens.envs.tree.family import Family
from ludens.envs.tree.nodes import GameError
from ludens.envs.tree.tree import GameTree
from ludens.errors import UsageError
from ludens.plugins import installed, load_installed

GROUP = "ludens.games"
"""The entry-point group of games."""

T = TypeVar("T")

_families: dict[str, Family] = {}
_protocols: dict[str, GameTree] = {}


class UnknownGameError(UsageError, KeyError):
    """A game that is not known here: in a run, say, that was played with another package or a game of one's
    own.
    """

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would put it in quotation marks


class _Table(Mapping[str, T]):
    """What games bring, by name; the games of other packages are loaded when all names are needed."""

    def __init__(self, entries: dict[str, T], what: str) -> None:
        self._entries, self._what = entries, what

    def __getitem__(self, name: str) -> T:
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownGameError(
                f"There is no {self._what} {name!r} here: install the package that brings its game, or load "
                f"the file that registers it; there are {', '.join(self._entries)}."
            ) from None

    def __iter__(self) -> Iterator[str]:
        load_games()
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        load_games()
        return len(self._entries)


class _Families(_Table[Family]):
    """The table of families; the one that is asked for is loaded by itself."""

    def __getitem__(self, name: str) -> Family:
        if name not in _families and name in installed(GROUP) and isinstance(load_game(name), EnvSpec):
            raise UnknownGameError(f"The game {name!r} is an environment, and not a family of game trees.")
        return super().__getitem__(name)


class _Protocols(_Table[GameTree]):
    """The table of protocols, any of which any package may bring."""

    def __getitem__(self, name: str) -> GameTree:
        if name not in _protocols:
            load_games()
        return super().__getitem__(name)


FAMILIES: Mapping[str, Family] = _Families(_families, "family of games")
"""All families by name, in the order of tables and pictures."""

PROTOCOLS: Mapping[str, GameTree] = _Protocols(_protocols, "protocol")
"""Published parameter sets of all families, by name: ``PROTOCOLS["SPD1"]`` … ``PROTOCOLS["UG6"]``."""


def family_of(game: GameTree) -> Family | None:
    """Return the family that a game belongs to, or None for a custom tree."""
    return FAMILIES.get(game.name)


def add_family(family: Family) -> None:
    """Add a family and its protocols to the two tables.

    Raises:
        GameError: the family's name or one of its protocols' is taken, or a protocol is not such a game.
    """
    taken = ({family.name} & set(_families)) | (set(family.protocols) & set(_protocols))
    if taken:
        raise GameError(f"The name {min(taken)!r} of family {family.name!r} is taken; choose another.")
    games = {name: family.game(name) for name in family.protocols}
    _families[family.name] = family
    _protocols.update(games)


@cache
def load_game(name: str) -> Family | EnvSpec:
    """Return the game that another package provides under a name; a family is added to the tables.

    Raises:
        UsageError: it cannot be loaded, is not a game, has another name or one that is taken, or one of its
            protocols cannot be built.
    """
    game: Family | EnvSpec = load_installed(GROUP, name)
    if not isinstance(game, Family | EnvSpec):
        raise UsageError(
            f"The plug-in {name!r} ({GROUP}) gives {type(game).__name__}, which is not a game: name a "
            "Family or an EnvSpec."
        )
    if game.environment != f"ludens/{name}-v0":
        raise UsageError(
            f"The plug-in {name!r} ({GROUP}) gives the game {game.environment}: name its entry point after "
            "the game."
        )
    try:
        if isinstance(game, EnvSpec):
            _check_lists(game)
        elif _families.get(name) != game:
            add_family(game)
    except Exception as error:  # what another package does wrong must not spoil the games of the others
        brought = installed(GROUP)[name].dist
        package = "" if brought is None else f" of the package {brought.name}"
        raise UsageError(
            f"The plug-in {name!r}{package} ({GROUP}) gives a game that cannot be built "
            f"({type(error).__name__}: {' '.join(str(error).split())}): mend or uninstall that package."
        ) from error
    return game


def _check_lists(game: EnvSpec) -> None:
    wrong = [each for each in (*game.roles, *game.options) if not isinstance(each, str)]
    if wrong:
        raise TypeError(f"its roles and options are named by texts, not by {wrong[0]!r}")


def load_games() -> dict[str, Family | EnvSpec]:
    """Return every game of other packages that can be loaded, by name; warn of those that cannot."""
    return {name: game for name in sorted(installed(GROUP)) if (game := _loaded(name)) is not None}


@cache
def _loaded(name: str) -> Family | EnvSpec | None:
    try:
        return load_game(name)
    except UsageError as error:
        warnings.warn(str(error), RuntimeWarning, stacklevel=2)
        return None


def built_in() -> tuple[Family, ...]:
    """Return the families of this package."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return tuple(importlib.import_module(f"{__name__}.{name}").FAMILY for name in names)


for _family in built_in():
    add_family(_family)
