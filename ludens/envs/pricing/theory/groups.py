"""Products in groups (firms, nests): sums and maxima within groups along the last axis of any batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError

Floats = NDArray[np.float64]


class Groups:
    """Which group each of J products belongs to; groups are numbered 0 … G−1 and none is empty.

    Attributes:
        labels: the group of each product, shape (J,), read-only.
        count: G.
    """

    def __init__(self, labels: Sequence[int] | NDArray[np.intp]) -> None:
        self.labels = np.array(labels, dtype=np.intp)
        self.labels.flags.writeable = False
        self.count = int(self.labels.max(initial=-1)) + 1
        order = np.argsort(self.labels, kind="stable")
        self._order = None if np.array_equal(order, np.arange(len(order))) else order
        self._starts = np.searchsorted(self.labels[order], np.arange(self.count))
        self._crossed: dict[int, tuple[Groups, Groups]] = {}
        self._single = self.count == len(self.labels) and self._order is None

    def sums(self, values: Floats) -> Floats:
        """Return sums within groups, (..., J) to (..., G)."""
        return values if self._single else self._reduce(np.add, values)

    def maxima(self, values: Floats) -> Floats:
        """Return maxima within groups, (..., J) to (..., G)."""
        return values if self._single else self._reduce(np.maximum, values)

    def spread(self, totals: Floats) -> Floats:
        """Return each product's group value, (..., G) to (..., J)."""
        return totals if self._single else totals[..., self.labels]

    def within(self, values: Floats) -> Floats:
        """Return for each product the sum over its group, (..., J) to (..., J)."""
        return self.spread(self.sums(values))

    def crossed(self, other: Groups) -> Groups:
        """Return the groups of products that share a group both here and in the other."""
        known = self._crossed.get(id(other))
        if known is None or known[0] is not other:
            _, labels = np.unique(self.labels * other.count + other.labels, return_inverse=True)
            known = self._crossed[id(other)] = (other, Groups(labels))
        return known[1]

    def restricted(self, products: NDArray[np.intp]) -> Groups:
        """Return the groups among some products, renumbered in order."""
        _, labels = np.unique(self.labels[products], return_inverse=True)
        return Groups(labels)

    @property
    def together(self) -> NDArray[np.bool_]:
        """Whether two products share a group, shape (J, J)."""
        same: NDArray[np.bool_] = self.labels[:, None] == self.labels
        return same

    def _reduce(self, operation: np.ufunc, values: Floats) -> Floats:
        if self.count == 1:
            total: Floats = operation.reduce(values, axis=-1, keepdims=True)
            return total
        ordered = values if self._order is None else values[..., self._order]
        reduced: Floats = operation.reduceat(ordered, self._starts, axis=-1)
        return reduced


def numbered(labels: Sequence[int] | NDArray[np.intp], count: int, what: str) -> tuple[int, ...]:
    """Return the labels of `count` products, checked: integers 0 … G−1, each used.

    Raises:
        UsageError: there are not as many labels as products, or a number below the highest is not used.
    """
    numbers = tuple(int(label) for label in labels)
    if len(numbers) != count or any(a != b for a, b in zip(numbers, labels, strict=True)):
        raise UsageError(
            f"Give each of the {count} products one whole number for its {what}; got {list(labels)}."
        )
    if set(numbers) != set(range(max(numbers) + 1)):
        raise UsageError(
            f"Number {what}s from 0 without gaps, each with at least one product; got {list(labels)}."
        )
    return numbers
