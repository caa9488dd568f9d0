"""The learning loop of two firms on a platform whose prominence looks back on the last period, compiled.

Under dynamic prominence (`ludens.envs.pricing.interventions.Prominence` with an advantage) profits depend on
which firm was prominent in the last period and on what it charged then, so that this belongs to the state:
prominent·m² + joint, with the firm that was prominent last and the last joint action. Slots of random
numbers are those of `core`.
"""

# ruff: noqa: PLR0917  # compiled functions take their arguments in order

from __future__ import annotations

from typing import Any

import numpy as np

from ludens.agents.qlearning.core import (
    CHANGED,
    PERIOD,
    STATE,
    compiled,
    exploring,
    renew,
    search,
    uniform,
)

_U = np.uint64
_1, _2, _7 = np.uint64(1), np.uint64(2), np.uint64(7)


@compiled
def learn_steered(
    q: Any,
    best: Any,
    greedy: Any,
    profits: Any,
    counters: Any,
    key: Any,
    sizes: Any,
    rates: Any,
    lowest: bool,
    window: int,
    stop: int,
    since: Any,
    grid: Any,
    lead: float,
) -> bool:
    """Play and learn as `core.learn` does, where the firm that is prominent keeps its place.

    Arguments are those of `core.learn`, with the prominent firm in place of an outcome of chance in
    `profits`. `grid` holds the prices, float64, (firms × points); `lead` is what counts off the price of the
    firm that was prominent, if it is not above its last one.
    """
    points = _U(sizes[1])
    joints = points * points
    state, period, changed = _U(counters[STATE]), counters[PERIOD], counters[CHANGED]
    actions, values = np.empty(2, np.uint64), np.empty(2)
    epsilon, decay = exploring(rates[2], since, period), np.exp(-rates[2])
    anew = period
    scale = float(points)
    place = _U(period) * _7
    done = False
    while period < stop:
        if period >= anew:
            anew = renew(epsilon, rates[2], since, period)
        cell = state * _2
        for i in range(_2):
            action = _U(greedy[cell + i])
            if uniform(key, place + _1 + i) < epsilon[i]:
                action = _U(uniform(key, place + _U(3) + i) * scale)
            actions[i] = action
        joint = actions[0] * points + actions[1]
        prominent: Any = state // joints
        last = state % joints
        before = last // points if prominent == 0 else last % points
        other = _1 - prominent
        seeming = grid[prominent * points + actions[prominent]]
        if actions[prominent] <= before:
            seeming -= lead
        if seeming > grid[other * points + actions[other]]:
            prominent = other
        row = prominent * joints + joint
        state = row
        for i in range(_2):
            kept = q[(cell + i) * points + actions[i]]
            values[i] = (1.0 - rates[0, i]) * kept + rates[0, i] * (
                profits[row * _2 + i] + rates[1, i] * best[state * _2 + i]
            )
        moved = False
        for i in range(_2):
            epsilon[i] *= decay[i]
            at, action, value = cell + i, actions[i], values[i]
            q[at * points + action] = value
            chosen = _U(greedy[at])
            if action == chosen and value >= best[at]:
                best[at] = value
            elif action == chosen or value >= best[at]:
                new, _ = search(q, at * points, points, lowest, key, place + _U(5) + i)
                best[at] = q[at * points + new]
                # With ties broken at random, an incumbent that is still among the best stays.
                if new != chosen and (lowest or q[at * points + chosen] < best[at]):
                    greedy[at] = new
                    moved = True
        period += 1
        place += _7
        if moved:
            changed = period
        elif period - changed >= window:
            done = True
            break
    counters[STATE], counters[PERIOD], counters[CHANGED] = state, period, changed
    return done
