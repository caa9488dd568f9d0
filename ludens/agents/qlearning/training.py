"""Training: many independent sessions on all cores, which can be interrupted and continued."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.agents.qlearning import checkpoint as files
from ludens.agents.qlearning.parameters import QLearning
from ludens.agents.qlearning.session import Session, start_session
from ludens.agents.qlearning.sessions import Sessions
from ludens.agents.qlearning.tables import GIB, LearningTables, Moves, learning_tables
from ludens.checks import whole_number
from ludens.envs.pricing import Market
from ludens.envs.pricing.interventions import Intervention
from ludens.envs.pricing.theory.market import AnyMarket
from ludens.errors import UsageError

PIECE = 1 << 22
"""Periods that a session plays before it checks whether to stop: a tenth of a second for two firms."""


def train(
    market: AnyMarket | None = None,
    parameters: QLearning | None = None,
    sessions: int = 1000,
    seed: int = 0,
    *,
    outside: Sequence[float] | None = None,
    interventions: Sequence[Intervention | Mapping[str, Any]] = (),
    moves: Moves = "together",
    start: Sessions | ArrayLike | None = None,
    rematch: int = 0,
    workers: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    every: float = 30.0,
    keep_tables: bool = False,
    memory_limit: int = 8 * GIB,
    progress: Callable[[int, int], None] | None = None,
) -> Sessions:
    """Train Q-learners in a market, session by session, until their strategies no longer change.

    Session r depends on the seed and on r alone: neither the number of workers nor interruptions change the
    result.

    Args:
        market: with one product per firm; the published baseline by default.
        parameters: of the learners; the published ones by default.
        sessions: how many, at least 1.
        seed: a whole number of at least 0.
        outside: the equally likely values of the outside good, drawn anew each period; None keeps the
            market's own.
        interventions: those of the environments: shocks, rules, firms that enter and leave. The first period
            of a session has the number 1, and it converges after the last event at the earliest.
        moves: ``"together"``, or ``"in turns"`` as in ``ludens/bertrand_sequential-v0``: firm 0 moves in the
            first period, and each price stands until the firm's next move.
        start: values from which each session starts in place of `QLearning.initial`, which broadcast to
            (sessions, firms, states, points); or trained sessions with their Q tables, as many, which are
            continued from their last states.
        rematch: seats firm i of session r + i·rematch of `start` in session r, so that firms meet rivals
            with whom they have not learnt; first states are then drawn.
        workers: number of threads; by default, all cores that this process may use.
        checkpoint: file in which the training is kept. If it already holds the same training, that one is
            continued, or read if it is finished.
        every: seconds between two checkpoints.
        keep_tables: whether to keep the Q tables, 8·n·m^(nk)·m bytes per session.
        memory_limit: bytes that the tables may take.
        progress: called about once a second with the number of sessions done and the number of all sessions.

    Raises:
        UsageError: an argument is out of its range, or the checkpoint belongs to another training.
        TableTooLargeError: the tables exceed the memory limit.
        LudensError: the checkpoint cannot be read.
    """
    market = Market.symmetric() if market is None else market
    parameters = QLearning() if parameters is None else parameters
    for name, value, least in (("sessions", sessions, 1), ("seed", seed, 0), ("workers", workers, 1)):
        number = whole_number(value)
        if (number is None or number < least) and not (name == "workers" and value is None):
            raise UsageError(
                f"{name} must be a whole number of at least {least} for a training; got {value!r}."
            )
    threads = min(workers or _cores(), sessions)
    rows = learning_tables(
        market, parameters, outside, interventions=interventions, moves=moves, memory_limit=memory_limit
    ).rows
    kept = sessions * 2 * rows * market.firms * (1 + 4 * parameters.points * keep_tables)
    tables = learning_tables(
        market,
        parameters,
        outside,
        interventions=interventions,
        moves=moves,
        workers=threads,
        memory_limit=memory_limit,
        kept=kept,
    )
    results = files.Results.empty(tables, sessions, keep_tables)
    begin = _Start(tables, int(sessions), int(seed), start, rematch)
    identifier = files.identity(tables, int(sessions), int(seed), keep_tables, begin.digest)
    running: dict[int, Session] = {}
    path = None if checkpoint is None else Path(checkpoint)
    if path is not None:
        if not path.parent.is_dir():
            raise UsageError(f"There is no folder {path.parent} for the checkpoint: make it first.")
        if path.exists():
            running = files.load(path, identifier, results, begin.session)
    if not results.done.all():
        tables.phases  # noqa: B018  # computed once here, not by each thread
        training = _Training(
            begin=begin,
            results=results,
            running=running,
            identifier=identifier,
            path=path,
            every=every,
            progress=progress,
        )
        training.run(threads)
    return Sessions(
        tables,
        seed,
        tables.strategies(results.strategies),
        results.states,
        results.periods,
        results.converged,
        results.q,
    )


class _Start:
    """The values and states from which the sessions of a training start.

    Attributes:
        digest: identifies them; empty for those of the parameters.

    Raises:
        UsageError: they do not fit the training.
    """

    def __init__(
        self,
        tables: LearningTables,
        sessions: int,
        seed: int,
        start: Sessions | ArrayLike | None,
        rematch: int,
    ) -> None:
        self._tables, self._seed = tables, seed
        self._values: NDArray[np.float64] | None = None
        self._states: NDArray[np.int64] | None = None
        self.digest = ""
        if whole_number(rematch) is None:
            raise UsageError(f"rematch must be a whole number for a training; got {rematch!r}.")
        if rematch and not isinstance(start, Sessions):
            raise UsageError("Firms are rematched after a training: give its sessions as start.")
        if start is None:
            return
        shape = (sessions, tables.firms, tables.rows, tables.points)
        given = start.q if isinstance(start, Sessions) else start
        if given is None:
            raise UsageError("The sessions to start from have no Q tables: train them with keep_tables=True.")
        try:
            values = np.broadcast_to(np.asarray(given, np.float64), shape)
        except ValueError:
            raise UsageError(
                f"The values to start from must broadcast to (sessions, firms, states, points) = {shape};"
                f" got an array of shape {np.shape(given)}."
            ) from None
        if not np.all(np.isfinite(values)):
            raise UsageError("The values to start from must be finite numbers; mend the array.")
        if isinstance(start, Sessions) and not rematch:
            self._states = start.states
        if rematch:
            seats = (np.arange(sessions)[:, None] + rematch * np.arange(tables.firms)) % sessions
            values = values[seats, np.arange(tables.firms)]
        self._values = values
        hashed = hashlib.sha256(np.ascontiguousarray(values).tobytes())
        hashed.update(b"" if self._states is None else self._states.tobytes())
        self.digest = hashed.hexdigest()

    def session(self, number: int) -> Session:
        """Return a session as it is before its first period."""
        if self._values is None:
            return start_session(self._tables, self._seed, number)
        state = None if self._states is None else int(self._states[number])
        return start_session(self._tables, self._seed, number, self._values[number], state)


class _Training:
    """The threads of one training and the state that they share."""

    def __init__(
        self,
        *,
        begin: _Start,
        results: files.Results,
        running: dict[int, Session],
        identifier: dict[str, object],
        path: Path | None,
        every: float,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.begin, self.results, self.snapshots = begin, results, running
        self.identifier, self.path, self.every, self.progress = identifier, path, every, progress
        self.stop, self.lock = threading.Event(), threading.Lock()

    def run(self, threads: int) -> None:
        """Play all sessions that are not done, and save what was played however the training ends."""
        waiting = [number for number, done in enumerate(self.results.done.tolist()) if not done]
        # Sessions under way come first, because their tables take space in the file.
        waiting.sort(key=lambda number: (number not in self.snapshots, number))
        with ThreadPoolExecutor(threads, thread_name_prefix="qlearning") as pool:
            futures = {pool.submit(self._play, number) for number in waiting}
            try:
                self._watch(futures)
            finally:
                self.stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                self._save()

    def _watch(self, futures: set[Future[None]]) -> None:
        saved, pause = time.monotonic(), self.every
        while futures:
            finished, futures = wait(futures, timeout=min(1.0, pause), return_when=FIRST_COMPLETED)
            for future in finished:
                future.result()
            if self.progress is not None:
                self.progress(int(self.results.done.sum()), len(self.results.done))
            if time.monotonic() - saved >= pause:
                start = time.monotonic()
                self._save()
                saved = time.monotonic()
                # Saving takes at most a twentieth of the time, however large the tables are.
                pause = max(self.every, 20 * (saved - start))

    def _play(self, number: int) -> None:
        with self.lock:
            kept = self.snapshots.get(number)
        session = self.begin.session(number) if kept is None else kept.copy()
        copied = time.monotonic()
        while not session.over and not self.stop.is_set():
            session.advance(PIECE)
            if self.path is not None and time.monotonic() - copied >= self.every:
                copied = time.monotonic()
                with self.lock:
                    self.snapshots[number] = session.copy()
        with self.lock:
            if session.over:
                self.results.put(number, session)
                self.snapshots.pop(number, None)
            elif self.path is not None:
                self.snapshots[number] = session

    def _save(self) -> None:
        if self.path is not None:
            with self.lock:
                files.save(self.path, self.identifier, self.results, self.snapshots)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
