"""Which settings of a model are secret: they are used, and never written down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ENDINGS = ("key", "token", "secret", "password", "headers", "credentials")


def is_secret(name: str) -> bool:
    """Whether a setting of that name holds a key or another secret."""
    return name.lower().endswith(_ENDINGS)


def without_secrets(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that may be kept in a file, those in nested mappings likewise."""
    return {
        name: without_secrets(value) if isinstance(value, Mapping) else value
        for name, value in settings.items()
        if not is_secret(name)
    }
