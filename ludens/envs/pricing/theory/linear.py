"""Linear differentiated demand, with no product ever sold in a negative amount.

    q = B(a − p) where all products are sold

B is any matrix with a positive diagonal, no positive entry beside it (substitutes) and a non-negative inverse
Γ (an M-matrix). Where B is symmetric this is the demand of one consumer with utility a'q − q'Γq/2 + money
(Singh & Vives 1984; Shubik & Levitan 1980 for the symmetric case), and consumer surplus q'Γq/2 exists.

A product whose quantity would be negative sells nothing, and affects the others as if it had the lowest price
at which it sells nothing: the consumer's optimum under q ≥ 0. Without this, an excessive price would raise
rivals' sales without bound. Chandrasekaran's (1970) method identifies these products: those with negative
quantities are removed until none is negative.

`outside` has no meaning here: consumers keep the money that they do not spend.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs.pricing.theory.demand import Conduct, Fixed
from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.errors import UsageError

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_BISECTIONS = 80
_ROUNDS = 300


@dataclass(frozen=True)
class Linear:
    """Linear demand with slopes B, one tuple for each product's quantity.

    Raises:
        UsageError: B is not a square M-matrix.
    """

    slopes: tuple[tuple[float, ...], ...]

    name: ClassVar[str] = "linear"

    def __post_init__(self) -> None:
        matrix = self.matrix
        fits = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] and bool(np.all(np.isfinite(matrix)))
        if not fits or np.any(np.diag(matrix) <= 0) or np.any(matrix - np.diag(np.diag(matrix)) > 0):
            raise UsageError(
                "slopes must be a square matrix, positive on the diagonal and nowhere else (products are"
                f" substitutes); got {self.slopes}."
            )
        if abs(np.linalg.det(matrix / np.diag(matrix))) < 1e-12 or np.any(np.linalg.inv(matrix) < 0):
            raise UsageError(
                "slopes must let a product's own price count for more than all others' together (its inverse"
                f" must not have negative entries); got {self.slopes}."
            )

    @property
    def parameters(self) -> dict[str, Any]:
        """`Market`'s keyword arguments."""
        return {"demand": "linear", "slopes": [list(row) for row in self.slopes]}

    @property
    def exchangeable(self) -> bool:
        """One slope on the diagonal and one beside it."""
        beside = self.matrix[~np.eye(len(self.slopes), dtype=bool)]
        return len(set(np.diag(self.matrix).tolist())) == 1 and len(set(beside.tolist())) <= 1

    @cached_property
    def matrix(self) -> Floats:
        """B, (J, J)."""
        return np.array(self.slopes, dtype=np.float64)

    def shares(self, values: Floats, outside: Floats) -> Floats:
        """Return quantities per unit of market size, (..., J)."""
        sold, idle = self._sold(values)
        return np.where(idle, 0.0, sold)

    def marginal(self, values: Floats, outside: Floats, weights: Floats, conduct: Conduct) -> Floats:
        """Return Σ_k H_jk·weights_k·∂s_k/∂u_j among products that are sold; 0 for the rest.

        At a price at which a product begins to sell, the derivative is that of higher prices.
        """
        shape = np.broadcast_shapes(values.shape, weights.shape)
        _, idle = self._sold(values)
        idle = np.broadcast_to(idle, shape).reshape(-1, shape[-1])
        flat = np.broadcast_to(weights, shape).reshape(-1, shape[-1])
        result = np.empty_like(flat)
        for rows, out in _patterns(idle):
            result[rows] = flat[rows] @ (conduct.matrix.T * self._slopes(out))
        return result.reshape(shape)

    def surplus(self, values: Floats, outside: Floats) -> Floats:
        """Return q'Γq/2, (...).

        Raises:
            UsageError: B is not symmetric: no consumer has such demand.
        """
        if not np.allclose(self.matrix, self.matrix.T, rtol=1e-12, atol=0):
            raise UsageError("Consumer surplus exists for symmetric slopes only; make slopes symmetric.")
        total: Floats = (self.shares(values, outside) * values).sum(axis=-1) / 2
        return total

    def equilibrium(
        self, surplus: Floats, outside: float, conduct: Conduct, fixed: Fixed | None = None
    ) -> Floats:
        """Return the margins (J,) of the equilibrium.

        If every product is sold, it is the solution of a linear system. Otherwise joint profit of all firms
        is maximised under q ≥ 0, with idle products at the price where they would begin to sell, and
        single-product firms are solved by exact best replies (a firm that sells nothing charges its cost).
        There is no method for other cases, which raise an error.
        """
        table, size = conduct.matrix, len(surplus)
        if conduct.owners.count == 1 and fixed is None and conduct.scale == 1 and self._symmetric:
            sold = self.shares(surplus, np.zeros(())) / 2
            return np.asarray(surplus - np.linalg.solve(self.matrix, sold))
        left: Floats
        right: Floats
        left, right = (
            conduct.scale * self.matrix + table * self.matrix.T,
            conduct.scale * self.matrix @ surplus,
        )
        if fixed is not None:
            left = np.where(fixed.products[:, None], np.eye(size), left)
            right = np.where(fixed.products, fixed.margins, right)
        margins: Floats = np.asarray(np.linalg.solve(left, right))
        moving = np.ones(size, dtype=bool) if fixed is None else ~fixed.products
        sold = self.matrix @ (surplus - margins)
        if np.all(sold > 0):
            return margins
        alone = conduct.owners.count == size and conduct.rival == 0 and conduct.scale == 1
        if not alone:
            raise EquilibriumError(
                "Equilibrium prices were not found: some products would not be sold at them, which is"
                " solved here for firms with one product each only; leave out the products that sell nothing."
            )
        return self._by_replies(np.where(moving, np.maximum(margins, 0.0), margins), surplus, moving)

    def reply(self, own: Mask, surplus: Floats, values: Floats, outside: Floats) -> Floats:
        """Return the firm's best margins, as `Demand.reply`.

        For one product by bisection of the marginal profit, which crosses 0 once, also at the kinks where
        rivals' products begin to sell. For several, the linear solution, where all are sold at it.
        """
        if own.sum() == 1:
            product = int(np.flatnonzero(own)[0])
            margins = np.zeros(values.shape)
            margins[..., product] = self._bisected(product, surplus, values)
            return margins
        block = self.matrix[np.ix_(own, own)]
        given = values[..., ~own] @ self.matrix[np.ix_(own, ~own)].T
        margins = np.zeros(values.shape)
        margins[..., own] = np.linalg.solve(block + block.T, (surplus[own] @ block.T + given)[..., None])[
            ..., 0
        ]
        reached = np.where(own, surplus - margins, values)
        if np.any(self._sold(reached)[1]):
            raise EquilibriumError(
                "The best reply of a firm with several products was not found: some product would not be"
                " sold at it; leave out its products that sell nothing."
            )
        return margins

    @property
    def _symmetric(self) -> bool:
        return bool(np.allclose(self.matrix, self.matrix.T, rtol=1e-12, atol=0))

    def _sold(self, values: Floats) -> tuple[Floats, Mask]:
        """Return quantities and which products are idle, (..., J); those of idle ones are meaningless."""
        # Far below 0 a value means no sales, however far: sums with it must not overflow.
        flat = np.maximum(values, -1e150).reshape(-1, values.shape[-1])
        sold = flat @ self.matrix.T
        idle = sold < 0
        while True:
            for rows, out in _patterns(idle):
                if out.any():
                    sold[rows] = flat[rows] @ self._slopes(out).T
            further = ~idle & (sold < 0)
            if not further.any():
                break
            idle |= further
        return sold.reshape(values.shape), idle.reshape(values.shape)

    def _slopes(self, idle: Mask) -> Floats:
        """Return ∂s_k/∂u_j, (J, J), rows k, while some products are idle: B less what went through them."""
        matrix = self.matrix
        reduced = matrix.copy()
        if idle.any():
            through = np.linalg.solve(matrix[np.ix_(idle, idle)], matrix[idle])
            reduced -= matrix[:, idle] @ through
            reduced[idle], reduced[:, idle] = 0.0, 0.0
        return reduced

    def _bisected(self, product: int, surplus: Floats, values: Floats) -> Floats:
        """Return the margin (...) at which the product's own marginal profit changes its sign."""
        at = np.array(values.reshape(-1, len(surplus)))
        low = np.zeros(len(at))
        # At its own value 0 nobody buys the product.
        high = np.full(len(at), max(float(surplus[product]), 0.0))
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            at[:, product] = surplus[product] - middle
            sold, idle = self._sold(at)
            slope = np.empty(len(at))
            for rows, out in _patterns(idle):
                slope[rows] = self._slopes(out)[product, product]
            rising = ~idle[:, product] & (sold[:, product] > middle * slope)
            low, high = np.where(rising, middle, low), np.where(rising, high, middle)
        found: Floats = (low + high) / 2
        return found.reshape(values.shape[:-1])

    def _by_replies(self, margins: Floats, surplus: Floats, moving: Mask) -> Floats:
        """Let one firm after another play its exact best reply until prices no longer change."""
        wrong = np.inf
        for _ in range(_ROUNDS):
            before = margins
            for product in np.flatnonzero(moving):
                answer = self._bisected(int(product), surplus, surplus - margins)
                margins = margins.copy()
                margins[product] = answer
            wrong = float(np.abs(margins - before).max())
            if wrong <= 1e-12 * float(np.abs(surplus).max()):
                return margins
        raise EquilibriumError(
            f"Equilibrium prices were not found: after {_ROUNDS} rounds of best replies they still move"
            f" by {wrong:.3g}, in units of quality."
        )


def shubik_levitan(products: int, substitution: float) -> list[list[float]]:
    """Return the slopes of symmetric demand q_j = [a_j − p_j − γ(p_j − p̄)]/J (Shubik & Levitan 1980).

    Args:
        products: J.
        substitution: γ ≥ 0; 0 is J separate markets.
    """
    if products < 1 or not 0 <= substitution < np.inf:
        raise UsageError(f"Give at least 1 product and substitution ≥ 0; got {products} and {substitution}.")
    matrix = ((1 + substitution) * np.eye(products) - substitution / products) / products
    rows: list[list[float]] = matrix.tolist()
    return rows


def linear_demand(slopes: ArrayLike) -> Linear:
    """Return linear demand from any matrix-like slopes."""
    try:
        matrix = np.array(slopes, dtype=np.float64)
    except ValueError:
        matrix = np.zeros((0,))
    if matrix.ndim != 2:
        raise UsageError(f"slopes must be a square matrix of numbers; got {slopes!r}.")
    return Linear(tuple(tuple(row) for row in matrix.tolist()))


def _patterns(masks: Mask) -> Iterator[tuple[Any, Mask]]:
    """Yield each distinct row of `masks`, (N, J), with the rows that equal it."""
    if len(masks) == 0:
        return
    if len(masks) == 1 or not masks.any():
        yield slice(None), masks[0]
        return
    kinds, which = np.unique(masks, axis=0, return_inverse=True)
    for number, kind in enumerate(kinds):
        yield which.reshape(-1) == number, kind
