"""A firm's observation of a pricing market, as numbers.

One float32 vector, its parts laid end to end: the price of every product in each of the last k periods, the
oldest first · for each of these periods whether it was played (1) or lies before the first one (0) · what the
firm sold of its own products in the last period · its profit in the last period · the share of periods
still to come. Missing prices (before the first period, or of products not on sale) are 0. Rivals' quantities
and profits are not observed. Where `Information` says so, rivals' prices are 0 too, and what else is seen of
them stands at the end: quantities of all products, profits of all firms, unit costs of all products.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.interventions import Information, Regulator
from ludens.envs.pricing.options import PricingOptions
from ludens.envs.pricing.simulator import Outcome, PricingCore
from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
from ludens.envs.pricing.theory.linear import Linear
from ludens.envs.pricing.theory.market import AnyMarket

Floats = NDArray[np.float64]


class FirmEncoding:
    """The vectors of one firm; `low` and `high` are the bounds of all of them, shape (length,)."""

    def __init__(self, options: PricingOptions, core: PricingCore, firm: int) -> None:
        self.owned = list(core.schedule.ever_owned(firm))
        self.products = np.array(self.owned, dtype=np.intp)
        self.firm, self.memory = firm, options.memory
        self._firms = options.market.firms
        self._seen = core.schedule.seen(firm)
        market, memory = options.market, options.memory
        prices, periods = memory * market.products, memory
        most = np.max([_most(regime.market) for regime in core.schedule.regimes], axis=0)
        if core.schedule.prominence is not None and core.schedule.prominence.bonus is not None:
            most = most + market.quantity_scale * core.schedule.prominence.bonus * _reaction(market)
        regimes = [regime.market.unit_costs for regime in core.schedule.regimes]
        dearest, cheapest = np.max(regimes, axis=0), np.min(regimes, axis=0)
        fines = sum(each.fine for each in options.interventions if isinstance(each, Regulator))
        owned = [list(core.schedule.ever_owned(each)) for each in range(market.firms)]
        losses = np.maximum(dearest - options.low, 0.0) * most
        gains = np.maximum(options.high - cheapest, 0.0) * most
        worst = -np.array([losses[products].sum() for products in owned]) - fines
        best = np.array([gains[products].sum() for products in owned])
        zeros = np.zeros(prices + periods)
        own = most[self.products]
        low = [zeros, 0.0 * own, [worst[firm], 0.0]]
        high = [np.full(prices, options.high), np.ones(periods), own, [best[firm], 1.0]]
        self._plain = sum(map(len, low))
        if self._seen is not None:
            low.append(_told(self._seen, 0.0 * most, worst, cheapest))
            high.append(_told(self._seen, most, best, dearest))
        self.low = np.concatenate(low).astype(np.float32)
        self.high = np.concatenate(high).astype(np.float32)
        own_columns = np.isin(np.arange(market.products), self.products)
        self._rivals = np.flatnonzero(np.tile(~own_columns, memory))

    def informed(
        self,
        vector: NDArray[np.float32],
        quantities: Sequence[float] | None,
        profits: Sequence[float] | None,
        costs: Floats,
    ) -> NDArray[np.float32]:
        """Return the vector of `vector` as `Information` has it, changed in place.

        Args:
            vector: of `vector`.
            quantities: of all products in the last period, (J,); None before the first.
            profits: of all firms in the last period, (F,); None before the first.
            costs: of all products in the coming one, (J,).
        """
        if self._seen is None:
            return vector
        if not self._seen.prices:
            vector[self._rivals] = 0.0
        sold = np.zeros(len(costs)) if quantities is None else np.asarray(quantities)
        earned = np.zeros(self._firms) if profits is None else np.nan_to_num(profits)
        vector[self._plain :] = _told(self._seen, sold, earned, costs)
        return vector

    def vector(
        self, shared: NDArray[np.float32], quantities: Sequence[float] | None, profit: float, share: float
    ) -> NDArray[np.float32]:
        """Return the firm's vector, in an array of its own.

        Args:
            shared: `shared_part`.
            quantities: of all products in the last period, (J,); None before the first.
            profit: of the firm in the last period.
            share: of periods still to come.
        """
        vector = np.zeros(len(self.low), dtype=np.float32)
        vector[: len(shared)] = shared
        if quantities is not None:
            for place, product in enumerate(self.owned, start=len(shared)):
                vector[place] = quantities[product]
            vector[self._plain - 2] = profit
        vector[self._plain - 1] = share
        return vector

    def vectors(self, core: PricingCore, last: Outcome | None, share: float) -> NDArray[np.float32]:
        """Return the firm's vectors in all markets of a core, (B, length), where no `Information` is given.

        Args:
            core: the markets, which keep at least the periods that the firm observes.
            last: the last period; None before the first.
            share: of periods still to come.
        """
        shared = shared_parts(core, self.memory)
        vectors = np.zeros((core.markets, len(self.low)), dtype=np.float32)
        width = shared.shape[1]
        vectors[:, :width] = shared
        if last is not None:
            vectors[:, width : width + len(self.owned)] = last.quantities[:, self.owned]
            vectors[:, self._plain - 2] = last.profits[:, self.firm]
        vectors[:, self._plain - 1] = share
        return vectors


def shared_parts(core: PricingCore, memory: int) -> NDArray[np.float32]:
    """Return the prices and flags that all firms observe in each of the core's markets, (B, k·J + k).

    Args:
        core: the markets, which keep at least k periods.
        memory: k.
    """
    history = core.history[:, core.memory - memory :]
    missing = np.isnan(history)
    prices = np.where(missing, 0.0, history).reshape(core.markets, -1)
    return np.concatenate([prices, ~missing.all(axis=2)], axis=1).astype(np.float32)


def shared_part(core: PricingCore) -> NDArray[np.float32]:
    """Return the prices and flags that all firms of the core's first market observe, (k·J + k,)."""
    history = core.history[0]
    if core.period >= core.memory and len(core.schedule.regimes) == 1:  # so that no price is missing
        whole = np.empty(history.size + core.memory, dtype=np.float32)
        whole[: history.size] = history.reshape(-1)
        whole[history.size :] = 1.0
        return whole
    missing = np.isnan(history)
    prices = np.where(missing, 0.0, history).reshape(-1)
    # Somebody sells in every period, so that a row without a price is one that was not played.
    return np.concatenate([prices, ~missing.all(axis=1)]).astype(np.float32)


def _told(seen: Information, quantities: Floats, profits: Floats, costs: Floats) -> Floats:
    """Return what the firm sees of all firms, end to end."""
    parts = [(seen.quantities, quantities), (seen.profits, profits), (seen.costs, costs)]
    return np.concatenate([np.zeros(0), *(values for told, values in parts if told)])


def _most(market: AnyMarket) -> Floats:
    """Return the largest quantity of each product that can be sold at prices of at least 0, (J,)."""
    if isinstance(market, HomogeneousMarket):
        return np.full(market.products, market.quantity_scale * max(market.intercept, 0.0))
    if isinstance(market.demand, Linear):
        # Alone in the market, a product sells its value over the diagonal of the inverse slopes.
        return market.quantity_scale * np.maximum(market.qualities, 0.0) * _reaction(market)
    return np.full(market.products, market.quantity_scale)


def _reaction(market: AnyMarket) -> Floats | float:
    """Return the largest quantity that one more unit of quality can sell, per unit of market size."""
    if isinstance(market, HomogeneousMarket):
        return 1.0
    if isinstance(market.demand, Linear):
        alone: Floats = 1.0 / np.diag(np.linalg.inv(market.demand.matrix))
        return alone
    return 0.0
