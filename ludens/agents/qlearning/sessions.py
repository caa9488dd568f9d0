"""The results of a training: the limit strategies of many sessions, and the cycles that they settle on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ludens.agents.qlearning.tables import LearningTables
from ludens.envs.pricing.theory.welfare import Welfare

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sessions:
    """Trained sessions, in the order of their numbers.

    Attributes:
        tables: the market on its grid, with the parameters.
        seed: of the training.
        strategies: the greedy action of each firm in each state, (sessions, firms, states); where firms move
            in turns, that of the mover, and the standing price of the others.
        states: the last state of each session, (sessions,).
        periods: periods until the last change of a greedy action, without the stable window after it,
            (sessions,); the market's last change counts as one.
        converged: whether the session converged before its last period, (sessions,).
        q: Q tables, (sessions, firms, rows, points); None unless they were kept.
    """

    tables: LearningTables
    seed: int
    strategies: NDArray[np.uint16]
    states: Ints
    periods: Ints
    converged: NDArray[np.bool_]
    q: Floats | None = None

    def __len__(self) -> int:
        return len(self.states)

    @cached_property
    def cycles(self) -> tuple[Ints, ...]:
        """The states of each session's limit cycle, in order: greedy play from its last state ends there."""
        return tuple(limit_cycle(self.next_states(r), state) for r, state in enumerate(self.states.tolist()))

    @cached_property
    def cycle_lengths(self) -> Ints:
        """The number of states in each session's limit cycle, (sessions,)."""
        return np.array([len(cycle) for cycle in self.cycles], dtype=np.int64)

    @cached_property
    def profits(self) -> Floats:
        """Mean profit of each firm on the limit cycle less fines, expected if demand is random,
        (sessions, firms).
        """
        firms = range(self.tables.firms)
        each = [
            [self.tables.earned(cycle, self.joint_actions(r)[cycle], firm).mean() for firm in firms]
            for r, cycle in enumerate(self.cycles)
        ]
        return np.array(each, dtype=np.float64)

    @cached_property
    def fines(self) -> Floats:
        """Mean fine that each firm expects on the limit cycle, (sessions, firms)."""
        amounts = self.tables.phases[-1].fines
        return np.stack(
            [amounts[self.joint_actions(r)[cycle]].mean(axis=0) for r, cycle in enumerate(self.cycles)]
        )

    @cached_property
    def gains(self) -> Floats:
        """Gain Δ of total profit on the limit cycle before fines, (sessions,); NaN where one firm is left."""
        return self.tables.gain(self.profits + self.fines)

    @cached_property
    def symmetric(self) -> NDArray[np.bool_]:
        """Whether all firms that stay in the market take the same action in every state of the cycle,
        (sessions,).
        """
        there = np.array(self.tables.schedule.regimes[-1].firms)[:, None]
        same = [
            bool(np.all((actions := strategy[there, cycle]) == actions[:1]))
            for strategy, cycle in zip(self.strategies, self.cycles, strict=True)
        ]
        return np.array(same)

    def path_prices(self, session: int) -> Floats:
        """Return the prices along one session's limit cycle, (length, firms)."""
        return self.tables.prices(self.joint_actions(session)[self.cycles[session]])

    def path_welfare(self, session: int) -> Welfare:
        """Return the welfare along one session's limit cycle, each (length,), with what a platform hides from
        consumers or recommends to them; arrays are expectations where something is drawn.
        """
        tables, cycle = self.tables, self.cycles[session]
        reached = tables.schedule.regimes[-1].welfare(self.path_prices(session))
        phase, joints = tables.phases[-1], self.joint_actions(session)[cycle]
        if phase.consumer is None:
            return reached
        if tables.steering is not None:
            consumer = phase.consumer[tables.prominent(cycle, joints), joints]
        else:
            consumer = np.diff(phase.chances, prepend=0.0) @ phase.consumer[:, joints]
        firms = range(tables.firms)
        paid = sum(tables.earned(cycle, joints, firm) for firm in firms) + phase.fines[joints].sum(axis=-1)
        return reached._replace(consumer=consumer, profit=np.asarray(paid))

    def joint_actions(self, session: int) -> Ints:
        """Return the joint action taken in each state, (states,)."""
        return self.tables.joint(self.strategies[session].T)

    def next_states(self, session: int) -> Ints:
        """Return the state that follows each state, (states,)."""
        return self.tables.next_state(np.arange(self.tables.states), self.joint_actions(session))


def limit_cycle(following: Ints, state: int) -> Ints:
    """Return the cycle in which a path of states ends, beginning with the state at which it is entered.

    Args:
        following: the state that follows each state, (states,).
        state: the state in which the path starts.
    """
    seen: dict[int, int] = {}
    path: list[int] = []
    current = int(state)
    while current not in seen:
        seen[current] = len(path)
        path.append(current)
        current = int(following[current])
    return np.array(path[seen[current] :], dtype=np.int64)
