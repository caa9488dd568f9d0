"""The learning loop itself, compiled: tabular Q-learning of n firms in one market.

    Q_i(s, a_i) ← (1−α)·Q_i(s, a_i) + α·[π_i(a) + δ·max_b Q_i(s′, b)]

after Calvano, Calzolari, Denicolò & Pastorello (American Economic Review 110(10), 2020). A state is one flat
number: the last k joint actions, the newest in the lowest digits. Each state keeps its highest value, its
greedy action and a bound on all other values, so that its actions are searched only when the greedy one has
fallen to that bound. Nothing is allocated inside a loop, and the interpreter's lock is released, so that
sessions can run on threads.

Random numbers are addressed by position: slot j of period t of a session with key K is
``mix(K + (t·width + j)·γ)``, SplitMix64 (Steele, Lea & Flood, OOPSLA 2014), with width = 3n+1 slots:

    0            the outcome of chance (the state of demand, an inspection, the order of equal prices)
    1 … n        does firm i explore? (Boltzmann: its action)
    n+1 … 2n     the action it explores
    2n+1 … 3n    which of several best actions becomes its greedy one

The key and the period therefore determine the draws: a session can be stopped and continued at any period,
and a player in an environment can draw the same numbers as this loop.

ε = exp(−β·t) is updated by multiplication within blocks of `BLOCK` periods and computed anew at the start of
each block, which keeps its relative error below 2·BLOCK·2⁻⁵³ ≈ 1.5e-11. t counts from the period in which a
firm began to explore.
"""

# ruff: noqa: PLR0917  # compiled functions take their arguments in order

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

BLOCK = 1 << 16
"""Periods after which ε is computed anew."""

STATE, PERIOD, CHANGED = 0, 1, 2
"""Positions in a session's counters: its state, the periods played, and the periods played when a greedy
action last changed.
"""

# Indices are unsigned throughout: numba then leaves out the test for negative ones.
_U = np.uint64
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_1, _2 = np.uint64(1), np.uint64(2)
_UNIT = 2.0**-53


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function with numba.

    The result is cached on disk, beside the package or in the user's cache folder. If neither can be written,
    every process compiles again.
    """
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return njit(nogil=True)(function)


@njit(inline="always")
def uniform(key: Any, place: Any) -> float:
    """Return the number in [0, 1) at one position of a session's stream, a multiple of 2⁻⁵³."""
    z = key + place * _GAMMA
    z = (z ^ (z >> _30)) * _FIRST
    z = (z ^ (z >> _27)) * _SECOND
    z ^= z >> _31
    return float(z >> _11) * _UNIT


@compiled
def search(q: Any, start: Any, points: Any, lowest: bool, key: Any, place: Any) -> Any:
    """Return the position of the highest of `points` cells from `start` on, and the second-highest value.

    Of several highest cells, the first one counts if `lowest`; otherwise the draw at `place` selects one.
    """
    top, runner, ties = q[start], -np.inf, 1
    at: Any = _U(0)
    for b in range(_1, points):
        value = q[start + b]
        if value > top:
            top, runner, ties = value, top, 1
            at = b
        elif value == top:
            ties += 1
            runner = value
        elif value > runner:
            runner = value
    if ties > 1 and not lowest:
        skip = int(uniform(key, place) * ties)
        for b in range(points):
            if q[start + b] == top:
                if skip == 0:
                    return b, runner
                skip -= 1
    return at, runner


@compiled
def explores(beta: float, age: int) -> float:
    """Return exp(−β·t) as it is after as many multiplications as a loop makes from its block's start."""
    block = age - age % BLOCK
    epsilon, decay = math.exp(-beta * block), math.exp(-beta)
    for _ in range(age - block):
        epsilon *= decay
    return epsilon


@compiled
def exploring(betas: Any, since: Any, period: int) -> Any:
    """Return the ε of each firm in a period, (firms,); a firm begins to explore in its period of `since`."""
    epsilon = np.empty(since.size)
    for i in range(since.size):
        epsilon[i] = explores(betas[i], max(0, period - since[i]))
    return epsilon


@compiled
def renew(epsilon: Any, betas: Any, since: Any, period: int) -> int:
    """Compute anew every ε whose block begins in this period; return when the next one does."""
    following = period + BLOCK
    for i in range(since.size):
        age = period - since[i]
        if age % BLOCK == 0:
            epsilon[i] = math.exp(-betas[i] * age)
        following = min(following, period + BLOCK - age % BLOCK)
    return following


@compiled
def learn_two(
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
) -> bool:
    """Do what `learn` does, for the published case: two equal firms, memory 1 and nothing that changes.

    `rates` are α, δ and β.
    """
    points = _U(sizes[1])
    alpha, discount, beta = rates[0], rates[1], rates[2]
    state, period, changed = _U(counters[STATE]), counters[PERIOD], counters[CHANGED]
    bound = np.full(best.size, np.inf)
    keep, decay = 1.0 - alpha, math.exp(-beta)
    epsilon = math.exp(-beta * (period - period % BLOCK))
    for _ in range(period % BLOCK):
        epsilon *= decay
    scale = float(points)
    place = _U(period) * _U(7)
    done = False
    while period < stop:
        if period & (BLOCK - 1) == 0:
            epsilon = math.exp(-beta * period)
        cell = state * _2
        mine, theirs = _U(greedy[cell]), _U(greedy[cell + _1])
        if uniform(key, place + _1) < epsilon:
            mine = _U(uniform(key, place + _U(3)) * scale)
        if uniform(key, place + _2) < epsilon:
            theirs = _U(uniform(key, place + _U(4)) * scale)
        state = mine * points + theirs
        row = state * _2
        # Both values before either is stored: a state may follow itself, and each builds on the old ones.
        first = keep * q[cell * points + mine] + alpha * (profits[row] + discount * best[row])
        second = keep * q[(cell + _1) * points + theirs] + alpha * (
            profits[row + _1] + discount * best[row + _1]
        )
        moved = False
        for i in range(2):
            at = cell + _U(i)
            action = mine if i == 0 else theirs
            value = first if i == 0 else second
            q[at * points + action] = value
            chosen = _U(greedy[at])
            if action == chosen:
                if value > bound[at] or value >= best[at]:
                    best[at] = value
                    continue
                new, bound[at] = search(q, at * points, points, lowest, key, place + _U(5 + i))
                best[at] = q[at * points + new]
                # If it is still among the best, it stays greedy, unless ties go to the lowest price.
                if new != chosen and (lowest or value < best[at]):
                    greedy[at] = new
                    moved = True
            elif value > best[at] or (lowest and value == best[at] and action < chosen):
                bound[at], best[at], greedy[at] = best[at], value, action
                moved = True
            elif value > bound[at]:
                bound[at] = value
        period += 1
        place += _U(7)
        epsilon *= decay
        if moved:
            changed = period
        elif period - changed >= window:
            done = True
            break
    counters[STATE], counters[PERIOD], counters[CHANGED] = state, period, changed
    return done


@compiled
def learn(
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
) -> bool:
    """Play and learn with ε-greedy exploration; each firm updates the cell that it played.

    All arrays are flat and are changed in place.

    Args:
        q: values, float64, (states × firms × points).
        best: the highest values, float64, (states × firms).
        greedy: the actions with these values, uint16, (states × firms).
        profits: float64, (outcomes of chance × joint actions × firms).
        counters: state, periods played, periods played at the last change of a greedy action; int64.
        key: of the session's random numbers, uint64.
        sizes: firms, points, states, memory; int64.
        rates: α, δ and β of each firm, float64, (3, firms).
        lowest: whether ties go to the lowest price instead of a random one.
        window: the session has converged after this many periods without a change of any greedy action.
        stop: end when this many periods have been played.
        chances: the probability of an outcome of chance up to each one, float64, ascending to 1.
        since: the period from which each firm's exploration counts, int64, (firms,).
        present: whether each firm is in the market, (firms,). One that is not counts as charging its highest
            price, and learns nothing.

    Returns:
        Whether the session has converged.
    """
    firms, points, states = _U(sizes[0]), _U(sizes[1]), _U(sizes[2])
    memory, outcomes = sizes[3], chances.size
    joints = points**firms
    width = _U(3) * firms + _1
    state, period, changed = _U(counters[STATE]), counters[PERIOD], counters[CHANGED]
    bound = np.full(best.size, np.inf)
    actions, values = np.empty(firms, np.uint64), np.empty(firms)
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
            action = points - _1
            if present[i]:
                action = _U(greedy[cell + i])
                if uniform(key, place + _1 + i) < epsilon[i]:
                    action = _U(uniform(key, place + _1 + firms + i) * scale)
            actions[i] = action
            joint = joint * points + action
        row = joint
        if outcomes > 1:
            row += drawn(chances, uniform(key, place)) * joints
        if memory == 1:
            state = joint
        elif memory > 1:
            state = (state * joints) % states + joint
        for i in range(firms):
            alpha = rates[0, i]
            kept = q[(cell + i) * points + actions[i]]
            values[i] = (1.0 - alpha) * kept + alpha * (
                profits[row * firms + i] + rates[1, i] * best[state * firms + i]
            )
        moved = False
        for i in range(firms):
            epsilon[i] *= decay[i]
            if not present[i]:
                continue
            at, action, value = cell + i, actions[i], values[i]
            q[at * points + action] = value
            chosen = _U(greedy[at])
            if action == chosen:
                if value > bound[at] or value >= best[at]:
                    best[at] = value
                    continue
                slot = place + _1 + _2 * firms + i
                new, bound[at] = search(q, at * points, points, lowest, key, slot)
                best[at] = q[at * points + new]
                # If it is still among the best, it stays greedy, unless ties go to the lowest price.
                if new != chosen and (lowest or value < best[at]):
                    greedy[at] = new
                    moved = True
            elif value > best[at] or (lowest and value == best[at] and action < chosen):
                bound[at], best[at], greedy[at] = best[at], value, action
                moved = True
            elif value > bound[at]:
                bound[at] = value
        period += 1
        place += width
        if moved:
            changed = period
        elif period - changed >= window:
            done = True
            break
    counters[STATE], counters[PERIOD], counters[CHANGED] = state, period, changed
    return done


@njit(inline="always")
def drawn(chances: Any, number: float) -> Any:
    """Return which outcome of chance a number in [0, 1) brings."""
    outcome: Any = _U(0)
    while number >= chances[outcome]:
        outcome += _1
    return outcome


@compiled
def learn_in_turns(
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
    pending: Any,
    accrued: Any,
) -> bool:
    """Play and learn where firm t mod n sets its price in period t, and prices stand until the next move.

        Q_i(s, a) ← (1−α)·Q_i(s, a) + α·[Σ_{j<n} δ^j·π_i,t+j + δ^n·max_b Q_i(s′, b)]

    with the rivals' standing prices s at the move and s′ at the next one, before which the update is made:
    Klein (RAND Journal of Economics 52(3), 2021), equation 9, for n = 2.

    Arguments are those of `learn`, with the rows of a firm's table in place of states, and the standing joint
    action as the first counter. `pending` has the row and the action of each firm's last move, int64,
    (firms × 2), the row −1 before the first one; `accrued` its discounted profits since that move, and the
    weight of the next one, float64, (firms × 2).
    """
    firms, points = _U(sizes[0]), _U(sizes[1])
    outcomes = chances.size
    joints = points**firms
    width = _U(3) * firms + _1
    joint, period, changed = _U(counters[STATE]), counters[PERIOD], counters[CHANGED]
    epsilon, decay = exploring(rates[2], since, period), np.exp(-rates[2])
    anew = period
    scale = float(points)
    place = _U(period) * width
    done = False
    while period < stop:
        if period >= anew:
            anew = renew(epsilon, rates[2], since, period)
        i = _U(period) % firms
        step: Any = _1
        for _ in range(firms - _1 - i):
            step *= points
        held = joint // step % points
        row = joint // (step * points) * step + joint % step
        at = row * firms + i
        moved = False
        if pending[i * _2] >= 0:
            back, action = _U(pending[i * _2]) * firms + i, _U(pending[i * _2 + _1])
            alpha = rates[0, i]
            value = (1.0 - alpha) * q[back * points + action] + alpha * (
                accrued[i * _2] + accrued[i * _2 + _1] * best[at]
            )
            q[back * points + action] = value
            chosen = _U(greedy[back])
            if action == chosen and value >= best[back]:
                best[back] = value
            elif action == chosen or value >= best[back]:
                new, _ = search(q, back * points, points, lowest, key, place + _1 + _2 * firms + i)
                best[back] = q[back * points + new]
                if new != chosen and (lowest or q[back * points + chosen] < best[back]):
                    greedy[back] = new
                    moved = True
        action = _U(greedy[at])
        if uniform(key, place + _1 + i) < epsilon[i]:
            action = _U(uniform(key, place + _1 + firms + i) * scale)
        joint = joint - held * step + action * step
        pending[i * _2], pending[i * _2 + _1] = row, action
        accrued[i * _2], accrued[i * _2 + _1] = 0.0, 1.0
        outcome = drawn(chances, uniform(key, place)) * joints if outcomes > 1 else _U(0)
        for j in range(firms):
            accrued[j * _2] += accrued[j * _2 + _1] * profits[(outcome + joint) * firms + j]
            accrued[j * _2 + _1] *= rates[1, j]
            epsilon[j] *= decay[j]
        period += 1
        place += width
        if moved:
            changed = period
        elif period - changed >= window:
            done = True
            break
    counters[STATE], counters[PERIOD], counters[CHANGED] = joint, period, changed
    return done
