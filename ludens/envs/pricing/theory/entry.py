"""Entry and exit: the market with one more product or one fewer firm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ludens.envs.pricing.theory.homogeneous import HomogeneousMarket
from ludens.envs.pricing.theory.market import AnyMarket, Market
from ludens.errors import UsageError


def with_product(
    market: Market,
    quality: float,
    cost: float,
    *,
    owner: int | None = None,
    nest: int | None = None,
    nest_parameter: float | None = None,
    slopes: ArrayLike | None = None,
) -> Market:
    """Return the market with one more product, the last one.

    Args:
        market: the market before.
        quality: a, of the new product.
        cost: c, of the new product.
        owner: the firm that sells it; a new firm by default.
        nest: its nest, under nested demand.
        nest_parameter: σ of that nest, if the nest is new.
        slopes: the whole new matrix B, (J + 1, J + 1), under linear demand.

    Raises:
        UsageError: an argument is missing, out of its range, or does not belong to the market's demand.
    """
    if market.capacities is not None:
        raise UsageError("A new product has no capacity yet: make the market anew with all capacities.")
    firm = market.firms if owner is None else owner
    if not 0 <= firm <= market.firms:
        raise UsageError(
            f"A new product's owner is a firm from 0 to {market.firms - 1},"
            f" or {market.firms} for a new one; got {owner}."
        )
    new = dict(market.parameters)
    new["qualities"] = [*new["qualities"], quality]
    new["costs"] = [*new["costs"], cost]
    new["owners"] = [*new["owners"], firm]
    kind = new["demand"]
    if (kind == "nested") != (nest is not None) or (kind == "linear") != (slopes is not None):
        raise UsageError(
            "A new product needs its nest under nested demand, the whole matrix of slopes under linear"
            f" demand, and neither under logit; this market's demand is {kind!r}."
        )
    if nest is not None:
        count = len(new["nest_parameter"])
        if not 0 <= nest <= count or (nest == count) != (nest_parameter is not None):
            raise UsageError(
                f"nest is one from 0 to {count - 1}, or {count} for a new nest,"
                f" which needs a nest_parameter; got {nest}."
            )
        new["nests"] = [*new["nests"], nest]
        if nest_parameter is not None:
            new["nest_parameter"] = [*new["nest_parameter"], nest_parameter]
    if slopes is not None:
        new["slopes"] = slopes
    return Market(**new)


def without_firm(market: AnyMarket, firm: int) -> AnyMarket:
    """Return the market without a firm and its products; firms of higher numbers move down by one.

    Raises:
        UsageError: the market has no such firm, or no other one.
    """
    if not 0 <= firm < market.firms or market.firms == 1:
        raise UsageError(
            f"Of {market.firms} firms, numbered from 0, one can leave if another stays; got firm {firm}."
        )
    if isinstance(market, HomogeneousMarket):
        return market.changed(firms=market.firms - 1)
    kept = np.flatnonzero(market.owners != firm)
    return of_products(market, kept.tolist(), market.owners[kept].tolist())


def of_products(market: Market, products: Sequence[int], owners: Sequence[int]) -> Market:
    """Return the market of some of the products alone, of firms that are numbered anew in their order.

    Args:
        market: with these products and others.
        products: their numbers, ascending.
        owners: the firm of each of them.
    """
    new, kept = dict(market.parameters), np.array(products, dtype=np.intp)
    for name in ("qualities", "costs"):
        new[name] = [new[name][index] for index in kept]
    if "capacities" in new:
        new["capacities"] = [new["capacities"][index] for index in kept]
    new["owners"] = _renumbered(owners)
    if new["demand"] == "nested":
        nests = [new["nests"][index] for index in kept]
        new["nest_parameter"] = [new["nest_parameter"][nest] for nest in sorted(set(nests))]
        new["nests"] = _renumbered(nests)
    if new["demand"] == "linear":
        new["slopes"] = _without(np.array(new["slopes"]), kept)
    return Market(**new)


def _renumbered(labels: Sequence[int]) -> list[int]:
    order = {label: number for number, label in enumerate(sorted(set(labels)))}
    return [order[label] for label in labels]


def _without(matrix: np.ndarray, kept: np.ndarray) -> list[list[float]]:
    """Return the slopes without the other products: the inverse demand Γ without their rows and columns.

    That is demand as if their prices were so high that nobody bought them.
    """
    inverse = np.linalg.inv(matrix)
    slopes = np.linalg.inv(inverse[np.ix_(kept, kept)])
    # What is 0 in theory may come back a rounding error above it.
    slopes = np.where(np.eye(len(kept), dtype=bool), slopes, np.minimum(slopes, 0.0))
    rows: list[list[float]] = slopes.tolist()
    return rows
