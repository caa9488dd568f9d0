"""One writer per run: an operating-system lock on a file beside it, which ends with its holder's process."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path


class RunLock:
    """Held from `acquire` to `release` or to the end of the process, however it ends. Readers need none."""

    def __init__(self, run: Path) -> None:
        whole = run.resolve()  # the working directory may change, and a link is another name of the same run
        self.path = whole.with_name(whole.name + ".lock")
        self._file: int | None = None

    def acquire(self) -> bool:
        """Take the lock; False if another process (or another writer in this one) has it.

        Raises:
            OSError: the lock file cannot be made.
        """
        while True:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            if not _take(file):
                os.close(file)
                return False
            # A holder removes the file when it is done, and a lock on a removed file locks nobody out.
            if _is_at(file, self.path):
                self._file = file
                return True
            os.close(file)

    def release(self) -> None:
        """Give the lock back and remove its file; does nothing if it is not held."""
        if self._file is None:
            return
        with suppress(OSError):  # Windows removes no open file; it may stay, it is empty
            self.path.unlink()
        os.close(self._file)
        self._file = None


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _take(file: int) -> bool:
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _take(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
