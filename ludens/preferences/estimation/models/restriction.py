"""Parameters held at values: an affine map from the free coordinates ψ to the whole vector φ.

φ = A·ψ + c,   ∂ℓ/∂ψ = Aᵀ·∂ℓ/∂φ,   ∂²ℓ/∂ψ² = Aᵀ·∂²ℓ/∂φ²·A
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Restriction:
    """The affine map φ = A·ψ + c.

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
        """Return φ (..., p) from ψ (..., q)."""
        return psi @ self.matrix.T + self.offset

    def reduce(self, phi: Floats) -> Floats:
        """Return the ψ (..., q) whose φ is nearest to the given φ (..., p)."""
        found: Floats = (phi - self.offset) @ np.linalg.pinv(self.matrix).T
        return found

    def sizes(self, sizes: Floats) -> Floats:
        """Return typical sizes (q,) of ψ from those of φ (p,): the smallest that moves some φ_k by its own
        size.
        """
        with np.errstate(divide="ignore"):
            found: Floats = np.min(sizes[:, None] / np.abs(self.matrix), axis=0, initial=np.inf)
        return found
