"""The market of a repeated Bertrand game: firms, products, demand, and the prices that theory expects.

After Calvano, Calzolari, Denicolò & Pastorello (AER 2020) with the scales of Fish, Gonczarowski & Shorrer (2024):

    q_j = β·s_j(a − p/α),   π_f = Σ_{j of f} (p_j − α·c_j)·q_j

Prices, profits and consumer surplus are in money; qualities a, costs c, the outside good a_0 and μ are in units of
quality, and α is the money that one such unit is worth. Product order is the order of all price vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs.pricing.demand import Demand
from ludens.envs.pricing.equilibrium import zeta_margins
from ludens.envs.pricing.groups import Groups, numbered
from ludens.envs.pricing.logit import Logit
from ludens.errors import UsageError

Floats = NDArray[np.float64]
T = TypeVar("T")


class Market:
    """A market in which firms set prices at once; immutable, hashable, equal where all numbers are equal.

    Attributes:
        qualities: a, shape (J,).
        costs: c, shape (J,), in units of quality; `unit_costs` is in money.
        owners: the firm of each product, shape (J,).
        products, firms: J and F.
        outside: a_0.
        price_scale: α > 0, money per unit of quality.
        quantity_scale: β > 0, market size.

    Raises:
        UsageError: numbers are not finite or lie outside their ranges, or shapes differ.
    """

    def __init__(
        self,
        qualities: Sequence[float] | Floats,
        costs: Sequence[float] | Floats,
        *,
        owners: Sequence[int] | None = None,
        mu: float = 0.25,
        outside: float = 0.0,
        price_scale: float = 1.0,
        quantity_scale: float = 1.0,
        demand: Literal["logit", "nested", "linear"] = "logit",
    ) -> None:
        self.qualities = _vector("qualities", qualities)
        self.costs = _vector("costs", costs)
        self.products = len(self.qualities)
        if len(self.costs) != self.products or self.products == 0:
            raise UsageError(
                f"A market needs one quality and one cost for each product; got {self.products}"
                f" qualities and {len(self.costs)} costs."
            )
        numbers = numbered(range(self.products) if owners is None else owners, self.products, "firm")
        self.groups = Groups(numbers)
        self.owners = self.groups.labels
        self.firms = self.groups.count
        self.outside = _number("outside", outside)
        self.price_scale = _positive("price_scale", price_scale)
        self.quantity_scale = _positive("quantity_scale", quantity_scale)
        if demand != "logit":
            raise UsageError(f"demand is 'logit', 'nested' or 'linear'; got {demand!r}.")
        self.demand: Demand = Logit(_positive("mu", mu))
        self.unit_costs = self.costs * self.price_scale
        self.unit_costs.flags.writeable = False
        self._known: dict[str, Any] = {}

    @classmethod
    def symmetric(cls, firms: int = 2, quality: float = 2.0, cost: float = 1.0, **rest: Any) -> Market:
        """`firms` firms with one product each, all alike; the defaults are the published baseline."""
        if firms < 1 or firms != int(firms):
            raise UsageError(f"A market needs a whole number of firms, at least 1; got {firms}.")
        return cls([quality] * int(firms), [cost] * int(firms), **rest)

    @property
    def parameters(self) -> dict[str, Any]:
        """All numbers, ready for JSON: ``Market(**market.parameters) == market``."""
        return {
            "qualities": self.qualities.tolist(),
            "costs": self.costs.tolist(),
            "owners": self.owners.tolist(),
            "outside": self.outside,
            "price_scale": self.price_scale,
            "quantity_scale": self.quantity_scale,
            **self.demand.parameters,
        }

    @property
    def is_symmetric(self) -> bool:
        """Whether all firms are alike, with one product each."""
        same = bool(np.all(self.qualities == self.qualities[0]) and np.all(self.costs == self.costs[0]))
        return same and self.firms == self.products and self.demand.exchangeable

    def quantities(self, prices: ArrayLike, outside: ArrayLike | None = None) -> Floats:
        """What is sold of each product at prices (..., J), shape (..., J).

        Args:
            prices: money; the last axis is the product.
            outside: another value of the outside good for each entry of the batch, shape (...).

        Raises:
            UsageError: prices are not finite or not of that shape.
        """
        array, value = self._checked(prices, outside)
        return self.quantity_scale * self.demand.shares(self._values(array), value)

    def profits(self, prices: ArrayLike, outside: ArrayLike | None = None) -> Floats:
        """Profits of each firm in money, (..., F), at prices (..., J)."""
        array, value = self._checked(prices, outside)
        sold = self.quantity_scale * self.demand.shares(self._values(array), value)
        return self.groups.sums((array - self.unit_costs) * sold)

    def consumer_surplus(self, prices: ArrayLike, outside: ArrayLike | None = None) -> Floats:
        """What consumers gain over the outside good alone, in money, (...)."""
        array, value = self._checked(prices, outside)
        size = self.price_scale * self.quantity_scale
        return size * self.demand.surplus(self._values(array), value)

    def profit_gradient(self, prices: ArrayLike, outside: ArrayLike | None = None) -> Floats:
        """∂π_f/∂p_j for each product j and its own firm f, (..., J), in units sold."""
        array, value = self._checked(prices, outside)
        values = self._values(array)
        margins = (array - self.unit_costs) / self.price_scale
        lost = self.demand.marginal(values, value, margins, self.groups, 0.0)
        return self.quantity_scale * (self.demand.shares(values, value) - lost)

    def nash(self) -> Floats:
        """Prices (J,) of the one-shot Nash equilibrium.

        Raises:
            EquilibriumError: none was found.
        """
        return self._once("nash", lambda: self._equilibrium(self.groups))

    def monopoly(self, coalition: Sequence[int] | None = None) -> Floats:
        """Prices (J,) when some firms price as one and maximise their joint profit, all of them by default.

        Firms outside the coalition go on for themselves: the prices are the Nash equilibrium between them and it.

        Raises:
            UsageError: the coalition names a firm that is not there.
            EquilibriumError: no such prices were found.
        """
        members = frozenset(range(self.firms) if coalition is None else coalition)
        if not members or not members <= set(range(self.firms)):
            raise UsageError(
                f"A coalition names firms 0 to {self.firms - 1}, at least one; got {sorted(members)}."
            )
        merged = [-1 if firm in members else firm for firm in self.owners.tolist()]
        order = {firm: number for number, firm in enumerate(sorted(set(merged)))}
        groups = Groups([order[firm] for firm in merged])
        return self._once(f"monopoly {sorted(members)}", lambda: self._equilibrium(groups))

    def profit_gain(self, prices: ArrayLike, *, mean: bool = False) -> Floats:
        """Δ = (π − π_N)/(π_M − π_N): 0 at Nash profits, 1 at joint-profit ones.

        Args:
            prices: (..., J).
            mean: for profits averaged over firms, shape (...), instead of each firm's own, (..., F). In
                asymmetric markets a firm may earn no more from joint pricing than at Nash; the mean is then
                the measure to use.

        Raises:
            UsageError: there is one firm only, so that nothing can be gained.
        """
        return self.gain_of_profits(self.profits(prices), mean=mean)

    def gain_of_profits(self, profits: ArrayLike, *, mean: bool = False) -> Floats:
        """As `profit_gain`, of profits (..., F)."""
        if self.firms == 1:
            raise UsageError("A market of one firm has no gain from joint pricing; add a second firm.")
        earned = np.asarray(profits, dtype=np.float64)
        low, high = self.profits(self.nash()), self.profits(self.monopoly())
        if mean:
            earned, low, high = earned.mean(-1), low.mean(-1), high.mean(-1)
        gain: Floats = (earned - low) / (high - low)
        return gain

    def price_grid(self, points: int = 15, extension: float = 0.1) -> Floats:
        """Equally spaced prices from p_N − ξ(p_M − p_N) to p_M + ξ(p_M − p_N), ascending.

        Args:
            points: m, at least 2.
            extension: ξ ≥ 0.

        Returns:
            (points,) where firms are alike, else (J, points).

        Raises:
            UsageError: too few points, a negative extension, or one firm only.
        """
        if points < 2 or points != int(points) or not extension >= 0 or not math.isfinite(extension):
            raise UsageError(
                f"A price grid needs at least 2 points and an extension of at least 0; got {points} and {extension}."
            )
        if self.firms == 1:
            raise UsageError(
                "A market of one firm has no grid between Nash and joint-profit prices; add a firm."
            )
        low, high = self.nash(), self.monopoly()
        if self.is_symmetric:
            low, high = low[:1], high[:1]
        wide = extension * (high - low)
        grid: Floats = np.linspace(low - wide, high + wide, int(points), axis=-1)
        return grid[0] if self.is_symmetric else grid

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Market) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"Market({', '.join(f'{name}={value!r}' for name, value in self.parameters.items())})"

    @property
    def _key(self) -> tuple[object, ...]:
        return (
            tuple(self.qualities.tolist()),
            tuple(self.costs.tolist()),
            tuple(self.owners.tolist()),
            (self.outside, self.price_scale, self.quantity_scale),
            self.demand,
        )

    def _equilibrium(self, groups: Groups) -> Floats:
        margins = zeta_margins(self.demand, self.qualities - self.costs, self.outside, groups)  # type: ignore[arg-type]
        return self._money(margins)

    def _money(self, margins: Floats) -> Floats:
        prices = self.price_scale * (self.costs + margins)
        prices.flags.writeable = False
        return prices

    def _values(self, prices: Floats) -> Floats:
        if self.price_scale == 1:
            return self.qualities - prices
        return self.qualities - prices / self.price_scale

    def _checked(self, prices: ArrayLike, outside: ArrayLike | None) -> tuple[Floats, Floats]:
        array = np.asarray(prices, dtype=np.float64)
        if array.ndim == 0 or array.shape[-1] != self.products:
            raise UsageError(
                f"Prices end in an axis of {self.products}, one for each product; got shape {array.shape}."
            )
        if not np.all(np.isfinite(array)):
            raise UsageError("Prices must be finite numbers; remove or mend those that are not.")
        value = np.asarray(self.outside if outside is None else outside, dtype=np.float64)
        if outside is not None and not np.all(np.isfinite(value)):
            raise UsageError("The outside good's values must be finite numbers; mend those that are not.")
        return array, value

    def _once(self, name: str, make: Callable[[], T]) -> T:
        if name not in self._known:
            self._known[name] = make()
        known: T = self._known[name]
        return known


def _number(name: str, value: float) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise UsageError(f"{name} must be a finite number; got {value!r}.")
    return number


def _positive(name: str, value: float) -> float:
    number = _number(name, value)
    if number <= 0:
        raise UsageError(f"{name} must be greater than 0; got {value!r}.")
    return number


def _vector(name: str, values: Sequence[float] | Floats) -> Floats:
    array = np.array(values, dtype=np.float64)
    if array.ndim != 1 or not np.all(np.isfinite(array)):
        raise UsageError(f"{name} must be a list of finite numbers, one for each product; got {values!r}.")
    array.flags.writeable = False
    return array
