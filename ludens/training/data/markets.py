"""Random markets as cases to be labelled: a firm's prices as a table, against its rivals' last prices.

The label is the price of the table that is best for homo moralis against the last prices,
(1 − κ)·π(p, last) + κ·π̄(p, …, p); with κ = 0 it is the myopic best reply. Demand is logit. Qualities, costs,
μ, the outside good, the number of firms, money and the last prices are drawn anew; markets that differ from
the published baseline (Calvano et al. 2020) in money alone are never drawn. The ranges are our choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from ludens.agents.llm.prompts.tables import GRID, market_table
from ludens.envs.pricing.theory.market import Market
from ludens.preferences.consequences import Consequences, weights_of
from ludens.preferences.pricing.consequences import Floats, price_profits
from ludens.training.data.tables import Case

HISTORIES = 8
"""Last prices, and grids, drawn for each market."""
LARGEST = (99, 499, 499)
"""Largest numbers in a table, one of which is drawn."""


@lru_cache(maxsize=1)
def reserved_markets() -> frozenset[str]:
    """Return the keys of markets on which models are measured."""
    return frozenset({market_key(Market.symmetric(firms)) for firms in (2, 3, 4)})


def market_key(market: Market) -> str:
    """Return a text that two logit markets share if they differ in money and units alone; only the difference
    of qualities and the outside good counts in them.
    """
    margins = (market.qualities - market.costs - market.outside) / market.mu
    numbers = [*margins, *((market.costs - market.costs[0]) / market.mu)]
    return f"bertrand {' '.join(f'{number:.4g}' for number in numbers)}"


def draw_markets(kappa: float, rng: np.random.Generator) -> Iterator[Case]:
    """Yield random markets as cases for homo moralis with this κ, without end."""
    weights = weights_of(kappa)
    while True:
        market = _market(rng)
        key = market_key(market)
        if key in reserved_markets():
            continue
        unit = market.price_scale * market.mu
        floor = float(market.unit_costs.max())
        product = int(rng.integers(market.products))
        lows = floor + unit * rng.uniform(0.4, 1.6, HISTORIES)
        highs = lows + unit * rng.uniform(1.2, 4.0, HISTORIES)
        lasts = floor + unit * rng.uniform(0.3, 4.5, (HISTORIES, market.products))
        steps = np.linspace(0.0, 1.0, int(rng.integers(4, GRID + 1)))
        grids = _short(lows[:, None] + (highs - lows)[:, None] * steps)
        lasts = _short(lasts)
        most = np.asarray(LARGEST)[rng.integers(len(LARGEST), size=HISTORIES)]
        for found, last in zip(
            _consequences(market, product, lasts, grids, most), lasts.tolist(), strict=True
        ):
            rivals = [price for place, price in enumerate(last) if place != product]
            yield Case(
                "pricing",
                "bertrand",
                key,
                "firm",
                "price",
                (*market.qualities.tolist(), *market.costs.tolist(), market.mu, market.price_scale, *last),
                found,
                partial(market_table, found, float(market.unit_costs[product]), rivals),
                weights,
                subject=(market, product, tuple(last), tuple(map(float, found.options))),
            )


def _short(prices: Floats) -> Floats:
    """Return prices with four significant digits, as prompts show them."""
    digits = 10.0 ** (3 - np.floor(np.log10(prices)))
    short: Floats = np.round(prices * digits) / digits
    return short


def _consequences(
    market: Market, product: int, lasts: Floats, grids: Floats, most: NDArray[np.int_]
) -> Iterator[Consequences]:
    """Yield the consequences of prices for many last prices at once, rounded to whole numbers.

    Args:
        market: the market.
        product: the number of the product whose price is set.
        lasts: the last prices, shape (histories, J).
        grids: the prices to choose from, shape (histories, K).
        most: the largest number in each table, shape (histories,).
    """
    own, together = price_profits(market, product, lasts, grids)
    largest = np.maximum(own.max(axis=1), together.max(axis=1))
    scale = (most / largest)[:, None]
    columns = (np.round(part * scale).astype(int).tolist() for part in (own, together))
    for grid, alone, shared in zip(grids.tolist(), *columns, strict=True):
        names = tuple(f"{price:.4g}" for price in grid)
        yield Consequences(names, tuple(alone), tuple(shared), exact=False)


def _market(rng: np.random.Generator) -> Market:
    """Draw a market with costs of about 1 and margins as in the literature, in any money."""
    firms = 2 if rng.random() < 0.75 else 3
    costs = 1 + (rng.integers(0, 9, firms) / 20 if rng.random() < 0.5 else float(rng.integers(0, 9)) / 20)
    gains = 0.6 + (rng.integers(0, 17, firms) if rng.random() < 0.5 else int(rng.integers(0, 17))) / 20
    return Market(
        np.broadcast_to(costs + gains, (firms,)),
        np.broadcast_to(costs, (firms,)),
        mu=float(rng.integers(12, 45)) / 100,
        outside=float(rng.integers(-4, 5)) / 10,
        price_scale=float(rng.choice([0.5, 1.0, 2.0, 3.2, 10.0, 100.0])),
    )
