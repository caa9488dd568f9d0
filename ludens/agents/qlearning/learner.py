"""A single Q-learning firm in plain Python, for play against other policies period by period.

It computes what the compiled loops in `core` and `variants` compute for one firm, from the same draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ludens.agents.qlearning.core import BLOCK, STATE
from ludens.agents.qlearning.session import Session
from ludens.agents.qlearning.tables import LearningTables

_MASK = (1 << 64) - 1
_GAMMA, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_COLDEST = 1e-300


class Learner:
    """One firm's table of values and its learning rule.

    Attributes:
        q: values, (rows, points).
        greedy: greedy action in each row, (rows,).
        state: the row of the table at which the next period starts.
        period: number of periods played.
        since: the period from which its exploration counts.
    """

    def __init__(self, session: Session, firm: int) -> None:
        """Copy the table of one firm of a session, and continue from the session's period."""
        tables = session.tables
        shape = (tables.rows, tables.firms)
        self.tables: LearningTables = tables
        self.firm, self.key = firm, int(session.key)
        self.q = session.q.reshape(*shape, tables.points)[:, firm].copy()
        self.greedy = session.greedy.reshape(shape)[:, firm].astype(np.int64)
        self.state, self.period = int(session.counters[STATE]), session.periods
        self.since = int(tables.since[firm])
        self.alpha, self.discount, self.beta = tables.parameters.rates(tables.firms)[:, firm].tolist()
        self._block, self._epsilon, self._at = -1, 1.0, 0

    def draw(self, slot: int) -> float:
        """Return the session's random number in [0, 1) in a slot of this period; see `core` for the slots."""
        place = self.period * (3 * self.tables.firms + 1) + slot
        return stream_uniform(self.key, place)

    def act(self, draw: Callable[[int], float] | None = None) -> int:
        """Choose an action for this period.

        Args:
            draw: returns a random number in [0, 1) for a slot; `Learner.draw` by default.
        """
        draw = self.draw if draw is None else draw
        parameters, firms, firm = self.tables.parameters, self.tables.firms, self.firm
        greedy = int(self.greedy[self.state])
        first = draw(1 + firm)
        if parameters.exploration == "epsilon":
            explores = first < self.fade()
            return int(draw(1 + firms + firm) * parameters.points) if explores else greedy
        heat = max(parameters.temperature * self.fade(), _COLDEST)
        row = self.q[self.state].tolist()
        weights = [math.exp((value - row[greedy]) / heat) for value in row]
        goal, below = first * sum(weights), weights[0]
        action = 0
        while below <= goal and action + 1 < len(weights):
            action += 1
            below += weights[action]
        return action

    def face(self, joint: int) -> None:
        """See the standing joint action before a move; nothing changes where firms move together."""

    def learn(self, joint: int, earned: float) -> None:
        """Update the values from this period's outcome, and move on to the next period.

        Args:
            joint: the joint action of all firms.
            earned: the firm's profit less fines; NaN if it was not in the market, and then learns nothing.
        """
        tables, parameters = self.tables, self.tables.parameters
        following = int(tables.next_state(self.state, joint))
        own = int(tables.digits(joint)[self.firm])
        row = self.q[self.state]
        if math.isnan(earned):
            self.state = following
            self.period += 1
            return
        if parameters.updating == "synchronous":
            # For the other prices, the market's expected profits are used; for the price charged, the
            # profit that was earned.
            step = tables.points ** (tables.firms - 1 - self.firm)
            met = joint + (np.arange(tables.points) - own) * step
            profits = tables.phase(self.period).expected[met, self.firm].copy()
            profits[own] = earned
            best = self.q[tables.next_state(self.state, met)].max(axis=-1)
            row[:] = (1.0 - self.alpha) * row + self.alpha * (profits + self.discount * best)
        else:
            target = earned + self.discount * float(self.q[following].max())
            row[own] = (1.0 - self.alpha) * row[own] + self.alpha * target
        self._settle(self.state)
        self.state = following
        self.period += 1

    def fade(self) -> float:
        """Return exp(−β·t), equal to the compiled loop's value to the last bit."""
        age = self.period - self.since
        block = age - age % BLOCK
        if block != self._block or self._at > age:
            self._block, self._at, self._epsilon = block, block, math.exp(-self.beta * block)
        decay = math.exp(-self.beta)
        while self._at < age:
            self._epsilon *= decay
            self._at += 1
        return self._epsilon

    def _settle(self, place: int) -> None:
        """Choose the greedy action of a row anew."""
        row = self.q[place]
        best = np.flatnonzero(row == row.max())
        chosen = int(self.greedy[place])
        if self.tables.parameters.ties == "lowest":
            self.greedy[place] = best[0]
        elif chosen not in best:
            drawn = int(self.draw(1 + 2 * self.tables.firms + self.firm) * len(best)) if len(best) > 1 else 0
            self.greedy[place] = best[drawn]


class LearnerInTurns(Learner):
    """A firm's table and its learning rule where firms move in turns; see `core.learn_in_turns`.

    Its row is that of its rivals' standing prices: `face` them before each move, `act`, and `learn` from each
    period, whoever moved in it.
    """

    def __init__(self, session: Session, firm: int) -> None:
        """Copy the table of one firm of a session that has not begun."""
        super().__init__(session, firm)
        self._moved: tuple[int, int] | None = None
        self._accrued, self._weight = 0.0, 1.0

    def face(self, joint: int) -> None:
        """Update the value of the last move, now that the firm moves again.

        Args:
            joint: the standing joint action before the move.
        """
        self.state = int(self.tables.row(joint, self.firm))
        if self._moved is None:
            return
        row, action = self._moved
        target = self._accrued + self._weight * float(self.q[self.state].max())
        self.q[row, action] = (1.0 - self.alpha) * self.q[row, action] + self.alpha * target
        self._settle(row)
        self._moved = None

    def learn(self, joint: int, earned: float) -> None:
        """Count a period's profit, and move on to the next period.

        Args:
            joint: the joint action that stood in the period.
            earned: the firm's profit less fines.
        """
        if self.period % self.tables.firms == self.firm:
            self.face(joint)  # rivals' prices have not changed since its move
            self._moved = self.state, int(self.tables.digits(joint)[self.firm])
            self._accrued, self._weight = 0.0, 1.0
        self._accrued += self._weight * earned
        self._weight *= self.discount
        self.period += 1


def stream_uniform(key: int, place: int) -> float:
    """Return SplitMix64's number in [0, 1) at a position of the stream, as `core.uniform` does."""
    z = (key + place * _GAMMA) & _MASK
    z = ((z ^ (z >> 30)) * _FIRST) & _MASK
    z = ((z ^ (z >> 27)) * _SECOND) & _MASK
    return ((z ^ (z >> 31)) >> 11) * 2.0**-53
