"""The games: one short file each, and those of other packages.

A module in this folder that defines `FAMILY`, a `Family` of game trees or a `StrategicFamily` of games in
which all move at once, is registered automatically. Another package names its games in
its ``pyproject.toml``::

    [project.entry-points."ludens.games"]
    stag_hunt = "my_package.stag_hunt:FAMILY"

The object is a `Family`, a `StrategicFamily`, or an `EnvSpec` for any other environment. It is loaded when
it is looked up or listed for the first time.

`LIBRARY` has all families and `find_game` all their published games, those in which all move at once also
with mechanisms ("PD1 with mediation", "PD1 with contracts: signature"); `FAMILIES` and `PROTOCOLS` are the
game trees that benchmarks ask unless others are named.
"""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TypeVar

from ludens.envs.spec import EnvSpec
from ludens.envs.strategic.family import StrategicFamily
from ludens.envs.strategic.game import StrategicGame
from ludens.envs.strategic.mechanisms.families import (
    BY_WORDS,
    STAGE,
    WITH,
    StagedFamily,
    StageQuestion,
    with_mechanism,
)
from ludens.envs.tree.family import BaseFamily, Family
from ludens.envs.tree.nodes import GameError
from ludens.envs.tree.tree import GameTree
from ludens.errors import UsageError
from ludens.plugins import installed, load_installed

GROUP = "ludens.games"
"""The entry-point group of games."""

T = TypeVar("T")

AnyFamily = Family | StrategicFamily
AnyGame = GameTree | StrategicGame

_families: dict[str, Family] = {}
_protocols: dict[str, GameTree] = {}
_library: dict[str, AnyFamily] = {}
_games: dict[str, AnyGame] = {}
_designed: dict[str, GameTree] = {}


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


class _Library(_Table[AnyFamily]):
    """The table of all families; the one that is asked for is loaded by itself, and those with mechanisms are
    in it by name alone.
    """

    def __getitem__(self, name: str) -> AnyFamily:
        if name not in _library and (family := _mechanical(name)) is not None:
            return family
        if name not in _library and name in installed(GROUP) and isinstance(load_game(name), EnvSpec):
            raise UnknownGameError(f"The game {name!r} is an environment, and not a family of games.")
        return super().__getitem__(name)


class _Protocols(_Table[GameTree]):
    """The table of protocols, any of which any package may bring; designed ones are in it by name alone."""

    def __getitem__(self, name: str) -> GameTree:
        if name in _designed:
            return _designed[name]
        if name not in _protocols:
            load_games()
        return super().__getitem__(name)


FAMILIES: Mapping[str, Family] = _Families(_families, "family of games")
"""The families of game trees that benchmarks ask, and those of other packages, by name, in the order of
tables and pictures."""

LIBRARY: Mapping[str, AnyFamily] = _Library(_library, "family of games")
"""All families by name: game trees and games in which all move at once."""

PROTOCOLS: Mapping[str, GameTree] = _Protocols(_protocols, "protocol")
"""Published parameter sets of these families, by name: ``PROTOCOLS["SPD1"]`` … ``PROTOCOLS["UG6"]``."""


def sharp_protocols() -> tuple[str, ...]:
    """Return the names of the games of the suite ``sharp``, in `PROTOCOLS` by these names, which tell
    preferences apart better than the published ones at every noise (`ludens.preferences.estimation.design`).
    """
    return tuple(_designed)


def find_game(protocol: str) -> AnyGame:
    """Return the game of a published parameter set of any family, for example ``"TG5"``, ``"PD1"``, ``"PD1
    with mediation"`` or ``"PD1 with contracts: signature"``, or of a family and numbers of one's own, such as
    ``"trust 80 60 30 20"``.

    Raises:
        UnknownGameError: there is none of that name; the message lists those that exist.
        GameError: the numbers of one's own do not make a game of that family.
    """
    if protocol in _designed:
        return _designed[protocol]
    if protocol not in _games:
        load_games()
    for known in (_games.get, _mechanical_game, _numbered_game):
        if (game := known(protocol)) is not None:
            return game
    raise UnknownGameError(
        f"There is no protocol {protocol!r} here: install the package that brings its game, or load the file "
        f"that registers it; there are {', '.join(_games)}."
    )


def is_protocol(name: str) -> bool:
    """Return whether `find_game` knows a game of that name."""
    if name in {*protocols(), *_designed} or _mechanical_game(name) is not None:
        return True
    return _numbered_game(name) is not None


def canonical_name(protocol: str) -> str:
    """Return the one name of a game: ``"trust 80 60 30 20"`` for ``"trust 80.0 60 30 20"``; names of
    published games are those already.
    """
    if protocol in {*protocols(), *_designed} or (family := _numbered_family(protocol)) is None:
        return protocol
    return family.name_of(tuple(family.game(protocol).parameters.values()))


def _numbered_game(protocol: str) -> AnyGame | None:
    """Return the game of a family's name and numbers; None where no family is named.

    Raises:
        GameError: the numbers do not make a game of the family.
    """
    family = _numbered_family(protocol)
    return None if family is None else _game_of(family.name, protocol)


def _numbered_family(protocol: str) -> AnyFamily | None:
    name, _, numbers = protocol.partition(" ")
    return (_library.get(name) or _mechanical(name)) if numbers else None


@cache
def _game_of(family: str, protocol: str) -> AnyGame:
    return LIBRARY[family].game(protocol)


def questions_named(name: str) -> tuple[str, ...]:
    """Return the games that a name stands for: itself, or the stages of "PD1 with contracts".

    Raises:
        UnknownGameError: there is no game of that name.
        GameError: the mechanism does not fit the game.
    """
    if is_protocol(name):
        return (name,)
    base, _, mechanism = name.rpartition(WITH)
    family = _mechanical_family(base, mechanism)
    found = tuple(each for each in family.protocols if each.startswith(f"{name}{STAGE}")) if family else ()
    if found:
        return found
    asked, _, stage = name.partition(STAGE)
    if stage and len(known := questions_named(asked)) > 1:
        unasked = BY_WORDS[asked.rpartition(WITH)[2]].unasked
        raise UnknownGameError(
            f"There is no question {name!r}; there are {', '.join(known)}{'; ' if unasked else ''}{unasked}."
        )
    game = _games.get(base)
    if family is not None and isinstance(game, StrategicGame):
        BY_WORDS[mechanism]().around(game)  # says what does not fit
    raise UnknownGameError(f"There is no protocol {name!r}; there are {', '.join(protocols())}.")


def unasked_stages(name: str) -> str:
    """Return which stages of "PD1 with sanctions" are not among its questions and why, in one sentence; empty
    where all are.
    """
    reason = BY_WORDS[mechanism].unasked if (mechanism := name.rpartition(WITH)[2]) in BY_WORDS else ""
    return f"{name}: {reason}." if reason else ""


def stage_question(game: AnyGame) -> StageQuestion | None:
    """Return the question of which a game is the game; None for a game that is no stage of a round."""
    family = LIBRARY.get(game.name)
    if not isinstance(family, StagedFamily) or game.protocol is None:
        return None
    return family.questions.get(game.protocol)


def later_questions(game: AnyGame) -> Mapping[str, StageQuestion]:
    """Return the questions about other stages of the round that a game is a stage of, by name."""
    family = LIBRARY.get(game.name)
    own = stage_question(game)
    if own is None or not isinstance(family, StagedFamily):
        return {}
    return {
        name: each
        for name, each in family.questions.items()
        if each.staged is own.staged and len(each.history) > len(own.history)
    }


def _mechanical_game(protocol: str) -> AnyGame | None:
    """Return the published game with a mechanism of that name; None where there is none."""
    base, _, rest = protocol.partition(WITH)
    mechanism = rest.partition(STAGE)[0]
    family = _mechanical_family(base, mechanism)
    return None if family is None or protocol not in family.protocols else _game_of(family.name, protocol)


def _mechanical_family(protocol: str, mechanism: str) -> StrategicFamily | None:
    """Return the family with a mechanism of a published game; None where there is none."""
    base = _games.get(protocol)
    known = isinstance(base, StrategicGame) and len(base.seats) > 1 and mechanism in BY_WORDS
    return _derived(base.name, mechanism) if base is not None and known else None


def _mechanical(name: str) -> StrategicFamily | None:
    """Return the family with a mechanism of that name; None where there is none."""
    for mechanism in BY_WORDS:
        ending = f"_with_{mechanism.replace(' ', '_')}"
        base = name.removesuffix(ending)
        if name.endswith(ending) and isinstance(_library.get(base), StrategicFamily):
            return _derived(base, mechanism)
    return None


@cache
def _derived(base: str, mechanism: str) -> StrategicFamily:
    family = _library[base]
    assert isinstance(family, StrategicFamily)
    return with_mechanism(family, mechanism)


def protocols() -> tuple[str, ...]:
    """Return the names of the published parameter sets of all families."""
    load_games()
    return tuple(_games)


def family_of(game: AnyGame) -> AnyFamily | None:
    """Return the family that a game belongs to, or None for a game of one's own."""
    return LIBRARY.get(game.name)


def add_family(family: AnyFamily) -> None:
    """Add a family and its protocols to the tables.

    Raises:
        GameError: the family's name or one of its protocols' is taken, or a protocol is not such a game.
    """
    taken = ({family.name} & set(_library)) | (set(family.protocols) & {*_games, *_designed})
    if taken:
        raise GameError(f"The name {min(taken)!r} of family {family.name!r} is taken; choose another.")
    games = {name: family.game(name) for name in family.protocols}
    _library[family.name] = family
    _games.update(games)
    if isinstance(family, Family) and family.benchmark:
        _families[family.name] = family
        # A copy of a family under another name brings its published games, but designs are the first one's.
        further = set(family.designed) - {*_games, *_designed}
        _designed.update({name: family.game(name) for name in family.designed if name in further})
        _protocols.update({name: game for name, game in games.items() if isinstance(game, GameTree)})


@cache
def load_game(name: str) -> AnyFamily | EnvSpec:
    """Return the game that another package provides under a name; a family is added to the tables.

    Raises:
        UsageError: it cannot be loaded, is not a game, has another name or one that is taken, or one of its
            protocols cannot be built.
    """
    game: AnyFamily | EnvSpec = load_installed(GROUP, name)
    if not isinstance(game, BaseFamily | EnvSpec):
        raise UsageError(
            f"The plug-in {name!r} ({GROUP}) gives {type(game).__name__}, which is not a game: name a "
            "Family, a StrategicFamily or an EnvSpec."
        )
    if game.environment != f"ludens/{name}-v0":
        raise UsageError(
            f"The plug-in {name!r} ({GROUP}) gives the game {game.environment}: name its entry point after "
            "the game."
        )
    try:
        if isinstance(game, EnvSpec):
            _check_lists(game)
        elif _library.get(name) != game:
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


def load_games() -> dict[str, AnyFamily | EnvSpec]:
    """Return every game of other packages that can be loaded, by name; warn of those that cannot."""
    return {name: game for name in sorted(installed(GROUP)) if (game := _loaded(name)) is not None}


@cache
def _loaded(name: str) -> AnyFamily | EnvSpec | None:
    try:
        return load_game(name)
    except UsageError as error:
        warnings.warn(str(error), RuntimeWarning, stacklevel=2)
        return None


def built_in() -> tuple[AnyFamily, ...]:
    """Return the families of this package, those of the benchmark first."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    families = [importlib.import_module(f"{__name__}.{name}").FAMILY for name in names]
    return tuple(sorted(families, key=lambda family: not getattr(family, "benchmark", False)))


for _family in built_in():
    add_family(_family)
