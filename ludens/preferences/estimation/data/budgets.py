"""Continuous choices on linear budgets, as they are and not as menus.

A row for each choice: ``subject, price_own, price_other, own, other`` in a social budget (continuous giving
has prices of 1), or ``subject, price_1, price_2, quantity_1, quantity_2`` for two states or two dates, with
what the model needs beside the amounts (``chance_1``; ``delay_1, delay_2``). What was spent is the budget.

The choice is a point on the line, and its probability density is a continuous logit (McFadden 1976; Dagsvik,
International Economic Review 35(1), 1994): with s the share of the budget that the second good takes,

    f(s) = exp V(s) / ∫_0^1 exp V(t) dt.

The integral is a Gauss–Legendre quadrature in panels that meet at the choice and where both get the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import roots_legendre

from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices, count_events, make_choices, read_clusters
from ludens.preferences.estimation.data.columns import Table
from ludens.preferences.estimation.data.payoffs import payoff_attribute
from ludens.preferences.estimation.models.linear import Model

Floats = NDArray[np.float64]

_NODES = 16
"""Points of the quadrature in each of three panels."""


def budget_columns(table: Table) -> tuple[Floats, Floats]:
    """Return prices and quantities, each of shape (choices, 2).

    Raises:
        UsageError: a column is missing, a price is not positive, a quantity negative, or nothing was bought.
    """
    social = "price_own" in table
    named = (("price_own", "price_other"), ("own", "other"))
    if not social:
        named = (("price_1", "price_2"), ("quantity_1", "quantity_2"))
    prices, bundles = (np.stack([table.numbers(name) for name in pair], axis=1) for pair in named)
    for place in range(2):
        wrong = np.flatnonzero(prices[:, place] <= 0)
        if len(wrong):
            held = f"holds {prices[wrong[0], place]:g}, and a price is above 0: correct it"
            raise table.error(wrong[0], named[0][place], held)
        wrong = np.flatnonzero(bundles[:, place] < 0)
        if len(wrong):
            held = f"holds {bundles[wrong[0], place]:g}, and a quantity is at least 0: correct it"
            raise table.error(wrong[0], named[1][place], held)
    nothing = np.flatnonzero(bundles.sum(axis=1) == 0)
    if len(nothing):
        raise table.error(nothing[0], None, "buys nothing at all, which reveals nothing: leave it out")
    return prices, bundles


def read_budgets(table: Table, model: Model) -> Choices:
    """Read choices on budgets, one per row, as densities on the budget line.

    Raises:
        UsageError: a column is missing or a cell is invalid, or the model needs what budgets do not tell.
    """
    subjects, names = table.keys("subject")
    prices, bundles = budget_columns(table)
    spent = (prices * bundles).sum(axis=1)
    chosen = prices[:, 1] * bundles[:, 1] / spent
    equal = prices[:, 1] / prices.sum(axis=1)
    cuts = np.sort(np.stack([np.zeros_like(chosen), chosen, equal, np.ones_like(chosen)], axis=1), axis=1)
    points, weights = roots_legendre(_NODES)
    widths = np.diff(cuts, axis=1)
    inside = (cuts[:, :-1, None] + widths[..., None] * (points + 1) / 2).reshape(len(chosen), -1)
    measure = (widths[..., None] * weights / 2).reshape(len(chosen), -1)
    shares = np.concatenate([chosen[:, None], inside], axis=1)
    first = (1 - shares) * (spent / prices[:, 0])[:, None]
    second = shares * (spent / prices[:, 1])[:, None]
    # Rounding must not turn an end of the line into less than nothing.
    amounts = np.maximum(np.stack([first, second], axis=-1), 0.0)
    attributes = np.stack([_attribute(table, name, amounts) for name in model.attributes], axis=-1)
    count = len(chosen)
    seen = np.arange(count), np.zeros(count, dtype=np.intp), np.ones(count)
    counts = count_events(subjects, *seen, (len(names), count, shares.shape[1]))
    clusters = read_clusters(table, subjects, len(names))
    return make_choices(
        attributes,
        np.ones(shares.shape, dtype=bool),
        counts,
        subjects=names,
        clusters=clusters,
        situations=[f"the choice in {table.row_word} {row}" for row in table.rows],
        measure=np.concatenate([np.zeros((count, 1)), measure], axis=1),
        crossed=clusters.tabulate(np.arange(count), *seen, cells=(count, shares.shape[1])),
    )


def _attribute(table: Table, name: str, amounts: Floats) -> Floats:
    """Return an attribute of every point of every line, shape (choices, points)."""
    shape = amounts.shape[:2]
    if name in {"amount_1", "amount_2"}:
        return np.asarray(amounts[..., int(name[-1]) - 1])
    known = payoff_attribute(name, amounts[..., 0].reshape(-1), amounts[..., 1].reshape(-1, 1))
    if known is not None:
        return known.reshape(shape)
    if "·" in name or "universalised" in name:
        raise UsageError(
            f"Choices on budgets have no {name!r}: choose the model fehr_schmidt, ces, crra, prospect or "
            "quasi_hyperbolic."
        )
    return np.broadcast_to(table.numbers(name)[:, None], shape)
