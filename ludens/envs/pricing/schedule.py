"""The schedule of a market: which firms sell under which demand in each period.

A `Schedule` is made from a market and its interventions. It divides time into regimes, in each of which the
same firms sell under the same demand, and determines what is drawn in each period and which notices firms
read. It is the same in every episode, except for the draws from the seed. Its methods number periods from 0,
as the simulator does; interventions and notices count them from 1.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs.pricing.interventions import (
    CheapTalk,
    CostShock,
    DemandShock,
    Entrant,
    Exit,
    Information,
    Intervention,
    Merger,
    OutsideOption,
    Prominence,
    Regulator,
    Vendor,
)
from ludens.envs.pricing.theory.benchmarks import firm_gains, monopoly_prices, nash_prices, total_gain
from ludens.envs.pricing.theory.entry import of_products, without_firm
from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
from ludens.envs.pricing.theory.market import AnyMarket, Market
from ludens.envs.pricing.theory.stackelberg import stackelberg_prices
from ludens.envs.pricing.theory.welfare import Welfare, welfare
from ludens.errors import UsageError

Floats = NDArray[np.float64]

_POOLED = Information(quantities=True, profits=True, costs=True)


@dataclass(frozen=True, eq=False)
class Regime:
    """The periods between two changes of firms, demand or costs.

    Benchmarks are those of the firms that are present, under the demand and the costs of these periods,
    without fines and steering. With a stochastic outside good they are averages over its values, as in the
    authors' code of Calvano et al. (AER 2020).

    Attributes:
        start: its first period.
        market: all firms under the demand of these periods.
        firms: the numbers of the firms in the market.
        products: the numbers of their products.
        outside: the values of the outside good in these periods, with their probabilities; empty if it has
            the market's own.
        owners: the firm of each product after mergers, (J,); empty if all are the market's own.
    """

    start: int
    market: AnyMarket
    firms: tuple[int, ...]
    products: tuple[int, ...]
    outside: tuple[tuple[float, float], ...] = ()
    owners: tuple[int, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        # Without what was worked out: it can be worked out again.
        return Regime, (self.start, self.market, self.firms, self.products, self.outside, self.owners)

    def products_of(self, firm: int) -> tuple[int, ...]:
        """Return the numbers of the products whose prices a firm sets."""
        owners = self.owners or self.market.owners
        return tuple(product for product in self.products if owners[product] == firm)

    def sums(self, values: Floats) -> Floats:
        """Return sums over the products of each firm, (..., J) to (..., F), of values that are 0 for products
        not on sale.
        """
        if not self.owners:
            return self.market.groups.sums(values)
        return self._each_firm(self.present.groups.sums(values[..., list(self.products)]), 0.0)

    def maxima(self, values: Floats) -> Floats:
        """Return maxima over the products of each firm, (..., J) to (..., F); -∞ for firms without any."""
        if not self.owners:
            return self.market.groups.maxima(values)
        return self._each_firm(self.present.groups.maxima(values[..., list(self.products)]), -np.inf)

    def means(self, values: Floats) -> Floats:
        """Return means over the products of each firm, (..., J) to (..., F); NaN for firms without any."""
        there = np.isin(np.arange(self.market.products), self.products)
        sizes = self.sums(there.astype(np.float64))
        with np.errstate(invalid="ignore"):
            means: Floats = self.sums(np.where(there, values, 0.0)) / sizes
        return means

    def _each_firm(self, values: Floats, missing: float) -> Floats:
        placed = np.full((*values.shape[:-1], self.market.firms), missing)
        placed[..., list(self.firms)] = values
        return placed

    @cached_property
    def present(self) -> AnyMarket:
        """The market of the firms that are present, renumbered in their order."""
        market = self.market
        if self.owners:
            assert isinstance(market, Market)  # mergers of others are refused
            return of_products(market, self.products, [self.owners[product] for product in self.products])
        for firm in reversed(range(self.market.firms)):
            if firm not in self.firms:
                market = without_firm(market, firm)
        return market

    @property
    def whole(self) -> bool:
        """Whether all firms are present."""
        return len(self.firms) == self.market.firms

    @cached_property
    def nash(self) -> Floats:
        """Nash prices of those present, (J,); NaN for the others.

        Raises:
            EquilibriumError: the solver did not find them.
        """
        return self._placed(self._mean(nash_prices), self.products, self.market.products)

    @cached_property
    def monopoly(self) -> Floats:
        """Joint-profit prices of those present, (J,); NaN for the others.

        Raises:
            EquilibriumError: the solver did not find them.
        """
        return self._placed(self._mean(monopoly_prices), self.products, self.market.products)

    @cached_property
    def efficient(self) -> Floats:
        """Prices of those present at which total surplus is largest, (J,); NaN for the others. They are
        marginal costs, and above them where capacity is scarce.

        Raises:
            EquilibriumError: they are not worked out, as with capacity limits and rerouted customers.
        """
        present = self.present
        prices = present.efficient_prices() if isinstance(present, Market) else present.unit_costs
        return self._placed(prices, self.products, self.market.products)

    def led_by(self, firm: int) -> Floats:
        """Return the prices (J,) where a firm commits to its own first and the others reply with Nash prices;
        NaN for products not on sale, and for all where the firm is not in the market or its prices are not
        worked out (`stackelberg_prices`).
        """
        nothing = np.full(self.market.products, np.nan)
        if firm not in self.firms or not isinstance(self.market, Market):
            return nothing
        place = self.firms.index(firm)

        def prices(market: AnyMarket) -> Floats:
            assert isinstance(market, Market)
            return stackelberg_prices(market, place)

        try:
            return self._placed(self._mean(prices), self.products, self.market.products)
        except (EquilibriumError, UsageError):
            return nothing

    @cached_property
    def profits(self) -> tuple[Floats, Floats]:
        """Each firm's Nash and joint profit, (F,) each.

        They are NaN for firms that are not in the market, and for all where the solver did not find the
        prices: a market can be played where theory has no price for it, and then nothing is measured against
        it.
        """
        nothing = np.full(self.market.firms, np.nan)
        try:
            low = self._mean(lambda market: market.profits(nash_prices(market)))
            high = self._mean(lambda market: market.profits(monopoly_prices(market)))
        except EquilibriumError:
            return nothing, nothing
        firms = self.market.firms
        return self._placed(low, self.firms, firms), self._placed(high, self.firms, firms)

    def gain(self, profits: Floats) -> Floats:
        """Return Δ of total profits (..., F) before fines, (...), see `total_gain`."""
        return total_gain(profits, *self.profits)

    def firm_gains(self, profits: Floats) -> Floats:
        """Return each firm's own Δ at profits (..., F) before fines, (..., F), see `firm_gains`."""
        return firm_gains(profits, *self.profits)

    def firm_gains_of(self, profits: Sequence[float]) -> list[float]:
        """Return `firm_gains` of one market, (F,), without arrays, which would take several times as long."""
        return [
            (paid - low) / width for paid, (low, width) in zip(profits, self._firm_benchmarks, strict=True)
        ]

    def welfare(self, prices: ArrayLike) -> Welfare:
        """Return welfare at prices (..., J) of the products on sale; other prices are ignored.

        With a stochastic outside good it is the expectation over its values.
        """
        there = np.asarray(prices, dtype=np.float64)[..., list(self.products)]
        known = self.outside or ((None, 1.0),)
        each = [(welfare(self.present, there, value), chance) for value, chance in known]
        consumer, profit, efficient = (
            np.asarray(sum(chance * part[place] for part, chance in each), dtype=np.float64)
            for place in range(3)
        )
        return Welfare(consumer, profit, efficient)

    def earned(self, prices: ArrayLike) -> Floats:
        """Return profits (..., F) at prices (..., J), with the products and firms of `welfare`; NaN for firms
        that are not in the market.
        """
        there = np.asarray(prices, dtype=np.float64)[..., list(self.products)]
        known = self.outside or ((None, 1.0),)
        profits = sum(chance * self.present.profits(there, value) for value, chance in known)
        placed = np.full((*there.shape[:-1], self.market.firms), np.nan)
        placed[..., list(self.firms)] = profits
        return placed

    @cached_property
    def _firm_benchmarks(self) -> list[tuple[float, float]]:
        low, high = self.profits
        # Where a firm has no gain of its own, a width of NaN makes it NaN.
        width = np.where(np.isfinite(firm_gains(high, low, high)), high - low, np.nan)
        return list(zip(low.tolist(), width.tolist(), strict=True))

    def _mean(self, of: Callable[[AnyMarket], Floats]) -> Floats:
        """Return a benchmark of the firms that are present, averaged over the outside good's values."""
        if not self.outside:
            return of(self.present)
        numbers = self.present.parameters
        means = (chance * of(Market(**numbers | {"outside": value})) for value, chance in self.outside)
        total: Floats = np.asarray(sum(means), dtype=np.float64)
        return total

    @staticmethod
    def _placed(values: Floats, places: Sequence[int], size: int) -> Floats:
        placed = np.full(size, np.nan)
        placed[list(places)] = values
        return placed


class Schedule:
    """A market and its interventions.

    Args:
        market: of all firms, entrants among them.
        interventions: as `as_interventions` gives them.

    Attributes:
        regimes: in their order; the first starts in period 0.
        talk, outside, prominence, vendor: the intervention of that kind, or None.
        regulators: in their order.
        mergers: in the order of their periods.
        draws: how many numbers in [0, 1) are drawn for each period: one for the outside good, one for each
            regulator, one per product for the order of equal prices; of these only those that are needed.

    Raises:
        UsageError: an intervention does not fit the market.
    """

    def __init__(self, market: AnyMarket, interventions: Sequence[Intervention] = ()) -> None:
        self.market = market
        self.interventions = tuple(interventions)
        self.talk = next((each for each in interventions if isinstance(each, CheapTalk)), None)
        self.outside = next((each for each in interventions if isinstance(each, OutsideOption)), None)
        self.prominence = next((each for each in interventions if isinstance(each, Prominence)), None)
        self.regulators = tuple(each for each in interventions if isinstance(each, Regulator))
        self.vendor = next((each for each in interventions if isinstance(each, Vendor)), None)
        self._information = [each for each in interventions if isinstance(each, Information)]
        self._shocks = [each for each in interventions if isinstance(each, DemandShock | CostShock)]
        self._moves = [each for each in interventions if isinstance(each, Entrant | Exit)]
        self.mergers = sorted(
            (each for each in interventions if isinstance(each, Merger)), key=lambda each: each.period
        )
        self._check()
        self.draws = (
            (self.outside is not None)
            + len(self.regulators)
            + (market.products if self.prominence is not None else 0)
        )
        starts = {0} | {each.period - 1 for each in (*self._shocks, *self._moves, *self.mergers)}
        starts |= {each.until - 1 for each in self._shocks if each.until is not None}
        self.regimes = tuple(self._regime(start) for start in sorted(starts))
        self._starts = [regime.start for regime in self.regimes]

    def regime(self, period: int) -> Regime:
        """Return the regime of a period."""
        return self.regimes[bisect_right(self._starts, period) - 1]

    def settled(self) -> Schedule:
        """Return a schedule of the last regime alone, which lasts from the first period on."""
        last = Schedule(self.market)
        last.regimes = (replace(self.regimes[-1], start=0),)
        return last

    def entered(self, firm: int, period: int) -> bool:
        """Return whether the firm is in the market in a period, or was before."""
        return all(
            each.period <= period + 1
            for each in self._moves
            if isinstance(each, Entrant) and each.firm == firm
        )

    def seen(self, firm: int) -> Information | None:
        """Return what the firm sees of its rivals; None where nothing is said of it."""
        if self.vendor is not None and self.vendor.pooled:
            return _POOLED
        return next((each for each in self._information if each.concerns(firm)), None)

    def ever_owned(self, firm: int) -> tuple[int, ...]:
        """Return the numbers of the products whose prices a firm sets in any period."""
        return tuple(sorted({product for each in self.regimes for product in each.products_of(firm)}))

    @property
    def several(self) -> bool:
        """Whether a firm sets the prices of several products in any period."""
        return self.market.products > self.market.firms or bool(self.mergers)

    def notices(self, period: int) -> tuple[str, ...]:
        """Return the public notices of a period: a sentence for each rule and each event up to it."""
        said = [text for each in self.interventions if (text := _sentence(each, period + 1))]
        return tuple(said)

    def _regime(self, start: int) -> Regime:
        firms = tuple(firm for firm in range(self.market.firms) if self._there(firm, start))
        owners = [int(owner) for owner in self.market.owners]
        done = [each for each in self.mergers if each.period <= start + 1]
        for merger in done:
            owners = [merger.into if owner == merger.firm else owner for owner in owners]
        products = tuple(place for place, owner in enumerate(owners) if owner in firms)
        active = [
            each
            for each in self._shocks
            if each.period <= start + 1 and (each.until is None or start + 1 < each.until)
        ]
        market = _shocked(self.market, active)
        return Regime(start, market, firms, products, self._values(market), tuple(owners) if done else ())

    def _values(self, market: AnyMarket) -> tuple[tuple[float, float], ...]:
        """Return the values of a stochastic outside good in a shocked market, with their probabilities."""
        if self.outside is None:
            return ()
        shift = self.shift(market)
        (first, second), chance = self.outside.values, self.outside.probability
        return ((first + shift, 1 - chance), (second + shift, chance))

    def shift(self, market: AnyMarket) -> float:
        """Return by how much a shocked market's outside good is worth more than the market's own."""
        assert isinstance(market, Market)
        assert isinstance(self.market, Market)
        return market.outside - self.market.outside

    def _there(self, firm: int, period: int) -> bool:
        gone = any(
            each.firm == firm and each.period <= period + 1
            for each in (*self._moves, *self.mergers)
            if not isinstance(each, Entrant)
        )
        return self.entered(firm, period) and not gone

    def _check(self) -> None:
        plain = isinstance(self.market, Market) and self.market.demand.name != "linear"
        values = [each.outside for each in self._shocks if isinstance(each, DemandShock)]
        if not plain and (self.outside is not None or any(values)):
            raise UsageError(
                "This market has no outside good: leave out OutsideOption, and outside of DemandShock."
            )
        for each in self._moves:
            if each.firm >= self.market.firms:
                raise UsageError(
                    f"{each!r} is of a firm that the market does not have; it has firms 0 to"
                    f" {self.market.firms - 1}."
                )
        self._check_mergers()
        if self._information and self.vendor is not None and self.vendor.pooled:
            raise UsageError(
                "A vendor that pools what firms know leaves nothing to Information: leave one out."
            )
        if self.mergers and self.vendor is not None:
            raise UsageError("A merger does not go with a Vendor, whose firms stay apart.")
        for firm in {firm for each in self._information for firm in each.firms or ()}:
            if firm >= self.market.firms:
                raise UsageError(
                    f"Information is of firm {firm}, and the market has firms 0 to {self.market.firms - 1}."
                )
        for firm in range(self.market.firms):
            if sum(each.concerns(firm) for each in self._information) > 1:
                raise UsageError(f"Information says twice what firm {firm} sees: name each firm once.")
        if isinstance(self.market, HomogeneousMarket) and not all(each.costs for each in self._information):
            raise UsageError("In a homogeneous market all firms have one cost: give Information costs=true.")
        entered = {each.firm: each.period for each in self._moves if isinstance(each, Entrant)}
        for each in self._moves:
            if isinstance(each, Exit) and entered.get(each.firm, -1) >= each.period:
                raise UsageError(f"Firm {each.firm} leaves in period {each.period}, before it has entered.")
        for period in (1, *(each.period for each in self._moves)):
            if not any(self._there(firm, period - 1) for firm in range(self.market.firms)):
                raise UsageError(f"No firm is left in period {period}: let one stay.")
        for shock in self._shocks:
            demand = isinstance(shock, DemandShock)
            given = shock.qualities if isinstance(shock, DemandShock) else shock.costs
            if isinstance(given, tuple) and len(given) != self.market.products:
                raise UsageError(
                    f"A {'demand' if demand else 'cost'} shock has one number for all"
                    f" {'qualities' if demand else 'costs'} or {self.market.products}, one each; got"
                    f" {len(given)}."
                )

    def _check_mergers(self) -> None:
        if not self.mergers:
            return
        if isinstance(self.market, HomogeneousMarket):
            raise UsageError("A merger is of firms with products of their own, not with one good for all.")
        if self._information:
            raise UsageError("A merger does not go with Information, which is of firms that stay apart.")
        exits = {each.firm: each.period for each in self._moves if isinstance(each, Exit)}
        bought = {each.firm: each.period for each in self.mergers}
        for each in self.mergers:
            for firm in (each.firm, each.into):
                if firm >= self.market.firms:
                    raise UsageError(
                        f"{each!r} is of a firm that the market does not have; it has firms 0 to"
                        f" {self.market.firms - 1}."
                    )
                there = self._there(firm, each.period - 2)
                gone = min(exits.get(firm, math.inf), bought.get(firm, math.inf))
                if not there or (gone <= each.period and firm == each.into):
                    raise UsageError(f"Firm {firm} is not in the market in period {each.period} to merge.")
            if exits.get(each.firm, 0) >= each.period:
                raise UsageError(
                    f"Firm {each.firm} leaves in period {exits[each.firm]}, after firm {each.into} bought it."
                )


def _shocked(market: AnyMarket, shocks: Sequence[DemandShock | CostShock]) -> AnyMarket:
    if not shocks:
        return market
    better, dearer, outside = np.zeros(market.products), np.zeros(market.products), 0.0
    for shock in shocks:
        if isinstance(shock, CostShock):
            dearer = dearer + np.asarray(shock.costs)
        else:
            better, outside = better + np.asarray(shock.qualities), outside + shock.outside
    if isinstance(market, HomogeneousMarket):
        if len(set(better.tolist())) > 1 or len(set(dearer.tolist())) > 1:
            raise UsageError("A homogeneous market has one quality and one cost: give a shock one number.")
        return market.changed(
            intercept=market.intercept + float(better[0]), cost=market.cost + float(dearer[0])
        )
    new = {"qualities": (market.qualities + better).tolist(), "costs": (market.costs + dearer).tolist()}
    if outside:
        new["outside"] = market.outside + outside
    return Market(**market.parameters | new)


def _keeping(rule: Prominence) -> str:
    """Return the sentence on how a prominent product keeps its place, after a space; "" where it does not."""
    if rule.advantage is None:
        return ""
    done = "shown" if rule.bonus is None else "recommended"
    than = f"more than {rule.advantage:g} cheaper" if rule.advantage else "cheaper"
    return (
        f" A product that was {done} in the last period and has not become dearer stays {done} unless another"
        f" is {than}."
    )


def _sentence(each: Intervention, period: int) -> str | None:
    """Return the sentence that firms read about one intervention in this period, if any."""
    match each:
        case CheapTalk():
            return (
                "Firms may write messages, which all of them read. Messages bind nobody: whatever a firm"
                " wrote, it may charge any price."
            )
        case Regulator() if each.period <= period:
            often = (
                "in every period"
                if each.probability == 1
                else f"with probability {each.probability:g} each period"
            )
            whom = (
                f"fines each firm that charges more than {each.threshold:g}"
                if each.measure == "own"
                else f"fines every firm if the average price is above {each.threshold:g}"
            )
            return f"A regulator inspects the market {often} and {whom}; the fine is {each.fine:g}."
        case Prominence() if each.period <= period:
            which = "the cheapest product" if each.shown == 1 else f"the {each.shown} cheapest products"
            does = (
                f"shows customers only {which}" if each.bonus is None else f"recommends {which} to customers"
            )
            return f"The platform on which all firms sell {does}.{_keeping(each)}"
        case Entrant() if each.period <= period:
            return f"firm_{each.firm} has been in the market since period {each.period}; before, it was not."
        case Exit() if each.period <= period:
            return f"firm_{each.firm} has left the market: period {each.period - 1} was its last."
        case Merger() if each.period <= period:
            return (
                f"firm_{each.into} bought firm_{each.firm} and has set all their prices since period"
                f" {each.period}."
            )
        case DemandShock() if each.announced and each.period <= period:
            ends = "" if each.until is None or period < each.until else f", and again in period {each.until}"
            return f"Demand changed in period {each.period}{ends}."
        case CostShock() if each.announced and each.period <= period:
            ends = "" if each.until is None or period < each.until else f", and again in period {each.until}"
            return f"Costs changed in period {each.period}{ends}."
        case _:
            return None
