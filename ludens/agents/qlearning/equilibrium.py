"""Are limit strategies equilibria? Two tests that differ by what a deviator may do next, and the Q-loss.

**One-shot deviation**: a firm deviates in one period and then keeps to its own limit strategy. This is the
test of Calvano et al.'s replication code, where the paper speaks of best responses and Nash equilibria. It is
passed too easily as a test of Nash: the continuation need not be the firm's best one.

**Full best reply**: a firm may change its whole strategy, on the path and after it, while its rivals keep to
theirs. Only this makes a Nash equilibrium (on the path: from the states of the limit cycle; in all states: a
subgame-perfect one, since states are all that strategies depend on).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ludens.agents.qlearning.sessions import Sessions
from ludens.agents.qlearning.values import Floats, action_values, best_reply_values

_SLACK = 1e-10  # a relative gain of less than this is none

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class EquilibriumTest:
    """How a firm's limit strategy stands against deviations, for each session.

    Attributes:
        one_shot_path: in each state of the limit cycle no one-shot deviation pays, (sessions, firms).
        one_shot_all: nor in any other state.
        best_reply_path: in each state of the limit cycle no other strategy pays more, (sessions, firms).
        best_reply_all: nor in any other state.
        loss_path: Q-loss: the share of what the best price is worth that the strategy's own price gives away,
            by one-shot deviations as in the paper, mean over the states of the cycle, (sessions, firms).
        loss_all: the same over all states.
        full_loss_path: what keeping to the strategy gives away against a full best reply, mean over the
            states of the cycle, as a share of the best reply's value, (sessions, firms).
    """

    one_shot_path: Flags
    one_shot_all: Flags
    best_reply_path: Flags
    best_reply_all: Flags
    loss_path: Floats
    loss_all: Floats
    full_loss_path: Floats

    @property
    def one_shot_nash(self) -> Flags:
        """All firms pass the one-shot test on the path, (sessions,): the paper's "Nash on path"."""
        return np.asarray(self.one_shot_path.all(axis=1))

    @property
    def nash(self) -> Flags:
        """All firms play a full best reply from the path, (sessions,): a Nash equilibrium."""
        return np.asarray(self.best_reply_path.all(axis=1))


def equilibrium_test(sessions: Sessions) -> EquilibriumTest:
    """Run both tests on every session and firm."""
    shape = (len(sessions), sessions.tables.firms)
    flags = np.zeros((4, *shape), dtype=bool)
    losses = np.zeros((3, *shape))
    everywhere = np.arange(sessions.tables.states)
    for session in range(shape[0]):
        cycle = sessions.cycles[session]
        for firm in range(shape[1]):
            own = sessions.strategies[session, firm]
            worth = action_values(sessions, session, firm)
            kept, most = worth[everywhere, own], worth.max(axis=1)
            once = (most - kept) / np.abs(most)
            best = best_reply_values(sessions, session, firm)
            for_ever = (best - kept) / np.abs(best)
            for place, loss in enumerate((once, for_ever)):
                flags[2 * place, session, firm] = np.all(loss[cycle] <= _SLACK)
                flags[2 * place + 1, session, firm] = np.all(loss <= _SLACK)
            losses[:, session, firm] = once[cycle].mean(), once.mean(), for_ever[cycle].mean()
    return EquilibriumTest(flags[0], flags[1], flags[2], flags[3], losses[0], losses[1], losses[2])
