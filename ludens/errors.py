"""The errors that users of ludens meet.

Each message is one sentence that says what was wrong, where, and what to do; the command line prints it
without a traceback.
"""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T", bound="LudensError")


class LudensError(Exception):
    """Base of every error that ludens raises on purpose: catch it to catch them all.

    Errors come from other processes as they were raised there, whatever arguments their classes take.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_again, (type(self), self.args, self.__dict__)


class UsageError(LudensError, ValueError):
    """The caller's input is wrong; nothing was done or changed. The command line exits with code 2."""


def _made_again(kind: type[T], arguments: tuple[Any, ...], state: dict[str, Any]) -> T:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(state)
    return error
