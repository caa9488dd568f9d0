"""The protocol of functions that carry out many independent computations, such as the built-in `map`.

A function that draws bootstrap samples or labels many games takes one as `map_with`. Random numbers are drawn
before the work is divided, and always into the same parts, so that the results do not depend on where the
parts are computed. `ludens.experiments.compute` is such a function: it uses several processes, or a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

A = TypeVar("A")
T = TypeVar("T")


class MapLike(Protocol):
    """A function that applies a function to each of many tasks."""

    def __call__(self, function: Callable[[A], T], tasks: Iterable[A], /) -> Iterable[T]:
        """Return the function's results in the order of the tasks."""
        ...
