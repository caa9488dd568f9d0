"""Choices from menus: dominated options, and the largest set of choices that one ordering explains.

An option is known by its attributes (payoffs, amounts and dates, or the terms of a strategy's utility), so
that the same option is recognised on another menu. Who takes x where y was offered reveals x as better than
y; a choice made n times, or with probability n, has the weight n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ludens.preferences.estimation.models.linear import LinearModel, Parameter
from ludens.preferences.rationality.ordering import Relations, largest_consistent

if TYPE_CHECKING:
    from ludens.preferences.estimation.data.choices import Choices

Floats = NDArray[np.float64]

PAYOFFS = LinearModel(
    "payoffs",
    "Payoffs of two people",
    "",
    weights=(Parameter("other", "other"),),
    attributes=("own", "other"),
)
"""What tables of allocations are read with, so that alternatives are their payoffs."""


@dataclass(frozen=True)
class MenuConsistency:
    """How consistent the choices of one subject on menus are.

    Attributes:
        subject: the subject's name.
        choices: the number of choices.
        dominated: the weight of choices of an option that is worse for everybody than another on the menu,
            or as bad for some and worse for others.
        could_be: the weight of choices from menus with such an option.
        consistent: the weight of the largest set of choices that one ordering of the options explains.
        testable: the weight of choices from menus that share options with others in such a way that choices
            could contradict each other.
        proven: whether that set is known to be the largest.
    """

    subject: str
    choices: float
    dominated: float
    could_be: float
    consistent: float
    testable: float
    proven: bool = True


def menu_consistency(choices: Choices) -> list[MenuConsistency]:
    """Test the choices of every subject for dominance and transitivity.

    Args:
        choices: observed choices of single alternatives whose attributes are payoffs, of which more is
            better for the person concerned.
    """
    situations, width, _ = choices.attributes.shape
    identity = np.unique(
        choices.attributes.reshape(situations * width, -1) + 0.0, axis=0, return_inverse=True
    )[1].reshape(situations, width)
    worse = _dominated(choices.attributes, choices.available)
    table = choices.counts.tocoo()
    rows, columns, weights = table.row, table.col, table.data
    order = np.argsort(rows, kind="stable")
    bounds = np.searchsorted(rows[order], np.arange(len(choices.subjects) + 1))
    tests = []
    for place, subject in enumerate(choices.subjects):
        own = order[bounds[place] : bounds[place + 1]]
        where, taken = np.divmod(columns[own], width)
        tests.append(
            _of_subject(
                subject,
                where,
                taken,
                weights[own],
                identity=identity,
                available=choices.available,
                worse=worse,
            )
        )
    return tests


def _of_subject(
    subject: str,
    where: NDArray[np.intp],
    taken: NDArray[np.intp],
    weights: Floats,
    *,
    identity: NDArray[np.intp],
    available: NDArray[np.bool_],
    worse: NDArray[np.bool_],
) -> MenuConsistency:
    offered = available[where]
    choice, place = np.nonzero(offered)
    options = identity[where[choice], place]
    chosen = identity[where, taken]
    others = options != chosen[choice]
    relations = Relations(
        chosen[choice[others]], options[others], np.ones(int(others.sum()), dtype=bool), choice[others]
    )
    kept, proven = largest_consistent(relations, int(identity.max()) + 1, weights)
    return MenuConsistency(
        subject,
        float(weights.sum()),
        float(weights[worse[where, taken]].sum()),
        float(weights[worse[where].any(axis=1)].sum()),
        float(weights[kept].sum()),
        float(weights[_testable(where, identity, available)].sum()),
        proven,
    )


def _dominated(attributes: Floats, available: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which alternatives another one of their situation dominates, shape (situations, width)."""
    worse = np.zeros(available.shape, dtype=bool)
    for other in range(available.shape[1]):
        rival = attributes[:, other, None]
        above = (rival >= attributes).all(axis=-1) & (rival > attributes).any(axis=-1)
        worse |= above & available[:, other, None] & available
    return worse


def _testable(
    where: NDArray[np.intp], identity: NDArray[np.intp], available: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which choices can stand in a cycle: those left when options of one menu alone, and menus with
    one option left, have been taken away as long as there are any. Menus asked once count once.
    """
    menus, inverse, asked = np.unique(where, return_inverse=True, return_counts=True)
    left = available[menus].copy()
    alive = np.ones(len(menus), dtype=bool)
    options = identity[menus]
    while True:
        uses = np.bincount(options[left], minlength=int(identity.max()) + 1)
        shared = left & (uses[options] > 1)
        # A menu that is answered in two ways contradicts itself, whatever else was asked.
        still = (shared.sum(axis=1) > 1) | (asked > 1)
        if (shared == left).all() and (still == alive).all():
            return np.asarray(still[inverse])
        left, alive = shared & still[:, None], still
