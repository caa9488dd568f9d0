"""The market of a repeated Bertrand game: firms, products, demand and best replies.

After Calvano, Calzolari, Denicolò & Pastorello (AER 2020), scales after Fish, Gonczarowski & Shorrer (2024):

    q_j = β·s_j(a − p/α),   π_f = Σ_{j of f} (p_j − α·c_j)·q_j

Prices, profits and consumer surplus are in units of money; qualities a, costs c, the outside good a_0 and μ
are in units of quality, and α is the amount of money that one such unit is worth. Price vectors are in the
order of products. Every method takes batches: prices (..., J) give quantities (..., J) and profits (..., F).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.display.notebook import Shown
from ludens.envs.pricing.theory import parameters
from ludens.envs.pricing.theory.capacity import Rationing, Served, limited_shares, served
from ludens.envs.pricing.theory.demand import Conduct
from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.envs.pricing.theory.groups import Groups, numbered
from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
from ludens.errors import UsageError

Floats = NDArray[np.float64]


class Market(Shown):
    """A market in which firms set prices; immutable, hashable, and equal if all numbers are.

    Args:
        qualities: a, (J,). Under linear demand the prices, in units of quality, at which nothing is sold.
        costs: c, (J,), in units of quality; `unit_costs` holds them in money.
        owners: the firm of each product, numbered from 0; by default one product each.
        mu: μ > 0, scale of tastes (logit and nested).
        outside: a_0 (logit and nested).
        price_scale: α > 0, money per unit of quality.
        quantity_scale: β > 0, the size of the market.
        demand: "logit", "nested" (see `nested`) or "linear" (see `linear`).
        nests: the nest of each product, numbered from 0 (nested).
        nest_parameter: σ in [0, 1), one for all nests or one each (nested).
        slopes: B, (J, J) (linear); `shubik_levitan` makes symmetric ones.
        capacities: the most units of each product that can be sold in a period, one number for all or (J,);
            None for no limits.
        rationing: what customers do whom a product cannot serve, ``"leave"`` or ``"reroute"``; see
            `capacity`.

    Attributes:
        products, firms: J and F.
        groups: the products of each firm.
        demand: shares as a function of net values.
        unit_costs: α·c, in money, (J,).

    Raises:
        UsageError: numbers are not finite or lie outside their ranges, or shapes differ.
    """

    shown_by: ClassVar[str] = "ludens.envs.pricing.theory.benchmarks:view"

    def __init__(
        self,
        qualities: Sequence[float] | Floats,
        costs: Sequence[float] | Floats,
        *,
        owners: Sequence[int] | NDArray[np.intp] | None = None,
        mu: float = 0.25,
        outside: float = 0.0,
        price_scale: float = 1.0,
        quantity_scale: float = 1.0,
        demand: parameters.DemandName = "logit",
        nests: Sequence[int] | None = None,
        nest_parameter: float | Sequence[float] = 0.0,
        slopes: ArrayLike | None = None,
        capacities: float | Sequence[float] | None = None,
        rationing: Rationing = "leave",
    ) -> None:
        self.qualities = parameters.vector("qualities", qualities)
        self.costs = parameters.vector("costs", costs)
        self.products = len(self.qualities)
        if len(self.costs) != self.products:
            raise UsageError(
                "A market needs one quality and one cost for each product; got"
                f" {self.products} qualities and {len(self.costs)} costs."
            )
        self.groups = Groups(
            numbered(range(self.products) if owners is None else owners, self.products, "firm")
        )
        self.owners = self.groups.labels
        self.firms = self.groups.count
        self.mu = parameters.positive("mu", mu)
        self.outside = parameters.number("outside", outside)
        self.price_scale = parameters.positive("price_scale", price_scale)
        self.quantity_scale = parameters.positive("quantity_scale", quantity_scale)
        self.demand = parameters.make_demand(
            demand, self.products, mu=mu, nests=nests, nest_parameter=nest_parameter, slopes=slopes
        )
        self.capacities = parameters.limits(capacities, self.products)
        if rationing not in get_args(Rationing):
            raise UsageError(f"rationing is one of {', '.join(get_args(Rationing))}; got {rationing!r}.")
        self.rationing: Rationing = rationing
        self.unit_costs = self.costs * self.price_scale
        self.unit_costs.flags.writeable = False
        self._solved: dict[object, Floats] = {}

    @classmethod
    def symmetric(cls, firms: int = 2, quality: float = 2.0, cost: float = 1.0, **rest: Any) -> Market:
        """Return a market of identical firms with one product each; the defaults are the published
        baseline.
        """
        number = parameters.firms_in(firms)
        return cls([quality] * number, [cost] * number, **rest)

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
            **(
                {}
                if self.capacities is None
                else {"capacities": self.capacities.tolist(), "rationing": self.rationing}
            ),
        }

    @property
    def unlimited(self) -> Market:
        """The same market without capacity limits."""
        if self.capacities is None:
            return self
        known = self.parameters
        return Market(**{name: known[name] for name in known if name not in {"capacities", "rationing"}})

    @property
    def is_symmetric(self) -> bool:
        """Whether all firms are alike, with one product each."""
        same = bool(np.all(self.qualities == self.qualities[0]) and np.all(self.costs == self.costs[0]))
        same = same and (self.capacities is None or bool(np.all(self.capacities == self.capacities[0])))
        return same and self.firms == self.products and self.demand.exchangeable

    def quantities(self, prices: ArrayLike, outside: ArrayLike | None = None) -> Floats:
        """Return the quantity sold of each product at prices (..., J), shape (..., J).

        Args:
            prices: money; the last axis is the product.
            outside: other values of the outside good, one for each entry of the batch, (...).

        Raises:
            UsageError: prices or outside values are not finite or do not fit.
        """
        array, worth = self._checked(prices, outside)
        return self._sold(array, worth)

    def profits(self, prices: ArrayLike, outside: ArrayLike | None = None) -> Floats:
        """Return profits of each firm, (..., F), at prices (..., J); arguments as of `quantities`."""
        array, worth = self._checked(prices, outside)
        sold = self._sold(array, worth)
        return self.groups.sums((array - self.unit_costs) * sold)

    def consumer_surplus(self, prices: ArrayLike, outside: ArrayLike | None = None) -> Floats:
        """Return the consumers' gain from the products at prices (..., J), in money, (...).

        Raises:
            UsageError: as `quantities`; linear demand whose slopes are not symmetric; or capacity limits
                whose unserved customers leave, under other demand than logit.
        """
        array, worth = self._checked(prices, outside)
        if self.capacities is not None:
            if self.rationing == "leave" and self.demand.name != "logit":
                raise UsageError(
                    "What customers lose who are turned away is worked out for logit demand alone here: take "
                    "rationing='reroute'."
                )
            return self.price_scale * self.quantity_scale * self._served(array, worth).surplus()
        return self.price_scale * self.quantity_scale * self.demand.surplus(self._values(array), worth)

    def efficient_prices(self, outside: float | None = None) -> Floats:
        """Return the prices (J,) at which total surplus is largest: marginal costs, and above them where a
        product's capacity is scarce, what clears its market.

        Args:
            outside: another value of the outside good.

        Raises:
            EquilibriumError: as of `equilibrium` with capacity limits.
        """
        if self.capacities is None:
            return self.unit_costs
        self._check_limited()
        return self._cleared(None, outside)

    def profit_gradient(self, prices: ArrayLike, outside: ArrayLike | None = None) -> Floats:
        """Return ∂π_f/∂p_j for each product j and its own firm f, (..., J), at prices (..., J).

        Raises:
            UsageError: as `quantities`, or the market has capacity limits, where profits have kinks.
        """
        if self.capacities is not None:
            raise UsageError("Profits have kinks where capacities are limited: take differences of profits.")
        array, worth = self._checked(prices, outside)
        values = self._values(array)
        margins = self.qualities - self.costs - values
        lost = self.demand.marginal(values, worth, margins, Conduct(self.groups))
        return self.quantity_scale * (self.demand.shares(values, worth) - lost)

    def equilibrium(self, conduct: Conduct) -> Floats:
        """Return the prices (J,) at which the first-order conditions of `conduct` hold for every product.

        `ludens.envs.pricing.theory.benchmarks` names the usual ones (Nash, joint profit). The array is
        read-only and cached.

        Raises:
            EquilibriumError: the solver did not find them.
        """
        key = (tuple(conduct.owners.labels.tolist()), conduct.scale, conduct.rival)
        if key not in self._solved and self.capacities is not None:
            self._solved[key] = self._limited(conduct)
        if key not in self._solved:
            margins = self.demand.equilibrium(self.qualities - self.costs, self.outside, conduct)
            prices = self.price_scale * (self.costs + margins)
            prices.flags.writeable = False
            self._solved[key] = prices
        return self._solved[key]

    def best_response(self, firm: int, prices: ArrayLike, outside: ArrayLike | None = None) -> Floats:
        """Return prices (..., J) in which those of `firm` are its best reply to the others'.

        Raises:
            UsageError: there is no such firm, or prices do not fit.
            EquilibriumError: the solver did not find the best reply (firms with several products, not under
                logit); or capacities are limited, and the firm has several products, unserved customers
                are rerouted, or demand is not logit.
        """
        self.check_firm(firm)
        array, worth = self._checked(prices, outside)
        own = self.owners == firm
        shape = np.broadcast_shapes(array.shape[:-1], worth.shape)
        array = np.broadcast_to(array, (*shape, self.products))
        margins = self.demand.reply(own, self.qualities - self.costs, self._values(array), worth)
        if self.capacities is not None:
            margins = np.maximum(margins, self._clearing(own, array, worth))
        return np.where(own, self.price_scale * (self.costs + margins), array)

    def check_firm(self, firm: int) -> None:
        """Raise `UsageError` if the market has no firm of that number."""
        if not 0 <= firm < self.firms:
            raise UsageError(f"Firms are numbered from 0 to {self.firms - 1}; got {firm}.")

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Market) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"Market({', '.join(f'{name}={value!r}' for name, value in self.parameters.items())})"

    def __reduce__(self) -> tuple[Callable[..., Market], tuple[dict[str, Any]]]:
        return _rebuilt, (self.parameters,)

    @property
    def _key(self) -> tuple[object, ...]:
        numbers = (self.qualities, self.costs, self.owners)
        scales = (self.outside, self.price_scale, self.quantity_scale)
        limits = None if self.capacities is None else (tuple(self.capacities.tolist()), self.rationing)
        return (*(tuple(array.tolist()) for array in numbers), scales, self.demand, limits)

    def _sold(self, prices: Floats, outside: Floats) -> Floats:
        if self.capacities is not None:
            return self.quantity_scale * self._served(prices, outside).shares
        return self.quantity_scale * self.demand.shares(self._values(prices), outside)

    def _served(self, prices: Floats, outside: Floats) -> Served:
        assert self.capacities is not None
        values = self._values(prices)
        shape = np.broadcast_shapes(values.shape[:-1], outside.shape)
        values, worth = np.broadcast_to(values, (*shape, self.products)), np.broadcast_to(outside, shape)
        lowest = float(min(self.qualities.min(), outside.min()))
        return served(
            lambda each: self.demand.shares(each, worth),
            lambda each: self.demand.surplus(each, worth),
            values,
            self.capacities / self.quantity_scale,
            rationing=self.rationing,
            nobody=lowest - 1e3 * (1.0 + float(np.abs(self.qualities).max())) - 1e4 * self.mu,
        )

    def _limited(self, conduct: Conduct) -> Floats:
        """Return the prices of an equilibrium with capacity limits, (J,).

        Raises:
            EquilibriumError: it is not one of firms that maximise profits under logit demand, with unserved
                customers who leave.
        """
        self._check_limited()
        if conduct.scale != 1 or conduct.rival not in {0.0, 1.0}:
            raise EquilibriumError(
                "With capacity limits there are Nash and joint-profit prices, and none of other preferences: "
                "leave the capacities or the preferences out."
            )
        together = np.zeros(self.products, dtype=np.intp)
        prices = self._cleared(Groups(together) if conduct.rival else conduct.owners)
        prices.flags.writeable = False
        return prices

    def _cleared(self, owners: Groups | None, outside: float | None = None) -> Floats:
        """Return the prices (J,) of firms with these products, or those of the efficient allocation for
        None.
        """
        assert self.capacities is not None
        value = self.outside if outside is None else outside
        shares, left = limited_shares(
            self.qualities - self.costs - value, self.capacities / self.quantity_scale, self.mu, owners
        )
        with np.errstate(divide="ignore"):
            prices: Floats = self.price_scale * (self.qualities - value - self.mu * (np.log(shares) - left))
        return prices

    def _clearing(self, own: NDArray[np.bool_], prices: Floats, outside: Floats) -> Floats:
        """Return the margin at which the firm's product sells its capacity exactly, (..., 1)."""
        assert self.capacities is not None
        self._check_limited()
        if own.sum() > 1:
            raise EquilibriumError(
                "The best reply of a firm with several products of limited capacity is not worked out: give "
                "it one product, or leave the capacities out."
            )
        share = float(self.capacities[own][0]) / self.quantity_scale
        if share >= 1:
            return np.full((*prices.shape[:-1], 1), -np.inf)
        worth = np.broadcast_to(outside, prices.shape[:-1])[..., None]
        others = np.concatenate([self._values(prices)[..., ~own], worth], axis=-1)
        value = self.mu * (np.logaddexp.reduce(others / self.mu, axis=-1) + np.log(share / (1 - share)))
        margin: Floats = float((self.qualities - self.costs)[own][0]) - value[..., None]
        return margin

    def _check_limited(self) -> None:
        if self.rationing != "leave" or self.demand.name != "logit":
            raise EquilibriumError(
                "Benchmark prices with capacity limits are computed for logit demand whose unserved "
                "customers leave: otherwise there may be none in pure strategies."
            )

    def _values(self, prices: Floats) -> Floats:
        if self.price_scale == 1:
            scaled = prices
        elif self.price_scale > 1:
            scaled = prices / self.price_scale
        else:  # a finite price may be more units of quality than there are numbers
            with np.errstate(over="ignore"):
                scaled = np.nan_to_num(prices / self.price_scale)
        values: Floats = self.qualities - scaled
        return values

    def _checked(self, prices: ArrayLike, outside: ArrayLike | None) -> tuple[Floats, Floats]:
        array = np.asarray(prices, dtype=np.float64)
        if array.ndim == 0 or array.shape[-1] != self.products:
            raise UsageError(
                f"Prices end in an axis of {self.products}, one for each product; got shape {array.shape}."
            )
        worth = np.asarray(self.outside if outside is None else outside, dtype=np.float64)
        # The arrays' own methods: of a single market's prices, NumPy's functions would take longer than
        # demand itself.
        if not (np.isfinite(array).all() and np.isfinite(worth).all()):
            raise UsageError(
                "Prices and values of the outside good must be finite numbers; replace those that are not."
            )
        return array, worth


AnyMarket: TypeAlias = Market | HomogeneousMarket
"""A market that the pricing environments can be made of."""


def _rebuilt(parameters: dict[str, Any]) -> Market:
    return Market(**parameters)
