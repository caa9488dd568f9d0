"""One session of learning: n Q-learners in one market, from random first prices until their strategies no
longer change.

The random numbers of a session depend on its key and the period alone (see `core`), so that it can be
advanced in pieces, copied, stored and continued at any period.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ludens.agents.qlearning import core, steered, variants
from ludens.agents.qlearning.tables import LearningTables, Phase

ARRAYS = ("q", "best", "greedy", "counters", "pending", "accrued")
"""The arrays that make up a session's state."""
_NEVER = 1 << 62


@dataclass
class Session:
    """The whole state of a session, in flat arrays that the compiled loop changes in place.

    Attributes:
        tables: the market on its grid, with the parameters.
        key: of the random numbers.
        q: (rows × firms × points); best and greedy: (rows × firms).
        counters: state, periods played, periods played at the last change of a greedy action or of the
            market's phase.
        pending, accrued: of firms that move in turns, see `core.learn_in_turns`; empty otherwise.
        converged: whether no greedy action has changed for `QLearning.window` periods of the last phase.
    """

    tables: LearningTables
    key: np.uint64
    q: NDArray[np.float64]
    best: NDArray[np.float64]
    greedy: NDArray[np.uint16]
    counters: NDArray[np.int64]
    pending: NDArray[np.int64]
    accrued: NDArray[np.float64]
    converged: bool = False

    @property
    def state(self) -> int:
        """The state in which the next period starts."""
        state, tables = int(self.counters[core.STATE]), self.tables
        return self.periods % tables.firms * tables.joints + state if tables.turns else state

    @property
    def periods(self) -> int:
        """Periods played."""
        return int(self.counters[core.PERIOD])

    @property
    def changed(self) -> int:
        """Periods played when a greedy action, or the market's phase, last changed."""
        return int(self.counters[core.CHANGED])

    @property
    def over(self) -> bool:
        """Whether the session has converged or reached its last period."""
        return self.converged or self.periods >= self.tables.parameters.max_periods

    def strategies(self) -> NDArray[np.uint16]:
        """Return the greedy actions, shape (firms, rows)."""
        return self.greedy.reshape(self.tables.rows, self.tables.firms).T.copy()

    def values(self) -> NDArray[np.float64]:
        """Return the Q tables, shape (firms, rows, points)."""
        shape = (self.tables.rows, self.tables.firms, self.tables.points)
        return self.q.reshape(shape).swapaxes(0, 1).copy()

    def advance(self, periods: int) -> None:
        """Play this many periods more, or fewer if the session is over before.

        Advancing in several pieces gives the same result as in one.
        """
        stop = min(self.periods + periods, self.tables.parameters.max_periods)
        while self.periods < stop and not self.converged:
            starts = self.tables.starts
            place = bisect_right(starts, self.periods) - 1
            if self.periods == starts[place] > 0:
                self.counters[core.CHANGED] = self.periods
            last = place + 1 == len(starts)
            window = self.tables.parameters.window if last else _NEVER
            self.converged = self._play(
                self.tables.phases[place], stop if last else min(stop, starts[place + 1]), window
            )

    def _play(self, phase: Phase, stop: int, window: int) -> bool:
        """Play one phase up to a period; return whether the session has converged."""
        parameters, tables = self.tables.parameters, self.tables
        rates = parameters.rates(tables.firms)
        sizes = np.array((tables.firms, tables.points, tables.rows, parameters.memory))
        arrays = (self.q, self.best, self.greedy, phase.profits.ravel(), self.counters, self.key, sizes)
        common = (parameters.ties == "lowest", window, stop)
        synchronous = parameters.updating == "synchronous"
        boltzmann = parameters.exploration == "boltzmann"
        further = (phase.chances, tables.since)
        if tables.turns:
            loop = core.learn_in_turns
            return bool(loop(*arrays, rates, *common, *further, self.pending, self.accrued))
        if tables.steering is not None:
            grid, lead = tables.grid.ravel(), tables.steering.lead
            return bool(steered.learn_steered(*arrays, rates, *common, tables.since, grid, lead))
        if boltzmann or synchronous:
            heat = (parameters.temperature, boltzmann, synchronous)
            return bool(variants.learn_variant(*arrays, rates, *common, *further, phase.present, *heat))
        alike = bool(np.all(rates == rates[:, :1])) and not tables.since.any()
        if (
            alike
            and tables.firms == 2
            and parameters.memory == 1
            and len(phase.profits) == 1
            and phase.present.all()
        ):
            return bool(core.learn_two(*arrays, rates[:, 0].copy(), *common))
        return bool(core.learn(*arrays, rates, *common, *further, phase.present))

    def copy(self) -> Session:
        """Return an independent copy, for a checkpoint."""
        arrays = {name: getattr(self, name).copy() for name in ARRAYS}
        return replace(self, **arrays)


def start_session(
    tables: LearningTables,
    seed: int,
    number: int,
    values: NDArray[np.float64] | None = None,
    state: int | None = None,
) -> Session:
    """Return session `number` of a training with this seed, before its first period.

    The first state is drawn uniformly; so is each first greedy action if Q_0 has ties that are broken at
    random. A session does not depend on the number of others.

    Args:
        tables: the market and the parameters.
        seed: of the training.
        number: of the session.
        values: Q_0 of this session, (firms, rows, points); by default that of the parameters.
        state: the first state; drawn by default.
    """
    source = np.random.SeedSequence(seed, spawn_key=(number,))
    key = source.generate_state(1, np.uint64)[0]
    rng = np.random.default_rng(source)
    first = int(rng.integers(tables.joints if tables.turns else tables.states))
    if state is not None:
        first = state % tables.joints if tables.turns else state
    q = tables.initial() if values is None else np.array(values.swapaxes(0, 1), np.float64, order="C")
    best = q.max(axis=-1)
    among = q == best[..., None]
    if tables.parameters.ties == "random" and among.sum() > best.size:
        greedy = np.where(among, rng.random(q.shape), -1.0).argmax(axis=-1)
    else:
        greedy = among.argmax(axis=-1)
    firms = tables.firms if tables.turns else 0
    return Session(
        tables=tables,
        key=key,
        q=q.ravel(),
        best=best.ravel(),
        greedy=greedy.astype(np.uint16).ravel(),
        counters=np.array([first, 0, 0], dtype=np.int64),
        pending=np.full(2 * firms, -1, dtype=np.int64),
        accrued=np.zeros(2 * firms),
    )
