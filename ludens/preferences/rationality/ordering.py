"""The largest set of choices that one ordering of the options explains.

A choice reveals its option as at least as good as others, or as better (strict). Choices are consistent if no
cycle of such relations contains a strict one. The index of Houtman & Maks (1985, Kwantitatieve Methoden 19)
is the largest share of choices that are. Finding it is NP-hard; here each strongly connected part of the
relations is an integer programme: with utilities u ∈ [0, 1], a kept choice demands

    u_better − u_worse ≥ ε·strict.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Mask = NDArray[np.bool_]

SECONDS = 10.0
"""Time after which the search for the largest set of choices in one connected part stops."""


@dataclass(frozen=True, eq=False)
class Relations:
    """Revealed relations between options, one per row; all arrays have shape (m,).

    Attributes:
        better: the number of the option that was chosen.
        worse: the number of the one that it is revealed as at least as good as.
        strict: whether it is revealed as better.
        choices: the number of the choice that reveals it.
    """

    better: Codes
    worse: Codes
    strict: Mask
    choices: Codes


def largest_consistent(relations: Relations, options: int, weights: Floats) -> tuple[Mask, bool]:
    """Return a largest set of choices without a strict cycle, and whether it is known to be the largest.

    Args:
        relations: what choices reveal; all relations of one choice have the same better option.
        options: the number of options.
        weights: the weight of each choice, shape (choices,), such as how often it was made.

    Returns:
        A mask of the choices kept, and False if the search stopped at its limit of time.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    kept, proven = np.ones(len(weights), dtype=bool), True
    if not len(relations.better):
        return kept, proven
    graph = sparse.coo_array(
        (np.ones(len(relations.better)), (relations.better, relations.worse)), shape=(options, options)
    )
    _, parts = connected_components(graph, directed=True, connection="strong")
    inside = parts[relations.better] == parts[relations.worse]
    for part in np.unique(parts[relations.better[inside & relations.strict]]):
        rows = np.flatnonzero(inside & (parts[relations.better] == part))
        concerned, choice = np.unique(relations.choices[rows], return_inverse=True)
        items, ends = np.unique(
            np.concatenate([relations.better[rows], relations.worse[rows]]), return_inverse=True
        )
        found, ended = _solve(
            ends[: len(rows)],
            ends[len(rows) :],
            relations.strict[rows],
            choice,
            weights=weights[concerned],
            items=len(items),
        )
        kept[concerned] = found
        proven &= ended
    return kept, proven


def _solve(
    better: Codes, worse: Codes, strict: Mask, choice: Codes, *, weights: Floats, items: int
) -> tuple[Mask, bool]:
    """Solve the integer programme of one strongly connected part."""
    from scipy import sparse
    from scipy.optimize import Bounds, LinearConstraint, milp

    rows, choices = len(better), len(weights)
    step = 1 / items
    big = 1 + step
    # u_better − u_worse − big·kept ≥ ε·strict − big; an option compared with itself drops out.
    count = np.arange(rows)
    table = sparse.coo_array(
        (
            np.concatenate([np.ones(rows), -np.ones(rows), np.full(rows, -big)]),
            (np.tile(count, 3), np.concatenate([better, worse, items + choice])),
        ),
        shape=(rows, items + choices),
    ).tocsr()
    solved = milp(
        np.concatenate([np.zeros(items), -weights]),
        constraints=LinearConstraint(table, step * strict - big, np.inf),
        integrality=np.concatenate([np.zeros(items), np.ones(choices)]),
        bounds=Bounds(0, 1),
        options={"time_limit": SECONDS},
    )
    if solved.x is None:
        return np.zeros(choices, dtype=bool), False
    return np.asarray(solved.x[items:] > 0.5), solved.status == 0
