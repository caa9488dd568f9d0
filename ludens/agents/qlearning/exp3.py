"""Firms that price by Exp3, the adversarial bandit of Auer, Cesa-Bianchi, Freund & Schapire (SIAM Journal on
Computing 32(1), 2002): a benchmark without a state, which therefore cannot punish.

    p_a = (1−γ)·w_a/Σw + γ/m,   w_a ← w_a·exp(γ·x̂_a/m),   x̂_a = x/p_a for the price charged, else 0

where x is the firm's profit scaled to [0, 1] by the lowest and the highest that it can earn on the grid.
"""

# ruff: noqa: PLR0917  # compiled functions take their arguments in order

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.agents.qlearning.core import compiled, uniform
from ludens.agents.qlearning.parameters import QLearning
from ludens.agents.qlearning.tables import LearningTables, learning_tables
from ludens.checks import whole_number
from ludens.envs.pricing import Market
from ludens.errors import UsageError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BanditSessions:
    """The results of Exp3 firms, for each session.

    Attributes:
        tables: the market on its grid.
        mix: γ, the share of even exploration.
        probabilities: of each price at the end, (sessions, firms, points).
        profits: mean over the last tenth of the periods, in units of money, (sessions, firms).
    """

    tables: LearningTables
    mix: float
    probabilities: Floats
    profits: Floats

    @property
    def gains(self) -> Floats:
        """Average profit gain Δ over the last tenth of the periods, (sessions,)."""
        return self.tables.gain(self.profits)


def train_exp3(
    market: Market | None = None,
    *,
    points: int = 15,
    extension: float = 0.1,
    mix: float | None = None,
    periods: int = 1_000_000,
    sessions: int = 100,
    seed: int = 0,
    workers: int = 1,
) -> BanditSessions:
    """Let Exp3 firms compete in a market.

    Args:
        market: with one product per firm; the published baseline by default.
        points: prices on the grid.
        extension: how far the grid reaches beyond the Nash and the joint-profit price.
        mix: γ in (0, 1], the share of even exploration; by default min(1, √(m·ln m/((e−1)·T))), which the
            authors' corollary 3.2 gives for T periods.
        periods: T, at least 10.
        sessions: how many, at least 1.
        seed: a whole number; session r depends on the seed and on r alone.
        workers: number of threads; it does not change the result.

    Raises:
        UsageError: an argument is out of its range.
    """
    for name, value, least in (("periods", periods, 10), ("sessions", sessions, 1), ("workers", workers, 1)):
        number = whole_number(value)
        if number is None or number < least:
            raise UsageError(f"{name} must be a whole number of at least {least} for Exp3; got {value!r}.")
    parameters = QLearning(points=points, extension=extension, memory=0)
    tables = learning_tables(Market.symmetric() if market is None else market, parameters)
    share = math.sqrt(points * math.log(points) / ((math.e - 1) * periods)) if mix is None else mix
    share = min(1.0, share) if mix is None else share
    if not 0 < share <= 1:
        raise UsageError(f"The mix γ of Exp3 lies in (0, 1]; got {mix!r}.")
    low, high = tables.expected.min(axis=0), tables.expected.max(axis=0)
    scaled = (tables.expected - low) / (high - low)
    last = periods - periods // 10

    def play(number: int) -> tuple[Floats, Floats]:
        key = np.random.SeedSequence(seed, spawn_key=(number,)).generate_state(1, np.uint64)[0]
        logs = np.zeros((tables.firms, points))
        earned = exp3(logs, scaled, tables.expected, key, share, periods, last)
        weights = np.exp(logs - logs.max(axis=1, keepdims=True))
        even = share / points
        return (1 - share) * weights / weights.sum(axis=1, keepdims=True) + even, earned

    with ThreadPoolExecutor(workers) as pool:
        probabilities, profits = zip(*pool.map(play, range(sessions)), strict=True)
    return BanditSessions(tables, share, np.stack(probabilities), np.stack(profits))


@compiled
def exp3(logs: Any, scaled: Any, profits: Any, key: Any, mix: float, periods: int, last: int) -> Any:
    """Play Exp3 for all firms, changing the weights in place.

    Args:
        logs: logarithms of the weights, up to a constant for each firm, (firms, points).
        scaled: profits in [0, 1], (joint actions, firms).
        profits: in units of money, (joint actions, firms).
        key: of the session's random numbers; firm i draws at position t·n + i.
        mix: γ.
        periods: how many to play.
        last: the first period that enters the mean profits.

    Returns:
        Mean profits from that period on, (firms,).
    """
    firms, points = logs.shape
    weights = np.empty((firms, points))
    actions, chances = np.empty(firms, np.int64), np.empty(firms)
    earned = np.zeros(firms)
    place = np.uint64(0)
    for period in range(periods):
        joint = 0
        for i in range(firms):
            top = logs[i, 0]
            for b in range(1, points):
                top = max(top, logs[i, b])
            total = 0.0
            for b in range(points):
                weights[i, b] = math.exp(logs[i, b] - top)
                total += weights[i, b]
            draw = uniform(key, place)
            place += np.uint64(1)
            action, below, chance = -1, 0.0, 0.0
            while below <= draw and action < points - 1:
                action += 1
                chance = (1.0 - mix) * weights[i, action] / total + mix / points
                below += chance
            actions[i], chances[i] = action, chance
            joint = joint * points + action
        for i in range(firms):
            logs[i, actions[i]] += mix * scaled[joint, i] / (chances[i] * points)
            if period >= last:
                earned[i] += profits[joint, i]
    return earned / (periods - last)
