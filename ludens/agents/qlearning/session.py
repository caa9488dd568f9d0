"""One session of learning: n Q-learners in one market, from random first prices until their strategies no
longer change.

The random numbers of a session depend on its key and the period alone (see `core`), so that it can be
advanced in pieces, copied, stored and continued at any period.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.agents.qlearning import core, variants
from ludens.agents.qlearning.tables import LearningTables


@dataclass
class Session:
    """The whole state of a session, in flat arrays that the compiled loop changes in place.

    Attributes:
        tables: the market on its grid, with the parameters.
        key: of the random numbers.
        q: (states × firms × points); best and greedy: (states × firms).
        counters: state, periods played, periods played at the last change of a greedy action.
        converged: whether no greedy action has changed for `QLearning.window` periods.
    """

    tables: LearningTables
    key: np.uint64
    q: NDArray[np.float64]
    best: NDArray[np.float64]
    greedy: NDArray[np.uint16]
    counters: NDArray[np.int64]
    converged: bool = False

    @property
    def state(self) -> int:
        """The state in which the next period starts."""
        return int(self.counters[core.STATE])

    @property
    def periods(self) -> int:
        """Periods played."""
        return int(self.counters[core.PERIOD])

    @property
    def changed(self) -> int:
        """Periods played when a greedy action last changed."""
        return int(self.counters[core.CHANGED])

    @property
    def over(self) -> bool:
        """Whether the session has converged or reached its last period."""
        return self.converged or self.periods >= self.tables.parameters.max_periods

    def strategies(self) -> NDArray[np.uint16]:
        """Return the greedy actions, shape (firms, states)."""
        return self.greedy.reshape(self.tables.states, self.tables.firms).T.copy()

    def values(self) -> NDArray[np.float64]:
        """Return the Q tables, shape (firms, states, points)."""
        shape = (self.tables.states, self.tables.firms, self.tables.points)
        return self.q.reshape(shape).swapaxes(0, 1).copy()

    def advance(self, periods: int) -> None:
        """Play this many periods more, or fewer if the session is over before.

        Advancing in several pieces gives the same result as in one.
        """
        parameters, tables = self.tables.parameters, self.tables
        stop = min(self.periods + periods, parameters.max_periods)
        sizes = (tables.firms, tables.points, tables.states, len(tables.profits), parameters.memory)
        rates = (parameters.alpha, parameters.discount, parameters.beta, parameters.temperature)
        boltzmann = parameters.exploration == "boltzmann"
        synchronous = parameters.updating == "synchronous"
        loop: Any = core.learn
        variant: tuple[bool, ...] = ()
        if boltzmann or synchronous:
            loop, variant = variants.learn_variant, (boltzmann, synchronous)
        elif tables.firms == 2 and parameters.memory == 1 and len(tables.profits) == 1:
            loop = core.learn_two
        self.converged = bool(
            loop(
                self.q,
                self.best,
                self.greedy,
                tables.profits.ravel(),
                self.counters,
                self.key,
                np.array(sizes, dtype=np.int64),
                np.array(rates),
                parameters.ties == "lowest",
                parameters.window,
                stop,
                *variant,
            )
        )

    def copy(self) -> Session:
        """Return an independent copy, for a checkpoint."""
        arrays = (self.q.copy(), self.best.copy(), self.greedy.copy(), self.counters.copy())
        return Session(self.tables, self.key, *arrays, self.converged)


def start_session(tables: LearningTables, seed: int, number: int) -> Session:
    """Return session `number` of a training with this seed, before its first period.

    The first state is drawn uniformly; so is each first greedy action if Q_0 has ties that are broken at
    random. A session does not depend on the number of others.
    """
    source = np.random.SeedSequence(seed, spawn_key=(number,))
    key = source.generate_state(1, np.uint64)[0]
    rng = np.random.default_rng(source)
    state = int(rng.integers(tables.states))
    q = tables.initial()
    best = q.max(axis=-1)
    among = q == best[..., None]
    if tables.parameters.ties == "random" and among.sum() > best.size:
        greedy = np.where(among, rng.random(q.shape), -1.0).argmax(axis=-1)
    else:
        greedy = among.argmax(axis=-1)
    counters = np.array([state, 0, 0], dtype=np.int64)
    return Session(tables, key, q.ravel(), best.ravel(), greedy.astype(np.uint16).ravel(), counters)
