"""Notice that the file of a run was removed, moved or replaced while it is written, and keep a copy of it.

SQLite goes on writing to a file that lost its name: until the process ends all seems well, and then all is
gone. So each write first compares the name with the open file, which costs two calls to the system.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from itertools import count
from pathlib import Path

from ludens.experiments.runs.database import Database, StoreError, connect_file

_Identity = tuple[int, int]
_State = tuple[int, int]


class Place:
    """The name under which an open run lies, and what was last seen there.

    Args:
        path: the run; it need not be absolute, and the working directory may change later.
        database: the open run.
    """

    def __init__(self, path: Path, database: Database) -> None:
        self._begun = _begun(database)
        self._name, self.path = path, path.absolute()
        self._files = [_File(file.absolute()) for file in database.files.values()]

    def note(self) -> None:
        """Remember how the files look after a write of our own."""
        for file in self._files:
            file.note()

    def holds_ours(self) -> bool:
        """Return whether the name still leads to the files that were opened."""
        return all(file.is_ours() for file in self._files)

    def remove(self) -> None:
        """Remove the run's files, which nobody has open."""
        for file in self._files:
            file.path.unlink(missing_ok=True)
        if len(self._files) > 1:
            with suppress(OSError):  # somebody else's files are in the folder as well
                self.path.rmdir()

    def remove_logs(self) -> None:
        """Remove what SQLite left under the old names after closing files that were lost: a file that now
        bears such a name would be read together with it.
        """
        for file in self._files:
            file.remove_log()

    def problem(self) -> str:
        """Return what happened to the run, for the beginning of a sentence; empty if it lies where it lay."""
        for file in self._files:
            if problem := file.problem(self._begun):
                whole = file.path == self.path or not self.path.exists()
                return f"{self._name if whole else self._name / file.path.name} {problem}"
        return ""

    def keep_copy(self, database: Database) -> Path | None:
        """Copy the open run to a new name beside the old one; return that name, or None if nothing whole was
        left or the copy could not be written.
        """
        endings = ("-kept" if number == 1 else f"-kept-{number}" for number in count(1))
        names = (self.path.with_name(f"{self.path.stem}{ending}{self.path.suffix}") for ending in endings)
        copy = next(name for name in names if not name.exists())
        draft = copy.with_name(f".{copy.name}.{os.getpid()}")
        try:
            draft.parent.mkdir(parents=True, exist_ok=True)
            if database.shards:
                draft.mkdir()
            for name, file in database.files.items():
                target = draft / file.name if database.shards else draft
                with closing(sqlite3.connect(target)) as written:
                    database.backup(written, name=name)
                    written.execute("PRAGMA journal_mode = DELETE")
                if not _is_whole(target, self._begun):
                    return None
            draft.rename(copy)
        except (OSError, sqlite3.Error, StoreError):
            return None
        finally:
            remove_draft(draft)
        return copy


class _File:
    """One file of a run, and what was last seen under its name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._log = path.with_name(path.name + "-wal")
        self._file, self._state = _identity(path), _state(path)
        self._log_file = _identity(self._log)

    def note(self) -> None:
        self._state = _state(self.path)
        self._log_file = self._log_file or _identity(self._log)

    def is_ours(self) -> bool:
        return _identity(self.path) == self._file

    def remove_log(self) -> None:
        if self._log_file is not None and _identity(self._log) == self._log_file:
            for ending in ("-wal", "-shm"):
                with suppress(OSError):
                    self.path.with_name(self.path.name + ending).unlink()

    def problem(self, begun: str) -> str:
        now = _seen(self.path)
        if now is None:
            return "was removed or moved"
        if (now.st_dev, now.st_ino) != self._file:
            return "was replaced by another file"
        if self._log_file is not None and _identity(self._log) != self._log_file:
            return f"lost the file {self._log.name} beside it"
        if (now.st_size, now.st_mtime_ns) != self._state:
            # Somebody else wrote into the very file, or only touched it.
            if not _is_whole(self.path, begun):
                return "was overwritten"
            self.note()
        return ""


def remove_draft(draft: Path) -> None:
    """Remove a draft of a run, if there is one: a file, or a folder."""
    with suppress(OSError):
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        else:
            draft.unlink(missing_ok=True)


def _seen(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116  # twice as fast as the method, at every write
    except OSError:
        return None


def _identity(path: Path) -> _Identity | None:
    seen = _seen(path)
    return None if seen is None else (seen.st_dev, seen.st_ino)


def _state(path: Path) -> _State | None:
    seen = _seen(path)
    return None if seen is None else (seen.st_size, seen.st_mtime_ns)


def _begun(database: sqlite3.Connection) -> str:
    """Return what tells a run from another one and never changes."""
    keys = "SELECT value FROM manifest WHERE key = 'id'"
    return repr(database.execute(keys).fetchall())


def _is_whole(path: Path, begun: str) -> bool:
    """Return whether a file is the run that was begun so, and can be read to its end."""
    try:
        with closing(connect_file(path)) as database:
            (checked,) = database.execute("PRAGMA quick_check(1)").fetchone()
            return bool(checked == "ok" and _begun(database) == begun)
    except (StoreError, sqlite3.Error):
        return False
