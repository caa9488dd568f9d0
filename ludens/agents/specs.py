"""Policies written as texts, ``name:key=value,…``, or as mappings: what all kinds of them read alike."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ludens.agents.policy import Policy
from ludens.errors import UsageError

# What `describe` adds for readers: it follows from the specification.
_FOR_READERS = {"name", "kind"}


@dataclass(frozen=True)
class Specifications:
    """How the specifications of one kind of policies are read, and what is said of those that cannot be.

    Attributes:
        noun: the kind, for messages.
        names: the specifications that need no model.
    """

    noun: str
    names: Callable[[], list[str]]

    @property
    def known(self) -> str:
        """What there is, for messages."""
        return ", ".join(self.names()) + ", and every model id with a slash, for example local/smollm2-135m"

    def unfold(self, spec: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The name in a specification, and the settings beside it.

        Raises:
            UsageError: there is no name.
        """
        if isinstance(spec, Mapping) and not isinstance(spec.get("spec"), str):
            called = spec.get("name", dict(spec))
            raise UsageError(
                f"The {self.noun} {called!r} has no specification to make it from: pass the policy itself."
            )
        name, settings = unfold(spec)
        if not isinstance(name, str):
            raise UsageError(f"A {self.noun} is named by a text, not by {name!r}; there are {self.known}.")
        return name, settings

    def parse(
        self,
        name: str,
        tail: str,
        first: str | None = None,
        *,
        words: Collection[str] = (),
        read: Callable[[str], Any] = float,
    ) -> dict[str, Any]:
        """Settings written as ``key=value,…``.

        Args:
            name: the whole specification, for messages.
            tail: what stands after the colon.
            first: the key that a bare value at the beginning belongs to; None if there is none.
            words: the keys whose values stay texts.
            read: makes the value of any other key, or raises ValueError.

        Raises:
            UsageError: a part is no key=value, a key comes twice, or a value is no number.
        """
        found: dict[str, Any] = {}
        for part in filter(None, (part.strip() for part in tail.split(","))):
            key, equals, value = (word.strip() for word in part.partition("="))
            if not equals and first is not None and not found:
                key, value = first, key
            if key in found or not value:
                raise UsageError(
                    f"The {self.noun} {name!r} cannot be read at {part!r}: write key=value, each key once."
                )
            try:
                found[key] = value if key in words else read(value)
            except ValueError:
                raise UsageError(
                    f"The {self.noun} {name!r} needs a number for {key}; got {value!r}."
                ) from None
        return found

    def make(
        self, make: Callable[..., Policy], name: str, settings: Mapping[str, Any], *given: Any
    ) -> Policy:
        """What `make` returns for the settings.

        Args:
            make: the policy's class, or a function.
            name: the specification, for messages.
            settings: arguments by name.
            given: arguments by place.

        Raises:
            UsageError: a setting is missing, or unknown.
        """
        try:
            inspect.signature(make).bind(*given, **settings)
        except TypeError as why:
            raise UsageError(f"The {self.noun} {name!r} cannot be made with these settings: {why}.") from None
        return make(*given, **settings)


def unfold(spec: object) -> tuple[object, dict[str, Any]]:
    """The name in a specification, whatever that is, and the settings beside it."""
    if not isinstance(spec, Mapping):
        return spec, {}
    left_out = {"spec", *_FOR_READERS}
    return spec.get("spec"), {key: value for key, value in spec.items() if key not in left_out}


_MODELS = Specifications("policy", list)


def language_model(model: str, settings: Mapping[str, Any]) -> Policy:
    """Return the `LLMPolicy` of a model id.

    Raises:
        UsageError: a setting is unknown, or out of its range.
    """
    from ludens.agents.llm.choice_policy import LLMPolicy

    return _MODELS.make(LLMPolicy, model, settings, model)
