"""How consumers choose among products, without firms' names, costs or money.

Demand sees net values u_j = a_j − p_j/α (quality less price in units of quality) and the outside good's value
a_0, and gives shares s_j per unit of market size. Margins are in the same units. `conduct` determines whose
margins enter the first-order condition of product j: H_jk = 1 for products k of the same firm and `rival` for
those of others.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.theory.groups import Groups

Floats = NDArray[np.float64]


class Conduct(NamedTuple):
    """The objective of firms in first-order conditions: scale·s_j = Σ_k H_jk·margin_k·∂s_k/∂u_j.

    Attributes:
        owners: the products of each firm.
        scale: weight of the firm's own sales; 1 for profit.
        rival: H of products of other firms; 0 for profit, 1 for joint profit.
    """

    owners: Groups
    scale: float = 1.0
    rival: float = 0.0

    @property
    def matrix(self) -> Floats:
        """H, shape (J, J)."""
        return np.where(self.owners.together, 1.0, self.rival)

    def pooled(self, values: Floats) -> Floats:
        """Return Σ_k H_jk·values_k for each j, (..., J) to (..., J)."""
        own = self.owners.within(values)
        if self.rival == 0:
            return own
        everyone: Floats = (1 - self.rival) * own + self.rival * values.sum(axis=-1, keepdims=True)
        return everyone


class Fixed(NamedTuple):
    """Products whose margins are given: `products` is a mask (J,), `margins` (J,) holds their numbers."""

    products: NDArray[np.bool_]
    margins: Floats


class Demand(Protocol):
    """The interface of demand. Values have shape (..., J); outside broadcasts against (...)."""

    @property
    def name(self) -> str:
        """The name for `Market(demand=…)`."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The keyword arguments of `Market` for this demand, ready for JSON."""

    @property
    def exchangeable(self) -> bool:
        """Whether products differ only in quality and cost."""

    def shares(self, values: Floats, outside: Floats) -> Floats:
        """Return quantities per unit of market size, (..., J)."""

    def marginal(self, values: Floats, outside: Floats, weights: Floats, conduct: Conduct) -> Floats:
        """Return Σ_k H_jk·weights_k·∂s_k/∂u_j for every j, (..., J)."""

    def surplus(self, values: Floats, outside: Floats) -> Floats:
        """Return consumer surplus in units of quality per unit of market size, (...)."""

    def equilibrium(
        self, surplus: Floats, outside: float, conduct: Conduct, fixed: Fixed | None = None
    ) -> Floats:
        """Return margins (J,) that solve all first-order conditions, given quality less cost, (J,).

        Raises:
            EquilibriumError: the solver does not converge.
        """

    def reply(self, own: NDArray[np.bool_], surplus: Floats, values: Floats, outside: Floats) -> Floats:
        """Return the most profitable margins (..., J) of the products in the mask `own` (J,).

        The others' products have the values (..., J); entries of other products are meaningless.

        Raises:
            EquilibriumError: the solver does not converge.
        """
