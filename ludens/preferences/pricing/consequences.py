"""The consequences of each price of a grid: the own profit if the rivals keep their last prices, and the
profit if everybody took that price, in whole numbers.

Homo moralis against the last prices maximises (1 − κ)·π(p, rivals' last prices) + κ·π̄(p, …, p), where π̄ is
the mean profit of a firm: behind the veil one may be any of them. With κ = 0 it is the myopic best reply. In
a symmetric market the price that is best against itself is that of
`ludens.preferences.pricing.moral.moralis_prices`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.envs.pricing.theory.market import AnyMarket
from ludens.preferences.consequences import MOST, Consequences, whole_numbers

Floats = NDArray[np.float64]


def price_profits(
    market: AnyMarket, product: int | Sequence[int], last: ArrayLike, grid: ArrayLike
) -> tuple[Floats, Floats]:
    """Return the own firm's profits and the mean firm's if everybody took the price, both of shape (..., K).

    Args:
        market: the market.
        product: the number of the product whose price is set, or the numbers of a firm's products, all of
            which get that price.
        last: the prices of all products, shape (..., J), in money; those of `product` do not matter.
        grid: the prices to choose from, shape (K,) or (..., K), in money.
    """
    prices, offers = np.asarray(last, dtype=np.float64), np.asarray(grid, dtype=np.float64)
    shape = np.broadcast_shapes((*prices.shape[:-1], 1), offers.shape)
    rows = np.broadcast_to(prices[..., None, :], (*shape, market.products)).copy()
    owned = [product] if isinstance(product, int) else list(product)
    rows[..., owned] = offers[..., None]
    own: Floats = market.profits(rows)[..., int(market.owners[owned[0]])]
    rows[...] = offers[..., None]
    together: Floats = market.profits(rows).mean(axis=-1)
    return own, together


def price_consequences(
    market: AnyMarket,
    product: int | Sequence[int],
    last: ArrayLike,
    grid: Mapping[str, float],
    most: int = MOST,
    *,
    others: bool = False,
) -> Consequences:
    """Return the consequences of each price of a grid.

    Args:
        market: the market of the firms that are there.
        product: as for `price_profits`.
        last: the last prices of all products, shape (J,), in money.
        grid: the prices to choose from, in money, by name.
        most: the largest number.
        others: whether to return the mean profit of the other firms at the last prices, too.
    """
    own, together = price_profits(market, product, last, list(grid.values()))
    columns = [own.tolist(), together.tolist()]
    if others:
        owned = [product] if isinstance(product, int) else list(product)
        rows = np.tile(np.asarray(last, dtype=np.float64), (len(grid), 1))
        rows[:, owned] = np.array(list(grid.values()))[:, None]
        rivals = np.delete(market.profits(rows), int(market.owners[owned[0]]), axis=1)
        columns.append((rivals.mean(axis=1) if rivals.shape[1] else np.zeros(len(grid))).tolist())
    (alone, shared, *third), exact = whole_numbers(columns, most)
    return Consequences(tuple(grid), alone, shared, exact, third[0] if third else ())
