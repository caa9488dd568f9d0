"""Are limit strategies equilibria? Two tests that differ in what a deviator may do next, and the Q-loss.

**One-shot deviation**: a firm deviates in one period and then keeps to its own limit strategy. This is the
test in Calvano et al.'s replication code, where the paper speaks of best responses and Nash equilibria. As a
test of Nash it is too weak: the firm's own continuation need not be its best one.

**Full best reply**: a firm may change its whole strategy, on the path and after it, while its rivals keep to
theirs. Passing this test is a Nash equilibrium if it holds in the states of the limit cycle, and a
subgame-perfect one if it holds in all states, since strategies depend on nothing but the state.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ludens.agents.qlearning.sessions import Sessions
from ludens.agents.qlearning.values import Floats, action_values, best_reply_values

_SLACK = 1e-10  # a smaller relative gain counts as no gain

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class EquilibriumTest:
    """The results of both tests, for each session and firm.

    Attributes:
        one_shot_path: whether no one-shot deviation pays in any state of the limit cycle, (sessions, firms).
        one_shot_all: whether none pays in any state at all, (sessions, firms).
        best_reply_path: whether no other strategy pays more from any state of the limit cycle,
            (sessions, firms).
        best_reply_all: whether none pays more from any state at all, (sessions, firms).
        loss_path: the Q-loss: how much less the strategy's own price is worth than the best price, as a share
            of the latter, by one-shot deviations as in the paper; mean over the states of the cycle,
            (sessions, firms).
        loss_all: the Q-loss, mean over all states, (sessions, firms).
        full_loss_path: how much less the strategy is worth than a full best reply, as a share of the latter;
            mean over the states of the cycle, (sessions, firms).
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
        """Whether all firms pass the one-shot test on the path, (sessions,): the paper's "Nash on path"."""
        return np.asarray(self.one_shot_path.all(axis=1))

    @property
    def nash(self) -> Flags:
        """Whether all firms play a full best reply on the path, (sessions,): a Nash equilibrium."""
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
            once = _lost(most, kept)
            best = best_reply_values(sessions, session, firm)
            for_ever = _lost(best, kept)
            for place, loss in enumerate((once, for_ever)):
                flags[2 * place, session, firm] = np.all(loss[cycle] <= _SLACK)
                flags[2 * place + 1, session, firm] = np.all(loss <= _SLACK)
            losses[:, session, firm] = once[cycle].mean(), once.mean(), for_ever[cycle].mean()
    return EquilibriumTest(flags[0], flags[1], flags[2], flags[3], losses[0], losses[1], losses[2])


def _lost(most: Floats, kept: Floats) -> Floats:
    """Return how much less `kept` is than `most`, as a share of it; 0 where nothing is lost of nothing."""
    lost, of = most - kept, np.abs(most)
    return np.divide(lost, of, out=np.where(lost > 0, np.inf, 0.0), where=of > 0)
