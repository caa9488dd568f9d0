"""Open the file of a run, and say in one sentence what is wrong with it."""

from __future__ import annotations

import json
import lzma
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from ludens.errors import LudensError, UsageError
from ludens.experiments.runs import rows

PACKED = ".xz"
"""The ending of a compressed copy of a run."""

MOST_UNPACKED = 4 << 30
"""Bytes that a compressed copy may hold: a file from somebody else may hold next to nothing very often."""

MANIFEST = frozenset({"id", "kind", "config", "seed", "started", "seconds", "versions", "status", "detail"})
"""What the manifest of every run holds."""


class StoreError(LudensError):
    """A run cannot be written or read: the message says why and what to do."""


class NoRunError(StoreError, UsageError):
    """What was named is not a run, or none of the kind that is needed."""


def connect(path: str | os.PathLike[str], *, write: bool = False) -> sqlite3.Connection:
    """Open the file of a run, checked to be one that this version of ludens can read.

    Raises:
        NoRunError: there is no such file, or it is not a run.
        StoreError: a newer ludens wrote it, it is damaged, or it cannot be opened.
    """
    file = Path(path)
    if not file.is_file():
        raise NoRunError(
            f"There is no run at {file}: name a .db file as `ludens play` and `ludens bench` write it."
        )
    packed = file.suffix.lower() == PACKED
    if packed and write:
        raise StoreError(
            f"{file} is a compressed copy of a run, which is only read: make a run of it by `xz -dk {file}`."
        )
    address = ":memory:" if packed else f"{file.absolute().as_uri()}?mode={'rw' if write else 'ro'}"
    with translated(file):
        database = sqlite3.connect(
            address, timeout=10, isolation_level=None, check_same_thread=False, uri=not packed
        )
        try:
            if packed:
                database.deserialize(_unpacked(file))
            _check(database, file)
        except BaseException:
            database.close()
            raise
    return database


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
        log = file.with_name(file.name + "-wal")
        if log.exists():
            return (
                f"{file} broke off and part of it still lies in {log.name}, which can be read only where its "
                "folder can be written to: copy both files into such a folder."
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


def _check(database: sqlite3.Connection, file: Path) -> None:
    if database.execute("PRAGMA application_id").fetchone()[0] != rows.APPLICATION_ID:
        raise NoRunError(f"{file} is not a run of ludens: name the .db file of one.")
    found = database.execute("PRAGMA user_version").fetchone()[0]
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
    kept = {key for (key,) in database.execute("SELECT key FROM manifest")}
    if lacking := sorted(MANIFEST - kept):
        raise StoreError(_damaged(file, f"its manifest lacks {', '.join(lacking)}"))
