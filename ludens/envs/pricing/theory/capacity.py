"""Capacity limits of products, and what becomes of the customers who are not served.

Capacities are known to all and bind within a period: customers who would buy more than a product's capacity
are rationed, each with the same chance (proportional rationing, Beckmann 1965; Davidson & Deneckere, RAND
Journal 17(3), 1986). The efficient rule of Kreps & Scheinkman (Bell Journal 14(2), 1983) orders the customers
of one good by their values, and has no counterpart where each customer has a value for each product. What
unserved customers do is the rule's name:

- ``"leave"`` (the default; ours for differentiated products, the lost sales of operations research): they buy
  nothing, so that q_j = min(k_j, q_j(p)), and a firm's demand does not depend on others' limits.
- ``"reroute"``: they choose among what is still there. Customers come in random order, and each buys the best
  of the products that are not sold out; with many customers the path is deterministic (the fluid limit of the
  dynamic substitution of Mahajan & van Ryzin, Operations Research 49(3), 2001).

Under ``"leave"`` and logit demand the equilibrium is exact. No firm charges a price at which customers are
turned away, since a higher one sells as much; shares then satisfy, with s_0 the outside good's and S_f those
of a firm's products together,

    s_j = min(k_j/β, s_0·exp((a_j − c_j − a_0)/μ − 1/(1 − S_f)))

which grows in s_0, so that Σ_j s_j + s_0 = 1 has one solution; prices follow from the shares. With one firm
that is the joint-profit price, and with the markup left out the efficient allocation. Elsewhere no benchmark
is computed: with rerouting there may be no equilibrium in pure strategies (Edgeworth; Kreps & Scheinkman).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pricing.theory.groups import Groups

Floats = NDArray[np.float64]

Rationing = Literal["leave", "reroute"]

_HALVINGS = 64  # of an interval of less than a few thousand, to rounding error
_SPENT = 1e-12  # of a product's capacity


class Served(NamedTuple):
    """What was sold: shares (..., J), and the surplus of customers (...), in units of quality."""

    shares: Floats
    surplus: Callable[[], Floats]


def served(
    shares_of: Callable[[Floats], Floats],
    surplus_of: Callable[[Floats], Floats],
    values: Floats,
    capacities: Floats,
    *,
    rationing: Rationing,
    nobody: float,
) -> Served:
    """Return what is sold at net values, and how to obtain the surplus of customers.

    Args:
        shares_of: demand without limits, from values (..., J) to shares (..., J).
        surplus_of: the same for the surplus, (...), which under ``"leave"`` must be that of logit demand.
        values: net values, (..., J).
        capacities: as shares of the market, (J,); infinite where there is no limit.
        rationing: what unserved customers do.
        nobody: a value at which nobody buys a product.
    """
    wanted = shares_of(values)
    if rationing == "leave":
        sold = np.minimum(wanted, capacities)

        def surplus() -> Floats:
            # Under logit all buyers gain as much on average, whichever product they buy.
            total, kept = wanted.sum(axis=-1), sold.sum(axis=-1)
            with np.errstate(invalid="ignore", divide="ignore"):
                share = np.where(total > 0, kept / total, 1.0)
            return np.asarray(surplus_of(values) * share)

        return Served(sold, surplus)
    return _rerouted(shares_of, surplus_of, values, capacities, nobody)


def _rerouted(
    shares_of: Callable[[Floats], Floats],
    surplus_of: Callable[[Floats], Floats],
    values: Floats,
    capacities: Floats,
    nobody: float,
) -> Served:
    """Return what is sold to customers who come one after another, until all have come."""
    values = np.array(values)
    left = np.broadcast_to(capacities, values.shape).copy()
    coming = np.ones(values.shape[:-1])
    sold = np.zeros(values.shape)
    gained = np.zeros(values.shape[:-1])
    for _ in range(values.shape[-1] + 1):
        rate = shares_of(values)
        with np.errstate(divide="ignore", invalid="ignore"):
            lasts = np.where(rate > 0, left / rate, np.inf)
        span = np.minimum(coming, lasts.min(axis=-1))
        sold += rate * span[..., None]
        left -= rate * span[..., None]
        gained += surplus_of(values) * span
        coming = coming - span
        values = np.where(left <= _SPENT * capacities, nobody, values)
        if not np.any(coming > 0):
            break
    return Served(sold, lambda: gained)


def limited_shares(
    surplus: Floats, capacities: Floats, mu: float, owners: Groups | None
) -> tuple[Floats, float]:
    """Return the shares (J,) of the equilibrium under logit and ``"leave"``, and the log of the outside one.

    Args:
        surplus: (a_j − c_j − a_0), (J,), in units of quality.
        capacities: as shares of the market, (J,).
        mu: μ.
        owners: the products of each firm; None for the efficient allocation, without markups.
    """
    from scipy.optimize import brentq

    worth = surplus / mu

    def shares(outside: float) -> Floats:
        if owners is None:
            return np.minimum(capacities, np.exp(outside + worth))
        # The markup over μ of each firm, x = 1/(1 − S): sales at it fall in x, and 1 − 1/x rises.
        low = np.ones(owners.count)
        high = np.full(owners.count, 60.0 + max(float(worth.max()), 0.0) + np.log(len(worth)))
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            sold = np.minimum(capacities, np.exp(outside + worth - owners.spread(middle)))
            more = owners.sums(sold) > 1 - 1 / middle
            low, high = np.where(more, middle, low), np.where(more, high, middle)
        return np.minimum(capacities, np.exp(outside + worth - owners.spread(0.5 * (low + high))))

    def excess(outside: float) -> float:
        return float(np.exp(outside) + shares(outside).sum() - 1)

    # At the lower end customers would not all be counted even at cost, at the upper end there are too many.
    least = -float(np.logaddexp.reduce([0.0, *worth])) - 1.0
    outside = float(brentq(excess, least, 0.0, xtol=1e-15, rtol=8.9e-16))
    return shares(outside), outside
