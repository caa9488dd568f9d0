"""The schedule of a market: which firms sell under which demand in each period.

A `Schedule` is made from a market and its interventions. It divides time into regimes, in each of which the
same firms sell under the same demand, and determines what is drawn in each period and which notices firms
read. It is the same in every episode, except for the draws from the seed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.interventions import (
    CheapTalk,
    DemandShock,
    Entrant,
    Exit,
    Intervention,
    OutsideOption,
    Prominence,
    Regulator,
)
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.envs.pricing.theory.entry import without_firm
from ludens.envs.pricing.theory.errors import EquilibriumError
from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
from ludens.envs.pricing.theory.market import AnyMarket, Market
from ludens.errors import UsageError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Regime:
    """The periods between two changes of firms or demand.

    Attributes:
        start: its first period.
        market: all firms under the demand of these periods.
        firms: the numbers of the firms in the market.
        products: the numbers of their products.
    """

    start: int
    market: AnyMarket
    firms: tuple[int, ...]
    products: tuple[int, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        # Without what was worked out: it can be worked out again.
        return Regime, (self.start, self.market, self.firms, self.products)

    @cached_property
    def present(self) -> AnyMarket:
        """The market of the firms that are present, renumbered in their order."""
        market = self.market
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
        """Nash prices of those present, (J,); NaN for the others."""
        return self._placed(nash_prices(self.present))

    @cached_property
    def monopoly(self) -> Floats:
        """Joint-profit prices of those present, (J,); NaN for the others."""
        return self._placed(monopoly_prices(self.present))

    def gain(self, profits: Floats) -> Floats:
        """Return Δ of each firm at profits (..., F).

        It is NaN for firms that are not in the market, for a firm alone, where the solver did not find the
        equilibrium, and where joint profit gives a firm as much as Nash. With a stochastic outside good, Nash
        and joint profits are those at the market's own a_0.
        """
        low, width = self._benchmark_profits
        share: Floats = (profits - low) / width
        return share

    def gains(self, profits: Sequence[float]) -> list[float]:
        """Return `gain` of one market, (F,), without arrays, which would take several times as long."""
        return [
            (paid - low) / width for paid, (low, width) in zip(profits, self._benchmark_pairs, strict=True)
        ]

    @cached_property
    def _benchmark_pairs(self) -> list[tuple[float, float]]:
        low, width = self._benchmark_profits
        return list(zip(low.tolist(), width.tolist(), strict=True))

    @cached_property
    def _benchmark_profits(self) -> tuple[Floats, Floats]:
        low, width = np.full(self.market.firms, np.nan), np.full(self.market.firms, np.nan)
        if self.present.firms > 1:
            there = list(self.firms)
            # A market can be played where theory has no price for it: then nothing is measured against it.
            with suppress(EquilibriumError):
                low[there] = self.present.profits(nash_prices(self.present))
                width[there] = self.present.profits(monopoly_prices(self.present)) - low[there]
        width[width == 0] = np.nan
        return low, width

    def _placed(self, prices: Floats) -> Floats:
        placed = np.full(self.market.products, np.nan)
        placed[list(self.products)] = prices
        return placed


class Schedule:
    """A market and its interventions.

    Args:
        market: of all firms, entrants among them.
        interventions: as `as_interventions` gives them.

    Attributes:
        regimes: in their order; the first starts in period 0.
        talk, outside, prominence: the intervention of that kind, or None.
        regulators: in their order.
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
        self._shocks = [each for each in interventions if isinstance(each, DemandShock)]
        self._moves = [each for each in interventions if isinstance(each, Entrant | Exit)]
        self._check()
        self.draws = (
            (self.outside is not None)
            + len(self.regulators)
            + (market.products if self.prominence is not None else 0)
        )
        starts = {0} | {each.period for each in (*self._shocks, *self._moves)}
        starts |= {each.until for each in self._shocks if each.until is not None}
        self.regimes = tuple(self._regime(start) for start in sorted(starts))
        self._starts = [regime.start for regime in self.regimes]

    def regime(self, period: int) -> Regime:
        """Return the regime of a period."""
        return self.regimes[bisect_right(self._starts, period) - 1]

    def entered(self, firm: int, period: int) -> bool:
        """Return whether the firm is in the market in a period, or was before."""
        return all(
            each.period <= period for each in self._moves if isinstance(each, Entrant) and each.firm == firm
        )

    def notices(self, period: int) -> tuple[str, ...]:
        """Return the public notices of a period: a sentence for each rule and each event up to it.

        The sentences count periods from 1.
        """
        said = [text for each in self.interventions if (text := _sentence(each, period))]
        return tuple(said)

    def _regime(self, start: int) -> Regime:
        firms = tuple(firm for firm in range(self.market.firms) if self._there(firm, start))
        owners = list(self.market.owners)
        products = tuple(place for place, owner in enumerate(owners) if owner in firms)
        active = [
            each
            for each in self._shocks
            if each.period <= start and (each.until is None or start < each.until)
        ]
        return Regime(start, _shocked(self.market, active), firms, products)

    def _there(self, firm: int, period: int) -> bool:
        gone = any(
            isinstance(each, Exit) and each.firm == firm and each.period <= period for each in self._moves
        )
        return self.entered(firm, period) and not gone

    def _check(self) -> None:
        plain = isinstance(self.market, Market) and self.market.demand.name != "linear"
        values = [each.outside for each in self._shocks]
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
        entered = {each.firm: each.period for each in self._moves if isinstance(each, Entrant)}
        for each in self._moves:
            if isinstance(each, Exit) and entered.get(each.firm, -1) >= each.period:
                raise UsageError(f"Firm {each.firm} leaves in period {each.period}, before it has entered.")
        for period in (0, *(each.period for each in self._moves)):
            if not any(self._there(firm, period) for firm in range(self.market.firms)):
                raise UsageError(f"No firm is left in period {period}: let one stay.")
        for shock in self._shocks:
            given = shock.qualities
            if isinstance(given, tuple) and len(given) != self.market.products:
                raise UsageError(
                    f"A demand shock has one number for all qualities or {self.market.products}, one each;"
                    f" got {len(given)}."
                )


def _shocked(market: AnyMarket, shocks: Sequence[DemandShock]) -> AnyMarket:
    if not shocks:
        return market
    added = np.zeros(market.products)
    for shock in shocks:
        added = added + np.asarray(shock.qualities)
    if isinstance(market, HomogeneousMarket):
        if len(set(added.tolist())) > 1:
            raise UsageError("A homogeneous market has one quality: give a demand shock one number.")
        return market.changed(intercept=market.intercept + float(added[0]))
    new = market.parameters | {"qualities": (market.qualities + added).tolist()}
    return Market(**new | {"outside": market.outside + sum(shock.outside for shock in shocks)})


def _sentence(each: Intervention, period: int) -> str | None:
    """Return the sentence that firms read about one intervention in this period, if any."""
    match each:
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
            if each.bonus is None:
                return f"The platform on which all firms sell shows customers only {which}."
            return f"The platform on which all firms sell recommends {which} to customers."
        case Entrant() if each.period <= period:
            return (
                f"firm_{each.firm} has been in the market since period {each.period + 1}; before, it was not."
            )
        case Exit() if each.period <= period:
            return f"firm_{each.firm} has left the market: period {each.period} was its last."
        case DemandShock() if each.announced and each.period <= period:
            ends = (
                "" if each.until is None or period < each.until else f", and again in period {each.until + 1}"
            )
            return f"Demand changed in period {each.period + 1}{ends}."
        case _:
            return None
