"""A market of one homogeneous good, in which the cheapest firm serves all, as in Klein (2021).

    Q(p) = β·max(a − p/α, 0) at the lowest price p, split evenly among the firms that charge it
    Q(p) = β if p/α ≤ a, else 0, with unit demand: β consumers who buy one unit at any price up to α·a

After Klein, "Autonomous algorithmic collusion: Q-learning under sequential pricing" (RAND Journal of
Economics 52(3), 2021), whose market is a = 1 without costs and whose prices are 0, 1/k, …, 1. It has
the methods of `Market` that environments use. Demand is discontinuous, so that there is no best reply on a
continuum of prices.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.display.notebook import Shown
from ludens.envs.pricing.theory import parameters
from ludens.envs.pricing.theory.demand import Conduct
from ludens.envs.pricing.theory.groups import Groups
from ludens.errors import UsageError

Floats = NDArray[np.float64]


class HomogeneousMarket(Shown):
    """Firms that sell the same product, with linear or unit demand; immutable.

    Args:
        firms: at least 1.
        intercept: a, the price in units of quality from which on (with unit demand: above which) nothing is
            sold.
        cost: c < a, per unit, in units of quality.
        price_scale: α > 0, money per unit of quality.
        quantity_scale: β > 0.
        unit: whether demand is unit demand, as in Asker, Fershtman & Pakes (AEA Papers & Proceedings 112,
            2022).

    Raises:
        UsageError: a number is out of its range.
    """

    shown_by: ClassVar[str] = "ludens.envs.pricing.theory.benchmarks:view"

    def __init__(
        self,
        firms: int = 2,
        intercept: float = 1.0,
        cost: float = 0.0,
        *,
        price_scale: float = 1.0,
        quantity_scale: float = 1.0,
        unit: bool = False,
    ) -> None:
        self.unit = bool(unit)
        self.firms = self.products = parameters.firms_in(firms)
        self.intercept = parameters.number("intercept", intercept)
        self.cost = parameters.number("cost", cost)
        if not self.cost < self.intercept:
            raise UsageError(f"The cost must lie below the intercept {intercept:g}; got {cost:g}.")
        self.price_scale = parameters.positive("price_scale", price_scale)
        self.quantity_scale = parameters.positive("quantity_scale", quantity_scale)
        self.groups = Groups(range(self.firms))
        self.owners = tuple(range(self.firms))
        self.qualities = np.full(self.firms, self.intercept)
        self.costs = np.full(self.firms, self.cost)
        self.unit_costs = self.costs * self.price_scale
        for array in (self.qualities, self.costs, self.unit_costs):
            array.flags.writeable = False

    @property
    def parameters(self) -> dict[str, Any]:
        """All numbers, ready for JSON; ``"demand"`` is ``"homogeneous"``."""
        return {
            "demand": "homogeneous",
            "firms": self.firms,
            "intercept": self.intercept,
            "cost": self.cost,
            "price_scale": self.price_scale,
            "quantity_scale": self.quantity_scale,
            "unit": self.unit,
        }

    def quantities(self, prices: ArrayLike, outside: ArrayLike | None = None) -> Floats:
        """Return the quantities at prices (..., F), shape (..., F); `outside` is ignored."""
        array = np.asarray(prices, dtype=np.float64)
        if array.ndim == 0 or array.shape[-1] != self.firms or not np.all(np.isfinite(array)):
            raise UsageError(f"Prices are finite and end in an axis of {self.firms}; got {prices!r}.")
        lowest = array.min(axis=-1, keepdims=True)
        cheapest = array == lowest
        room = self.intercept - lowest / self.price_scale
        demand = self.quantity_scale * (room >= 0 if self.unit else np.maximum(room, 0.0))
        sold: Floats = np.where(cheapest, demand / cheapest.sum(axis=-1, keepdims=True), 0.0)
        return sold

    def profits(self, prices: ArrayLike, outside: ArrayLike | None = None) -> Floats:
        """Return profits (..., F) at prices (..., F)."""
        return (np.asarray(prices, dtype=np.float64) - self.unit_costs) * self.quantities(prices)

    def consumer_surplus(self, prices: ArrayLike, outside: ArrayLike | None = None) -> Floats:
        """Return the consumers' gain at prices (..., F), in money, (...).

        At the lowest price it is α·β·(a − p/α)²/2, and α·β·(a − p/α) with unit demand.
        """
        if self.unit:
            array = np.asarray(prices, dtype=np.float64)
            sold = self.quantities(array).sum(axis=-1)
            kept: Floats = sold * (self.price_scale * self.intercept - array.min(axis=-1))
            return kept
        bought = self.quantities(prices).sum(axis=-1) / self.quantity_scale
        gain: Floats = self.price_scale * self.quantity_scale * bought**2 / 2
        return gain

    def equilibrium(self, conduct: Conduct) -> Floats:
        """Return the prices (F,) of firms that maximise joint profit, (a + c)/2 (with unit demand a), or
        compete, the cost c.

        Raises:
            UsageError: the conduct is neither: outsiders would undercut any smaller coalition.
        """
        if conduct.scale == 1 and conduct.rival == 0:
            if conduct.owners.count == 1:
                joint = self.intercept if self.unit else (self.intercept + self.cost) / 2
                return np.full(self.firms, self.price_scale * joint)
            if conduct.owners.count == self.firms:
                return self.unit_costs.copy()
        raise UsageError(
            "A homogeneous market has Nash and joint-profit prices only: outsiders undercut any other price."
        )

    def best_response(self, firm: int, prices: ArrayLike, outside: ArrayLike | None = None) -> Floats:
        """Raise an error, because there is no best reply: undercutting by less is always better.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            "A homogeneous market has no best reply on a continuum of prices; take a firm that follows"
            " another rule, or a market of differentiated products."
        )

    def changed(self, **numbers: Any) -> HomogeneousMarket:
        """Return the market with other numbers, by the names of `parameters`."""
        known = {name: value for name, value in self.parameters.items() if name != "demand"}
        return HomogeneousMarket(**known | numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HomogeneousMarket) and self.parameters == other.parameters

    def __hash__(self) -> int:
        return hash(tuple(self.parameters.values()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items() if name != "demand")
        return f"HomogeneousMarket({shown})"
