"""How policies are written, ``name:key=value,…``, and the tables that say what names mean.

Each domain (game trees, markets, dilemmas, the adoption game) contributes one `Domain`: a table from names to
what builds the policy for that domain. `ludens.agents.registry` merges them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ludens.errors import UsageError
from ludens.plugins import load_object

if TYPE_CHECKING:
    from ludens.agents.policy import Policy

# Keys of `Policy.describe` that are for readers; the specification implies them.
_FOR_READERS = {"name", "kind"}


@dataclass(frozen=True)
class Name:
    """What one name means in one domain.

    Attributes:
        build: makes the policy from settings, which are its parameters; or ``module:object``, the reference
            to such a class or function, which is then imported when it is first needed.
        example: how the policy is written, with numbers where it takes some; empty for the name alone.
        first: the setting that a bare value after the colon stands for.
        meaning: what that setting is, for error messages.
        words: settings whose values are texts; None where a text stands for any value that is not a number.
    """

    build: Callable[..., Policy] | str
    example: str = ""
    first: str | None = None
    meaning: str = "weight"
    words: frozenset[str] | None = frozenset()

    def builder(self) -> Callable[..., Policy]:
        """Return what makes the policy, imported where it is a reference."""
        build: Callable[..., Policy] = load_object(self.build) if isinstance(self.build, str) else self.build
        return build


@dataclass(frozen=True)
class Domain:
    """What can play one kind of game.

    Attributes:
        games: the kind in the plural, for error messages.
        environments: the ids of its environments, without ``ludens/`` and ``-v0``.
        holds: whether an object is the rules of such a game.
        names: the policies that can play it, by name.
        model: ``module:object`` of the class whose policies ask language models here.
    """

    games: str
    environments: frozenset[str]
    holds: Callable[[object], bool]
    names: Mapping[str, Name]
    model: str


def unfold(spec: object) -> tuple[object, dict[str, Any]]:
    """Return the name in a specification, whatever that is, and the settings beside it."""
    if not isinstance(spec, Mapping):
        return spec, {}
    left_out = {"spec", *_FOR_READERS}
    return spec.get("spec"), {key: value for key, value in spec.items() if key not in left_out}


def parse(spec: str, tail: str, name: Name) -> dict[str, Any]:
    """Return the settings written as ``key=value,…``.

    Args:
        spec: the whole specification, for error messages.
        tail: the part after the colon.
        name: says which keys hold texts, and which key a bare value at the beginning belongs to.

    Raises:
        UsageError: a part is no ``key=value``, a key comes twice, or a value is not a number.
    """
    settings: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in tail.split(","))):
        key, equals, value = (word.strip() for word in part.partition("="))
        # A path may hold an equals sign, as in sb3:runs/lr=0.1/ppo.zip.
        bare = not equals or not key.isidentifier()
        if bare and name.first is not None and not settings:
            key, value, equals = name.first, part, ""
        if key in settings or not value or not (equals or key == name.first):
            raise UsageError(
                f"The policy {spec!r} cannot be read at {part!r}: write key=value, each key once."
            )
        settings[key] = value if name.words is not None and key in name.words else _number(value)
        # A setting that there is not is named as such by `build`, whatever its value.
        if (
            isinstance(settings[key], str)
            and name.words is not None
            and key not in name.words
            and _has(name.builder(), key)
        ):
            raise UsageError(f"The policy {spec!r} needs a number for {key}; got {value!r}.")
    return settings


def build(head: str, name: Name, settings: Mapping[str, Any]) -> Policy:
    """Return the policy of a name with these settings.

    Args:
        head: the name.
        name: what it means.
        settings: by name.

    Raises:
        UsageError: a setting is unknown, missing, or out of its range.
    """
    builder = name.builder()
    parameters = inspect.signature(builder).parameters
    unknown = sorted(str(key) for key in settings if not _has(builder, key))
    if unknown and not parameters:
        raise UsageError(f"The policy {head!r} takes no settings; got {', '.join(unknown)}.")
    if unknown:
        raise UsageError(
            f"The policy {head!r} has no setting {unknown[0]!r}; it has {', '.join(parameters)}."
        )
    for key, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and key not in settings and _by_name(parameter):
            if not name.example:
                raise UsageError(f"The policy {head!r} needs {key}: write {head}:{key}=…")
            wanted = f"its {name.meaning}" if key == name.first else key
            raise UsageError(f"The policy {head!r} needs {wanted}: write {name.example}, for example.")
    return builder(**settings)


def make(builder: Callable[..., Policy], spec: str, settings: Mapping[str, Any], *given: Any) -> Policy:
    """Return what a class or function makes of settings.

    Args:
        builder: the class or function.
        spec: the specification, for error messages.
        settings: arguments by name.
        given: arguments by place.

    Raises:
        UsageError: a setting is missing or unknown.
    """
    try:
        inspect.signature(builder).bind(*given, **settings)
    except TypeError as error:
        raise UsageError(f"The policy {spec!r} cannot be made with these settings: {error}.") from None
    return builder(*given, **settings)


def _has(builder: Callable[..., Policy], key: str) -> bool:
    parameters = inspect.signature(builder).parameters
    return key in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def _by_name(parameter: inspect.Parameter) -> bool:
    return parameter.kind in {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


def _number(text: str) -> float | int | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
