"""Which settings of a model are secret: they are used, and never written to a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Names of secrets end with one of these ("api_key", "azure_ad_token", "extra_headers") …
_ENDINGS = (
    "cookie",
    "credential",
    "credentials",
    "headers",
    "key",
    "passphrase",
    "password",
    "secret",
    "token",
)
# … or hold one of these ("aws_access_key_id", "proxy-authorization"). "token" and "key" anywhere would be too
# much: "stop_token_ids" is a setting like any other.
_INSIDE = re.compile(r"(?:access|secret|api|private)_?key|secret|password|authorization|bearer")


def is_secret(name: str) -> bool:
    """Return whether a setting of that name holds a key or another secret."""
    plain = name.lower().replace("-", "_")
    return plain.endswith(_ENDINGS) or _INSIDE.search(plain) is not None


def without_secrets(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that may be kept in a file, with secrets removed from nested mappings and lists
    too.
    """
    return {str(name): _cleaned(value) for name, value in settings.items() if not is_secret(str(name))}


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_secrets(value)
    return [_cleaned(each) for each in value] if isinstance(value, list | tuple) else value
