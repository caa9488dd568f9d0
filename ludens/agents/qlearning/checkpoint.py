"""Trainings on disk: one file that holds the finished sessions and those under way.

The file is replaced as a whole and never changed in place, so that a process that is killed while writing
leaves the previous version intact.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ludens.agents.qlearning.session import ARRAYS, Session
from ludens.agents.qlearning.tables import LearningTables
from ludens.errors import LudensError, UsageError

VERSION = 2


@dataclass
class Results:
    """The results of finished sessions, one entry per session; `done` marks the valid ones.

    Strategies and Q tables are by the rows of firms' tables.
    """

    done: NDArray[np.bool_]
    strategies: NDArray[np.uint16]
    states: NDArray[np.int64]
    periods: NDArray[np.int64]
    converged: NDArray[np.bool_]
    q: NDArray[np.float64] | None

    @classmethod
    def empty(cls, tables: LearningTables, sessions: int, keep_tables: bool) -> Results:
        """Return arrays for so many sessions, none of them done."""
        shape = (sessions, tables.firms, tables.rows)
        return cls(
            np.zeros(sessions, bool),
            np.zeros(shape, np.uint16),
            np.zeros(sessions, np.int64),
            np.zeros(sessions, np.int64),
            np.zeros(sessions, bool),
            np.zeros((*shape, tables.points)) if keep_tables else None,
        )

    def put(self, number: int, session: Session) -> None:
        """Store the results of a session that is over."""
        self.strategies[number] = session.strategies()
        self.states[number], self.periods[number] = session.state, session.changed
        self.converged[number] = session.converged
        if self.q is not None:
            self.q[number] = session.values()
        self.done[number] = True


def identity(
    tables: LearningTables, sessions: int, seed: int, keep_tables: bool, start: str = ""
) -> dict[str, Any]:
    """Return the JSON values by which two trainings are compared: equal values mean equal trainings.

    Args:
        tables: the market and the parameters.
        sessions: how many.
        seed: of the training.
        keep_tables: whether Q tables are kept.
        start: identifies what the sessions start from; empty for Q_0 of the parameters.
    """
    made = {
        "version": VERSION,
        "market": tables.market.parameters,
        "parameters": tables.parameters.key(),
        "outside": list(tables.outside),
        "interventions": [{"kind": type(each).__name__, **vars(each)} for each in tables.interventions],
        "moves": tables.moves,
        "start": start,
        "sessions": sessions,
        "seed": seed,
        "keep_tables": keep_tables,
    }
    read: dict[str, Any] = json.loads(json.dumps(made))
    return read


def save(path: Path, identifier: dict[str, Any], results: Results, running: dict[int, Session]) -> None:
    """Write the whole file; if that fails, the file stays as it was."""
    arrays: dict[str, NDArray[Any]] = {
        "identity": np.array(json.dumps(identifier)),
        "running": np.array(sorted(running), dtype=np.int64),
    }
    arrays |= {name: value for name, value in vars(results).items() if value is not None}
    for number in sorted(running):
        arrays |= {f"{number}/{name}": getattr(running[number], name) for name in ARRAYS}
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes the names for its own option
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load(path: Path, identifier: dict[str, Any], results: Results, fresh: Any) -> dict[int, Session]:
    """Read a checkpoint: fill in the results, and return the sessions under way by their number.

    Args:
        path: the file.
        identifier: the `identity` of the training that reads the file.
        results: filled in from the file.
        fresh: makes session number r as it was before its first period.

    Raises:
        UsageError: the file belongs to another training.
        LudensError: the file is not a checkpoint, or is damaged.
    """
    try:
        # Opened here, so that the file is closed even if NumPy finds it damaged.
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            stored = json.loads(str(file["identity"]))
            _check(path, stored, identifier)
            for name, value in vars(results).items():
                if value is not None:
                    value[...] = file[name]
            running = {}
            for number in file["running"].tolist():
                session: Session = fresh(number)
                for name in ARRAYS:
                    getattr(session, name)[...] = file[f"{number}/{name}"]
                running[number] = session
            return running
    except UsageError:
        raise
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as why:
        raise LudensError(
            f"The checkpoint {path} cannot be read ({why}): delete it to train from the beginning."
        ) from None


def _check(path: Path, stored: dict[str, Any], wanted: dict[str, Any]) -> None:
    differing = sorted(key for key in wanted.keys() | stored.keys() if stored.get(key) != wanted.get(key))
    if differing:
        raise UsageError(
            f"The checkpoint {path} belongs to another training (its {', '.join(differing)} differ): name"
            " another file, or delete it."
        )
