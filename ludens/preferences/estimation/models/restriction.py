"""Parameters held at values: an affine map from what is free to the whole vector φ.

φ = A·ψ + c,   ∂ℓ/∂ψ = Aᵀ·∂ℓ/∂φ,   ∂²ℓ/∂ψ² = Aᵀ·∂²ℓ/∂φ²·A
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Restriction:
    """φ = A·ψ + c.

    Attributes:
        matrix: A, shape (p, q); q is the number of free coordinates.
        offset: c, shape (p,).
    """

    matrix: Floats
    offset: Floats

    @property
    def free(self) -> int:
        """The number q of free coordinates."""
        return int(self.matrix.shape[1])

    @property
    def trivial(self) -> bool:
        """Whether nothing is restricted."""
        return self.free == len(self.offset)

    def expand(self, psi: Floats) -> Floats:
        """φ (..., p) of ψ (..., q)."""
        return psi @ self.matrix.T + self.offset

    def reduce(self, phi: Floats) -> Floats:
        """The ψ (..., q) whose φ comes nearest to a given one (..., p)."""
        found: Floats = (phi - self.offset) @ np.linalg.pinv(self.matrix).T
        return found

    def sizes(self, sizes: Floats) -> Floats:
        """Typical sizes (q,) of ψ from those of φ (p,): the least that moves some coordinate by its own."""
        with np.errstate(divide="ignore"):
            found: Floats = np.min(sizes[:, None] / np.abs(self.matrix), axis=0, initial=np.inf)
        return found
