"""Fits within bounds: a parameter that leaves its interval is held at the end, and the rest is fitted again.

An active-set method: starting from the fit without bounds, pin the parameter that is farthest outside, and
release one if moving it into its interval would raise the likelihood, until nothing changes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ludens.errors import UsageError
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.fitting.maximise import STARTS, Optimum, find_optimum, level_at
from ludens.preferences.estimation.models.linear import Model

Floats = NDArray[np.float64]
Bounds = Mapping[str, tuple[float, float]]

_ROUNDS = 50


def check_bounds(model: Model, bounds: Bounds, fixed: Mapping[str, float]) -> None:
    """Refuse invalid bounds.

    Raises:
        UsageError: a name is unknown, an interval is empty, or its parameter is held by `fix`.
    """
    model.check_names(bounds, "bounds")
    for name, (low, high) in bounds.items():
        if not low < high:
            raise UsageError(f"`bounds` of {name!r} need low < high; got {(low, high)!r}.")
        if name in fixed:
            raise UsageError(f"{name!r} is held by `fix`: give it bounds or fix it, not both.")
        if name == model.names[-1] and low < 0:
            raise UsageError(f"`bounds` of {name!r} start at 0 or above; got {low!r}.")


def maximise_within(
    model: Model,
    choices: Choices,
    fixed: Mapping[str, float],
    bounds: Bounds,
    *,
    starts: int = STARTS,
    rng: np.random.Generator | None = None,
    first: Optimum | None = None,
) -> tuple[Optimum, dict[str, float]]:
    """Return the maximum within bounds, and the pinned parameters with their ends.

    `first` is the optimum without bounds, where it is known.
    """
    pinned: dict[str, float] = {}
    restriction = model.restrict(fixed)
    optimum = find_optimum(model, choices, restriction, starts=starts, rng=rng) if first is None else first
    seen: set[tuple[tuple[str, float], ...]] = set()
    for _ in range(_ROUNDS if bounds else 0):
        phi = restriction.expand(optimum.psi)
        state = tuple(sorted(pinned.items()))
        farthest = _farthest_outside(model, phi, bounds, pinned)
        if farthest is not None:
            pinned[farthest[0]] = farthest[1]
        else:
            inward = None if state in seen else _inward(model, choices, phi, bounds, pinned)
            if inward is None:
                break
            del pinned[inward]
        seen.add(state)
        restriction = model.restrict({**fixed, **pinned})
        optimum = find_optimum(model, choices, restriction, starts=starts, rng=rng)
    ends = {
        name: end for name, end in model.ends(restriction.expand(optimum.psi)).items() if name not in fixed
    }
    if ends.keys() - pinned.keys():
        pinned = {**ends, **pinned}
        # What is left moves little where a parameter that ran to an end is held there.
        near = restriction.expand(optimum.psi)
        optimum = find_optimum(model, choices, model.restrict({**fixed, **pinned}), begin=near)
    return optimum, pinned


def _farthest_outside(
    model: Model, phi: Floats, bounds: Bounds, pinned: Mapping[str, float]
) -> tuple[str, float] | None:
    theta = model.to_reported(phi)
    precision = float(model.precision(phi))
    worst, most = None, 0.0
    for name, (low, high) in bounds.items():
        if name in pinned:
            continue
        value = float(theta[model.names.index(name)])
        if name == model.names[-1] and precision <= 0:
            # Infinite noise, and what lies beyond it: the end of little precision, where there is one.
            value = math.inf if name == "noise" else 0.0
        if not low <= value <= high:
            end = low if value < low else high
            if name == model.names[-1] and not 0 < end < math.inf:
                continue
            out = abs(value - end) / (high - low if math.isfinite(high - low) else 1 + abs(end))
            if out > most:
                worst, most = (name, end), out
    return worst


def _inward(
    model: Model, choices: Choices, phi: Floats, bounds: Bounds, pinned: Mapping[str, float]
) -> str | None:
    """Return a pinned parameter whose release would raise the likelihood inside its interval."""
    for name, end in pinned.items():
        low, high = bounds[name]
        step = (1e-4 if end == low else -1e-4) * (high - low if math.isfinite(high - low) else 1 + abs(end))
        theta = model.to_reported(phi)
        place = model.names.index(name)
        levels = []
        for value in (end, end + step):
            moved = theta.copy()
            moved[place] = value
            levels.append(level_at(model, choices, model.to_free(moved)))
        if levels[1] > levels[0] + 1e-9 * (1 + abs(levels[0])):
            return name
    return None
