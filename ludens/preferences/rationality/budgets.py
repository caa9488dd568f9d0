"""Choices on linear budget sets: GARP, Afriat's efficiency index and the index of Houtman & Maks.

Bundle x^t, bought at prices p^t, is at efficiency e revealed as good as x^s if e·p^t·x^t ≥ p^t·x^s. GARP(e)
allows no cycle of these with a strict one. Afriat's critical cost efficiency index (CCEI, Afriat 1972,
International Economic Review 13(3)) is the largest e with GARP(e). With the ratios r_ts = p^t·x^s / p^t·x^t
a cycle violates GARP(e) for every e above its largest ratio, so that

    CCEI = min(1, min over cycles of the largest ratio in the cycle),

which shortest paths in the (min, max) sense give exactly, without a search over e.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.errors import UsageError
from ludens.preferences.rationality.ordering import Relations, largest_consistent

Floats = NDArray[np.float64]

_TOLERANCE = 1e-9  # relative, for costs that are equal up to rounding


@dataclass(frozen=True)
class BudgetConsistency:
    """How consistent the choices of one subject on budget sets are.

    Attributes:
        choices: the number of choices.
        garp: whether they satisfy the generalised axiom of revealed preference.
        violations: the number of ordered pairs (t, s) with x^t revealed as good as x^s and s strictly as
            better than t.
        ccei: Afriat's index, in [0, 1]; 1 means that some utility explains every choice.
        consistent: the size of the largest set of choices that satisfies GARP (Houtman & Maks).
        proven: whether that set is known to be the largest.
    """

    choices: int
    garp: bool
    violations: int
    ccei: float
    consistent: int
    proven: bool = True


def budget_consistency(prices: ArrayLike, bundles: ArrayLike) -> BudgetConsistency:
    """Test the choices of one subject on linear budget sets.

    Args:
        prices: positive, shape (choices, goods).
        bundles: quantities of at least 0 of which each costs something, same shape.

    Raises:
        UsageError: shapes differ, or a number is out of range.
    """
    ratios = _ratios(prices, bundles)
    count = len(ratios)
    weakly = ratios <= 1 + _TOLERANCE
    strictly = ratios < 1 - _TOLERANCE
    reached = weakly.copy()
    for k in range(count):
        reached |= reached[:, k, None] & reached[None, k]
    violations = int((reached & strictly.T).sum())
    better, worse = np.nonzero(weakly & ~np.eye(count, dtype=bool))
    relations = Relations(better, worse, strictly[better, worse], better)
    kept, proven = largest_consistent(relations, count, np.ones(count))
    return BudgetConsistency(
        count, violations == 0, violations, float(_ccei(ratios)), int(kept.sum()), proven
    )


def ccei(prices: ArrayLike, bundles: ArrayLike) -> Floats:
    """Return Afriat's index of each subject, shape (...).

    Args:
        prices: positive, shape (..., choices, goods).
        bundles: quantities of at least 0 of which each costs something, same shape.

    Raises:
        UsageError: shapes differ, or a number is out of range.
    """
    return _ccei(_ratios(prices, bundles))


def random_bundles(prices: ArrayLike, incomes: ArrayLike, count: int, rng: np.random.Generator) -> Floats:
    """Draw the choices of subjects who choose at random on budget lines (Bronars 1987), whose CCEI shows
    what a set of budgets can detect.

    Args:
        prices: shape (choices, goods).
        incomes: what each budget allows to spend, shape (choices,).
        count: number of subjects.
        rng: the source of chance.

    Returns:
        Bundles, shape (count, choices, goods), with budget shares uniform on the simplex.
    """
    table = np.asarray(prices, dtype=np.float64)
    shares = rng.dirichlet(np.ones(table.shape[1]), (count, len(table)))
    return np.asarray(shares * np.asarray(incomes, dtype=np.float64)[:, None] / table)


def _ratios(prices: ArrayLike, bundles: ArrayLike) -> Floats:
    costs, goods = np.asarray(prices, dtype=np.float64), np.asarray(bundles, dtype=np.float64)
    if costs.shape != goods.shape or costs.ndim < 2 or not costs.size:
        raise UsageError(
            f"Prices and bundles have one shape (choices, goods); got {costs.shape} and {goods.shape}."
        )
    if not (np.isfinite(costs).all() and (costs > 0).all()):
        raise UsageError("Prices are positive numbers; correct those that are not.")
    if not (np.isfinite(goods).all() and (goods >= 0).all()):
        raise UsageError("Quantities are numbers of at least 0; correct those that are not.")
    spent = costs @ np.swapaxes(goods, -1, -2)
    own = np.einsum("...tt->...t", spent)
    if not (own > 0).all():
        raise UsageError("A choice of nothing at all reveals nothing: leave it out.")
    return np.asarray(spent / own[..., None])


def _ccei(ratios: Floats) -> Floats:
    widest = ratios.copy()
    count = widest.shape[-1]
    widest[..., range(count), range(count)] = np.inf
    for k in range(count):
        through = np.maximum(widest[..., :, k, None], widest[..., None, k, :])
        widest = np.minimum(widest, through)
    cycles = np.einsum("...tt->...t", widest)
    return np.asarray(np.minimum(1.0, cycles.min(axis=-1)))
