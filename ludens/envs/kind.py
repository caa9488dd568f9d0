"""What lists show of an environment that is no game tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ludens.errors import UsageError


@dataclass(frozen=True)
class EnvironmentKind:
    """An environment as lists show it.

    Attributes:
        environment: its id.
        title, source: for people.
        roles: the parts that its seats may play.
        options: the names of what it can be made with.
    """

    environment: str
    title: str
    source: str
    roles: tuple[str, ...]
    options: tuple[str, ...]

    def known(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options as they are, if the environment has them all.

        Raises:
            UsageError: it lacks one.
        """
        unknown = set(options) - set(self.options)
        if unknown:
            raise UsageError(
                f"{self.environment} has no option {min(unknown)!r}; it has {', '.join(self.options)}."
            )
        return options
