"""Open a run, and say in one sentence what is wrong with it.

A run is one SQLite file, or a folder of them. In a folder `HEAD` holds the manifest, and each shard the
episodes whose numbers leave the same remainder, with all that belongs to them: what must be kept together
lies in one file. An open folder is one connection, on which views with the names of the tables show the rows
of all shards; what is written names its shard.
"""

from __future__ import annotations

import json
import lzma
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from ludens.errors import LudensError, UsageError
from ludens.experiments.runs import rows

PACKED = ".xz"
"""The ending of a compressed copy of a run."""

MOST_UNPACKED = 4 << 30
"""Bytes that a compressed copy may hold: a file from somebody else may hold next to nothing very often."""

HEAD = "run.db"
"""The file with the manifest, of a run that is a folder."""

MOST_SHARDS = 10
"""SQLite opens no more files beside one, as it is usually compiled."""

MANIFEST = frozenset({"id", "kind", "config", "seed", "started", "seconds", "versions", "status", "detail"})
"""What the manifest of every run holds."""


class StoreError(LudensError):
    """A run cannot be written or read: the message says why and what to do."""


class NoRunError(StoreError, UsageError):
    """What was named is not a run, or none of the kind that is needed."""


class Database(sqlite3.Connection):
    """An open run.

    Attributes:
        files: its files by their names in SQL, the one with the manifest first.
        shards: how many of them hold its episodes, if it is a folder; 0 if it is one file.
    """

    files: dict[str, Path]
    shards: int = 0

    def holder(self, episode: int) -> str:
        """Return the name, in SQL, of the file that holds an episode."""
        return shard_name(episode % self.shards) if self.shards else "main"


def connect(path: str | os.PathLike[str], *, write: bool = False) -> Database:
    """Open a run, checked to be one that this version of ludens can read.

    Raises:
        NoRunError: there is no such file, or it is not a run.
        StoreError: a newer ludens wrote it, it is damaged or not whole, or it cannot be opened.
    """
    place = Path(path)
    if not is_there(place):
        raise NoRunError(
            f"There is no run at {place}: name a .db file as `ludens play` and `ludens bench` write it."
        )
    folder = place.is_dir()
    database = connect_file(place / HEAD if folder else place, write=write)
    try:
        with translated(place):
            _check_manifest(database, place, folder=folder)
            if folder:
                _attach(database, place, write=write)
    except BaseException:
        database.close()
        raise
    return database


def connect_file(file: Path, *, write: bool = False) -> Database:
    """Open one file of a run, checked to have tables that this version of ludens can read.

    Raises:
        NoRunError: it is no file of a run.
        StoreError: a newer ludens wrote it, it is damaged, or it cannot be opened.
    """
    packed = file.suffix.lower() == PACKED
    if packed and write:
        raise StoreError(
            f"{file} is a compressed copy of a run, which is only read: make a run of it by `xz -dk {file}`."
        )
    with translated(file):
        database = sqlite3.connect(
            ":memory:" if packed else _address(file, write=write),
            timeout=10,
            isolation_level=None,
            check_same_thread=False,
            uri=not packed,
            factory=Database,
        )
        try:
            if packed:
                database.deserialize(_unpacked(file))
            _check_version(database, "main", file)
        except BaseException:
            database.close()
            raise
    database.files = {"main": file}
    return database


def is_there(path: Path) -> bool:
    """Return whether a file, or the folder of a run, lies at a path."""
    return path.is_file() or (path / HEAD).is_file()


def shard_name(number: int) -> str:
    """Return the name of a shard in SQL."""
    return f"shard_{number}"


def shard_file(folder: Path, number: int) -> Path:
    """Return the file of a shard."""
    return folder / f"shard-{number}.db"


def _address(file: Path, *, write: bool) -> str:
    return f"{file.absolute().as_uri()}?mode={'rw' if write else 'ro'}"


def _attach(database: Database, folder: Path, *, write: bool) -> None:
    """Open the shards of a run beside its manifest, and lay the views over their tables."""
    run, count, planned = _numbers(database, "id", "shards", "planned")
    if count is planned is None:
        raise NoRunError(f"{folder} is a folder with a run in it: name the run, {folder / HEAD}.")
    if not isinstance(count, int) or not 1 <= count <= MOST_SHARDS or not isinstance(planned, int):
        raise StoreError(_damaged(folder, "its manifest does not say how many files it has"))
    files = {"main": folder / HEAD}
    for number in range(count):
        name, file = shard_name(number), shard_file(folder, number)
        if not file.is_file():
            raise StoreError(f"{folder} lacks its file {file.name}: restore it from a copy.")
        try:
            database.execute(f"ATTACH ? AS {name}", (_address(file, write=write),))
            _check_version(database, name, file)
            same = _numbers(database, "id", "shard", schema=name) == [run, number]
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _UNREADABLE:
                raise
            raise StoreError(_damaged(folder, f"{file.name}: {error}")) from error
        if not same:
            raise StoreError(f"{file} belongs to another run, or in another place: restore it from a copy.")
        files[name] = file
    database.files, database.shards = files, count
    _check_age(database, folder)
    for table in ("episodes", "decisions", "calls", "texts"):
        parts = (f"SELECT * FROM {shard_name(number)}.{table}" for number in range(count))
        # Episodes that were to be added when the process died are no part of the run yet.
        planned_only = f" WHERE episode < ({_PLANNED})" if table == "episodes" else ""
        query = " UNION ALL ".join(part + planned_only for part in parts)
        database.execute(f"CREATE TEMP VIEW {table} AS {query}")


def _check_age(database: Database, folder: Path) -> None:
    """See that the files of a folder belong together: that none is a copy from before the run was extended.

    Another process may just extend it, which first writes the shards, then the manifest, and then decides.

    Raises:
        StoreError: one is older than another.
    """
    decided = [
        database.execute(
            f"SELECT max(last) FROM (SELECT max(episode) AS last FROM {name}.decisions "
            f"UNION ALL SELECT max(episode) FROM {name}.calls)"
        ).fetchone()[0]
        for name in map(shard_name, range(database.shards))
    ]
    (planned,) = _numbers(database, "planned")
    for number, known in enumerate(decided):
        name = shard_file(folder, number).name
        if known is not None and known >= planned:
            raise StoreError(_damaged(folder, f"{name} holds episode {known}, which {HEAD} does not know"))
        (last,) = database.execute(
            f"SELECT max(episode) FROM {shard_name(number)}.episodes WHERE episode < ?",
            (min(planned, 1 << 62),),
        ).fetchone()
        expected = planned - 1 - (planned - 1 - number) % database.shards
        if expected >= 0 and last != expected:
            raise StoreError(_damaged(folder, f"{name} lacks episode {expected}"))


_PLANNED = "SELECT CAST(value AS INTEGER) FROM main.manifest WHERE key = 'planned'"

_UNREADABLE = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _numbers(database: Database, *keys: str, schema: str = "main") -> list[Any]:
    """Return values of the manifest of one file; None for what it lacks."""
    kept = dict(database.execute(f"SELECT key, value FROM {schema}.manifest"))
    return [json.loads(kept[key]) if key in kept else None for key in keys]


def _unpacked(file: Path) -> bytes:
    """Return the content of a compressed copy, decompressed once for as long as it is the same file.

    Raises:
        StoreError: it cannot be read, or holds more than any run.
    """
    try:
        state = file.stat()
        return _content(file, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise StoreError(f"{file} cannot be read ({reason(error)}): check its permissions.") from None
    except (lzma.LZMAError, EOFError) as error:
        raise NoRunError(
            f"{file} is not a compressed run of ludens ({error}): name a file that `ludens "
            "export RUN --replayable` wrote."
        ) from None


@lru_cache(maxsize=1)
def _content(file: Path, modified: int, size: int) -> bytes:
    with lzma.open(file) as packed:
        content = packed.read(MOST_UNPACKED + 1)
    if len(content) > MOST_UNPACKED:
        raise StoreError(
            f"{file} holds more than {MOST_UNPACKED >> 30} GiB: unpack it by `xz -dk {file}` if you trust it."
        )
    return content


@contextmanager
def translated(file: Path) -> Iterator[None]:
    """SQLite's errors as sentences of ours."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        kind = NoRunError if code == sqlite3.SQLITE_NOTADB else StoreError
        raise kind(_sentence(file, error, code)) from error
    except json.JSONDecodeError as error:
        raise StoreError(_damaged(file, error)) from error


def _sentence(file: Path, error: sqlite3.Error, code: int) -> str:
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return (
            f"The disk is full or failing where {file} is written ({error}): make room and go on with "
            f"`ludens resume {file}`; what was decided so far is kept."
        )
    if code == sqlite3.SQLITE_NOTADB:
        return f"{file} is not a run of ludens: name the .db file of one."
    if code == sqlite3.SQLITE_CORRUPT:
        return _damaged(file, error)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        log = next(file.glob("*-wal"), None) if file.is_dir() else file.with_name(file.name + "-wal")
        if log is not None and log.exists():
            both = "the whole folder" if file.is_dir() else "both files"
            return (
                f"{file} broke off and part of it still lies in {log.name}, which can be read only where its "
                f"folder can be written to: copy {both} into such a folder."
            )
        return f"{file} cannot be opened ({error}): check its permissions and those of its folder."
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"Another program holds {file} locked: close it there and try again."
    return f"{file} cannot be used as a run ({error}): it may be damaged or no run at all."


def _damaged(file: Path, why: object) -> str:
    return f"{file} is damaged ({why}): restore it from a copy, or start the run again."


def reason(error: OSError) -> str:
    """Return what the operating system says, for the middle of a sentence."""
    return (error.strerror or str(error)).lower()


def _check_version(database: Database, schema: str, file: Path) -> None:
    if database.execute(f"PRAGMA {schema}.application_id").fetchone()[0] != rows.APPLICATION_ID:
        raise NoRunError(f"{file} is not a run of ludens: name the .db file of one.")
    found = database.execute(f"PRAGMA {schema}.user_version").fetchone()[0]
    if found > rows.SCHEMA_VERSION:
        raise StoreError(
            f"{file} was written by a newer ludens (store version {found}, this one reads up to "
            f"{rows.SCHEMA_VERSION}): upgrade ludens to open it."
        )
    if found < rows.SCHEMA_VERSION:
        raise NoRunError(
            f"{file} was written by an earlier ludens (store version {found}, this one reads "
            f"{rows.SCHEMA_VERSION}): open it with the version that wrote it, or run the study again."
        )


def _check_manifest(database: Database, place: Path, *, folder: bool) -> None:
    kept = {key for (key,) in database.execute("SELECT key FROM manifest")}
    if not folder and kept & {"shard", "shards"}:
        raise NoRunError(f"{place} is one of several files of a run: name its folder, {place.parent}.")
    if lacking := sorted(MANIFEST - kept):
        raise StoreError(_damaged(place, f"its manifest lacks {', '.join(lacking)}"))
