"""How consumers choose among products: the part of a market that knows nothing of firms, costs or money.

Demand sees net values u_j = a_j − p_j/α (quality less price in units of quality) and the outside good's value
a_0, and gives shares s_j per unit of market size.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.groups import Groups

Floats = NDArray[np.float64]


class Demand(Protocol):
    """What a market asks of its demand. Values have shape (..., J); outside broadcasts against (...)."""

    @property
    def name(self) -> str:
        """The name by which `Market` takes it."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The keyword arguments of `Market` that make it, ready for JSON."""

    @property
    def exchangeable(self) -> bool:
        """Whether no product differs from another by demand itself (qualities aside)."""

    def shares(self, values: Floats, outside: Floats) -> Floats:
        """Quantities per unit of market size, (..., J)."""

    def marginal(
        self, values: Floats, outside: Floats, weights: Floats, owners: Groups, rival: float
    ) -> Floats:
        """Σ_k H_jk·weights_k·∂s_k/∂u_j for every j, (..., J), where H_jk is 1 if products j and k belong to
        one firm and `rival` otherwise.
        """

    def surplus(self, values: Floats, outside: Floats) -> Floats:
        """Consumer surplus in units of quality per unit of market size, (...): what consumers gain over
        buying nothing but the outside good.
        """

    def restricted(self, products: NDArray[np.intp]) -> Demand:
        """The demand among some of the products only, in that order."""
