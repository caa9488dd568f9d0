"""The learning loop's variants, compiled: Boltzmann exploration and synchronous updating.

States, slots of random numbers and arguments are as in `core`. Boltzmann exploration draws an action with
probability ∝ exp(Q(s, a)/T), T = T₀·exp(−β·t), from the slot that otherwise decides whether to explore. With
synchronous updating each firm also updates its other prices, with the profit and the next state that they
would have brought against the same rivals' prices (Asker, Fershtman & Pakes, NBER 28535, 2021).
"""

# ruff: noqa: PLR0917  # compiled functions take their arguments in order

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ludens.agents.qlearning.core import (
    CHANGED,
    PERIOD,
    STATE,
    compiled,
    drawn,
    exploring,
    renew,
    search,
    uniform,
)

_U = np.uint64
_1, _2 = np.uint64(1), np.uint64(2)
_COLDEST = 1e-300


@compiled
def learn_variant(
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
    chances: Any,
    since: Any,
    present: Any,
    temperature: float,
    boltzmann: bool,
    synchronous: bool,
) -> bool:
    """Play and learn as `core.learn` does, with Boltzmann exploration, synchronous updating, or both.

    The temperature is T₀.
    """
    firms, points, states = _U(sizes[0]), _U(sizes[1]), _U(sizes[2])
    memory, outcomes = sizes[3], chances.size
    joints = points**firms
    width = _U(3) * firms + _1
    state, period, changed = _U(counters[STATE]), counters[PERIOD], counters[CHANGED]
    actions, weights = np.empty(firms, np.uint64), np.empty(points)
    values = np.empty(firms * points)
    epsilon, decay = exploring(rates[2], since, period), np.exp(-rates[2])
    anew = period
    scale = float(points)
    place = _U(period) * width
    done = False
    while period < stop:
        if period >= anew:
            anew = renew(epsilon, rates[2], since, period)
        cell = state * firms
        joint = _U(0)
        for i in range(firms):
            if not present[i]:
                actions[i] = points - _1
                joint = joint * points + actions[i]
                continue
            draw = uniform(key, place + _1 + i)
            action = _U(greedy[cell + i])
            if boltzmann:
                heat = max(temperature * epsilon[i], _COLDEST)
                total = 0.0
                for b in range(points):
                    weights[b] = math.exp((q[(cell + i) * points + b] - best[cell + i]) / heat)
                    total += weights[b]
                draw *= total
                action, below = _U(0), weights[0]
                while below <= draw and action + _1 < points:
                    action += _1
                    below += weights[action]
            elif draw < epsilon[i]:
                action = _U(uniform(key, place + _1 + firms + i) * scale)
            actions[i] = action
            joint = joint * points + action
        outcome = drawn(chances, uniform(key, place)) * joints if outcomes > 1 else _U(0)
        past = (state * joints) % states if memory > 1 else _U(0)
        step = joints
        for i in range(firms):
            step //= points
            alpha, discount = rates[0, i], rates[1, i]
            for b in range(points):
                if not synchronous and b != actions[i]:
                    continue
                met = joint - actions[i] * step + b * step
                following = past + met if memory > 0 else _U(0)
                earned = profits[(outcome + met) * firms + i]
                kept = q[(cell + i) * points + b]
                values[i * points + b] = (1.0 - alpha) * kept + alpha * (
                    earned + discount * best[following * firms + i]
                )
        moved = False
        for i in range(firms):
            epsilon[i] *= decay[i]
            if not present[i]:
                continue
            at, slot = cell + i, place + _1 + _2 * firms + i
            for b in range(points):
                if synchronous or b == actions[i]:
                    q[at * points + b] = values[i * points + b]
            chosen = _U(greedy[at])
            new, _ = search(q, at * points, points, lowest, key, slot)
            best[at] = q[at * points + new]
            # With ties broken at random, an incumbent that is still among the best stays.
            if new != chosen and (lowest or q[at * points + chosen] < best[at]):
                greedy[at] = new
                moved = True
        state = past + joint if memory > 0 else _U(0)
        period += 1
        place += width
        if moved:
            changed = period
        elif period - changed >= window:
            done = True
            break
    counters[STATE], counters[PERIOD], counters[CHANGED] = state, period, changed
    return done
