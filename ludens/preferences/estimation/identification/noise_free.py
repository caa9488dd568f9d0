"""The parameters under which choices are optimal without any noise, by linear programmes.

If V_j = x_0j + Σ_k θ_k·x_kj, a choice of alternative c is optimal if V_c ≥ V_j for every other alternative
j, which is linear in θ. All choices together describe a polyhedron, and the range of each parameter in it
follows from two linear programmes. It is a set, not an interval for sampling error: any θ of it explains
everything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.fitting.regions import Region
from ludens.preferences.estimation.models.linear import Model

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_SLACK = 1e-9  # of the largest attribute, what counts as a tie
_ALIKE = 1e-6  # shares that differ less count as equal


def noise_free_ranges(model: Model, choices: Choices, fixed: Mapping[str, float]) -> dict[str, Region] | None:
    """Return the range of every free parameter under which all choices are optimal; None if there is none.

    Options that were given equal probabilities must be optimal together. Of single moves in games those are
    taken that leave one strategy; where some node was not asked, so that several remain, there is no answer.
    """
    if not model.linear or model.names[-1] in fixed:
        return None
    rows, ties = [], []
    for place in np.flatnonzero(choices.total.sum(axis=1) > 0).tolist():
        chosen = _chosen(choices, place)
        if chosen is None:
            return None
        attributes = choices.attributes[place]
        best = attributes[np.flatnonzero(chosen)[0]]
        ties.append(best - attributes[chosen][1:])
        rows.append(best - attributes[choices.available[place] & ~chosen])
    left, equal = _distinct(np.concatenate(rows)), _distinct(np.concatenate(ties))
    names = model.names[:-1]
    free = [number for number, name in enumerate(names) if name not in fixed]
    held = np.array([fixed.get(name, 0.0) for name in names])
    size = max(float(np.abs(left).max(initial=0.0)), float(np.abs(equal).max(initial=0.0)), 1e-300)
    programme: dict[str, Any] = {
        "A_ub": np.concatenate([-left[:, 1:][:, free], equal[:, 1:][:, free], -equal[:, 1:][:, free]]),
        "b_ub": np.concatenate([_constant(left, held), -_constant(equal, held), _constant(equal, held)])
        + _SLACK * size,
        "bounds": (None, None),
        "method": "highs",
    }
    found: dict[str, Region] = {}
    for place, number in enumerate(free):
        ends = []
        for sign in (1.0, -1.0):
            aim = np.zeros(len(free))
            aim[place] = sign
            answer: Any = optimize.linprog(aim, **programme)
            if answer.status == 3:  # unbounded
                ends.append(-sign * math.inf)
            elif answer.status == 0:
                ends.append(sign * float(answer.fun))
            else:
                return None
        found[names[number]] = Region(ends[0], ends[1])
    if not free and np.any(programme["b_ub"] < 0):
        return None
    none = 0.0 if model.names[-1] == "noise" else math.inf
    return {**found, model.names[-1]: Region(none, none)}


def _chosen(choices: Choices, place: int) -> Mask | None:
    """Return the alternatives of a situation that its choices say are optimal; None if they do not agree."""
    counts, questions = choices.total[place], choices.questions[place]
    kept: Mask = choices.available[place].copy()
    tied = False
    for number in np.unique(questions[questions >= 0]):
        given = np.flatnonzero((questions == number) & (counts > 0))
        if not len(given):
            continue
        if len(given) > 1:
            shares = counts[given] / counts[given].sum()
            if not (choices.exact or choices.fractional) or np.ptp(shares) > _ALIKE:
                return None
            tied = True
        if choices.members is None:
            union = np.isin(np.arange(len(kept)), given)
        else:
            union = choices.members[place, given].any(axis=0)
        kept &= union
    if not kept.any():
        return None
    several = choices.attributes[place][kept]
    if not tied and np.ptp(several, axis=0).max() > 0:
        return None
    return kept


def _constant(rows: Floats, held: Floats) -> Floats:
    constant: Floats = rows[:, 0] + rows[:, 1:] @ held
    return constant


def _distinct(rows: Floats) -> Floats:
    return np.unique(rows, axis=0)
